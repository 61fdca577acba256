"""Which voxels of a particle lie next to another particle."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray


def touching_particles(
    voxels: NDArray[np.int64],
    particles: NDArray[np.int32],
    map_index: NDArray[np.int16],
    shape: tuple[int, int, int],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Voxels of a particle that have a voxel of another one among their 26 neighbours.

    Parameters
    ----------
    voxels : (n,) int64
        Flat indices, rising.
    particles : (n,) int32
        0 background, -1 unknown.
    map_index : (n,) int16
        Map each voxel came from.
    shape : (z, y, x)

    Returns
    -------
    within : (n,) bool
        The neighbour is of the same map.
    across : (n,) bool
        The neighbour is of another map.
    """
    within = np.zeros(len(voxels), dtype=bool)
    across = np.zeros(len(voxels), dtype=bool)
    solid = np.flatnonzero(particles > 0)
    if not len(solid):
        return within, across
    z, y, x = np.unravel_index(voxels[solid], shape)
    # one layer of padding, so that a step never wraps around an edge
    wide = (shape[1] + 2, shape[2] + 2)
    padded = ((z + 1) * wide[0] + (y + 1)) * wide[1] + (x + 1)
    label, of_map = particles[solid], map_index[solid]
    for dz, dy, dx in product((-1, 0, 1), repeat=3):
        offset = (dz * wide[0] + dy) * wide[1] + dx
        if offset <= 0:  # each pair is seen from one end
            continue
        at = np.minimum(np.searchsorted(padded, padded + offset), len(padded) - 1)
        here = np.flatnonzero((padded[at] == padded + offset) & (label[at] != label))
        there = at[here]
        same = of_map[here] == of_map[there]
        for ends in (here, there):
            within[solid[ends[same]]] = True
            across[solid[ends[~same]]] = True
    return within, across


__all__ = ["touching_particles"]
