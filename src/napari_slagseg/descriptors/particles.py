"""Particles to a table, one row each (K 2.4, in 3D)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_slagseg.data import (
    BlockGrid,
    BlockRun,
    CancelToken,
    ParticleTable,
    PhaseTable,
    Progress,
    SlagsegError,
    ThreadRun,
    Triple,
    VolumeLike,
    VoxelSize,
    checked_voxel_size,
    no_progress,
)
from napari_slagseg.descriptors.surface_weights import pair_weights

_EDGES = (64, 128, 512)
"""Blocks of volumes in memory: long lines, and buffers that stay in a core's own cache."""

_FLATTEST = 16
"""Planes of such a block at least, as two more are read."""


@dataclass(frozen=True)
class Place:
    """Where a box lies in a volume.

    Attributes
    ----------
    start : (z, y, x)
        Its first voxel.
    shape : (z, y, x)
        Of the volume.
    """

    start: Triple
    shape: Triple


def checked_shapes(
    particles: VolumeLike, phases: VolumeLike, axes: int
) -> tuple[VolumeLike, VolumeLike]:
    """Both volumes, or a clear error where they do not fit each other."""
    particles, phases = _volume(particles), _volume(phases)
    if tuple(particles.shape) != tuple(phases.shape):
        raise SlagsegError(
            f"The particle labels have the shape {tuple(particles.shape)} and the phases "
            f"{tuple(phases.shape)}; they must be of the same shape. "
            "Are they from the same segmentation?"
        )
    if len(particles.shape) != axes:
        order = "(z, y, x)" if axes == 3 else "(row, column)"
        raise SlagsegError(
            f"The particle labels are {len(particles.shape)}-D {tuple(particles.shape)}; "
            f"{axes} axes {order} are needed here."
        )
    return particles, phases


def _volume(values: VolumeLike) -> VolumeLike:
    # lists and the like; whatever is read by boxes stays where it is
    return values if isinstance(values, VolumeLike) else np.asarray(values)


def checked_erosion(erosion_voxels: int) -> int:
    """Number of layers to take off, or a clear error."""
    if not 0 <= erosion_voxels <= 250:
        raise SlagsegError(
            f"erosion_voxels is {erosion_voxels}; it must be between 0 (no erosion) and 250."
        )
    return int(erosion_voxels)


def describe_particles(
    particles: VolumeLike,
    phases: VolumeLike,
    voxel_size_um: float | VoxelSize,
    table: PhaseTable,
    *,
    erosion_voxels: int = 0,
    grains: bool = True,
    accessible_depth_um: float = 0.0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    threads: int | None = None,
) -> ParticleTable:
    """Measure size, shape, composition and liberation of every particle.

    Parameters
    ----------
    particles : (z, y, x) integer
        Labels; 0 and below is no particle. Labels may have gaps and may be large. Read
        without a copy where they are uint32 or int64.
    phases : (z, y, x) integer
        Ids of `table`; uint8 and int16 are read without a copy. Particle voxels of
        phase 0 or -1 count in ``n_voxels`` (and as "not target") but in no fraction.
    voxel_size_um : float or (z, y, x)
        Need not be cubic.
    table : PhaseTable
        With the target phase set.
    erosion_voxels : int, default 0
        Above 0, ``surface_liberation_eroded`` and ``surface_fraction_eroded_<phase>`` follow:
        surface liberation after so many voxels of each particle's rim are taken off (K 3.3);
        NaN for particles that vanish.
    grains : bool, default True
        Whether connected pieces of phases are measured: the table of grains,
        ``grains_<phase>`` and ``largest_grain_<phase>_um3``. Single voxels are in it: leave out
        what is too small to be a grain where noise in the phases matters.
    accessible_depth_um : float, default 0
        Above 0, ``accessible_fraction_<phase>``: the share of each phase's voxels whose centres
        are at most so far from that of the nearest voxel outside the particle.
    progress, cancel
        See `napari_slagseg.data`.
    threads : int, optional
        Blocks that are measured at the same time; by default as many as numba uses.

    Returns
    -------
    ParticleTable
        In order of label; no rows if there are no particles.

    Raises
    ------
    SlagsegError
        If the shapes differ, the types are not integer, no target is set, or the
        particles hold a phase that the table does not have.
    CancelledError
        If `cancel` was set.

    Notes
    -----
    Kirstein et al., section 2.4, Eq. 4 to 7; the columns' definitions come with the
    table. Beyond the border of the volume is background. The numbers do not depend
    on how many threads take part. This is `describe_blocks` for volumes in memory.
    """
    particles, phases = checked_shapes(particles, phases, 3)
    if threads is None:
        from numba import get_num_threads

        threads = get_num_threads()
    # what is read around a block is to be less than the block
    spacing = checked_voxel_size(voxel_size_um)
    halo = checked_erosion(erosion_voxels)
    if accessible_depth_um:
        from napari_slagseg.descriptors.accessible import checked_depth, reach_voxels

        reach = reach_voxels(checked_depth(accessible_depth_um, spacing), spacing)
        halo = max(halo, min(max(reach), *particles.shape))
    grid = blocks_in_memory(particles.shape, threads, halo)
    run = ThreadRun(grid, threads, progress, cancel)
    return describe_blocks(
        particles, phases, voxel_size_um, table, run,
        erosion_voxels=erosion_voxels, grains=grains, accessible_depth_um=accessible_depth_um,
    )  # fmt: skip


def blocks_in_memory(shape: tuple[int, ...], threads: int, layers: int = 0) -> BlockGrid:
    """Blocks of a volume in memory, enough of them for the threads."""
    whole = tuple(max(1, n) for n in shape)
    # what an erosion reads around a block is to be less than the block
    depth, *others = (max(edge, 4 * layers) for edge in _EDGES)
    grid = BlockGrid.of(whole, (depth, *others))
    while len(grid) < 2 * threads and depth >= 2 * max(_FLATTEST, 4 * layers):
        depth //= 2
        grid = BlockGrid.of(whole, (depth, *others))
    return grid


def describe_blocks(
    particles: VolumeLike,
    phases: VolumeLike,
    voxel_size_um: float | VoxelSize,
    table: PhaseTable,
    run: BlockRun,
    *,
    erosion_voxels: int = 0,
    grains: bool = True,
    accessible_depth_um: float = 0.0,
    part: tuple[float, float] = (0.0, 1.0),
    place: Place | None = None,
) -> ParticleTable:
    """Measure every particle of a volume that is read by blocks.

    Parameters
    ----------
    particles, phases, voxel_size_um, table, erosion_voxels, grains, accessible_depth_um
        As for `describe_particles`; the volumes are read by boxes, each block with
        ``erosion_voxels + 1`` voxels (or the accessible depth) around it.
    run : BlockRun
        Over the volumes' shape. Stages "measure" and "boxes"; with grains "grains",
        "grains-touching" and "grains-sums" too, with a depth "accessible".
    part : (float, float)
        From where to where in the work's progress bar this goes.
    place : Place, optional
        Where the volumes are a box of a larger one that holds the whole of their particles:
        rows are then those of the larger one.

    Returns
    -------
    ParticleTable
        Whatever the blocks and the number of workers, the same to the last bit.

    Raises
    ------
    SlagsegError
        As `describe_particles`, and if the run is over another shape.
    CancelledError

    Notes
    -----
    A worker needs the block (with its surroundings) and, on top, about 6 MB, or 32 (4 +
    phases) bytes for each label in the block if there are more than 4096 and 32 for each pair
    of phases that touch in one. Who calls holds about 16 (14 + 3 phases) bytes for each particle
    in each block it lies in, and 64 for each pair of its phases that touch there. The
    corners that boxes are fitted to lie in the run's store: 0.2 bytes a voxel for
    particles of 24 voxels, less for larger ones. Grains and accessible shares take a worker
    up to 16 bytes a voxel of the block (with what is read around it), grains the caller about
    150 for each grain in each block.
    """
    # numba takes a second to import: only those who measure wait for it
    from napari_slagseg.descriptors.accessible import (
        CountAccessible,
        accessible_counts,
        checked_depth,
    )
    from napari_slagseg.descriptors.block_sums import MeasureBlock, merged
    from napari_slagseg.descriptors.box_stage import fitted_boxes
    from napari_slagseg.descriptors.grains import grain_sums
    from napari_slagseg.descriptors.labels_present import (
        check_known_phases,
        check_label_type,
        phase_slots,
    )
    from napari_slagseg.descriptors.particle_columns import Measured, measured_table

    particles, phases = checked_shapes(particles, phases, 3)
    spacing = checked_voxel_size(voxel_size_um)
    layers = checked_erosion(erosion_voxels)
    depth_um = checked_depth(accessible_depth_um, spacing)
    slots = phase_slots(phases.dtype, table)
    check_label_type(particles.dtype)
    shape = tuple(particles.shape)
    if tuple(run.grid.shape) != tuple(max(1, n) for n in shape):
        raise SlagsegError(
            f"The blocks are those of a volume of shape {run.grid.shape}, but the particle labels "
            f"have the shape {shape}. Open the run for this volume."
        )
    weights, unit = pair_weights(spacing)
    task = MeasureBlock(particles, phases, slots, tuple(weights.tolist()), layers, run.store)
    counted, near, separated = (
        part[0] + share * (part[1] - part[0]) for share in (0.3, 0.4 if depth_um else 0.3, 0.6)
    )
    results = run.stage(
        "measure",
        task,
        # a volume without voxels has no blocks to measure
        blocks=None if min(shape) else [],
        says="measuring voxels",
        part=(part[0], counted),
    )
    check_known_phases(
        (phase for result in results.values() for phase in result["strange"].tolist()), table
    )
    sums, eroded = merged(results.values(), slots.n_phases)
    labels_of = {index: result["labels"] for index, result in results.items()}
    del results
    accessible = None
    if depth_um:
        counting = CountAccessible(particles, phases, slots, spacing, depth_um)
        accessible = accessible_counts(counting, run, labels_of, sums.labels, (counted, near))
    found = None
    if grains:
        found = grain_sums(particles, phases, slots, sums.labels, weights, run, (near, separated))
    shapes = fitted_boxes(run, labels_of, sums.labels, sums.low, spacing, (separated, part[1]))

    measured = Measured(sums, shapes, eroded, accessible, found)
    if place is not None:
        measured, shape = measured.moved(place.start), place.shape
    return measured_table(
        measured, slots, table, spacing, unit, shape, layers=layers, depth_um=depth_um
    )


__all__ = [
    "Place",
    "blocks_in_memory",
    "checked_erosion",
    "checked_shapes",
    "describe_blocks",
    "describe_particles",
]
