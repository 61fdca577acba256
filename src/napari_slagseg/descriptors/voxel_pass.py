"""One pass over the voxels: everything that is a sum over a particle's voxels.

Planes are read once and written as codes into three padded buffers that roll
along z; the padding is background, so a particle that reaches the border of the
volume has a surface there. Every 2x2x2 cube owns 13 voxel pairs (its three low
edges, both diagonals of its three low faces, four space diagonals), so that the
cubes together own every pair of neighbours once.

All sums are integers, hence independent of how the work is shared out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from napari_slagseg.data import CancelToken, Progress, ProgressEvent, no_progress, stop_if_cancelled
from napari_slagseg.descriptors.surface_weights import DIRECTIONS

_CHUNK_VOXELS = 1 << 25  # between two looks at the cancel token: well under a second
_MINIMUM_SLAB = 4  # planes; a slab reads two planes more than its own

# The corners of each pair inside the cube. Corner number: 4 z + 2 y + x. A direction
# with a negative step starts at the high end of that axis.
_PAIRS = np.array(
    [
        [
            (2 if dy < 0 else 0) + (1 if dx < 0 else 0),
            4 * dz + (2 if dy > 0 else 0) + (1 if dx > 0 else 0),
        ]
        for dz, dy, dx in DIRECTIONS
    ],
    dtype=np.int64,
)


@dataclass(frozen=True)
class VoxelSums:
    """Sums over the voxels of each particle; row i belongs to ``labels[i]``.

    Attributes
    ----------
    counts : (n, phases + 1) int64
        Voxels by phase, in the order of the phase lookup; the last column holds
        voxels whose phase is background or unknown.
    moments : (n, 3) int64
        Sums of the z, y and x indices.
    low, high : (n, 3) int32
        Bounding box, both ends inside.
    pairs : (n, 3) int64
        Weighted pairs target-outside, rest-outside, target-rest.
    surface : (n, 2) int64
        Surface voxels that are (target, rest).
    """

    counts: NDArray[np.int64]
    moments: NDArray[np.int64]
    low: NDArray[np.int32]
    high: NDArray[np.int32]
    pairs: NDArray[np.int64]
    surface: NDArray[np.int64]


@njit(cache=True, nogil=True)
def _encode(labels, phases, row_of, slot_of, target, out):  # type: ignore[no-untyped-def]
    """Code of each voxel: 0 outside, else 2 (row + 1) + (is target)."""
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            row = row_of[labels[y, x]]
            if row < 0:
                out[y + 1, x + 1] = 0
            else:
                out[y + 1, x + 1] = 2 * (row + 1) + (slot_of[phases[y, x]] == target)


@njit(cache=True, nogil=True)
def _count(z, labels, phases, row_of, slot_of, counts, moments, box):  # type: ignore[no-untyped-def]
    """Counts, index sums and boxes of one plane, by runs along x."""
    height, width = labels.shape
    for y in range(height):
        x = 0
        while x < width:
            label = labels[y, x]
            phase = phases[y, x]
            start = x
            x += 1
            while x < width and labels[y, x] == label and phases[y, x] == phase:
                x += 1
            row = row_of[label]
            if row < 0:
                continue
            length = x - start
            counts[row, slot_of[phase]] += length
            moments[row, 0] += z * length
            moments[row, 1] += y * length
            moments[row, 2] += (start + x - 1) * length // 2
            box[row, 0] = min(box[row, 0], z)
            box[row, 1] = min(box[row, 1], y)
            box[row, 2] = min(box[row, 2], start)
            box[row, 3] = max(box[row, 3], z)
            box[row, 4] = max(box[row, 4], y)
            box[row, 5] = max(box[row, 5], x - 1)


@njit(cache=True, nogil=True)
def _surface_voxels(below, here, above, surface):  # type: ignore[no-untyped-def]
    """Count voxels with one of six neighbours outside the particle."""
    height, width = here.shape
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            code = here[y, x]
            if code == 0:
                continue
            row = code >> 1
            if (
                here[y, x - 1] >> 1 != row
                or here[y, x + 1] >> 1 != row
                or here[y - 1, x] >> 1 != row
                or here[y + 1, x] >> 1 != row
                or below[y, x] >> 1 != row
                or above[y, x] >> 1 != row
            ):
                surface[row - 1, 1 - (code & 1)] += 1


@njit(cache=True, nogil=True)
def _cubes(low, high, pair_corners, weights, pairs):  # type: ignore[no-untyped-def]
    """Weighted pairs of the cubes between two planes."""
    height, width = low.shape
    corner = np.empty(8, dtype=np.int32)
    for y in range(height - 1):
        left_same = low[y, 0] == low[y + 1, 0] == high[y, 0] == high[y + 1, 0]
        for x in range(width - 1):
            a = low[y, x + 1]
            right_same = a == low[y + 1, x + 1] and a == high[y, x + 1] and a == high[y + 1, x + 1]
            if left_same and right_same and a == low[y, x]:
                continue
            left_same = right_same
            corner[0] = low[y, x]
            corner[1] = a
            corner[2] = low[y + 1, x]
            corner[3] = low[y + 1, x + 1]
            corner[4] = high[y, x]
            corner[5] = high[y, x + 1]
            corner[6] = high[y + 1, x]
            corner[7] = high[y + 1, x + 1]
            for pair in range(13):
                p = corner[pair_corners[pair, 0]]
                q = corner[pair_corners[pair, 1]]
                if p == q:
                    continue
                weight = weights[pair]
                if p >> 1 == q >> 1:
                    pairs[(p >> 1) - 1, 2] += weight
                else:
                    if p:
                        pairs[(p >> 1) - 1, 1 - (p & 1)] += weight
                    if q:
                        pairs[(q >> 1) - 1, 1 - (q & 1)] += weight


@njit(cache=True, parallel=True, nogil=True)
def _measure(  # type: ignore[no-untyped-def]
    labels,
    phases,
    first,
    last,
    row_of,
    slot_of,
    target,
    pair_corners,
    weights,
    counts,
    moments,
    box,
    pairs,
    surface,
    planes,
):
    """Add planes first..last-1 to the sums, one slab for each row of the accumulators."""
    workers = counts.shape[0]
    depth = labels.shape[0]
    for worker in prange(workers):
        z0 = first + (last - first) * worker // workers
        z1 = first + (last - first) * (worker + 1) // workers
        if z1 > z0:
            buffer = planes[worker]
            for z in range(z0 - 1, z1 + 1):
                slot = (z + 3) % 3
                if 0 <= z < depth:
                    _encode(labels[z], phases[z], row_of, slot_of, target, buffer[slot])
                else:
                    buffer[slot, :, :] = 0
                if z0 <= z < z1:
                    _count(
                        z,
                        labels[z],
                        phases[z],
                        row_of,
                        slot_of,
                        counts[worker],
                        moments[worker],
                        box[worker],
                    )
                if z > z0:
                    _surface_voxels(
                        buffer[(z + 1) % 3],
                        buffer[(z + 2) % 3],
                        buffer[slot],
                        surface[worker],
                    )
                # the cube whose low plane is z - 1; plane -1 belongs to the first slab
                if z > z0 or z0 == 0 == z:
                    _cubes(buffer[(z + 2) % 3], buffer[slot], pair_corners, weights, pairs[worker])


def voxel_sums(
    particles: NDArray[np.uint32],
    phases: NDArray[np.integer],
    row_of: NDArray[np.int32],
    slot_of: NDArray[np.int32],
    target_slot: int,
    n_rows: int,
    weights: NDArray[np.int64],
    *,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> VoxelSums:
    """Sum over the voxels of each particle, in slabs that run in parallel.

    Parameters
    ----------
    particles : (z, y, x) uint32
    phases : (z, y, x) uint8 or int16
    row_of : (largest label + 1,) int32
        Row of each label, -1 where it is no particle.
    slot_of : int32
        Column of `VoxelSums.counts` for each phase value; negative values index from the end.
    target_slot : int
        Column of the target phase.
    n_rows : int
    weights : (13,) int64
        From `surface_weights.pair_weights`.
    """
    depth, height, width = particles.shape
    n_slots = int(slot_of.max()) + 1 if slot_of.size else 1
    bytes_per_worker = n_rows * (8 * (n_slots + 8) + 24) + 12 * (height + 2) * (width + 2)
    # accumulators may take a byte a voxel; a small volume may take 64 MB regardless
    budget = max(particles.size, 1 << 26)
    workers = max(1, min(get_num_threads(), depth // _MINIMUM_SLAB, budget // bytes_per_worker))

    counts = np.zeros((workers, n_rows, n_slots), dtype=np.int64)
    moments = np.zeros((workers, n_rows, 3), dtype=np.int64)
    box = np.empty((workers, n_rows, 6), dtype=np.int32)
    box[..., :3] = np.iinfo(np.int32).max
    box[..., 3:] = -1
    pairs = np.zeros((workers, n_rows, 3), dtype=np.int64)
    surface = np.zeros((workers, n_rows, 2), dtype=np.int64)
    planes = np.empty((workers, 3, height + 2, width + 2), dtype=np.int32)
    planes[:, :, 0] = planes[:, :, -1] = 0
    planes[:, :, :, 0] = planes[:, :, :, -1] = 0

    step = max(_MINIMUM_SLAB * workers, _CHUNK_VOXELS // max(height * width, 1))
    for first in range(0, depth, step):
        stop_if_cancelled(cancel)
        last = min(first + step, depth)
        _measure(
            particles,
            phases,
            first,
            last,
            row_of,
            slot_of,
            target_slot,
            _PAIRS,
            weights,
            counts,
            moments,
            box,
            pairs,
            surface,
            planes,
        )
        progress(ProgressEvent("measuring voxels", last / depth))
    return VoxelSums(
        counts=counts.sum(axis=0),
        moments=moments.sum(axis=0),
        low=box[..., :3].min(axis=0),
        high=box[..., 3:].max(axis=0),
        pairs=pairs.sum(axis=0),
        surface=surface.sum(axis=0),
    )


__all__ = ["VoxelSums", "voxel_sums"]
