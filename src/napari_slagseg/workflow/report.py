"""Step 7: curves, figures, scores, and a page that says what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import CancelToken, Progress, ProgressEvent, SlagsegError, values_at
from napari_slagseg.evaluation import score_particles, score_phases
from napari_slagseg.liberation import LiberationResults, liberation_results
from napari_slagseg.project import Project
from napari_slagseg.workflow.annotate import split
from napari_slagseg.workflow.configs import ReportConfig
from napari_slagseg.workflow.step import Step, StepResult

FIGURE_FORMATS = ("png", "svg")


def _inputs(project: Project) -> dict[str, str]:
    if not (project.tables / "particles.csv").exists():
        raise SlagsegError(
            f"Project {project.folder} has no particle table yet. Run 'measure' first."
        )
    names = ("particles.csv", "sections.csv", "map_sections.csv")
    return {
        name: project.fingerprint(f"tables/{name}")
        for name in names
        if (project.tables / name).exists()
    }


def results_of(project: Project, config: ReportConfig | None = None) -> LiberationResults:
    """Liberation curves and size classes from the stored tables."""
    chosen = config or ReportConfig()

    def table(name: str) -> Any:
        path = project.tables / f"{name}.csv"
        return io.read_particle_table(path) if path.exists() else None

    particles = table("particles")
    if particles is None:
        raise SlagsegError(
            f"Project {project.folder} has no particle table yet. Run 'measure' first."
        )
    return liberation_results(
        particles,
        sections=table("sections"),
        maps=table("map_sections"),
        include_border=chosen.include_border,
        size_edges_um=chosen.size_edges_um or None,
    )


def held_out_scores(project: Project) -> dict[str, Any]:
    """Scores of the segmentation on the known voxels (K 3.1), trained on and held out.

    Particles are compared where the truth knows them, on the placed sections.
    """
    if not (project.ground_truth_path.exists() and project.segmentation_path.exists()):
        return {}
    phases = project.segmentation_volume("phases")
    particles = project.segmentation_volume("particles")
    training, validation = split(project.ground_truth(), project)
    found: dict[str, Any] = {}
    for name, truth in (("training", training), ("held_out", validation)):
        if truth is None or not len(truth):
            continue
        found[name] = {
            "phases": score_phases(
                values_at(phases, truth.voxels), truth.phases, ids=truth.table.ids
            ),
            "particles": score_particles(
                values_at(particles, truth.voxels).astype(np.int64),
                truth.particles.astype(np.int64),
            ),
        }
    return found


def run(
    project: Project, config: ReportConfig, progress: Progress, cancel: CancelToken | None
) -> StepResult:
    """Write curves as CSV, figures as PNG and SVG, ``scores.json`` and ``report.md``."""
    progress(ProgressEvent("computing the curves", 0.0))
    results = results_of(project, config)
    for name, frame in results.frames().items():
        io.write_frame(project.tables / f"{name}.csv", frame)
    progress(ProgressEvent("scoring the held-out truth", 0.3))
    scores = held_out_scores(project)
    io.write_json(project.tables / "scores.json", scores)
    figures = results.figures()
    for i, (name, figure) in enumerate(figures.items()):
        progress(ProgressEvent(f"drawing {name}", 0.5 + 0.4 * i / len(figures)))
        for kind in FIGURE_FORMATS:
            io.write_figure(figure, project.figures / f"{name}.{kind}")
    io.write_text(project.folder / "report.md", _page(project, scores, list(figures)))
    return StepResult(
        summary={"scores": scores, "figures": list(figures)},
        message=f"Report written to {project.folder / 'report.md'}.",
    )


def _number(value: Any) -> str:
    return "n/a" if value is None or value != value else f"{value:.3f}"


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


def _words(name: str, value: Any) -> str:
    if value is None:
        return "n/a"
    if isinstance(value, float):
        share = "share" in name
        return f"{value:.2%}" if share else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _summary_tables(summary: Mapping[str, Any]) -> list[str]:
    """Summary of a step as tables: its single numbers, then its numbers by phase."""
    lines = ["| | |", "| --- | --- |"]
    lines += [
        f"| {_WORDS.get(name, name.replace('_', ' '))} | {_words(name, value)} |"
        for name, value in summary.items()
        if not isinstance(value, (Mapping, list))
    ]
    for name, values in summary.items():
        if isinstance(values, Mapping):
            of, title = _TABLES.get(name, ("phase", name.replace("_", " ")))
            lines += ["", f"| {of} | {title} |", "| --- | --- |"]
            lines += [f"| {phase} | {_words(name, value)} |" for phase, value in values.items()]
    lines += ["", *(f"*{w}*" for w in summary.get("warnings", []))]
    return lines if lines[-1] else lines[:-1]


def _page(project: Project, scores: dict[str, Any], figures: list[str]) -> str:
    """Report as a page of Markdown."""
    entry = project.description.ct
    lines = [
        f"# {project.description.name}",
        "",
        f"CT: `{entry.path}`, {' x '.join(map(str, entry.shape))} voxels of "
        f"{' x '.join(f'{edge:g}' for edge in entry.voxel_size_um)} um (z, y, x). "
        f"Target phase: **{project.description.target}**.",
        "",
        "## Maps",
        "",
        "| map | placed | score | accepted cutouts | remark |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, placed in project.placed_maps().items():
        accepted = sum(c.accepted for c in placed.cutouts)
        lines.append(
            f"| {name} | {'yes' if placed.placed else 'no'} | {placed.score:.3f} | "
            f"{accepted} of {len(placed.cutouts)} | {placed.reason} |"
        )
    for step, title in (("segment", "Segmentation"), ("measure", "Particles")):
        record = project.record(step)
        if record is not None:
            lines += ["", f"## {title}", "", *_summary_tables(record.summary)]
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
    lines += ["", "## Figures", ""]
    lines += [f"![{name.replace('_', ' ')}](figures/{name}.png)\n" for name in figures]
    return "\n".join(lines) + "\n"


STEP = Step(
    name="report",
    title="Report",
    config=ReportConfig,
    run=run,
    inputs=_inputs,
    exists=lambda project: (project.folder / "report.md").exists(),
)

__all__ = ["STEP", "held_out_scores", "results_of", "run"]
