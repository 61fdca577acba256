"""What the measure dock computes beside the window: tables, samples, results."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from napari_slagseg import io
from napari_slagseg.data import ParticleTable, SlagsegError
from napari_slagseg.data.chemistry import element_table
from napari_slagseg.liberation import (
    Sample,
    SampleFilter,
    SampleResults,
    StatisticSettings,
    sample_of,
    sample_results,
)
from napari_slagseg.project import Project
from napari_slagseg.workflow import STEPS, last_config

Phases = tuple[str, ...]


@dataclass(frozen=True)
class Tables:
    """The tables of a project, as they were measured."""

    particles: ParticleTable
    sections: ParticleTable | None
    maps: ParticleTable | None
    settings: StatisticSettings
    include_border: bool
    """Whether the report counts particles that touch the border."""

    @property
    def old(self) -> bool:
        """Made before contacts between phases were kept."""
        return not any(name == "border_weight" for name in self.particles.frame)


@dataclass(frozen=True)
class Request:
    """A target and filters; the one with the highest number is the last that was asked for."""

    number: int
    targets: Phases
    filters: SampleFilter


@dataclass(frozen=True)
class Samples:
    """Samples of a request; `problem` says why they are not what was asked for."""

    request: Request
    particles: Sample
    sections: Sample | None = None
    maps: Sample | None = None
    problem: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statistics:
    """Results of a request, or why there are none."""

    request: Request
    results: SampleResults | None
    problem: str = ""


def read_tables(project: Project) -> Tables:
    """Tables of a project.

    Raises
    ------
    SlagsegError
        If a table is damaged.
    """

    def table(name: str) -> ParticleTable | None:
        path: Path = project.tables / f"{name}.csv"
        return io.read_particle_table(path) if path.exists() else None

    particles = table("particles")
    if particles is None:
        raise SlagsegError(f"Project {project.folder} has no particle table yet. Measure first.")
    config = last_config(project, STEPS["report"])
    # what the report is set to and the statistics know by the same name
    given = {f.name: getattr(config, f.name, None) for f in fields(StatisticSettings)}
    settings = StatisticSettings(**{k: v for k, v in given.items() if v is not None})
    return Tables(
        particles,
        table("sections"),
        table("map_sections"),
        settings,
        bool(getattr(config, "include_border", False)),
    )


def samples_for(tables: Tables, request: Request) -> Samples:
    """Samples for a target and filters; never fails, but says what does not work.

    What the 3D table cannot give falls back to its own target without filters; sections and
    maps that cannot give it are left out.
    """
    target = request.targets or None
    try:
        particles = sample_of(tables.particles, target=target, filters=request.filters)
    except SlagsegError as error:
        whole = sample_of(tables.particles, filters=SampleFilter(border="include"))
        return Samples(request, whole, problem=str(error))
    found: dict[str, Sample] = {}
    warnings = []
    for name, label in (("sections", "2D sections of the 3D result"), ("maps", "SEM-EDS maps")):
        table: ParticleTable | None = getattr(tables, name)
        if table is None:
            continue
        try:
            found[name] = sample_of(
                table,
                target=target,
                filters=request.filters,
                label=label,
                one_particle_many_sections=name == "sections",
            )
        except SlagsegError as error:
            warnings.append(f"{label} are left out: {error}")
    return Samples(request, particles, warnings=tuple(warnings), **found)


def statistics_of(tables: Tables, samples: Samples) -> Statistics:
    """Results with their intervals; never fails, but says what does not work."""
    try:
        fractions = element_table(tables.particles.table).fractions
        results = sample_results(
            samples.particles,
            sections=samples.sections,
            maps=samples.maps,
            settings=tables.settings,
            element_fractions=fractions or None,
        )
    except SlagsegError as error:
        return Statistics(samples.request, None, str(error))
    return Statistics(samples.request, results)


__all__ = [
    "Request",
    "Samples",
    "Statistics",
    "Tables",
    "read_tables",
    "samples_for",
    "statistics_of",
]
