"""The particles measured again with every boundary moved by one voxel."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    ParticleTable,
    PhaseTable,
    Progress,
    VolumeLike,
    part_of,
)
from napari_slagseg.descriptors import describe_blocks
from napari_slagseg.liberation import Sample, StatisticSettings, sample_of
from napari_slagseg.liberation.sensitivity import label_sensitivity
from napari_slagseg.project import Project
from napari_slagseg.segmentation import perturbed
from napari_slagseg.segmentation.perturbation import CHANGES
from napari_slagseg.workflow.blockwise import BlockCosts, Resources, open_run
from napari_slagseg.workflow.step import edits_input

FOLDER = "changed"
"""Of the tables of the changed particles, in the folder of tables."""


def measure_changed(
    project: Project,
    particles: VolumeLike,
    phases: VolumeLike,
    classes: PhaseTable,
    resources: Resources | None,
    progress: Progress,
    cancel: CancelToken | None,
) -> None:
    """Measure the particles after each change, and store a table of each.

    A change is worked out as blocks are read; no volume is written.
    """
    z, y, x = particles.shape
    remove_changed(project)
    for i, change in enumerate(CHANGES):
        part = part_of(progress, i / len(CHANGES), (i + 1) / len(CHANGES))
        labels, ids = perturbed(particles, phases, change, target_ids=(classes.target_id,))
        with open_run(
            project,
            f"measure-{change}",
            {
                "segmentation": project.fingerprint("segmentation.zarr"),
                **edits_input(project),
                "voxel_size_um": list(project.voxel_size_um),
                "target": classes.target,
            },
            (z, y, x),
            BlockCosts(bytes_per_voxel=24, halo=2, scratch_bytes_per_voxel=0.3),
            resources,
            part,
            cancel,
        ) as run:
            table = describe_blocks(labels, ids, project.voxel_size_um, classes, run, grains=False)
        io.write_particle_table(table, _folder(project) / f"{change}.csv", project.provenance())


def remove_changed(project: Project) -> None:
    """Remove the tables of an earlier run."""
    for change in CHANGES:
        io.remove_particle_table(_folder(project) / f"{change}.csv")


def changed_tables(project: Project) -> dict[str, ParticleTable]:
    """Tables that `measure_changed` stored, by change; none where it was not asked for."""
    paths = {change: _folder(project) / f"{change}.csv" for change in CHANGES}
    return {c: io.read_particle_table(path) for c, path in paths.items() if path.exists()}


def sensitivity_of(
    project: Project, sample: Sample, settings: StatisticSettings
) -> pd.DataFrame | None:
    """Headline results after each change, for a sample's target and filter; None if unknown."""
    tables = changed_tables(project)
    if not tables:
        return None
    changed = {
        change: sample_of(table, target=sample.table.targets, filters=sample.filters)
        for change, table in tables.items()
    }
    return label_sensitivity(sample, changed, settings)


def _folder(project: Project) -> Path:
    return project.tables / FOLDER


__all__ = ["changed_tables", "measure_changed", "remove_changed", "sensitivity_of"]
