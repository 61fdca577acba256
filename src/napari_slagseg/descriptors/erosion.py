"""Surface, by phase, of particles whose outermost voxels are taken off (K 3.3)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.data import Box


@njit(cache=True, nogil=True)
def _outermost(labels, depth):  # type: ignore[no-untyped-def]
    """Depth 1 for voxels with one of six neighbours outside their particle."""
    planes, height, width = labels.shape
    for z in range(planes):
        for y in range(height):
            for x in range(width):
                label = labels[z, y, x]
                if label > 0 and (
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


@njit(cache=True, nogil=True)
def _next_layer(labels, depth, layer):  # type: ignore[no-untyped-def]
    """Depth `layer` for voxels without one that touch depth ``layer - 1``.

    In place: only zeros become `layer`, and only ``layer - 1`` is asked for.
    A voxel without a depth has six neighbours of its own particle, all in the array.
    """
    planes, height, width = labels.shape
    before = layer - 1
    for z in range(1, planes - 1):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                if (
                    labels[z, y, x] > 0
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


def eroded_surface(
    particles: NDArray[np.integer],
    slot: NDArray[np.integer],
    inner: Box,
    labels: NDArray[np.int64],
    layers: int,
    n_slots: int,
) -> NDArray[np.int64]:
    """Surface voxels by phase of each label of a block after `layers` erosions.

    Each particle is eroded on its own with the six-neighbour cross; outside the
    volume counts as outside the particle.

    Parameters
    ----------
    particles : (z, y, x) uint32 or int64
        The block with ``layers + 1`` voxels on each side, as far as the volume reaches. The
        array's own sides count as the volume's: where they are not, this reaches
        no deeper than `layers` voxels, short of the block.
    slot : (z, y, x) integer
        Column of each voxel's phase, of the block alone.
    inner : Box
        The block within `particles`.
    labels : (n,)
        All labels of the block, rising.
    n_slots : int
        Columns.

    Returns
    -------
    (n, n_slots) int64
        Zeros for particles that vanish. Needs one byte a voxel of `particles`.
    """
    depth = np.zeros(particles.shape, dtype=np.uint8)
    _outermost(particles, depth)
    for layer in range(2, layers + 2):
        _next_layer(particles, depth, layer)
    surface = np.zeros((len(labels), n_slots), dtype=np.int64)
    places = np.nonzero(depth[inner] == layers + 1)
    rows = np.searchsorted(labels, particles[inner][places])
    np.add.at(surface, (rows, slot[places]), 1)
    return surface


__all__ = ["eroded_surface"]
