"""Probabilities of a map's place and of its cutouts: logistic regressions on phantoms.

The coefficients come from `benchmarks/placement_calibration.py`: own maps against maps of
other samples, whole and cropped; sound cutouts against cracked and misplaced ones.
"""

from __future__ import annotations

import numpy as np

from napari_slagseg.data import Cutout, PlacementSurface
from napari_slagseg.registration.rigid_cutouts import Window

MAP_COEFFICIENTS = (-8.192, 10.493, 17.406, -3.021, -0.317)
"""Constant, then those of `map_features`."""

LONE_COEFFICIENTS = (-11.984, 20.239, -1.309, 2.958)
"""Likewise without the ratio, where there was no second place to compare with."""

CUTOUT_COEFFICIENTS = (1.919, -0.972, -2.226, -0.812, -2.26)
"""Constant, then those of `cutout_features`."""

CERTAIN = 0.9995
"""More than this cannot be shown with so many phantoms."""

LARGEST_RATIO = 3.0


def map_features(
    score: float, ratio: float | None, accepted_share: float, extent: float
) -> tuple[float, ...]:
    """What tells right places from wrong ones.

    Parameters
    ----------
    score : float
        Multiple correlation of the map.
    ratio : float or None
        To the second place; None or infinite where there was none: it is left out then.
    accepted_share : float
        Of the cutouts.
    extent : float
        Shorter side of the map in voxels.
    """
    size = float(np.log(min(extent, 400.0) / 160.0))
    if ratio is None or not np.isfinite(ratio):
        return (score, accepted_share, size)
    return (score, float(np.log(np.clip(ratio, 0.5, LARGEST_RATIO))), accepted_share, size)


def cutout_features(
    relative: float, residual: float, step: float, uncertainty: float
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
    uncertainty : float
        Largest stated uncertainty of the surface in its inner half, in voxels.
    """
    return (min(relative, 1.2), min(residual, 5.0), min(step, 5.0), float(np.log(uncertainty)))


def doubt_inside(surface: PlacementSurface, piece: Window | Cutout) -> float:
    """Largest uncertainty in voxels at the corners of the inner half of a piece of the map."""
    rows, columns = (
        np.array([first + size / 4, first + 3 * size / 4])
        for first, size in ((piece.row, piece.height), (piece.column, piece.width))
    )
    return float(surface.uncertainty_at(*np.meshgrid(rows, columns)).max())


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
    features = map_features(score, ratio, accepted_share, extent)
    coefficients = MAP_COEFFICIENTS if len(features) == 4 else LONE_COEFFICIENTS
    return _probability(coefficients, features, log_odds)


def cutout_probability(relative: float, residual: float, step: float, uncertainty: float) -> float:
    """Probability that the surface is right within two voxels all over a cutout.

    Parameters
    ----------
    See `cutout_features`.
    """
    return _probability(CUTOUT_COEFFICIENTS, cutout_features(relative, residual, step, uncertainty))


def _probability(
    coefficients: tuple[float, ...], features: tuple[float, ...], more: float = 0.0
) -> float:
    x = coefficients[0] + float(np.dot(coefficients[1:], features)) + more
    p = 1.0 / (1.0 + np.exp(-np.clip(x, -50.0, 50.0)))
    return float(np.clip(p, 1.0 - CERTAIN, CERTAIN))


__all__ = [
    "cutout_features",
    "cutout_probability",
    "doubt_inside",
    "map_features",
    "map_probability",
]
