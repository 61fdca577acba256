"""Two predictions to separate particles (K 2.3.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    Block,
    BlockGrid,
    BlockRun,
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    ThreadRun,
    Triple,
    VolumeLike,
    WritableVolume,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.data.cores import cores
from napari_slagseg.segmentation.label_blocks import label_counts_of_blocks, renumbered
from napari_slagseg.segmentation.pieces import BlockPieces, joined_pieces
from napari_slagseg.segmentation.places import Place
from napari_slagseg.segmentation.watershed import FloodState, flood_blocks

_LARGE = 1 << 26


def block_edge(voxels: int) -> int:
    """Edge of the blocks that arrays in memory are cut into.

    Blocks of 96 to 128 were fastest. Smaller ones keep more threads busy and take less
    while they are worked on, larger ones have fewer outer voxels to keep.
    """
    return 96 if voxels < _LARGE else 128


@dataclass(frozen=True)
class Separation:
    """Particles, and how they came about.

    Attributes
    ----------
    particles : (z, y, x) uint32
        0 background; particles 1, 2, ... without gaps. Each is connected by faces.
    n_markers : int
        Connected pieces of foreground with a particle probability above the threshold.
    n_without_marker : int
        Connected pieces of foreground that hold no marker and became particles of
        their own (before the small ones were removed).
    n_removed : int
        Particles removed for being small.
    """

    particles: NDArray[np.uint32]
    n_markers: int
    n_without_marker: int
    n_removed: int


@dataclass(frozen=True)
class SeparationCounts:
    """What there is to say of a separation whose particles went into a volume.

    Attributes
    ----------
    n_particles : int
        They are numbered from 1.
    n_markers, n_without_marker, n_removed : int
        See `Separation`.
    """

    n_particles: int
    n_markers: int
    n_without_marker: int
    n_removed: int


@dataclass(frozen=True)
class _Markers:
    """Source of pieces: foreground that is more probable than `above`, of 255."""

    phases: VolumeLike
    probability: VolumeLike
    above: int
    by_value: bool = False

    def values(self, block: Block) -> NDArray[np.bool_]:
        sure = np.asarray(self.probability[block.box]) > self.above
        sure &= np.asarray(self.phases[block.box]) > 0
        return sure


@dataclass(frozen=True)
class _Unreached:
    """Source of pieces: foreground that no marker has reached."""

    phases: VolumeLike
    labels: VolumeLike
    by_value: bool = False

    def values(self, block: Block) -> NDArray[np.bool_]:
        open_ = np.asarray(self.labels[block.box]) == 0
        open_ &= np.asarray(self.phases[block.box]) > 0
        return open_


@dataclass(frozen=True)
class _Numbers:
    """Final numbers of what is in a block: of labels `old`, and of its pieces without a marker."""

    old: NDArray[np.int64]
    new: NDArray[np.int64]
    unreached: NDArray[np.uint32]


@dataclass(frozen=True)
class _Finish:
    """Stage: write the particles."""

    labels: VolumeLike
    unreached: BlockPieces
    particles: WritableVolume

    def __call__(self, block: Block, given: _Numbers) -> None:
        particles = renumbered(np.asarray(self.labels[block.box]), given.old, given.new)
        if len(given.unreached) > 1:
            self.unreached.again(block).paint(given.unreached, Place.of(particles))
        self.particles[block.box] = particles


def separate_particles(
    phases: NDArray[np.uint8],
    particle_probability: NDArray[np.uint8],
    *,
    threshold: float = 0.5,
    minimum_voxels: int = 100,
    threads: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Separation:
    """Separate the foreground of the phase network by the particle network (K 2.3.5).

    The foreground ``F`` is where the phase is above 0. Markers are the connected
    pieces (6 neighbours) of the voxels of ``F`` whose particle probability is above
    the threshold; what the particle network sees outside ``F`` counts for nothing,
    so that the union of the particles is exactly ``F``. The markers grow into
    ``F`` by a watershed that floods the more probable voxels first. Pieces of
    ``F`` without a marker become particles of their own. Last, particles of fewer
    than `minimum_voxels` voxels become background and the others are numbered in
    the order of their first voxel's marker, then of the pieces without one.

    The watershed has one right answer (see `flooding`), so the result depends on the
    input only, not on blocks and threads. Memory on top of the two inputs: 9 to 9.5 bytes
    a voxel, the result's 4 included, and 25 to 50 MB a thread (measured: 10.3 in all at
    256^3 and 9.7 at 448^3 on one thread).

    Parameters
    ----------
    phases : (z, y, x) uint8
        Predicted phases, 0 background.
    particle_probability : (z, y, x) uint8
        Predicted probability of "inside a particle", 0 to 255 for 0 to 1.
    threshold : float
        Probability above which a voxel is part of a marker.
    minimum_voxels : int
        Smaller particles are removed; 0 or 1 keeps all.
    threads : int, optional
        Blocks that are worked on at the same time; all cores if not given.

    Returns
    -------
    Separation

    Raises
    ------
    SlagsegError
        If the arrays differ in shape, are not 3D uint8, or the threshold is not
        between 0 and 1.
    CancelledError
        If the token is set.
    """
    _check(phases, particle_probability, threshold)
    progress(ProgressEvent("finding the markers", 0.0))
    stop_if_cancelled(cancel)
    particles = np.zeros(phases.shape, dtype=np.uint32)
    counts = SeparationCounts(0, 0, 0, 0)
    if phases.size:
        run = ThreadRun(
            BlockGrid.of(phases.shape, block_edge(phases.size)),
            threads or cores(),
            progress,
            cancel,
        )
        # nothing is left of an interrupted run, so the particles may grow where they will stay
        state = FloodState(particles, run.scratch("flood-costs", np.uint32))
        counts = _separate(
            phases, particle_probability, particles, state, run, threshold, minimum_voxels, (0, 1)
        )
    progress(ProgressEvent("removing small particles", 1.0))
    return Separation(particles, counts.n_markers, counts.n_without_marker, counts.n_removed)


def separate_blocks(
    phases: VolumeLike,
    probability: VolumeLike,
    particles: WritableVolume,
    run: BlockRun,
    *,
    threshold: float = 0.5,
    minimum_voxels: int = 100,
    part: tuple[float, float] = (0.0, 1.0),
) -> SeparationCounts:
    """Separate the particles of a volume of any size, block by block.

    Gives what `separate_particles` gives, to the last voxel, whatever the blocks. Two
    scratch volumes of the run hold the flood; the run's store holds the outer voxels of
    each block.

    Parameters
    ----------
    phases : (z, y, x) uint8 volume
        Predicted phases, 0 background.
    probability : (z, y, x) uint8 volume
        Predicted probability of "inside a particle", 0 to 255 for 0 to 1.
    particles : (z, y, x) uint32 volume
        Where the particles go.
    run : BlockRun
        Its grid has the shape of the volumes. A block takes about 24 bytes a voxel
        while it is worked on, and 8 of scratch volumes.
    threshold, minimum_voxels
        See `separate_particles`.
    part : (float, float)
        From where to where this goes in the whole work's progress bar.

    Returns
    -------
    SeparationCounts

    Raises
    ------
    SlagsegError
        If the volumes differ in shape, are not 3D uint8, or the threshold is not
        between 0 and 1.
    CancelledError
        If the run is told to stop.
    """
    _check(phases, probability, threshold)
    for what, shape in (("particles", particles.shape), ("blocks' volume", run.grid.shape)):
        if tuple(shape) != tuple(phases.shape):
            raise SlagsegError(
                f"The phases have the shape {tuple(phases.shape)} and the {what} {tuple(shape)}; "
                "they must be equal."
            )
    state = FloodState(
        run.scratch("flood-labels", np.uint32), run.scratch("flood-costs", np.uint32)
    )
    return _separate(phases, probability, particles, state, run, threshold, minimum_voxels, part)


def _separate(
    phases: VolumeLike,
    probability: VolumeLike,
    particles: WritableVolume,
    state: FloodState,
    run: BlockRun,
    threshold: float,
    minimum_voxels: int,
    part: tuple[float, float],
) -> SeparationCounts:
    def share(begin: float, end: float) -> tuple[float, float]:
        return part[0] + begin * (part[1] - part[0]), part[0] + end * (part[1] - part[0])

    seeds = _Markers(phases, probability, int(threshold * 255))
    markers = joined_pieces(
        seeds, run, name="markers", says="finding the markers", part=share(0.0, 0.1)
    )
    flood_blocks(
        phases,
        probability,
        markers.blocks,
        markers.tables,
        state,
        run,
        says="growing the particles",
        part=share(0.1, 0.8),
    )
    unreached = _Unreached(phases, state.labels)
    says = "finding particles without a marker"
    rest = joined_pieces(
        unreached, run, name="unreached", count=True, says=says, part=share(0.8, 0.87)
    )
    says = "removing small particles"
    grown = label_counts_of_blocks(
        state.labels, run, name="count", says=says, part=share(0.87, 0.92)
    )
    voxels = np.concatenate([grown.voxels, rest.voxels])
    kept = voxels >= minimum_voxels
    number = np.where(kept, np.cumsum(kept), 0)
    given: dict[Triple, _Numbers] = {}
    of_rest = np.concatenate([[0], number[markers.n :]]).astype(np.uint32)
    for index, present in grown.in_block.items():
        given[index] = _Numbers(present, number[present - 1], of_rest[rest.tables[index]])
    run.stage(
        "particles",
        _Finish(state.labels, rest.blocks, particles),
        given=given,
        says=says,
        part=share(0.92, 1.0),
    )
    n = int(kept.sum())
    return SeparationCounts(n, markers.n, rest.n, len(kept) - n)


def _check(phases: VolumeLike, probability: VolumeLike, threshold: float) -> None:
    if tuple(phases.shape) != tuple(probability.shape):
        raise SlagsegError(
            f"The phases have the shape {phases.shape} and the particle probability "
            f"{probability.shape}; both must come from the same volume."
        )
    for what, array in (("phases", phases), ("particle probability", probability)):
        if len(array.shape) != 3 or array.dtype != np.uint8:
            raise SlagsegError(
                f"The {what} are a {len(array.shape)}-D array of type {array.dtype}; the "
                "separation of particles needs 3-D arrays (z, y, x) of type uint8."
            )
    if not 0 < threshold < 1:
        raise SlagsegError(f"The marker threshold is {threshold}; it must lie between 0 and 1.")


__all__ = ["Separation", "SeparationCounts", "separate_blocks", "separate_particles"]
