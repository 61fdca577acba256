"""Surface liberation of particles whose outermost voxels are taken off (K 3.3)."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from napari_slagseg.data import CancelToken, stop_if_cancelled


@njit(cache=True, parallel=True, nogil=True)
def _outermost(labels, depth):  # type: ignore[no-untyped-def]
    """Depth 1 for voxels with one of six neighbours outside their particle."""
    planes, height, width = labels.shape
    for z in prange(planes):
        for y in range(height):
            for x in range(width):
                label = labels[z, y, x]
                if label and (
                    z == 0
                    or y == 0
                    or x == 0
                    or z == planes - 1
                    or y == height - 1
                    or x == width - 1
                    or labels[z - 1, y, x] != label
                    or labels[z + 1, y, x] != label
                    or labels[z, y - 1, x] != label
                    or labels[z, y + 1, x] != label
                    or labels[z, y, x - 1] != label
                    or labels[z, y, x + 1] != label
                ):
                    depth[z, y, x] = 1


@njit(cache=True, parallel=True, nogil=True)
def _next_layer(labels, depth, layer):  # type: ignore[no-untyped-def]
    """Depth `layer` for voxels without one that touch depth ``layer - 1``.

    In place and in parallel: only zeros become `layer`, and only ``layer - 1`` is asked for.
    A voxel without a depth has six neighbours of its own particle, all inside the volume.
    """
    planes, height, width = labels.shape
    before = layer - 1
    for z in prange(1, planes - 1):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                if (
                    labels[z, y, x]
                    and depth[z, y, x] == 0
                    and (
                        depth[z - 1, y, x] == before
                        or depth[z + 1, y, x] == before
                        or depth[z, y - 1, x] == before
                        or depth[z, y + 1, x] == before
                        or depth[z, y, x - 1] == before
                        or depth[z, y, x + 1] == before
                    )
                ):
                    depth[z, y, x] = layer


@njit(cache=True, nogil=True)
def _count_layer(  # type: ignore[no-untyped-def]
    labels, phases, depth, layer, row_of, slot_of, target, surface
):
    planes, height, width = labels.shape
    for z in range(planes):
        for y in range(height):
            for x in range(width):
                if depth[z, y, x] == layer:
                    row = row_of[labels[z, y, x]]
                    if row >= 0:
                        surface[row, 0 if slot_of[phases[z, y, x]] == target else 1] += 1


def eroded_surface(
    particles: NDArray[np.uint32],
    phases: NDArray[np.integer],
    row_of: NDArray[np.int32],
    slot_of: NDArray[np.int32],
    target_slot: int,
    n_rows: int,
    layers: int,
    *,
    cancel: CancelToken | None = None,
) -> NDArray[np.int64]:
    """Surface voxels, (target, rest), of each particle after `layers` erosions.

    Each particle is eroded on its own with the six-neighbour cross; outside the
    volume counts as outside the particle. Needs one byte a voxel.

    Returns
    -------
    (n_rows, 2) int64
        Zeros for particles that vanish.
    """
    depth = np.zeros(particles.shape, dtype=np.uint8)
    _outermost(particles, depth)
    for layer in range(2, layers + 2):
        stop_if_cancelled(cancel)
        _next_layer(particles, depth, layer)
    surface = np.zeros((n_rows, 2), dtype=np.int64)
    stop_if_cancelled(cancel)
    _count_layer(particles, phases, depth, layers + 1, row_of, slot_of, target_slot, surface)
    return surface


__all__ = ["eroded_surface"]
