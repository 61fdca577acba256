"""A packing of rough particles of any size, whole or box by box.

One particle a cell of a lattice, its centre jittered: a ball with waves on its surface,
two phases inside, and a probability that falls from 1 in the core to about a quarter at
the surface and where particles touch, with a little noise. Neighbours touch. Every voxel
is a function of its place and the seed alone, so a box is the same cut out of the whole
as made by itself, and a volume of any size can be written block by block.

    labels, phases, probability = packing(256)
    part = packing((1000, 1256, 1256), start=(256, 0, 0), stop=(512, 256, 256))
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

CELL = 24  # voxels between centres of neighbours
BACKGROUND, TARGET, REST = 0, 1, 2


def packing(
    shape: int | Iterable[int],
    seed: int = 0,
    *,
    cell: int = CELL,
    start: Iterable[int] = (0, 0, 0),
    stop: Iterable[int] | None = None,
) -> tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint8]]:
    """Labels, phases and particle probability of a packing, or of a box of one.

    Parameters
    ----------
    shape : int or (z, y, x)
        Of the whole volume.
    seed : int
    cell : int
        Voxels between the centres of neighbours; particles have about the radius
        ``cell / 2``, so that most of them touch.
    start, stop : (z, y, x), optional
        Box to make; the whole volume if not given.

    Returns
    -------
    labels : (z, y, x) uint32
        0 background; particles of the whole volume numbered along its lattice.
    phases : (z, y, x) uint8
        0 background, 1 and 2 minerals.
    probability : (z, y, x) uint8
        255 times a particle probability: high in cores, low where particles touch,
        and not 0 everywhere in the background.
    """
    whole = (int(shape),) * 3 if isinstance(shape, int) else tuple(int(n) for n in shape)
    low = tuple(int(n) for n in start)
    high = whole if stop is None else tuple(int(n) for n in stop)
    cells = tuple(n // cell + 1 for n in whole)
    if math.prod(cells) >= 2**32:
        raise ValueError(f"{math.prod(cells)} particles do not fit 32 bits")
    extent = tuple(b - a for a, b in zip(low, high, strict=True))
    labels = np.zeros(extent, np.uint32)
    phases = np.zeros(extent, np.uint8)
    probability = np.zeros(extent, np.uint8)
    _fill(labels, phases, probability, low, cells, cell, np.uint64(seed))
    return labels, phases, probability


@njit(cache=True, nogil=True)
def _mixed(a: np.uint64) -> np.uint64:
    """A well mixed number (splitmix64)."""
    a = a + np.uint64(0x9E3779B97F4A7C15)
    a = (a ^ (a >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    a = (a ^ (a >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return a ^ (a >> np.uint64(31))


@njit(cache=True, nogil=True)
def _share(key: np.uint64, which: int) -> float:
    """Number from 0 to 1, drawn for a key."""
    return float(_mixed(key + np.uint64(which)) >> np.uint64(40)) / 16777216.0


@njit(cache=True, nogil=True)
def _fill(
    labels: NDArray[np.uint32],
    phases: NDArray[np.uint8],
    probability: NDArray[np.uint8],
    low: Any,
    cells: Any,
    cell: int,
    seed: np.uint64,
) -> None:
    """Every voxel belongs to the particle whose surface reaches farthest beyond it."""
    depth, rows, columns = labels.shape
    near = np.full(columns, -1e9, np.float32)  # how deep inside the nearest particle
    second = np.full(columns, -1e9, np.float32)
    owner = np.zeros(columns, np.uint32)
    grain = np.zeros(columns, np.float32)
    reach = 0.75 * cell
    begin = _mixed(seed)
    for z in range(depth):
        zz = z + low[0]
        for y in range(rows):
            yy = y + low[1]
            near[:] = -1e9
            second[:] = -1e9
            for cz in range(max(0, zz // cell - 1), min(cells[0], zz // cell + 2)):
                for cy in range(max(0, yy // cell - 1), min(cells[1], yy // cell + 2)):
                    first = max(0, low[2] // cell - 1)
                    last = min(cells[2], (low[2] + columns) // cell + 2)
                    for cx in range(first, last):
                        number = (cz * cells[1] + cy) * cells[2] + cx
                        key = _mixed(begin + np.uint64(number) * np.uint64(64))
                        pz = (cz + 0.35 + 0.3 * _share(key, 0)) * cell
                        py = (cy + 0.35 + 0.3 * _share(key, 1)) * cell
                        dz, dy = zz - pz, yy - py
                        if dz * dz + dy * dy > reach * reach:
                            continue
                        px = (cx + 0.35 + 0.3 * _share(key, 2)) * cell
                        radius = (0.47 + 0.13 * _share(key, 3)) * cell
                        flat = 0.75 + 0.25 * _share(key, 4)
                        fz = 6.3 * _share(key, 5)
                        fy = 6.3 * _share(key, 6)
                        fx = 6.3 * _share(key, 7)
                        wave = (0.5 + 0.7 * _share(key, 8)) * 12.0 / cell
                        tilt = 2.0 * _share(key, 9) - 1.0
                        span = math.sqrt(reach * reach - dz * dz - dy * dy)
                        x0 = max(0, math.ceil(px - span) - low[2])
                        x1 = min(columns, math.floor(px + span) + 1 - low[2])
                        rough = np.float32(
                            0.035 * cell * (math.sin(fz + wave * dz) + math.sin(fy + wave * dy))
                        )
                        for x in range(x0, x1):
                            dx = x + low[2] - px
                            away = math.sqrt(dx * dx + dy * dy + dz * dz / (flat * flat))
                            deep = np.float32(
                                radius
                                - away
                                + rough
                                + 0.035 * cell * math.sin(fx + wave * (dx + 0.6 * dy))
                            )
                            if deep > near[x]:
                                second[x] = near[x]
                                near[x] = deep
                                owner[x] = np.uint32(number + 1)
                                grain[x] = np.float32(dx * tilt + dy * (1 - abs(tilt)) + 2 * rough)
                            elif deep > second[x]:
                                second[x] = deep
            for x in range(columns):
                if near[x] < -2.0:
                    continue
                place = (np.uint64(zz) << np.uint64(42)) + (np.uint64(yy) << np.uint64(21))
                noise = _share(begin ^ _mixed(place + np.uint64(x + low[2])), 0) - 0.5
                # as a border-core network: sure where far from the surface and from neighbours
                gap = min(near[x], 0.5 * (near[x] - second[x]))
                sure = 0.25 + 0.1 * gap + 0.04 * noise
                if near[x] > 0:
                    labels[z, y, x] = owner[x]
                    phases[z, y, x] = 1 if grain[x] > 0 else 2
                    probability[z, y, x] = np.uint8(255.0 * min(max(sure, 0.02), 1.0))
                else:
                    probability[z, y, x] = np.uint8(255.0 * min(max(0.2 + 0.1 * near[x], 0.0), 1.0))


__all__ = ["CELL", "packing"]
