"""Step 7: all results with their intervals, figures, scores, and pages that say what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    GroundTruth,
    Progress,
    ProgressEvent,
    SlagsegError,
    VolumeLike,
    part_of,
    stop_if_cancelled,
    values_at,
)
from napari_slagseg.data.colours import phase_colours
from napari_slagseg.evaluation import score_particles, score_phases
from napari_slagseg.project import Project
from napari_slagseg.project.journal import now
from napari_slagseg.workflow.annotate import split
from napari_slagseg.workflow.configs import ReportConfig
from napari_slagseg.workflow.reporting.dictionary import dictionary_json, dictionary_of
from napari_slagseg.workflow.reporting.drawing import drawn, save
from napari_slagseg.workflow.reporting.layout import arranged
from napari_slagseg.workflow.reporting.markdown import markdown_of
from napari_slagseg.workflow.reporting.methods import methods_of
from napari_slagseg.workflow.reporting.page import PageContent, page_of
from napari_slagseg.workflow.reporting.project_tables import (
    DESCRIPTOR_SCORES,
    agreement_tables,
    map_table,
    tiles_of,
)
from napari_slagseg.workflow.reporting.provenance import provenance
from napari_slagseg.workflow.reporting.statistics import (
    ProjectResults,
    project_results,
)
from napari_slagseg.workflow.section_scores import section_scores
from napari_slagseg.workflow.step import Step, StepResult, edits_input


def _inputs(project: Project) -> dict[str, str]:
    if not (project.tables / "particles.csv").exists():
        raise SlagsegError(
            f"Project {project.folder} has no particle table yet. Run 'measure' first."
        )
    names = ("particles.csv", "sections.csv", "map_sections.csv")
    tables = {
        name: project.fingerprint(f"tables/{name}")
        for name in names
        if (project.tables / name).exists()
    }
    return {**tables, **edits_input(project)}


def held_out_scores(project: Project) -> dict[str, Any]:
    """Scores of the segmentation on the known voxels (K 3.1), trained on and held out.

    Particles are compared where the truth knows them, on the placed sections.
    """
    if not (project.ground_truth_path.exists() and project.segmentation_path.exists()):
        return {}
    training, validation = split(project.ground_truth(), project)
    return scores_of(
        training,
        validation,
        project.segmentation_volume("phases"),
        project.segmentation_volume("particles"),
    )


def scores_of(
    training: GroundTruth,
    validation: GroundTruth | None,
    phases: VolumeLike,
    particles: VolumeLike,
) -> dict[str, Any]:
    """Scores of phases and particles on two parts of a ground truth.

    Parameters
    ----------
    training, validation : GroundTruth
        Known voxels that were trained on, and those that were not; None where there are none.
    phases, particles : (z, y, x) VolumeLike
    """
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
    """Write tables, figures, ``scores.json``, ``provenance.json`` and the pages.

    Every table of the results is a CSV in ``tables``, every plot a PNG and an SVG in ``figures``;
    ``dictionary.json`` says what the columns are. ``report.html`` holds all; ``report.md`` is
    short.
    """
    progress(ProgressEvent("computing the results", 0.0))
    found = project_results(project, config)
    frames = found.frames()
    for name, frame in frames.items():
        io.write_frame(project.tables / f"{name}.csv", frame)
    stop_if_cancelled(cancel)
    progress(ProgressEvent("scoring the held-out truth", 0.3))
    scores = held_out_scores(project)
    io.write_json(project.tables / "scores.json", scores)
    descriptor_scores = section_scores(project, progress=part_of(progress, 0.3, 0.4), cancel=cancel)
    io.write_frame(project.tables / f"{DESCRIPTOR_SCORES}.csv", descriptor_scores)
    images = _figures(project, found.results.plots(), part_of(progress, 0.4, 0.9), cancel)
    progress(ProgressEvent("writing the report", 0.9))
    values = provenance(project, config)
    io.write_json(project.folder / "provenance.json", values)
    meanings = dictionary_of(found.tables, {**frames, DESCRIPTOR_SCORES: descriptor_scores})
    io.write_json(project.tables / "dictionary.json", dictionary_json(meanings))
    warnings = found.results.warnings
    page = project.folder / "report.html"
    if config.html:
        io.write_text(page, page_of(_content(project, found, scores, images, values)))
    else:
        page.unlink(missing_ok=True)
    if config.xlsx:
        listed = {**{name: table.frame for name, table in found.tables.items()}, **frames}
        listed[DESCRIPTOR_SCORES] = descriptor_scores
        io.write_workbook(project.tables / "report.xlsx", listed, meanings)
    text = markdown_of(project, scores, list(images), warnings, page=config.html)
    io.write_text(project.folder / "report.md", text)
    written = page if config.html else project.folder / "report.md"
    return StepResult(
        summary={"scores": scores, "figures": list(images)},
        message=f"Report written to {written}.",
        warnings=warnings,
    )


def _figures(
    project: Project,
    plots: Mapping[str, Mapping[str, Any]],
    progress: Progress,
    cancel: CancelToken | None,
) -> dict[str, str]:
    """Draw and store every plot; for the page, by name."""
    listed = {name: draw for of_tab in plots.values() for name, draw in of_tab.items()}
    images = {}
    for i, (name, draw) in enumerate(listed.items()):
        stop_if_cancelled(cancel)
        progress(ProgressEvent(f"drawing {name.replace('_', ' ')}", i / len(listed)))
        images[name] = save(drawn(draw), project.figures, name)
    return images


def _content(
    project: Project,
    found: ProjectResults,
    scores: Mapping[str, Any],
    images: Mapping[str, str],
    values: Mapping[str, Any],
) -> PageContent:
    config = ReportConfig.model_validate(values["report"])
    frames = found.frames()
    tabs = {plot: tab for tab, plots in found.results.plots().items() for plot in plots}
    particles = found.samples["particles"]
    return PageContent(
        title=project.description.name,
        subtitle=f"Particles and liberation in 3D. Report of {now()[:16].replace('T', ' ')} UTC, "
        f"napari-slagseg {values['versions'].get('napari-slagseg', '')}.",
        tiles=tiles_of(project, particles, frames),
        warnings=found.results.warnings,
        sections=arranged({name: len(frame) for name, frame in frames.items()}, images, tabs),
        frames=frames,
        figures=images,
        agreement=agreement_tables(project, scores),
        maps=map_table(project),
        table=particles.table.table,
        colours=phase_colours(particles.table.table),
        methods=methods_of(values, found.counts(), config),
        provenance=values,
    )


STEP = Step(
    name="report",
    title="Report",
    config=ReportConfig,
    run=run,
    inputs=_inputs,
    exists=lambda project: (project.folder / "report.md").exists(),
)

__all__ = ["STEP", "held_out_scores", "run", "scores_of"]
