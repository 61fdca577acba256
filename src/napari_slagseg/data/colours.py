"""Colours of phases that colour-blind readers tell apart, and the vendor's by choice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from napari_slagseg.data.phases import BACKGROUND, Phase, PhaseTable

Palette = Literal["safe", "vendor"]
"""``safe``: told apart by colour-blind readers, too; ``vendor``: as the legend gives them."""

OKABE_ITO: tuple[str, ...] = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
"""Okabe & Ito (2008), *Color Universal Design*, without black, which is the background's."""

PAUL_TOL: tuple[str, ...] = (
    "#882255", "#ffaabb", "#332288", "#99ddff", "#ee6677", "#44bb99", "#ddcc77", "#aa3377",
    "#aa4499", "#117733", "#999933", "#ee8866", "#228833",
)  # fmt: skip
"""From the qualitative sets of Paul Tol (2021), SRON technical note EPS/TN/09-002, issue 3.2.

Each is the one of his bright, muted and light sets that lies farthest (CIEDE2000, as seen with
full colour vision, protanopia and deuteranopia) from those before it and from `OKABE_ITO`.
"""

SAFE_COLOURS = (*OKABE_ITO, *PAUL_TOL)
"""In the order in which phases take them."""

_BACKGROUND_COLOUR = "#000000"


def safe_colours(count: int, taken: Iterable[str] = ()) -> tuple[str, ...]:
    """As many colours as there are phases, best told apart first.

    The first 7 are `OKABE_ITO`, the next 13 `PAUL_TOL`. No larger set can be told apart
    by colour alone; from the 21st on they come again, lighter, then darker.

    Parameters
    ----------
    count : int
    taken : iterable of str
        Colours (``#rrggbb``) that are in use already and are passed over.

    Returns
    -------
    colours : tuple of str
        ``#rrggbb``, each once as long as there are that many (60).
    """
    used = {colour.lower() for colour in taken}
    ladder = [
        *SAFE_COLOURS,
        *(_towards(colour, 255) for colour in SAFE_COLOURS),
        *(_towards(colour, 0) for colour in SAFE_COLOURS),
    ]
    free = [colour for colour in ladder if colour not in used] or ladder
    return tuple(free[i % len(free)] for i in range(count))


def _towards(colour: str, end: int) -> str:
    """Colour mixed with white (255) or black (0), 2 : 1."""
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round((2 * channel + end) / 3):02x}" for channel in channels)


def phase_colours(table: PhaseTable, palette: Palette = "safe") -> dict[int, str]:
    """Colour of every phase of a table.

    Parameters
    ----------
    table : PhaseTable
    palette : {"safe", "vendor"}
        See `Palette`. Safe colours go by the order of ids, so a phase keeps its colour when
        another becomes the target.

    Returns
    -------
    colours : dict of phase id to ``#rrggbb``
        The background is black with ``safe``.
    """
    if palette == "vendor":
        return {phase.id: phase.colour for phase in table}
    phases = [phase.id for phase in table if phase.id != BACKGROUND]
    return {BACKGROUND: _BACKGROUND_COLOUR, **dict(zip(phases, safe_colours(len(phases))))}


def in_palette(table: PhaseTable, palette: Palette = "safe") -> PhaseTable:
    """Same table in the colours of a palette."""
    colours = phase_colours(table, palette)
    phases: list[Phase] = [replace(phase, colour=colours[phase.id]) for phase in table]
    return PhaseTable(tuple(phases), table.target)


__all__ = [
    "OKABE_ITO",
    "PAUL_TOL",
    "SAFE_COLOURS",
    "Palette",
    "in_palette",
    "phase_colours",
    "safe_colours",
]
