"""The results of a project's samples, from its stored tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from napari_slagseg import io
from napari_slagseg.data import ParticleTable, SlagsegError, element_table
from napari_slagseg.liberation import (
    Sample,
    SampleFilter,
    SampleResults,
    StatisticSettings,
    sample_of,
    sample_results,
)
from napari_slagseg.liberation.settings import TENTHS
from napari_slagseg.project import Project
from napari_slagseg.workflow.configs import ReportConfig
from napari_slagseg.workflow.phase_properties import ELEMENTS
from napari_slagseg.workflow.sensitivity import sensitivity_of

LABELS = {
    "particles": "3D particles",
    "sections": "2D sections of the 3D result",
    "map_sections": "SEM-EDS maps",
}
"""Tables of a project, and what their samples are called."""


@dataclass(frozen=True)
class ProjectResults:
    """Results, and the samples that they are of.

    Attributes
    ----------
    results : SampleResults
    samples : dict of table name to Sample
    tables : dict of table name to ParticleTable
    sensitivity : DataFrame or None
        What moving every boundary by a voxel does, where it was measured.
    """

    results: SampleResults
    samples: dict[str, Sample]
    tables: dict[str, ParticleTable]
    sensitivity: pd.DataFrame | None = None

    def frames(self) -> dict[str, pd.DataFrame]:
        """All tables of results, by name."""
        more = {} if self.sensitivity is None else {"label_sensitivity": self.sensitivity}
        return {**self.results.frames(), **more}

    def counts(self) -> list[dict[str, Any]]:
        """Of each sample its label, how many took part, were measured and touch the border."""
        return [
            {
                "label": sample.label,
                "particles": len(sample),
                "measured": len(self.tables[name]),
                "at_border": int(self.tables[name].frame["touches_border"].sum()),
                "dimension": sample.dimension,
                "target": sample.target_name,
            }
            for name, sample in self.samples.items()
        ]


def stored_tables(project: Project) -> dict[str, ParticleTable]:
    """Particle tables of a project, by name.

    Raises
    ------
    SlagsegError
        If the particles were not measured yet.
    """
    found = {}
    for name in LABELS:
        path = project.tables / f"{name}.csv"
        if path.exists():
            found[name] = io.read_particle_table(path)
    if "particles" not in found:
        raise SlagsegError(
            f"Project {project.folder} has no particle table yet. Run 'measure' first."
        )
    return found


def settings_of(config: ReportConfig) -> StatisticSettings:
    """Settings of the statistics from those of the step."""
    lower, upper = config.group_edges
    chosen = StatisticSettings(
        resamples=config.resamples,
        seed=config.seed,
        level=config.level,
        group_edges=(lower, upper),
        size_edges_um=config.size_edges_um,
        density_edges=config.density_edges,
        class_edges=config.class_edges or TENTHS,
    )
    return chosen


def filters_of(config: ReportConfig) -> SampleFilter:
    """Filter of the particles from the settings of the step."""
    return SampleFilter(
        min_size_um=config.min_size_um,
        max_size_um=math.inf if config.max_size_um is None else config.max_size_um,
        border=config.border_rule,
        locked=config.locked,
    )


def project_results(project: Project, config: ReportConfig | None = None) -> ProjectResults:
    """All results of the particles, of virtual sections and of the maps, with intervals.

    Raises
    ------
    SlagsegError
        If the particles were not measured yet, or the target is no phase of theirs.
    """
    chosen = config or ReportConfig()
    tables = stored_tables(project)
    filters = filters_of(chosen)
    samples = {
        name: sample_of(
            table,
            target=chosen.target or None,
            filters=filters,
            label=LABELS[name],
        )
        for name, table in tables.items()
    }
    settings = settings_of(chosen)
    results = sample_results(
        samples["particles"],
        sections=samples.get("sections"),
        maps=samples.get("map_sections"),
        settings=settings,
        element_fractions=elements_of(project, tables["particles"]),
    )
    moved = sensitivity_of(project, samples["particles"], settings)
    return ProjectResults(results, samples, tables, moved)


def elements_of(project: Project, particles: ParticleTable) -> dict[str, dict[str, float]]:
    """Elements of the classes: those that were worked out with the maps, else the formulas'."""
    path = project.tables / ELEMENTS
    if path.exists():
        return dict(io.read_json(path, "the elements of the phases"))
    fractions = element_table(particles.table).fractions
    return {name: dict(shares) for name, shares in fractions.items()}


__all__ = [
    "LABELS",
    "ProjectResults",
    "elements_of",
    "filters_of",
    "project_results",
    "settings_of",
    "stored_tables",
]
