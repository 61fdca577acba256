"""The short report, ``report.md``: what was done and found, in words and a few figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_slagseg.project import Project

SHOWN = ("volume_liberation", "surface_liberation", "size_by_liberation", "grade_recovery")
"""Figures of the short report, as far as they are there."""

_WORDS = {
    "particles": "particles",
    "markers": "markers",
    "without_marker": "particles without a marker",
    "removed_small": "removed as too small",
    "threshold": "marker threshold",
    "touching_border": "particles that touch the border",
    "target": "target phase",
    "target_share_of_particles": "target share of all particles",
}
"""What the numbers of a step's summary are called on the page."""

_TABLES = {
    "volume_shares": ("phase", "share of the volume"),
    "threshold_f1_match": ("marker threshold", "F1_match with the maps' particles"),
}
"""Headings of its tables."""


def words(name: str, value: Any) -> str:
    """Value of a step's summary as text."""
    if value is None:
        return "n/a"
    if isinstance(value, float):
        share = "share" in name
        return f"{value:.2%}" if share else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else cell(value)


def cell(value: Any) -> str:
    """Text that neither ends a cell of a Markdown table nor begins HTML."""
    text = " ".join(str(value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def summary_tables(summary: Mapping[str, Any]) -> list[str]:
    """Summary of a step as tables: its single numbers, then its numbers by phase."""
    lines = ["| | |", "| --- | --- |"]
    lines += [
        f"| {_WORDS.get(name, name.replace('_', ' '))} | {words(name, value)} |"
        for name, value in summary.items()
        if not isinstance(value, (Mapping, list))
    ]
    for name, values in summary.items():
        if isinstance(values, Mapping):
            of, title = _TABLES.get(name, ("phase", name.replace("_", " ")))
            lines += ["", f"| {of} | {title} |", "| --- | --- |"]
            lines += [f"| {cell(key)} | {words(name, value)} |" for key, value in values.items()]
    lines += ["", *(f"*{cell(w)}*" for w in summary.get("warnings", []))]
    return lines if lines[-1] else lines[:-1]


def _number(value: Any) -> str:
    return "n/a" if value is None or value != value else f"{value:.3f}"


def markdown_of(
    project: Project,
    scores: Mapping[str, Any],
    figures: Sequence[str],
    warnings: Sequence[str] = (),
    page: bool = True,
) -> str:
    """Short report as a page of Markdown.

    Parameters
    ----------
    project : Project
    scores : mapping
        As `held_out_scores` returns them.
    figures : sequence of str
        Names of the figures in the folder ``figures``.
    warnings : sequence of str
    page : bool
        Whether ``report.html`` was written.
    """
    entry = project.description.ct
    lines = [
        f"# {cell(project.description.name)}",
        "",
        f"CT: `{entry.path}`, {' x '.join(map(str, entry.shape))} voxels of "
        f"{' x '.join(f'{edge:g}' for edge in entry.voxel_size_um)} um (z, y, x). "
        f"Target phase: **{cell(project.description.target)}**.",
    ]
    if page:
        lines += ["", "All results, with methods and provenance: [report.html](report.html)."]
    if warnings:
        lines += ["", "## Look at these first", "", *(f"- {cell(w)}" for w in warnings)]
    lines += [
        "",
        "## Maps",
        "",
        "| map | placed | score | accepted cutouts | remark |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, placed in project.placed_maps().items():
        accepted = sum(c.accepted for c in placed.cutouts)
        lines.append(
            f"| {cell(name)} | {'yes' if placed.placed else 'no'} | {placed.score:.3f} | "
            f"{accepted} of {len(placed.cutouts)} | {cell(placed.reason)} |"
        )
    for step, title in (("segment", "Segmentation"), ("measure", "Particles")):
        record = project.record(step)
        if record is not None:
            lines += ["", f"## {title}", "", *summary_tables(record.summary)]
    if scores:
        lines += [
            "",
            "## Agreement with the maps",
            "",
            "On voxels known from the placed maps; the held-out part took no part in training.",
            "",
            "| part | Dice (particles) | accuracy (phases) | F1_match (sections) |",
            "| --- | --- | --- | --- |",
        ]
        for part, values in scores.items():
            lines.append(
                f"| {part.replace('_', ' ')} | {_number(values['phases']['dice'])} | "
                f"{_number(values['phases']['accuracy'])} | "
                f"{_number(values['particles']['f1_match'])} |"
            )
    shown = [name for name in SHOWN if name in figures]
    if shown:
        lines += ["", "## Figures", ""]
        lines += [f"![{name.replace('_', ' ')}](figures/{name}.png)\n" for name in shown]
    return "\n".join(lines) + "\n"


__all__ = ["SHOWN", "cell", "markdown_of", "summary_tables", "words"]
