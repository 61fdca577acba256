"""The continuous truth: which particle and which phase a point lies in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.phantom.particles import Packing

CELL = 12
"""Edge in voxels of the cells that list the particles near a point."""

FILM_VOXELS = 0.9
"""Epoxy between neighbours: a map resolves it, a CT hardly does (K 2.3.1).

Measured along the rays from their centres; about two pixels of a map of 1 um.
"""

PRESSED_ONE_IN = 8
"""Of this many pairs about one has no film in between."""

NEAR = 1.2
"""Gauge up to which a second particle may have a film towards the first."""


@dataclass(frozen=True)
class ContinuousTruth:
    """A packing with a cell list, ready to be asked at any point.

    Attributes
    ----------
    packing : Packing
    shape : (z, y, x)
        Voxels that the cell list covers.
    starts : (cells + 1,) int64
    members : (k,) int64
        Particles of cell i are ``members[starts[i]:starts[i + 1]]``.
    cells : (3,) int64
        Number of cells along each axis.
    """

    packing: Packing
    shape: tuple[int, int, int]
    starts: NDArray[np.int64]
    members: NDArray[np.int64]
    cells: NDArray[np.int64]

    @classmethod
    def of(cls, packing: Packing, shape: tuple[int, int, int]) -> ContinuousTruth:
        """Make the cell list."""
        cells = np.array([-(-(s + 1) // CELL) for s in shape], dtype=np.int64)
        lists: list[list[int]] = [[] for _ in range(int(np.prod(cells)))]
        for i, (centre, reach) in enumerate(zip(packing.centres, packing.reach * NEAR)):
            low = np.clip((centre - reach + 0.5) // CELL, 0, cells - 1).astype(int)
            high = np.clip((centre + reach + 0.5) // CELL, 0, cells - 1).astype(int)
            for z in range(low[0], high[0] + 1):
                for y in range(low[1], high[1] + 1):
                    for x in range(low[2], high[2] + 1):
                        lists[(z * cells[1] + y) * cells[2] + x].append(i)
        starts = np.concatenate([[0], np.cumsum([len(entry) for entry in lists])]).astype(np.int64)
        members = np.array([i for entry in lists for i in entry], dtype=np.int64)
        return cls(packing, shape, starts, members, cells)

    def arguments(self) -> tuple[NDArray[np.generic], ...]:
        """Arrays that the kernels take, in their order."""
        p = self.packing
        return (
            p.centres, p.reach, p.normals, p.distances, p.power,
            p.seeds, p.stretch, p.seed_phase, self.starts, self.members, self.cells,
        )  # fmt: skip

    def at(self, points: NDArray[np.float64]) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
        """Particle and phase at points.

        Parameters
        ----------
        points : (n, 3) float64
            CT voxel coordinates (z, y, x), anywhere.

        Returns
        -------
        particles : (n,) uint32
            0 outside of all particles, and in pores.
        phases : (n,) uint8
        """
        particles = np.zeros(len(points), dtype=np.uint32)
        phases = np.zeros(len(points), dtype=np.uint8)
        _at_points(np.ascontiguousarray(points), particles, phases, *self.arguments())
        return particles, phases


@numba.njit(cache=True, nogil=True)
def _classify(  # type: ignore[no-untyped-def]
    z, y, x, centres, reach, normals, distances, power, seeds, stretch, seed_phase,
    starts, members, cells,
):  # fmt: skip
    """(particle + 1, phase) of a point; (0, 0) outside, in films and in pores."""
    cz = min(max(int((z + 0.5) // CELL), 0), cells[0] - 1)
    cy = min(max(int((y + 0.5) // CELL), 0), cells[1] - 1)
    cx = min(max(int((x + 0.5) // CELL), 0), cells[2] - 1)
    cell = (cz * cells[1] + cy) * cells[2] + cx
    best, least, slope = -1, 1.0, 0.0
    other, second, other_slope = -1, NEAR, 0.0
    for k in range(starts[cell], starts[cell + 1]):
        i = members[k]
        dz, dy, dx = z - centres[i, 0], y - centres[i, 1], x - centres[i, 2]
        apart = dz * dz + dy * dy + dx * dx
        if apart > NEAR * NEAR * reach[i] * reach[i]:
            continue
        total = 0.0
        p = power[i]
        limit = NEAR**7 if p > 0 else NEAR
        for f in range(distances.shape[1]):
            ratio = (
                normals[i, f, 0] * dz + normals[i, f, 1] * dy + normals[i, f, 2] * dx
            ) / distances[i, f]
            if ratio > 0:
                if p > 0:
                    # p is 7: powers by multiplication are several times faster
                    square = ratio * ratio
                    total += square * square * square * ratio
                elif ratio > total:
                    total = ratio
                if total > limit:
                    break
        if total > limit:
            continue
        g = total ** (1 / 7.0) if p > 0 else total
        # how fast the gauge grows along the ray from the centre
        along = g / max(np.sqrt(apart), 1e-6)
        if g <= least:
            if best >= 0:
                other, second, other_slope = best, least, slope
            best, least, slope = i, g, along
        elif g < second:
            other, second, other_slope = i, g, along
    if best < 0:
        return 0, 0
    parted = other >= 0 and (best * other + best + other) % PRESSED_ONE_IN != 0
    # half the width of the film lies on either side of the face they would share
    if parted and second - least < 0.5 * FILM_VOXELS * (slope + other_slope):
        return 0, 0
    dz, dy, dx = z - centres[best, 0], y - centres[best, 1], x - centres[best, 2]
    phase, nearest = 0, np.inf
    for s in range(seeds.shape[1]):
        if seed_phase[best, s] < 0:
            break
        a = dz - seeds[best, s, 0]
        b = dy - seeds[best, s, 1]
        c = dx - seeds[best, s, 2]
        m = stretch[best, s]
        u = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c
        v = m[1, 0] * a + m[1, 1] * b + m[1, 2] * c
        w = m[2, 0] * a + m[2, 1] * b + m[2, 2] * c
        distance = u * u + v * v + w * w
        if distance < nearest:
            nearest, phase = distance, seed_phase[best, s]
    if phase == 0:
        return 0, 0
    return best + 1, phase


@numba.njit(cache=True, parallel=True, nogil=True)
def _at_points(points, particles, phases, *truth):  # type: ignore[no-untyped-def]
    for n in numba.prange(points.shape[0]):
        particle, phase = _classify(points[n, 0], points[n, 1], points[n, 2], *truth)
        particles[n] = particle
        phases[n] = phase


@numba.njit(cache=True, parallel=True, nogil=True)
def _slab(  # type: ignore[no-untyped-def]
    first,
    particles,
    phases,
    grey,
    counts,
    subsamples,
    greys,
    air,
    middle_y,
    middle_x,
    radius,
    *truth,
):
    """Fill a slab of planes: truth at voxel centres, mean grey and counts over sub-points."""
    planes, height, width = particles.shape
    for plane in numba.prange(planes):
        z0 = first + plane
        for y0 in range(height):
            for x0 in range(width):
                label, phase = _classify(float(z0), float(y0), float(x0), *truth)
                particles[plane, y0, x0] = label
                phases[plane, y0, x0] = phase
                if subsamples == 1:  # the only point is the centre
                    outside = (y0 - middle_y) ** 2 + (x0 - middle_x) ** 2 > radius * radius
                    grey[plane, y0, x0] = air if outside else greys[phase]
                    if label > 0 and not outside:
                        counts[plane, label - 1, phase] += 1
                    continue
                total = 0.0
                for i in range(subsamples):
                    z = z0 + (i + 0.5) / subsamples - 0.5
                    for j in range(subsamples):
                        y = y0 + (j + 0.5) / subsamples - 0.5
                        for k in range(subsamples):
                            x = x0 + (k + 0.5) / subsamples - 0.5
                            if (y - middle_y) ** 2 + (x - middle_x) ** 2 > radius * radius:
                                total += air
                                continue
                            label, phase = _classify(z, y, x, *truth)
                            total += greys[phase]
                            if label > 0:
                                counts[plane, label - 1, phase] += 1
                grey[plane, y0, x0] = total / subsamples**3


SLAB = 8
"""Planes at a time; bounds the memory of the counts."""


def rasterise(
    truth: ContinuousTruth,
    subsamples: int,
    greys: tuple[float, ...],
    air: float,
    radius: float,
    on_slab: Callable[[float], None] = lambda share: None,
) -> tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
    """Truth on the voxel grid, noise-free grey values and sub-voxel counts.

    Returns
    -------
    particles : (z, y, x) uint32
    phases : (z, y, x) uint8
        Both at the voxels' centres.
    grey : (z, y, x) float32
        Mean over the sub-points of each voxel (partial volume).
    counts : (particles, phases) int64
        Sub-points of each particle and phase; ``subsamples**3`` make a voxel.
    """
    depth, height, width = truth.shape
    particles = np.zeros(truth.shape, dtype=np.uint32)
    phases = np.zeros(truth.shape, dtype=np.uint8)
    grey = np.zeros(truth.shape, dtype=np.float32)
    counts = np.zeros((len(truth.packing), len(greys)), dtype=np.int64)
    for first in range(0, depth, SLAB):
        part = slice(first, min(first + SLAB, depth))
        slab_counts = np.zeros((part.stop - first, *counts.shape), dtype=np.int32)
        _slab(
            first, particles[part], phases[part], grey[part], slab_counts, subsamples,
            np.asarray(greys), air, (height - 1) / 2, (width - 1) / 2, radius, *truth.arguments(),
        )  # fmt: skip
        counts += slab_counts.sum(axis=0, dtype=np.int64)
        on_slab(part.stop / depth)
    return particles, phases, grey, counts


__all__ = ["CELL", "ContinuousTruth", "rasterise"]
