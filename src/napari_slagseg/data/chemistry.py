"""Mineral formulas to mass shares of elements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from napari_slagseg.data.errors import SlagsegError
from napari_slagseg.data.phases import BACKGROUND, PhaseTable

_PLAIN = str.maketrans(
    "₀₁₂₃₄₅₆₇₈₉．[]{}·•⋅∙・*\N{NO-BREAK SPACE}\N{THIN SPACE}",
    "0123456789.()()······  ",
)
"""Subscripts, the brackets and dots that mineral names are written with, as plain signs."""

_CHARGE = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]*[⁺⁻]|\^\(?\d*[+-]\)?|\((?:\d*[+-]|[+-]\d+)\)")
"""Charges that cannot be taken for anything else; they weigh nothing."""

_VACANCY = re.compile("[□☐◻](?:\\d+(?:\\.\\d+)?)?")

_WATER = re.compile(r"(?P<before>[^.·]*?)\.(?P<count>\d*\.?\d*)H2O(?![A-Za-z0-9])")
"""Water behind a full stop."""

_JOINING_STOP = re.compile(r"(?<=[A-Za-z)])\.(?=[\dA-Z(])|(?<=\d)\.(?=[A-Z(])")
"""A full stop that no number has: it stands between two parts, as in CaO.Al2O3."""

_UNSURE_STOP = re.compile(r"O\d+\.\d+(?=[A-Z(])")
"""Oxygen with decimals and more behind it: a decimal, or a part that begins with a number?"""

_SIGNS = re.compile(r"[A-Za-z0-9.()+ ]*")


@dataclass(frozen=True)
class ElementTable:
    """Elements of the phases of a table.

    Attributes
    ----------
    fractions : mapping of phase name to mapping of element to mass share
        Phases with a formula; the shares of each sum to 1.
    without_formula : tuple of str
        Phases (background left out) whose composition is not known.
    """

    fractions: Mapping[str, Mapping[str, float]]
    without_formula: tuple[str, ...]

    @property
    def elements(self) -> tuple[str, ...]:
        """All elements that occur, by atomic number."""
        import periodictable

        found = {element for shares in self.fractions.values() for element in shares}
        return tuple(sorted(found, key=lambda e: periodictable.elements.symbol(e).number))


def element_mass_fractions(formula: str) -> dict[str, float]:
    """Mass share of every element of a mineral formula.

    Understood are nested round and square brackets, decimals (``Mg1.8Fe0.2SiO4``), subscript
    digits, and parts such as water behind a raised dot, an asterisk or a full stop
    (``CaSO4·2H2O``, ``CaSO4.2H2O``). Raised charges (``Fe²⁺``, ``Fe^2+``) and vacancies weigh
    nothing. Atomic masses are the standard atomic weights of IUPAC (CIAAW), from the package
    ``periodictable``.

    Parameters
    ----------
    formula : str

    Returns
    -------
    fractions : dict of element symbol to float
        In order of first appearance; they sum to 1.

    Raises
    ------
    SlagsegError
        If it is empty, holds something that is no element, shares of a solid solution that are
        not given as numbers (``(Mg,Fe)2SiO4``), a charge that reads like a number (``Fe2+``), or a
        full stop that can be read in two ways.

    Examples
    --------
    >>> {e: round(f, 4) for e, f in element_mass_fractions("LiAlO2").items()}
    {'Li': 0.1053, 'Al': 0.4093, 'O': 0.4854}
    """
    return dict(_fractions(formula))


@lru_cache(maxsize=1024)
def _fractions(formula: str) -> tuple[tuple[str, float], ...]:
    import periodictable

    plain = _in_plain_signs(formula)
    try:
        parsed = periodictable.formula(plain)
        amounts: dict[str, float] = {}
        for atom, count in parsed.atoms.items():
            amounts[atom.symbol] = amounts.get(atom.symbol, 0.0) + float(count) * float(atom.mass)
    except Exception as error:
        raise _unreadable(formula, "it cannot be read") from error
    strange = [e for e in amounts if e in ("D", "T", "n")]
    whole = sum(amounts.values())
    if strange or not whole > 0:
        why = f"'{strange[0]}' is no element" if strange else "it holds no element"
        raise _unreadable(formula, why)
    return tuple((element, mass / whole) for element, mass in amounts.items() if mass > 0)


def _in_plain_signs(formula: str) -> str:
    """Formula in the signs that the parser knows, where its meaning is certain."""
    plain = _VACANCY.sub("", _CHARGE.sub("", formula.strip().translate(_PLAIN)))
    if "," in plain:
        raise SlagsegError(
            f"The formula '{formula}' leaves the shares of a solid solution open. Write them as "
            "numbers, for example Mg1.8Fe0.2SiO4 instead of (Mg,Fe)2SiO4."
        )
    if "+" in plain or "-" in plain or "−" in plain:
        raise _unreadable(
            formula, "it holds a + or -; leave charges out, and give numbers instead of 1-x"
        )
    plain = _WATER.sub(_with_water, plain)
    plain = _JOINING_STOP.sub("·", plain)
    unsure = _UNSURE_STOP.search(plain)
    if unsure is not None:
        raise _unreadable(
            formula,
            f"the full stop in '{unsure.group()}' can be a decimal or begin another part. Write "
            f"'·' between parts, or brackets around a decimal: ({unsure.group()})",
        )
    # the parser's sign between parts is +
    plain = re.sub(r"\s*·\s*", "+", plain)
    if not _SIGNS.fullmatch(plain):
        odd = next(sign for sign in plain if not _SIGNS.fullmatch(sign))
        raise _unreadable(formula, f"'{odd}' means nothing in it")
    return plain


def _with_water(match: re.Match[str]) -> str:
    # a count of nothing but zeros before the stop can only be a decimal, as in Fe0.95H2O
    number = re.search(r"\d*$", match["before"])
    if number is not None and number.group() and int(number.group()) == 0:
        return match.group()
    return f"{match['before']}·{match['count']}H2O"


def _unreadable(formula: str, why: str) -> SlagsegError:
    return SlagsegError(
        f"The formula '{formula}' is not understood: {why}. Formulas are written like KAlSi3O8, "
        "Ca5(PO4)3(OH), Mg1.8Fe0.2SiO4 or CaSO4·2H2O."
    )


def element_table(table: PhaseTable) -> ElementTable:
    """Elements of every phase of a table, and the phases whose composition is not known.

    Raises
    ------
    SlagsegError
        Naming the phase whose formula cannot be read.
    """
    fractions: dict[str, Mapping[str, float]] = {}
    missing: list[str] = []
    for phase in table:
        if phase.id == BACKGROUND:
            continue
        if not phase.formula.strip():
            missing.append(phase.name)
            continue
        try:
            fractions[phase.name] = element_mass_fractions(phase.formula)
        except SlagsegError as error:
            raise SlagsegError(f"Phase '{phase.name}': {error}") from error
    return ElementTable(fractions, tuple(missing))


__all__ = ["ElementTable", "element_mass_fractions", "element_table"]
