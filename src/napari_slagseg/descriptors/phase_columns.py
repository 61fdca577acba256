"""The columns that every phase has: their names, their order and what they hold."""

from __future__ import annotations

from napari_slagseg.data import BACKGROUND, ColumnDefinition, PhaseTable

ERODED_COLUMN = "surface_liberation_eroded"
"""There when ``erosion_voxels`` is above 0."""

_K = "Kirstein et al."


def _names(kind: str, table: PhaseTable) -> list[str]:
    return [kind.format(phase.name) for phase in table if phase.id != BACKGROUND]


def fraction_columns(table: PhaseTable) -> list[str]:
    """``fraction_<phase>`` for each phase but the background, in order of id."""
    return _names("fraction_{}", table)


def surface_fraction_columns(table: PhaseTable, *, eroded: bool = False) -> list[str]:
    """``surface_fraction_<phase>``, or ``surface_fraction_eroded_<phase>``, in the same order."""
    return _names("surface_fraction_eroded_{}" if eroded else "surface_fraction_{}", table)


def accessible_columns(table: PhaseTable) -> list[str]:
    """``accessible_fraction_<phase>`` in the same order."""
    return _names("accessible_fraction_{}", table)


def grain_columns(table: PhaseTable) -> list[str]:
    """``grains_<phase>`` of all phases, then ``largest_grain_<phase>_um3``, in the same order."""
    return [*_names("grains_{}", table), *_names("largest_grain_{}_um3", table)]


def phase_definitions(
    table: PhaseTable,
    dimension: int,
    *,
    surface: bool = True,
    accessible_depth_um: float = 0.0,
    grains: bool = False,
    erosion_voxels: int = 0,
) -> dict[str, ColumnDefinition]:
    """Definitions of the columns of phases, in the order of the table's columns.

    Parameters
    ----------
    table : PhaseTable
    dimension : int
        3 for particles, 2 for sections.
    surface : bool
        Whether surfaces are told by phase.
    accessible_depth_um : float
        0 where it was not measured.
    grains : bool
        Whether grains were measured.
    erosion_voxels : int
        0 for no erosion.
    """
    element, body, rim = (
        ("voxels", "particle", "surface") if dimension == 3 else ("pixels", "section", "boundary")
    )
    nearest = "six" if dimension == 3 else "four"
    phases = [phase for phase in table if phase.id != BACKGROUND]
    columns: dict[str, ColumnDefinition] = {}

    def add(kind: str, unit: str, meaning: str, source: str = "") -> None:
        for phase in phases:
            name = f"{phase.name} (id {phase.id})"
            columns[kind.format(phase.name)] = ColumnDefinition(unit, meaning.format(name), source)

    add(
        "fraction_{}",
        "",
        f"Share of all {element} of the {body} that are {{}}. {element.capitalize()} of no phase "
        "(0 or -1) count in the whole but in no fraction.",
        f"{_K} 2.4.2",
    )
    if surface:
        add(
            "surface_fraction_{}",
            "",
            f"Share of the {body}'s {rim} {element} that are {{}}; {rim} {element} have one of "
            f"their {nearest} neighbours outside the {body}, as for surface_liberation.",
            f"{_K} 2.4.2",
        )
    if accessible_depth_um > 0:
        add(
            "accessible_fraction_{}",
            "",
            f"Share of the {body}'s {element} of {{}} that lie at most {accessible_depth_um:g} um "
            f"deep: distance from centre to centre of the nearest one outside the {body}, so that "
            f"a depth of one takes the outermost layer; empty where the {body} has none of it.",
        )
    if grains:
        add(
            "grains_{}",
            "",
            f"Number of grains of {{}} in the {body}: pieces that are connected by the faces of "
            f"{element}. Single {element} count too and may be noise: the table of grains "
            "tells their sizes.",
        )
        add(
            "largest_grain_{}_um3",
            "um^3",
            f"Volume of the largest grain of {{}} in the {body}; empty where it has none.",
        )
    if erosion_voxels:
        rest = (
            f"after {erosion_voxels} {element} of the {body}'s rim are taken off (every particle "
            f"on its own, with the cross of nearest neighbours); empty where the {body} vanishes."
        )
        columns[ERODED_COLUMN] = ColumnDefinition("", f"Surface liberation {rest}", f"{_K} 3.3")
        if surface:
            add(
                "surface_fraction_eroded_{}",
                "",
                f"Share of {rim} {element} that are {{}}, {rest}",
                f"{_K} 3.3",
            )
    return columns


__all__ = [
    "ERODED_COLUMN",
    "accessible_columns",
    "fraction_columns",
    "grain_columns",
    "phase_definitions",
    "surface_fraction_columns",
]
