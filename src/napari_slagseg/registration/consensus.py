"""What the cutouts agree on: RANSAC plane, reweighted polynomial, thin-plate spline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from napari_slagseg.registration.cutouts import CutoutLayout, CutoutPoses
from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.surface import N_TERMS, PolynomialSurface, basis

RANSAC_TRIALS = 300
"""Three good ones of thirty per cent good cutouts are among them with probability 0.9997."""


@dataclass(frozen=True)
class Consensus:
    """The displacement field that the cutouts agree on.

    Attributes
    ----------
    surface : PolynomialSurface
        The surface with the displacement added.
    distances : (n,) float64
        Of each cutout's centre from the consensus, as a length.
    inliers : (n,) bool
    """

    surface: PolynomialSurface
    distances: FloatArray
    inliers: NDArray[np.bool_]


def _anchors(layout: CutoutLayout) -> tuple[FloatArray, FloatArray]:
    """(5, n) rows and columns: centre and four points a third of the edge away.

    Looking at the displacement of five points of each cutout puts its rotation to use
    as information on the slope.
    """
    rows, columns = layout.centres()
    arm_r = (layout.windows[:, 1] - layout.windows[:, 0]) / 3.0
    arm_c = (layout.windows[:, 3] - layout.windows[:, 2]) / 3.0
    zero = np.zeros_like(arm_r)
    return (
        rows + np.stack([zero, -arm_r, arm_r, zero, zero]),
        columns + np.stack([zero, zero, zero, -arm_c, arm_c]),
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
    layout: CutoutLayout,
    poses: CutoutPoses,
    *,
    outlier: float,
    curvature: float,
    warp: float,
    seed: int,
) -> Consensus:
    """Fit the displacement of all cutouts and add it to the surface.

    Parameters
    ----------
    surface : PolynomialSurface
        What the poses are relative to.
    layout, poses
        The cutouts.
    outlier : float
        Length beyond which a cutout is an outlier.
    curvature, warp : float
        Standard deviations of the second-order terms in height and in plane.
    seed : int
    """
    rows, columns = layout.centres()
    u, v = surface.normalised(rows, columns)
    terms = basis(u, v, 3)
    scores = poses.scores.clip(0.0, 1.0)
    moved = poses.shifts
    agree = _ransac(terms, moved, scores, 2.0 * outlier, seed)
    n_good = int(agree.sum())
    # few cutouts cannot carry many terms
    order = 3 if n_good >= 24 else 2 if n_good >= 9 else 1 if n_good >= 4 else 0
    n_terms = N_TERMS[order]
    anchor_rows, anchor_columns = _anchors(layout)
    a_terms = []
    a_moved = []
    for k in range(5):
        au, av = surface.normalised(anchor_rows[k], anchor_columns[k])
        a_terms.append(basis(au, av, order))
        a_moved.append(poses.displaced(surface, anchor_rows[k], anchor_columns[k], rows, columns))
    every = np.stack(a_terms)
    shifts = np.stack(a_moved)
    share = np.array([1.0, 0.25, 0.25, 0.25, 0.25])[:, None]
    weights = agree * scores**2
    coefficients = np.zeros((n_terms, 3))
    distances = np.linalg.norm(moved, axis=1)
    for _ in range(12):
        for axis in range(3):
            w = share * weights[None, :]
            gram = np.einsum("kn,kni,knj->ij", w, every, every)
            right = np.einsum("kn,kni,kn->i", w, every, shifts[..., axis])
            stiff = np.zeros(n_terms)
            sigma = curvature if axis == 0 else warp
            stiff[3:6] = 0.05 / sigma**2
            stiff[6:] = 0.2 / sigma**2
            stiff[:3] = 1e-9
            gram[np.diag_indices(n_terms)] += stiff
            coefficients[:, axis] = np.linalg.solve(gram, right)
        distances = np.linalg.norm(moved - terms[:, :n_terms] @ coefficients, axis=1)
        new = scores**2 * np.clip(1.0 - (distances / (2.0 * outlier)) ** 2, 0.0, 1.0) ** 2
        if not new.any():
            break
        if np.abs(new - weights).max() < 1e-4:
            weights = new
            break
        weights = new
    return Consensus(surface.plus(coefficients), distances, distances < outlier)


def smooth_rest(
    layout: CutoutLayout,
    surface: PolynomialSurface,
    moved: FloatArray,
    weights: FloatArray,
    smoothing: float,
) -> RBFInterpolator | None:
    """Thin-plate spline of what a polynomial leaves, or None for too few cutouts.

    Parameters
    ----------
    layout : CutoutLayout
        Of the inliers.
    surface : PolynomialSurface
    moved : (n, 3)
        Displacements of the cutouts' centres from `surface`.
    weights : (n,)
        Trust in each, 0 to 1.
    smoothing : float
        Smoothing of the spline in normalised map coordinates.
    """
    if len(layout) < 9:
        return None
    u, v = surface.normalised(*layout.centres())
    return RBFInterpolator(
        np.stack([u, v], axis=1),
        moved,
        kernel="thin_plate_spline",
        smoothing=smoothing / np.maximum(weights, 0.05) ** 2,
        degree=1,
    )


__all__ = ["Consensus", "find_consensus", "smooth_rest"]
