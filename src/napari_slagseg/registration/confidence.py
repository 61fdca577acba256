"""Probabilities of a map's place and of its cutouts: logistic regressions on phantoms.

The coefficients come from `benchmarks/placement_calibration.py`: own maps against maps of
other samples, whole and cropped; sound cutouts against cracked and misplaced ones.
"""

from __future__ import annotations

import numpy as np

MAP_COEFFICIENTS = (-12.0, 16.0, 6.0, 2.0, 0.0)
"""Constant, then those of `map_features`."""

CUTOUT_COEFFICIENTS = (1.0, 6.0, -1.5, -1.5, 0.0)
"""Constant, then those of `cutout_features`."""

CERTAIN = 0.9995
"""More than this cannot be shown with so many phantoms."""

LARGEST_RATIO = 3.0
UNKNOWN_RATIO = 1.25
"""Taken where no second place was looked for."""


def map_features(
    score: float, ratio: float | None, accepted_share: float, extent: float
) -> tuple[float, ...]:
    """What tells right places from wrong ones.

    Parameters
    ----------
    score : float
        Multiple correlation of the map.
    ratio : float or None
        To the second place; None where none was looked for.
    accepted_share : float
        Of the cutouts.
    extent : float
        Shorter side of the map in voxels.
    """
    known = UNKNOWN_RATIO if ratio is None else float(np.clip(ratio, 0.5, LARGEST_RATIO))
    return (score, float(np.log(known)), accepted_share, float(np.log(min(extent, 400.0) / 160.0)))


def cutout_features(
    relative: float, residual: float, step: float, score: float
) -> tuple[float, ...]:
    """What tells cutouts on which the surface is right from others.

    Parameters
    ----------
    relative : float
        Correlation over the median one of the map's.
    residual : float
        Distance from the consensus in voxels.
    step : float
        Largest sure step inside in voxels.
    score : float
        Correlation.
    """
    return (min(relative, 1.2), min(residual, 5.0), min(step, 5.0), score)


def map_probability(
    score: float, ratio: float | None, accepted_share: float, extent: float, log_odds: float = 0.0
) -> float:
    """Probability that a map lies where it was placed.

    Parameters
    ----------
    score, ratio, accepted_share, extent
        See `map_features`.
    log_odds : float
        What is known beforehand, see `expected.Expected`.
    """
    return _probability(
        MAP_COEFFICIENTS, map_features(score, ratio, accepted_share, extent), log_odds
    )


def cutout_probability(relative: float, residual: float, step: float, score: float) -> float:
    """Probability that the surface is right within two voxels all over a cutout.

    Parameters
    ----------
    See `cutout_features`.
    """
    return _probability(CUTOUT_COEFFICIENTS, cutout_features(relative, residual, step, score))


def _probability(
    coefficients: tuple[float, ...], features: tuple[float, ...], more: float = 0.0
) -> float:
    x = coefficients[0] + float(np.dot(coefficients[1:], features)) + more
    p = 1.0 / (1.0 + np.exp(-np.clip(x, -50.0, 50.0)))
    return float(np.clip(p, 1.0 - CERTAIN, CERTAIN))


__all__ = ["cutout_features", "cutout_probability", "map_features", "map_probability"]
