"""What the measure dock computes beside the window: tables, samples, results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from napari_slagseg.data import ParticleTable, SlagsegError
from napari_slagseg.liberation import (
    Sample,
    SampleFilter,
    StatisticSettings,
    sample_of,
    sample_results,
)
from napari_slagseg.liberation.stereology import stereology_results
from napari_slagseg.project import Project
from napari_slagseg.workflow import STEPS, ReportConfig, last_config
from napari_slagseg.workflow.reporting.statistics import (
    LABELS,
    elements_of,
    filters_of,
    settings_of,
    stored_tables,
)

Draw = Callable[[Any], None]

SAMPLE_TABS = ("liberation", "size", "association", "grade-recovery")
STEREOLOGY_TAB = "stereology"


@dataclass(frozen=True)
class Tables:
    """The tables of a project as they were measured, and what its report is set to."""

    by_name: Mapping[str, ParticleTable]
    settings: StatisticSettings
    filters: SampleFilter
    targets: tuple[str, ...] = ()
    elements: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def particles(self) -> ParticleTable:
        """The 3D table."""
        return self.by_name["particles"]

    @property
    def old(self) -> bool:
        """Made before contacts between phases were kept."""
        return "border_weight" not in self.particles.frame


@dataclass(frozen=True)
class Request:
    """A target and filters; the one with the highest number is the last that was asked for."""

    number: int
    targets: tuple[str, ...]
    filters: SampleFilter


@dataclass(frozen=True)
class Samples:
    """Samples of a request by the name of their table; `problem` says why they are others."""

    request: Request
    by_name: Mapping[str, Sample]
    problem: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def particles(self) -> Sample:
        """The 3D sample."""
        return self.by_name["particles"]


@dataclass(frozen=True)
class Statistics:
    """Results of a request.

    Attributes
    ----------
    request : Request
    tabs : tuple of str
        Tabs that these results are for.
    plots : mapping of tab to mapping of name to function that draws
    frames : mapping of name of a plot to DataFrame
        The numbers of each plot.
    warnings : tuple of str
    problem : str
        Why there are none.
    """

    request: Request
    tabs: tuple[str, ...]
    plots: Mapping[str, Mapping[str, Draw]] = field(default_factory=dict)
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    problem: str = ""


def read_tables(project: Project) -> Tables:
    """Tables of a project.

    Raises
    ------
    SlagsegError
        If a table is damaged, or there is none yet.
    """
    tables = stored_tables(project)
    config = last_config(project, STEPS["report"])
    if not isinstance(config, ReportConfig):
        config = ReportConfig()
    try:
        elements = elements_of(project, tables["particles"])
    except SlagsegError:  # a formula that is not understood: all but the assay is shown
        elements = {}
    return Tables(tables, settings_of(config), filters_of(config), config.target, elements)


def samples_for(tables: Tables, request: Request) -> Samples:
    """Samples for a target and filters; never fails, but says what does not work.

    What the 3D table cannot give falls back to its own target without filters; sections and
    maps that cannot give it are left out.
    """
    found: dict[str, Sample] = {}
    warnings = []
    for name, label in LABELS.items():
        if name not in tables.by_name:
            continue
        try:
            found[name] = sample_of(
                tables.by_name[name],
                target=request.targets or None,
                filters=request.filters,
                label=label,
                one_particle_many_sections=name == "sections",
            )
        except SlagsegError as error:
            if name == "particles":
                whole = sample_of(tables.particles, filters=SampleFilter(border="include"))
                return Samples(request, {name: whole}, problem=str(error))
            warnings.append(f"{label} are left out: {error}")
    return Samples(request, found, warnings=tuple(warnings))


def statistics_of(tables: Tables, samples: Samples) -> Statistics:
    """Results with their intervals; never fails, but says what does not work."""
    request = samples.request
    try:
        results = sample_results(
            samples.particles,
            sections=samples.by_name.get("sections"),
            maps=samples.by_name.get("map_sections"),
            settings=tables.settings,
            element_fractions=tables.elements or None,
        )
    except SlagsegError as error:
        return Statistics(request, SAMPLE_TABS, problem=str(error))
    frames = results.frames()
    of_plots = {
        plot: frames[name] for plot, name in results.frame_of_plot.items() if name in frames
    }
    return Statistics(request, SAMPLE_TABS, results.plots(), of_plots, results.warnings)


def stereology_of(tables: Tables, samples: Samples) -> Statistics:
    """Sections against particles; never fails, but says what does not work."""
    request, tabs = samples.request, (STEREOLOGY_TAB,)
    if "sections" not in samples.by_name:
        return Statistics(
            request, tabs, problem="No sections were measured. Measure with sections to see this."
        )
    try:
        results = stereology_results(
            samples.particles,
            samples.by_name.get("sections"),
            samples.by_name.get("map_sections"),
            settings=tables.settings,
        )
    except SlagsegError as error:
        return Statistics(request, tabs, problem=str(error))
    frames, plots = results.frames(), results.plots()
    # of the curves there is a plot for each kind of liberation
    of_plots = {
        name: frames[name if name in frames else "stereology_curves"]
        for name in plots.get(STEREOLOGY_TAB, {})
    }
    return Statistics(request, tabs, plots, of_plots, results.warnings)


__all__ = [
    "SAMPLE_TABS",
    "STEREOLOGY_TAB",
    "Request",
    "Samples",
    "Statistics",
    "Tables",
    "read_tables",
    "samples_for",
    "statistics_of",
    "stereology_of",
]
