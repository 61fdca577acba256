"""Weights of the 13 lattice directions for the surface area of digital sets.

The area of a set is its mean number of crossings by lines, over all directions
(Cauchy-Crofton). On a lattice only some directions can be counted; each stands
for the directions that are nearer to it than to any other, that is, for its
cell of the spherical Voronoi diagram (Schladitz, Ohser & Nagel 2006, with the
weights of Lehmann & Legland 2012, which `SimpleITK` uses too).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import VoxelSize

DIRECTIONS: tuple[tuple[int, int, int], ...] = (
    # three edges
    (0, 0, 1),
    (0, 1, 0),
    (1, 0, 0),
    # six face diagonals
    (0, 1, 1),
    (0, 1, -1),
    (1, 0, 1),
    (1, 0, -1),
    (1, 1, 0),
    (1, -1, 0),
    # four space diagonals
    (1, 1, 1),
    (1, 1, -1),
    (1, -1, 1),
    (1, -1, -1),
)
"""Steps (z, y, x) from one voxel to its 26 neighbours, one of each opposite pair."""

SCALE = 2**32
"""Weights are added up as integers at this scale: the order of adding cannot matter."""


@lru_cache(maxsize=64)
def _voronoi_fractions(spacing: VoxelSize) -> tuple[float, ...]:
    from scipy.spatial import SphericalVoronoi

    steps = np.array(DIRECTIONS, dtype=np.float64) * np.array(spacing)
    unit = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    areas = SphericalVoronoi(np.vstack([unit, -unit])).calculate_areas()
    fractions = (areas[:13] + areas[13:]) / areas.sum()
    return tuple(float(fraction) for fraction in fractions)


def direction_fractions(spacing: VoxelSize = (1.0, 1.0, 1.0)) -> NDArray[np.float64]:
    """Share of the sphere that each of the 13 `DIRECTIONS` stands for; the sum is 1.

    Parameters
    ----------
    spacing : (z, y, x)
        Edges of a voxel; only their ratios count.

    Returns
    -------
    (13,) float64
        Cubic voxels: 0.0915558 (edges), 0.0739613 (face diagonals), 0.0703913
        (space diagonals).
    """
    longest = max(spacing)
    z, y, x = (round(edge / longest, 9) for edge in spacing)
    return np.array(_voronoi_fractions((z, y, x)))


def pair_weights(spacing: VoxelSize) -> tuple[NDArray[np.int64], float]:
    """Weights of voxel pairs as integers, and the area that one unit stands for.

    A set's area is ``unit * sum_u weight_u N_u`` with ``N_u`` the pairs of
    neighbours along direction u of which exactly one lies in the set: in real
    numbers ``S = 2 v sum_u c_u N_u / |d_u|`` with the voxel's volume v, the
    fractions c of `direction_fractions` and the step lengths ``|d_u|``.

    Returns
    -------
    weights : (13,) int64
        At scale `SCALE`.
    unit : float
        Area of one unit, in the square of the unit of `spacing`.
    """
    edges = np.array(spacing, dtype=np.float64)
    volume = float(np.prod(edges))
    reference = volume ** (2 / 3)
    lengths = np.linalg.norm(np.array(DIRECTIONS) * edges, axis=1)
    areas = 2 * volume * direction_fractions(spacing) / lengths
    return np.rint(areas / reference * SCALE).astype(np.int64), reference / SCALE


__all__ = ["DIRECTIONS", "SCALE", "direction_fractions", "pair_weights"]
