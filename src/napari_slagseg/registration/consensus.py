"""What the cutouts agree on: RANSAC plane, reweighted polynomial, thin-plate spline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.surface import N_TERMS, PolynomialSurface, basis

RANSAC_TRIALS = 300
"""Three good ones of thirty per cent good cutouts are among them with probability 0.9997."""

SPLINE_SMOOTHING = 0.05
"""Smoothing of the thin-plate spline in normalised map coordinates."""


@dataclass(frozen=True)
class Consensus:
    """The surface the cutouts agree on.

    Attributes
    ----------
    surface : PolynomialSurface
    residuals : (n,) float64
        Distance of each cutout's centre from it, as a length.
    inliers : (n,) bool
    """

    surface: PolynomialSurface
    residuals: FloatArray
    inliers: NDArray[np.bool_]

    def spline(
        self, rows: FloatArray, columns: FloatArray, centres: FloatArray
    ) -> RBFInterpolator | None:
        """What the polynomial leaves, over (u, v); None where cutouts are few."""
        if int(self.inliers.sum()) < 9:
            return None
        u, v = self.surface.normalised(rows[self.inliers], columns[self.inliers])
        rest = centres[self.inliers] - self.surface.at(rows[self.inliers], columns[self.inliers])
        return RBFInterpolator(
            np.stack([u, v], axis=1),
            rest,
            kernel="thin_plate_spline",
            smoothing=SPLINE_SMOOTHING,
            degree=1,
        )


def _ransac(
    terms: FloatArray, moved: FloatArray, scores: FloatArray, threshold: float, seed: int
) -> NDArray[np.bool_]:
    """Cutouts that agree with the best plane through three of them."""
    n = len(terms)
    if n < 5:
        return np.ones(n, dtype=bool)
    rng = np.random.default_rng(seed)
    plane = terms[:, :3]
    chance = np.maximum(scores, 0.02) ** 2
    chance = chance / chance.sum()
    # going along with the surface as it is is also a candidate
    best = np.linalg.norm(moved, axis=1) < threshold
    best_value = float(scores[best].clip(0).sum())
    for _ in range(RANSAC_TRIALS):
        three = rng.choice(n, 3, replace=False, p=chance)
        if abs(np.linalg.det(plane[three])) < 1e-3:
            continue
        coefficients = np.linalg.solve(plane[three], moved[three])
        if np.abs(coefficients[1:]).max() > 3.0 * np.abs(moved[three]).max() + 1.0:
            continue
        agree = np.linalg.norm(moved - plane @ coefficients, axis=1) < threshold
        value = float(scores[agree].clip(0).sum())
        if value > best_value:
            best, best_value = agree, value
    return best


def find_consensus(
    surface: PolynomialSurface,
    rows: FloatArray,
    columns: FloatArray,
    centres: FloatArray,
    scores: FloatArray,
    outlier: float,
    seed: int,
) -> Consensus:
    """Fit the displacement of all cutouts and add it to the surface.

    Parameters
    ----------
    surface : PolynomialSurface
        Where the cutouts started.
    rows, columns : (n,) float64
        Map positions of their centres.
    centres : (n, 3) float64
        Lengths they were registered at.
    scores : (n,) float64
        Their correlations.
    outlier : float
        Length beyond which a cutout is an outlier.
    seed : int
    """
    u, v = surface.normalised(rows, columns)
    terms = basis(u, v, 3)
    scores = np.clip(scores, 0.0, 1.0)
    moved = centres - surface.at(rows, columns)
    agree = _ransac(terms, moved, scores, 2.0 * outlier, seed)
    good = int(agree.sum())
    # few cutouts cannot carry many terms
    order = 3 if good >= 24 else 2 if good >= 9 else 1 if good >= 4 else 0
    n_terms = N_TERMS[order]
    used = terms[:, :n_terms]
    weights = agree * scores**2
    residuals = np.linalg.norm(moved, axis=1)
    coefficients = np.zeros((n_terms, 3))
    stiffness = np.diag([1e-9] * min(3, n_terms) + [1e-3] * max(0, n_terms - 3))
    for _ in range(12):
        if not weights.any():
            break
        gram = (used * weights[:, None]).T @ used + stiffness
        coefficients = np.linalg.solve(gram, used.T @ (weights[:, None] * moved))
        residuals = np.linalg.norm(moved - used @ coefficients, axis=1)
        new = scores**2 * np.clip(1.0 - (residuals / (2.0 * outlier)) ** 2, 0.0, 1.0) ** 2
        settled = np.abs(new - weights).max() < 1e-4
        weights = new
        if settled:
            break
    return Consensus(surface.plus(coefficients), residuals, residuals < outlier)


__all__ = ["Consensus", "find_consensus"]
