"""Probabilities of a map's place and of its cutouts, calibrated on phantoms."""

from __future__ import annotations

import numpy as np

MAP_COEFFICIENTS = (-12.0, 16.0, 6.0, 2.0)
"""Of the logistic regression: constant, score, logarithm of the ratio, accepted share."""

CUTOUT_COEFFICIENTS = (0.0, 6.0, -1.5, -1.5)
"""Constant, relative correlation less 0.75, distance from the consensus, step inside."""

CERTAIN = 0.9995
"""No number of phantoms shows more than this."""


def _logistic(x: float) -> float:
    p = 1.0 / (1.0 + np.exp(-np.clip(x, -50.0, 50.0)))
    return float(np.clip(p, 1.0 - CERTAIN, CERTAIN))


def map_probability(
    score: float, ratio: float | None, accepted_share: float, extent: float, log_odds: float = 0.0
) -> float:
    """Probability that a map lies where it was placed."""
    c = MAP_COEFFICIENTS
    r = 1.5 if ratio is None else float(np.clip(ratio, 0.2, 3.0))
    return _logistic(c[0] + c[1] * score + c[2] * np.log(r) + c[3] * accepted_share + log_odds)


def cutout_probability(relative: float, residual: float, step: float) -> float:
    """Probability that the surface is right within two voxels all over a cutout."""
    c = CUTOUT_COEFFICIENTS
    return _logistic(c[0] + c[1] * (relative - 0.75) + c[2] * residual + c[3] * step)


__all__ = ["cutout_probability", "map_probability"]
