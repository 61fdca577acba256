"""How much of each phase lies within a given depth below the particle's surface.

The depth of a voxel is the distance from its centre to that of the nearest voxel outside its
particle: what the `edt` package gives, which holds Python's lock while it works and
knows no largest depth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.data import (
    Block,
    BlockResult,
    BlockRun,
    Box,
    SlagsegError,
    Triple,
    VolumeLike,
    VoxelSize,
)
from napari_slagseg.descriptors.labels_present import PhaseSlots, label_values, phase_values

_ROUNDING = 1 + 1e-5  # of squares of 32 bits: a depth of three voxels reaches the third


def reach_voxels(depth_um: float, spacing: VoxelSize) -> Triple:
    """Voxels along each axis that may be within a depth of a voxel."""
    z, y, x = (math.floor(depth_um / edge) + 1 for edge in spacing)
    return z, y, x


def checked_depth(depth_um: float, spacing: VoxelSize) -> float:
    """Depth, or a clear error; 0 for none."""
    if not 0 <= depth_um < math.inf:
        raise SlagsegError(
            f"accessible_depth_um is {depth_um}; it must be 0 (not measured) or a length in um."
        )
    if 0 < depth_um < min(spacing):
        raise SlagsegError(
            f"accessible_depth_um is {depth_um:g}, less than a voxel ({min(spacing):g} um): no "
            "voxel lies so near to the outside. Choose a larger depth, or 0."
        )
    if max(reach_voxels(depth_um, spacing)) > 1000:
        raise SlagsegError(
            f"accessible_depth_um is {depth_um:g}, more than 1000 voxels of {spacing} um. "
            "It is a depth below the surface of particles, in um."
        )
    return float(depth_um)


@njit(cache=True, nogil=True)
def _along_x(labels, first, edge, limit, squares):  # type: ignore[no-untyped-def]
    """Squared distance of each voxel's centre to the outside of its particle, in its own line.

    `squares` are those of the voxels from `first` on; what is farther than `limit` is `limit`.
    """
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            line = labels[z, y]
            out = squares[z, y]
            a = 0
            while a < line.size:
                label = line[a]
                b = a + 1
                while b < line.size and line[b] == label:
                    b += 1
                low = max(a, first)
                high = min(b, first + out.size)
                for x in range(low, high):
                    # the runs at both ends of what was read end there
                    away = np.float32(min(x - a, b - 1 - x) + 1) * edge
                    out[x - first] = min(away * away, limit) if label > 0 else np.float32(0)
                a = b


@njit(cache=True, nogil=True)
def _across(labels, before, first, gaps, squares):  # type: ignore[no-untyped-def]
    """Take in another axis, the first of these arrays; `gaps` are squares of distances along it.

    Looks outward from each voxel until a voxel of another label, or until nothing nearer
    can come. All lines of voxels are done together, as memory lies.
    """
    length, rows, columns = labels.shape
    for i in range(squares.shape[0]):
        at = i + first
        for j in range(rows):
            for k in range(columns):
                label = labels[at, j, k]
                best = before[at, j, k]
                if label > 0:
                    for side in (-1, 1):
                        for step in range(1, gaps.size):
                            gap = gaps[step]
                            if gap >= best:
                                break
                            place = at + side * step
                            if place < 0 or place >= length or labels[place, j, k] != label:
                                best = gap
                                break
                            best = min(best, before[place, j, k] + gap)
                squares[i, j, k] = best


def squared_depths(
    labels: NDArray[np.integer], inner: Box, spacing: VoxelSize, depth_um: float
) -> NDArray[np.float32]:
    """Squared distance of voxels to the nearest one outside of their particles, um^2.

    Parameters
    ----------
    labels : (z, y, x) integer
        With as many voxels around `inner` as `reach_voxels` says, as far as the volume reaches.
        What lies beyond the array is outside.
    inner : Box
        The voxels that are asked for.
    spacing : (z, y, x)
    depth_um : float
        Distances up to here are right; larger ones are only known to be larger.

    Returns
    -------
    (z, y, x) float32
        Of `inner`; 0 outside of particles.
    """
    reach = reach_voxels(depth_um, spacing)
    limit = np.float32((depth_um + max(spacing)) ** 2 * 1.01)
    gaps = [((np.arange(n + 1) * edge) ** 2).astype(np.float32) for n, edge in zip(reach, spacing)]
    wide = inner[2].stop - inner[2].start
    of_lines = np.empty((*labels.shape[:2], wide), dtype=np.float32)
    _along_x(labels, inner[2].start, np.float32(spacing[2]), limit, of_lines)
    mine = labels[:, :, inner[2]]
    high = inner[1].stop - inner[1].start
    of_planes = np.empty((labels.shape[0], high, wide), dtype=np.float32)
    _across(
        np.swapaxes(mine, 0, 1), np.swapaxes(of_lines, 0, 1), inner[1].start, gaps[1],
        np.swapaxes(of_planes, 0, 1),
    )  # fmt: skip
    del of_lines
    mine = mine[:, inner[1]]
    depths = np.empty((inner[0].stop - inner[0].start, high, wide), dtype=np.float32)
    _across(mine, of_planes, inner[0].start, gaps[0], depths)
    return depths


@njit(cache=True, nogil=True)
def _count(  # type: ignore[no-untyped-def]
    depths, limit, labels, known, phases, slot_of, n_phases, counts
):
    """Count voxels by row of `known` and phase that are no deeper than `limit`."""
    last = slot_of.size - 1
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            label = np.int64(0)
            row = np.int64(0)
            for x in range(labels.shape[2]):
                here = np.int64(labels[z, y, x])
                if here <= 0 or depths[z, y, x] > limit:
                    continue
                slot = slot_of[np.int64(phases[z, y, x]) & last]
                if slot >= n_phases:
                    continue
                if here != label:
                    label = here
                    row = np.int64(np.searchsorted(known, label))
                counts[row, slot] += 1


@dataclass(frozen=True)
class CountAccessible:
    """Stage: voxels of each phase of a block's particles that are no deeper than `depth_um`.

    Parameters
    ----------
    particles, phases : VolumeLike
    slots : PhaseSlots
    spacing : (z, y, x)
    depth_um : float
    """

    particles: VolumeLike
    phases: VolumeLike
    slots: PhaseSlots
    spacing: VoxelSize
    depth_um: float

    def __call__(self, block: Block, given: Any, /) -> BlockResult:
        """Count; `given` holds the block's labels, rising."""
        outer, inner = _around(block, reach_voxels(self.depth_um, self.spacing), self.particles)
        counts = np.zeros((len(given), self.slots.n_phases), dtype=np.int64)
        if len(given):
            labels = label_values(np.asarray(self.particles[outer]))
            phases = phase_values(np.asarray(self.phases[block.box]))
            depths = squared_depths(labels, inner, self.spacing, self.depth_um)
            limit = np.float32(self.depth_um**2 * _ROUNDING)
            slot_of = self.slots.lookup(phases.dtype)
            _count(
                depths, limit, labels[inner], given, phases, slot_of, self.slots.n_phases, counts
            )
        return {"labels": given, "counts": counts}


def _around(block: Block, reach: Triple, volume: VolumeLike) -> tuple[Box, Box]:
    """The block with as many voxels around it, as far as the volume reaches; it within that."""
    outer, inner = [], []
    for a, b, more, n in zip(block.start, block.stop, reach, volume.shape):
        low = max(0, a - more)
        outer.append(slice(low, min(n, b + more)))
        inner.append(slice(a - low, b - low))
    return tuple(outer), tuple(inner)  # type: ignore[return-value]


def accessible_counts(
    task: CountAccessible,
    run: BlockRun,
    labels_of: dict[Triple, NDArray[np.int64]],
    labels: NDArray[np.int64],
    part: tuple[float, float],
) -> NDArray[np.int64]:
    """Accessible voxels of all particles by phase, (n, phases).

    Parameters
    ----------
    task : CountAccessible
    run : BlockRun
        One stage, "accessible".
    labels_of : dict of block index to (k,)
        Labels in each block, rising.
    labels : (n,)
        All, rising.
    part : (float, float)
        See `BlockRun.stage`.
    """
    results: Iterable[BlockResult] = run.stage(
        "accessible",
        task,
        given=labels_of,
        blocks=[run.grid.block(index) for index in labels_of],
        says="measuring what is near the surface",
        part=part,
    ).values()
    counts = np.zeros((len(labels), task.slots.n_phases), dtype=np.int64)
    for result in results:
        np.add.at(counts, np.searchsorted(labels, result["labels"]), result["counts"])
    return counts


__all__ = [
    "CountAccessible",
    "accessible_counts",
    "checked_depth",
    "reach_voxels",
    "squared_depths",
]
