"""The descriptors that are formulas of sums (K 2.4), on arrays of particles."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ratio(numerator: NDArray[np.number], denominator: NDArray[np.number]) -> Floats:
    """Quotient; NaN where the denominator is 0."""
    above = np.asarray(numerator, dtype=np.float64)
    below = np.asarray(denominator, dtype=np.float64)
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)


def ball_diameter(volume: Floats) -> Floats:
    """Diameter of the ball of this volume."""
    return np.cbrt(6 * volume / math.pi)


def ball_surface(volume: Floats) -> Floats:
    """Surface of the ball of this volume, ``pi^(1/3) (6 V)^(2/3)``."""
    return math.pi ** (1 / 3) * np.cbrt(6 * volume) ** 2


def disc_diameter(area: Floats) -> Floats:
    """Diameter of the disc of this area."""
    return np.sqrt(4 * area / math.pi)


def disc_perimeter(area: Floats) -> Floats:
    """Perimeter of the disc of this area, ``2 (pi A)^(1/2)``."""
    return 2 * np.sqrt(math.pi * area)


def border_weight(
    extent: NDArray[np.int64], shape: tuple[int, ...], touches: NDArray[np.bool_]
) -> Floats:
    """Miles-Lantuejoul weight of each particle: how often a whole one is missed, put right.

    A particle whose bounding box has the edges d (in voxels) is in a volume of edges L and
    touches none of its outermost planes at ``prod (L - d - 1)`` of ``prod L`` places, so each
    that is seen whole counts for ``prod L / (L - d - 1)``: the sum of weights is the
    number of particles that have their first voxel in a volume of this size, without bias.

    Parameters
    ----------
    extent : (n, axes) int64
        Edges of the bounding boxes in voxels.
    shape : (axes,)
        Of the volume.
    touches : (n,) bool
        Particles that touch the border count 0.
    """
    edges = np.array(shape, dtype=np.float64)
    # what nearly spans an axis touches the border
    free = np.where(touches[:, None], 1.0, edges - extent - 1)
    return np.where(touches, 0.0, np.prod(edges / free, axis=1))


def mean_density(counts: NDArray[np.int64], densities: Floats) -> Floats:
    """Mean density of each particle, g/cm3; NaN where a phase in it has none.

    Parameters
    ----------
    counts : (n, slots) int64
        Voxels by phase, those of no phase too.
    densities : (slots,) float64
        NaN where not known.
    """
    known = np.where(np.isnan(densities), 0.0, densities)
    mass = np.zeros(len(counts))
    for slot, value in enumerate(known):  # a product of matrices rounds by the number of rows
        mass += counts[:, slot] * value
    density = ratio(mass, counts.sum(axis=1))
    density[(counts[:, np.isnan(densities)] > 0).any(axis=1)] = np.nan
    return density


__all__ = [
    "ball_diameter",
    "ball_surface",
    "border_weight",
    "disc_diameter",
    "disc_perimeter",
    "mean_density",
    "ratio",
]
