"""The data dictionary as a page of the documentation."""

from __future__ import annotations

from napari_slagseg.data import ColumnDefinition, Phase, PhaseTable
from napari_slagseg.descriptors.definitions import definitions
from napari_slagseg.workflow.reporting.frame_columns import OF_FRAME, SHARED
from napari_slagseg.workflow.reporting.iso_terms import iso_term
from napari_slagseg.workflow.reporting.long_tables import contact_columns, grain_columns

_INTRO = """# Data dictionary

Every column of every table, with unit, meaning and source. `dictionary.json` in a project's
folder `tables` says the same of the very tables that lie there. `PHASE` stands for the name of a
phase: there is one such column for each.

Terms of ISO 9276-6 stand where one applies. The standard describes particles on images; what is
the same idea in 3D is called a *3D analogue*. CSV cells and headers that begin with `=`, `+`, `-`,
`@`, a tab or a carriage return have an apostrophe in front, so that no spreadsheet runs them;
numbers stay numbers. An empty cell is a value that does not exist.

Made by `python scripts/data_dictionary.py`.
"""


def dictionary_page() -> str:
    """Markdown of the page."""
    table = PhaseTable(
        (Phase(0, "background", "#000000"), Phase(1, "PHASE", "#d55e00")), target="PHASE"
    )
    of_particles = definitions(table, 3, 1, accessible_depth_um=1.0, grains=True)
    parts = [
        _INTRO,
        _table("particles.csv", "One row a particle, in 3D.", of_particles, 3),
        _table(
            "sections.csv, map_sections.csv",
            "One row a particle section: of virtual sections of the 3D result, and of the maps.",
            definitions(table, 2, 1),
            2,
        ),
        _table("particles_contacts.csv", "What touches what, in 3D.", contact_columns(3), 3),
        _table(
            "sections_contacts.csv, map_sections_contacts.csv",
            "What touches what, in sections.",
            contact_columns(2),
            2,
        ),
        _table("particles_grains.csv", "One row a grain.", grain_columns(), 3),
        "## Results\n",
        "Every estimate has `value`, `low` and `high`; tables with `sample` have rows for the "
        "particles in 3D, for sections of them and for the maps.\n",
        _table("in several tables", "", SHARED, 0, level=3),
    ]
    parts += [
        _table(f"{name}.csv", "", columns, 0, level=3)
        for name, columns in OF_FRAME.items()
        if columns
    ]
    return "\n".join(parts)


def _table(
    title: str, text: str, columns: dict[str, ColumnDefinition], dimension: int, level: int = 2
) -> str:
    iso = dimension > 0
    head = ["column", "unit", "meaning", "source", *(["ISO 9276-6"] if iso else [])]
    lines = [f"{'#' * level} {title}", "", *([text, ""] if text else [])]
    lines += [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for name, meant in columns.items():
        cells = [f"`{name}`", meant.unit, meant.meaning, meant.source]
        if iso:
            cells.append(iso_term(name, dimension))
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    # bars would end the cell; stars and angles would be markup
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;").strip()


__all__ = ["dictionary_page"]
