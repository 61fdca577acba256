"""Measure labelled particles, whoever labelled them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import (
    BACKGROUND,
    Block,
    BlockResult,
    CancelToken,
    MineralMap,
    ParticleTable,
    Phase,
    PhaseTable,
    Progress,
    SlagsegError,
    VolumeLike,
    VoxelSize,
    checked_voxel_size,
    no_progress,
    part_of,
)
from napari_slagseg.project.stamps import stamp
from napari_slagseg.workflow.blockwise import Resources, open_run
from napari_slagseg.workflow.measure import measuring_costs
from napari_slagseg.workflow.segment import table_from_json
from napari_slagseg.workflow.step import installed_versions

# an Okabe-Ito colour each, so that a table made of ids alone can be drawn
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")


@dataclass(frozen=True)
class ValuesPresent:
    """Values that occur in a block; a `BlockTask`."""

    volume: VolumeLike

    def __call__(self, block: Block, given: Any = None, /) -> BlockResult:
        """Look at a block."""
        values = np.asarray(self.volume[block.box]).reshape(-1)
        if values.dtype == np.uint8:
            return {"values": np.flatnonzero(np.bincount(values, minlength=256))}
        return {"values": np.unique(values)}


def _table_of_ids(present: Iterable[int], target: str, path: str | Path) -> PhaseTable:
    """Table whose phases are named by their ids; `path` is where they come from."""
    ids = sorted(set(present) - {-1, BACKGROUND})
    if not target.isdecimal():
        raise SlagsegError(
            f"The target '{target}' is a name, but without a legend phases have only ids. "
            "Give --legend, or the id."
        )
    if int(target) not in ids:
        raise SlagsegError(
            f"Target phase {target} does not occur in {path}; it has the ids "
            f"{', '.join(map(str, [BACKGROUND, *ids]))}. The background cannot be the target."
        )
    coloured = [Phase(i, str(i), _COLOURS[n % len(_COLOURS)]) for n, i in enumerate(ids)]
    return PhaseTable((Phase(BACKGROUND, "background", "#000000"), *coloured), str(int(target)))


def _stated_table(path: Path) -> PhaseTable | None:
    """Phase table that a segmentation of ours carries; None for other files."""
    for store in (path, path.parent):
        if store.suffix == ".zarr" and store.is_dir():
            values = io.read_zarr_attributes(store).get("phase_table")
            return None if values is None else table_from_json(values)
    return None


def _table_of_legend(legend: str | Path, target: str, phases: Path) -> PhaseTable:
    """Legend's table with the target; its groups, where the phases hold those."""
    table = io.read_legend(legend)
    if target in table.names or not target.isdecimal():
        table = table.with_target(target)
    stated = _stated_table(phases)
    if stated is not None and stated.names != table.names:
        if table.target is None:
            table = table.with_target(stated.target)
        grouped = table.grouped()[0]
        if grouped.names != stated.names:
            raise SlagsegError(
                f"{phases} holds the phases {', '.join(stated.names)}, but the legend {legend} "
                f"has {', '.join(table.names)}. Give the legend it was trained with, or none."
            )
        table = grouped
    if target.isdecimal() and target not in table.names:
        table = table.with_target(table.by_id(int(target)).name)
    return table


def describe_files(
    particles: str | Path,
    phases: str | Path,
    *,
    target: str,
    out: str | Path,
    voxel_size_um: float | Sequence[float] | None = None,
    legend: str | Path | None = None,
    section_axis: int | None = None,
    sections: int = 0,
    erosion_voxels: int = 0,
    grains: bool = True,
    accessible_depth_um: float = 0.0,
    resources: Resources | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> ParticleTable:
    """Measure labelled particles and write the table.

    Parameters
    ----------
    particles, phases : path
        Integer arrays of one shape; two 2-D arrays are measured as a mineral map.
    target : str
        Id of the target phase, or its name where there is a legend.
    out : path
        CSV; its sidecar has the same stem.
    voxel_size_um : float, (z, y, x) or None
        None takes it from the particles' file.
    legend : path or None
        Names of the phases; None names them by their ids.
    section_axis : {0, 1, 2} or None
        Measure sections normal to this axis instead of whole particles.
    sections : int
        Number of evenly spaced sections; 0 takes every slice.
    erosion_voxels : int
        For the second surface liberation (K 3.3).
    grains : bool
        Find the grains of particles in 3D; their table is ``<out>_grains.csv``.
    accessible_depth_um : float
        Above 0: the share of each phase that lies so near to its particle's surface.
    resources : Resources or None
        Memory and workers; volumes are measured block by block.
    """
    out = Path(out)
    if out.suffix.lower() != ".csv":
        raise SlagsegError(f"The table {out} must end in .csv; its definitions get .json.")
    size: Any = voxel_size_um if voxel_size_um is not None else io.stored_voxel_size(particles)
    if size is None:
        raise SlagsegError(
            f"{particles} states no voxel size. Give it in micrometres: --voxel-size 5, or "
            "--voxel-size Z,Y,X."
        )
    spacing = checked_voxel_size(size if isinstance(size, (int, float)) else tuple(size))
    labels = io.shared_volume(io.open_labels(particles, what="particle labels"))
    ids = io.shared_volume(io.open_labels(phases, what="phases"))
    for volume in (labels, ids):
        io.check_zarr_volume(volume)
    if tuple(labels.shape) != tuple(ids.shape):
        raise SlagsegError(
            f"{particles} has the shape {tuple(labels.shape)} and {phases} {tuple(ids.shape)}; "
            "they must be of the same shape. Are they from the same segmentation?"
        )
    if len(labels.shape) == 2 and section_axis is None:
        found = _of_map(labels, ids, spacing, target, legend, Path(phases), erosion_voxels)
    else:
        found = _of_volume(
            labels,
            ids,
            spacing,
            target,
            legend,
            (Path(particles), Path(phases), out),
            section_axis,
            sections,
            erosion_voxels,
            grains,
            accessible_depth_um,
            resources,
            progress,
            cancel,
        )
    io.write_particle_table(
        found,
        out,
        provenance={
            "particles": {"path": str(particles), "sha256": _fingerprint(particles)},
            "phases": {"path": str(phases), "sha256": _fingerprint(phases)},
            "legend": None if legend is None else str(legend),
            "versions": installed_versions(),
        },
    )
    return found


def _of_map(
    labels: Any,
    ids: Any,
    spacing: VoxelSize,
    target: str,
    legend: str | Path | None,
    phases: Path,
    erosion_voxels: int,
) -> ParticleTable:
    from napari_slagseg import descriptors

    if spacing[1] != spacing[2]:
        raise SlagsegError(f"A 2-D map needs square pixels; these are {spacing[1:]} um.")
    present = np.asarray(ids)
    table = (
        _table_of_ids((int(i) for i in np.unique(present)), target, phases)
        if legend is None
        else _table_of_legend(legend, target, phases)
    )
    mineral_map = MineralMap(present.astype(np.int16), spacing[1], table, phases.stem)
    return descriptors.describe_map(
        mineral_map, table, np.asarray(labels), erosion_voxels=erosion_voxels
    )


def _of_volume(
    labels: VolumeLike,
    ids: VolumeLike,
    spacing: VoxelSize,
    target: str,
    legend: str | Path | None,
    paths: tuple[Path, Path, Path],
    section_axis: int | None,
    sections: int,
    erosion_voxels: int,
    grains: bool,
    accessible_depth_um: float,
    resources: Resources | None,
    progress: Progress,
    cancel: CancelToken | None,
) -> ParticleTable:
    from napari_slagseg import descriptors

    particles, phases, out = paths
    if len(labels.shape) != 3 or min(labels.shape) < 1:
        raise SlagsegError(
            f"{particles} has the shape {tuple(labels.shape)}; particles are measured in volumes "
            "with three axes (z, y, x), or in 2-D maps."
        )
    z, y, x = labels.shape
    decides = {
        "particles": [str(particles), stamp(particles)],
        "phases": [str(phases), stamp(phases)],
        "erosion": erosion_voxels,
        "grains": grains,
        "accessible": accessible_depth_um,
        "out": out.name,
    }
    with open_run(
        out.absolute().parent,
        "describe",
        decides,
        (z, y, x),
        measuring_costs(
            erosion_voxels,
            grains=grains,
            accessible_depth_um=accessible_depth_um,
            voxel_size_um=spacing,
        ),
        resources,
        progress,
        cancel,
    ) as run:
        if legend is None:
            seen = run.stage("phases", ValuesPresent(ids), says="looking for phases", part=(0, 0.1))
            present = {int(i) for found in seen.values() for i in found["values"]}
            table = _table_of_ids(present, target, phases)
        else:
            table = _table_of_legend(legend, target, phases)
        if section_axis is None:
            return descriptors.describe_blocks(
                labels,
                ids,
                spacing,
                table,
                run,
                erosion_voxels=erosion_voxels,
                grains=grains,
                accessible_depth_um=accessible_depth_um,
                part=(0.1, 1.0),
            )
        length = labels.shape[section_axis]
        every = sections == 0 or sections >= length
        planes = range(length) if every else descriptors.evenly_spaced(length, sections)
        return descriptors.describe_sections(
            labels,
            ids,
            spacing,
            table,
            axis=section_axis,
            indices=[int(i) for i in planes],
            erosion_voxels=erosion_voxels,
            progress=part_of(progress, 0.1, 1.0),
            cancel=cancel,
        )


def _fingerprint(path: str | Path) -> str | None:
    """Fingerprint of a file; an array inside a store is part of what its folder holds."""
    return io.fingerprint(path) if Path(path).exists() else None


__all__ = ["describe_files"]
