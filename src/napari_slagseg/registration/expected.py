"""What the other maps of a sample make likely: cuts are roughly parallel and in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_slagseg.registration.surface import PolynomialSurface, SurfaceFit
from napari_slagseg.registration.verdict import standing

PARALLEL_DEG = 2.5
"""Standard deviation, in each of two directions, of the tilt between cuts of one sample."""

TILT_RANGE_DEG = 10.0
"""Wrong places tilt by anything up to this."""

ORDERED = 0.9
"""Probability that maps are given in the order of their heights."""


@dataclass(frozen=True)
class Expected:
    """A prior on one map from those placed before it; a prior, not a rule.

    Attributes
    ----------
    slopes : (float, float)
        Height gained per length along y and x, median of the other maps'.
    heights : (low, high) or None
        Lengths between which the map's middle lies if the maps are in order.
    all_heights : (low, high)
        Lengths between which it can lie at all.
    """

    slopes: tuple[float, float]
    heights: tuple[float, float] | None
    all_heights: tuple[float, float]

    def log_odds(self, surface: PolynomialSurface) -> float:
        """Logarithm of how much likelier this surface is for a map of the sample."""
        y, x = slopes_of(surface)
        apart = np.degrees(np.hypot(*(np.arctan((y, x)) - np.arctan(self.slopes))))
        true = np.exp(-0.5 * (apart / PARALLEL_DEG) ** 2) / (2 * np.pi * PARALLEL_DEG**2)
        # one cut in ten may lie as it likes
        any_tilt = 1.0 / (np.pi * TILT_RANGE_DEG**2)
        found = float(np.log((0.9 * true + 0.1 * any_tilt) / any_tilt))
        if self.heights is not None:
            low, high = self.all_heights
            share = np.clip((self.heights[1] - self.heights[0]) / (high - low), 0.02, 0.98)
            z = float(surface.coefficients[0, 0])
            inside = self.heights[0] <= z <= self.heights[1]
            found += float(np.log(ORDERED / share if inside else (1 - ORDERED) / (1 - share)))
        return found

    def sorted(self, fits: Sequence[SurfaceFit]) -> list[SurfaceFit]:
        """Fits, the likeliest first: a tenth of correlation is worth `e` in the odds."""
        return sorted(fits, key=lambda f: -(10.0 * standing(f) + self.log_odds(f.surface)))


def slopes_of(surface: PolynomialSurface) -> tuple[float, float]:
    """Height gained per length along y and along x in the middle of a surface."""
    normal = np.cross(surface.coefficients[1], surface.coefficients[2])
    upright = normal[0] if abs(normal[0]) > 1e-9 else 1e-9
    return (float(-normal[1] / upright), float(-normal[2] / upright))


def expected_for(
    index: int,
    placed: Sequence[tuple[int, PolynomialSurface]],
    all_heights: tuple[float, float],
) -> Expected | None:
    """What the placed maps say of another one; None where there is none.

    Parameters
    ----------
    index : int
        Of the map, in the order that maps were given.
    placed : sequence of (index, surface)
    all_heights : (low, high)
    """
    if not placed:
        return None
    slopes = np.median([slopes_of(s) for _, s in placed], axis=0)
    ordered = sorted(placed, key=lambda entry: entry[0])
    z = np.array([float(s.coefficients[0, 0]) for _, s in ordered])
    heights = None
    rising = np.sign(z[-1] - z[0]) if len(z) > 1 else 0.0
    if rising and np.all(np.diff(z) * rising > 0):
        before = [h for (i, _), h in zip(ordered, z) if i < index]
        after = [h for (i, _), h in zip(ordered, z) if i > index]
        ends = all_heights if rising > 0 else all_heights[::-1]
        a, b = before[-1] if before else ends[0], after[0] if after else ends[1]
        heights = (min(a, b), max(a, b))
    return Expected((float(slopes[0]), float(slopes[1])), heights, all_heights)


__all__ = ["Expected", "expected_for", "slopes_of"]
