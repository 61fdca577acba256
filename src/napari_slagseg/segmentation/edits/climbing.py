"""From a point in a particle to the middle of the part that it lies in."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

LONGEST_WAY = 1 << 16
"""Voxels that a way needs room for."""


@njit(cache=True, nogil=True)
def _step_towards(here: NDArray[np.int64], there: NDArray[np.int64]) -> None:
    """Move by one voxel along the axis on which most is left to go."""
    axis, most = 0, np.int64(0)
    for k in range(3):
        left = abs(there[k] - here[k])
        if left > most:
            axis, most = k, left
    here[axis] += 1 if there[axis] > here[axis] else -1


@njit(cache=True, nogil=True)
def _straight(
    depth: NDArray[np.float32],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    way: NDArray[np.int32],
    n: int,
) -> int:
    """Append the voxels after `start` up to `stop`; -1 if one of them lies outside."""
    _, rows, columns = depth.shape
    here = start.copy()
    while here[0] != stop[0] or here[1] != stop[1] or here[2] != stop[2]:
        _step_towards(here, stop)
        if depth[here[0], here[1], here[2]] <= 0 or n == len(way):
            return -1
        way[n] = (here[0] * rows + here[1]) * columns + here[2]
        n += 1
    return n


@njit(cache=True, nogil=True)
def climb(depth: NDArray[np.float32], point: NDArray[np.int64], way: NDArray[np.int32]) -> int:
    """Way from a point to where the particle is deepest around.

    It goes on to the deepest voxel (of several, the nearest) within half the depth of
    where it is, at least one voxel, until there is no deeper one. So it passes over bumps of
    the distance map that are small beside the particle, but over no neck.

    Parameters
    ----------
    depth : (z, y, x) float32
        Distance to the background, 0 outside.
    point : (3,) int64
    way : (n,) int32
        Filled with the flat places of its voxels; each shares a face with the next.

    Returns
    -------
    n : int
        Voxels of the way, the point included.
    """
    sizes = depth.shape
    here = point.copy()
    way[0] = (here[0] * sizes[1] + here[1]) * sizes[2] + here[2]
    n = 1
    best = np.empty(3, dtype=np.int64)
    while True:
        now = depth[here[0], here[1], here[2]]
        radius = max(1, int(now / 2))
        # a voxel beyond a corner is only reached where the corner's other voxels are inside
        limit = max(1.0, now * now / 4)
        most, nearest = now, np.int64(0)
        for z in range(max(0, here[0] - radius), min(sizes[0], here[0] + radius + 1)):
            for y in range(max(0, here[1] - radius), min(sizes[1], here[1] + radius + 1)):
                for x in range(max(0, here[2] - radius), min(sizes[2], here[2] + radius + 1)):
                    value = depth[z, y, x]
                    if value <= now or value < most:
                        continue
                    away = (z - here[0]) ** 2 + (y - here[1]) ** 2 + (x - here[2]) ** 2
                    if away <= limit and (value > most or away < nearest):
                        most, nearest = value, away
                        best[:] = z, y, x
        if most == now:
            return n
        longer = _straight(depth, here, best, way, n)
        if longer < 0:
            return n
        n = longer
        here[:] = best


__all__ = ["LONGEST_WAY", "climb"]
