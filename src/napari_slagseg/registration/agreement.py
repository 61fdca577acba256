"""What the cutouts agree on: a smooth surface, and which of them are off it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.surface import N_TERMS, PolynomialSurface, basis

_ROUNDS = 12
_TUKEY = 4.685
_BEND_PRIOR = (1.0, 0.5)
"""Standard deviations, in units of length, of what the second and third order may still
add: the surface that the cutouts started from is curved already."""

_ALIKE = 9.0
"""Overlapping cutouts share their pixels: so many say as much as one alone. With a step
of a third of their edge each pixel lies in nine."""

_LEAST_SCATTER = 0.05

FIRMNESS = 25.0
"""Weight of a cutout that the user has locked: a fifth of the usual scatter."""


@dataclass(frozen=True)
class Consensus:
    """Smooth surface through the cutouts.

    Attributes
    ----------
    surface : PolynomialSurface
        The one they started from, with the polynomial part of their displacement.
    residuals : (n,) float64
        Distance of each cutout's centre from it, as lengths.
    inliers : (n,) bool
    """

    surface: PolynomialSurface
    residuals: FloatArray
    inliers: NDArray[np.bool_]


def _order(n: int) -> int:
    """Polynomial order that so many cutouts can bear."""
    if n >= 30:
        return 3
    if n >= 10:
        return 2
    return 1 if n >= 5 else 0


def find_consensus(
    surface: PolynomialSurface,
    rows: FloatArray,
    columns: FloatArray,
    centres: FloatArray,
    scores: FloatArray,
    outlier: float,
    seed: int,
    firm: NDArray[np.bool_] | None = None,
) -> Consensus:
    """Robust smooth displacement of cutouts from a surface.

    RANSAC over planes finds who agrees; iteratively reweighted least squares
    (Tukey) then fit a polynomial of the order that so many cutouts can bear.

    Parameters
    ----------
    surface : PolynomialSurface
        That the cutouts started from.
    rows, columns : (n,) float64
        Map positions of the cutouts' centres.
    centres : (n, 3) float64
        Where they lie, as lengths.
    scores : (n,) float64
        Correlations: their squares are weights.
    outlier : float
        Length from which on a cutout is an outlier.
    seed : int
    firm : (n,) bool, optional
        Cutouts that the user holds to be right: they weigh `FIRMNESS` times as much as
        one of correlation 1, and are never outliers.
    """
    n = len(rows)
    held = np.zeros(n, dtype=bool) if firm is None else firm
    u, v = surface.normalised(rows, columns)
    off = centres - surface.at(rows, columns)
    base = np.where(held, FIRMNESS, np.clip(scores, 0.05, 1.0) ** 2)
    weights = base.copy()
    if n >= 6:
        weights = base * np.where(held, 1.0, _ransac(basis(u, v, 1), off, base, outlier, seed))
    order = _order(n)
    terms = basis(u, v, order)
    # planes are free; higher orders are held as firmly as the cutouts scatter
    prior = np.full(N_TERMS[order], np.inf)
    prior[N_TERMS[1] :], prior[N_TERMS[2] :] = _BEND_PRIOR
    scatter = 0.2 * outlier
    change: FloatArray = np.zeros((N_TERMS[order], 3))
    for _ in range(_ROUNDS):
        weighted = (terms * weights[:, None]).T
        ridge = np.diag(_ALIKE * float(np.median(base)) * (scatter / prior) ** 2 + 1e-9)
        change = np.asarray(np.linalg.solve(weighted @ terms + ridge, weighted @ off), np.float64)
        distance = np.linalg.norm(off - terms @ change, axis=1)
        scale = max(1.4826 * float(np.median(distance)), 0.1 * outlier)
        cut = min(_TUKEY * scale, 2 * outlier)
        weights = base * np.where(held, 1.0, np.clip(1 - (distance / cut) ** 2, 0.0, 1.0) ** 2)
        if not weights.any():
            weights = base
        # the median length of a normal vector is 1.54 times its deviation along one axis
        scatter = max(float(np.median(distance[weights > 0])) / 1.54, _LEAST_SCATTER)
    agreed = surface.plus(change)
    residuals = np.linalg.norm(centres - agreed.at(rows, columns), axis=1)
    return Consensus(agreed, residuals, held | (residuals <= outlier))


def _ransac(
    terms: FloatArray, off: FloatArray, base: FloatArray, outlier: float, seed: int
) -> FloatArray:
    rng = np.random.default_rng(seed)
    best, most = np.ones(len(off)), -1.0
    for _ in range(200):
        chosen = rng.choice(len(off), 3, replace=False)
        try:
            plane = np.linalg.solve(terms[chosen], off[chosen])
        except np.linalg.LinAlgError:
            continue
        near = np.linalg.norm(off - terms @ plane, axis=1) <= 2 * outlier
        support = float(base[near].sum())
        if support > most:
            most, best = support, near.astype(float)
    return best


__all__ = ["Consensus", "find_consensus"]
