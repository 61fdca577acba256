"""The phase table: what each phase id means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.errors import SlagsegError

BACKGROUND = 0
"""Phase id of epoxy, resin, air: whatever is not a particle."""

UNKNOWN = -1
"""Phase id (and particle label, in ground truth) where nothing is known."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Phase:
    """One phase.

    Attributes
    ----------
    id : int
        Value in rasters and volumes; 0 is background.
    name : str
        Name as the user writes it.
    colour : str
        ``#rrggbb``.
    symbol : str
        IMA mineral symbol, or "".
    formula : str
        Chemical formula, or "".
    density_g_cm3 : float or None
        Density in g/cm3; None where not given.
    group : str
        Name of the class the phase is put in for training; "" leaves it a
        class of its own.
    """

    id: int
    name: str
    colour: str
    symbol: str = ""
    formula: str = ""
    density_g_cm3: float | None = None
    group: str = ""

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Colour as three integers, 0 to 255."""
        return (int(self.colour[1:3], 16), int(self.colour[3:5], 16), int(self.colour[5:7], 16))


@dataclass(frozen=True)
class PhaseTable:
    """The phases of a sample, background included, and which of them is the target.

    Attributes
    ----------
    phases : tuple of Phase
        In order of id; the first is background with id 0.
    target : str or None
        Name of the target phase (the one whose liberation is asked for).

    Raises
    ------
    SlagsegError
        If ids or names are repeated, a colour is not ``#rrggbb``, background is
        missing or the target is not a phase of the table.
    """

    phases: tuple[Phase, ...]
    target: str | None = None

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.phases, key=lambda phase: phase.id))
        object.__setattr__(self, "phases", ordered)
        if not ordered or ordered[0].id != BACKGROUND:
            raise SlagsegError(
                "The phase table has no background. Give one phase the name 'background' "
                "(it gets id 0), or id 0 where ids are given."
            )
        seen_ids: set[int] = set()
        seen_names: set[str] = set()
        for phase in ordered:
            if not phase.name.strip():
                raise SlagsegError(f"Phase {phase.id} of the phase table has no name.")
            if phase.id in seen_ids:
                raise SlagsegError(f"Phase id {phase.id} stands twice in the phase table.")
            if phase.name in seen_names:
                raise SlagsegError(f"Phase '{phase.name}' stands twice in the phase table.")
            if not _COLOUR.fullmatch(phase.colour):
                raise SlagsegError(
                    f"Phase '{phase.name}' has the colour {phase.colour!r}; "
                    "write it as '#rrggbb', for example '#d55e00'."
                )
            if phase.density_g_cm3 is not None and not phase.density_g_cm3 >= 0:
                raise SlagsegError(
                    f"Phase '{phase.name}' has the density {phase.density_g_cm3} g/cm3; "
                    "it must be zero or more, or left empty."
                )
            seen_ids.add(phase.id)
            seen_names.add(phase.name)
        if self.target is not None:
            self._check_target(self.target)

    def _check_target(self, name: str) -> None:
        if self.by_name(name).id == BACKGROUND:
            raise SlagsegError("The target phase cannot be the background.")

    def __iter__(self) -> Iterator[Phase]:
        return iter(self.phases)

    def __len__(self) -> int:
        return len(self.phases)

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids in rising order, background first."""
        return tuple(phase.id for phase in self.phases)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of `ids`."""
        return tuple(phase.name for phase in self.phases)

    @property
    def target_id(self) -> int:
        """Id of the target phase.

        Raises
        ------
        SlagsegError
            If no target is set.
        """
        if self.target is None:
            raise SlagsegError(
                f"No target phase is set. Choose one of: {', '.join(self.names[1:])}."
            )
        return self.by_name(self.target).id

    def by_name(self, name: str) -> Phase:
        """Phase called `name` (exact, else ignoring case), or a clear error."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        alike = [phase for phase in self.phases if phase.name.lower() == name.lower()]
        if len(alike) == 1:
            return alike[0]
        raise SlagsegError(
            f"Phase '{name}' is not in the phase table. It has: {', '.join(self.names)}."
        )

    def by_id(self, phase_id: int) -> Phase:
        """Phase with this id, or a clear error."""
        for phase in self.phases:
            if phase.id == phase_id:
                return phase
        raise SlagsegError(
            f"Phase id {phase_id} is not in the phase table. "
            f"It has: {', '.join(f'{p.id} ({p.name})' for p in self.phases)}."
        )

    def with_target(self, name: str | None) -> PhaseTable:
        """Same table with another target phase, or a clear error."""
        if name is None:
            return PhaseTable(self.phases)
        try:
            found = self.by_name(name)
        except SlagsegError:
            found = None
        if found is None or found.id == BACKGROUND:
            why = "is not in the phase table" if found is None else "is the background"
            raise SlagsegError(
                f"The target phase '{name}' {why}. Choose one of: {', '.join(self.names[1:])}."
            )
        return PhaseTable(self.phases, found.name)

    def grouped(self) -> tuple[PhaseTable, dict[int, int]]:
        """Put the phases into their groups (K 2.3.1).

        Groups are numbered 1, 2, ... by the first phase of each, in order of id;
        a phase without a group is a class of its own. The target phase always
        stays its own class, under its own name, even if it shares a group. A
        group takes colour, symbol, formula and density of its first phase where
        it has one member, else the first member's colour and nothing more.

        Returns
        -------
        table : PhaseTable
            Table of the classes, ids 0, 1, 2, ... without gaps.
        class_of : dict of int to int
            Class id of each phase id (background and `UNKNOWN` included).
        """
        members: dict[str, list[Phase]] = {}
        for phase in self.phases[1:]:
            # a target keeps its name; a group of that name would clash with it
            alone = phase.name == self.target or not phase.group
            key = f"phase:{phase.name}" if alone else f"group:{phase.group}"
            members.setdefault(key, []).append(phase)
        background = self.phases[0]
        if background.group:
            joined = members.pop(f"group:{background.group}", [])
        else:
            joined = members.pop(f"group:{background.name}", [])
        class_of = {UNKNOWN: UNKNOWN, BACKGROUND: BACKGROUND}
        class_of.update({phase.id: BACKGROUND for phase in joined})
        taken = {background.name, *([self.target] if self.target else [])}
        classes = [replace(background, group="")]
        for key, phases in members.items():
            first = phases[0]
            class_id = len(classes)
            if len(phases) == 1:
                name = first.name
                entry = replace(first, id=class_id, group="")
            else:
                name = key.partition(":")[2]
                name = f"{name} (rest)" if name in taken else name
                entry = Phase(class_id, name, first.colour)
            taken.add(name)
            classes.append(entry)
            class_of.update({phase.id: class_id for phase in phases})
        return PhaseTable(tuple(classes), self.target), class_of

    def lookup(self, class_of: dict[int, int]) -> NDArray[np.int16]:
        """Array that maps a phase id to its class by indexing; `UNKNOWN` is the last entry.

        Parameters
        ----------
        class_of : dict of int to int
            As `grouped` returns it.

        Returns
        -------
        lut : (max id + 2,) int16
            ``lut[raster]`` works on rasters that hold -1 too, as numpy's index
            -1 is the last entry.
        """
        lut = np.full(max(self.ids) + 2, UNKNOWN, dtype=np.int16)
        for phase_id, class_id in class_of.items():
            lut[phase_id] = class_id
        return lut


def phase_table_of(names: Sequence[str], colours: Sequence[str]) -> PhaseTable:
    """Make a table of plain names and colours; the first is the background."""
    return PhaseTable(
        tuple(Phase(i, name, colour) for i, (name, colour) in enumerate(zip(names, colours)))
    )


__all__ = ["BACKGROUND", "UNKNOWN", "Phase", "PhaseTable", "phase_table_of"]
