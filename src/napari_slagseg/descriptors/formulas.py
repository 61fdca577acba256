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


__all__ = ["ball_diameter", "ball_surface", "disc_diameter", "disc_perimeter", "ratio"]
