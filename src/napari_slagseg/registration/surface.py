"""The surface as a polynomial, and its robust fit to the CT.

Map position to CT position is a polynomial in the map's normalised coordinates. It is
fitted by Gauss-Newton on the squared difference between the CT sampled on the surface
and a linear model with free coefficients (a grey value per phase, a constant, slopes
and a radial term): the linear coefficients are solved together with every step, which
is the variable projection method of Golub and Pereyra (1973) in Kaufman's form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.registration.fractions import FractionImages
from napari_slagseg.registration.pyramid import Block, PreparedCT
from napari_slagseg.registration.sampling import sample_block

FloatArray = NDArray[np.float64]

_POWERS = tuple((total - j, j) for total in range(4) for j in range(total + 1))
"""Powers of (u, v) of the basis, by rising order: 1, u, v, u2, uv, v2, ..."""

N_TERMS = {0: 1, 1: 3, 2: 6, 3: 10}
"""Number of basis functions up to each order."""

CORRELATED_PIXELS = 9.0
"""Residuals of neighbouring pixels are alike (a wrong particle is wrong all over), so
that many pixels count as one when the data are weighed against the priors."""


SCORE_SLACK = 0.02
"""Robust weights leave wrong areas out, which costs correlation, for that counts all
pixels: a later iteration stands unless it lost more than this."""


def basis(u: FloatArray, v: FloatArray, order: int) -> FloatArray:
    """(n, terms) values of the basis functions."""
    u, v = np.asarray(u, np.float64), np.asarray(v, np.float64)
    # products: numpy's powers above 2 take ten times as long
    powers = [(np.ones_like(a), a, a * a, a * a * a) for a in (u, v)]
    return np.stack([powers[0][i] * powers[1][j] for i, j in _POWERS[: N_TERMS[order]]], axis=-1)


@dataclass(frozen=True)
class PolynomialSurface:
    """A surface in the CT, as lengths over normalised map coordinates.

    Attributes
    ----------
    coefficients : (10, 3) float64
        Of the basis functions, for (z, y, x).
    centre : (row, column)
        Map pixel where u = v = 0.
    half : float
        Map pixels per unit of u and v.
    """

    coefficients: FloatArray
    centre: tuple[float, float]
    half: float

    def normalised(self, rows: FloatArray, columns: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Normalised coordinates (u, v) of map positions."""
        return (rows - self.centre[0]) / self.half, (columns - self.centre[1]) / self.half

    def at(self, rows: FloatArray, columns: FloatArray) -> FloatArray:
        """(..., 3) lengths of map positions."""
        u, v = self.normalised(np.asarray(rows, float), np.asarray(columns, float))
        return basis(u, v, 3) @ self.coefficients

    def steps(self, rows: FloatArray, columns: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(..., 3) lengths travelled per map row and per map column."""
        e = 0.5
        rows, columns = np.asarray(rows, float), np.asarray(columns, float)
        by_row = self.at(rows + e, columns) - self.at(rows - e, columns)
        by_column = self.at(rows, columns + e) - self.at(rows, columns - e)
        return by_row, by_column

    def plus(self, change: FloatArray) -> PolynomialSurface:
        """Add coefficients (terms, 3)."""
        coefficients = self.coefficients.copy()
        coefficients[: len(change)] += change
        return replace(self, coefficients=coefficients)

    @property
    def mirrored(self) -> bool:
        """Whether rows and columns run left-handed in the CT's (y, x)."""
        by_row, by_column = self.coefficients[1], self.coefficients[2]
        return bool(by_row[1] * by_column[2] - by_row[2] * by_column[1] < 0)

    @property
    def angle_deg(self) -> float:
        """In-plane angle of the map's columns, from the CT's x axis towards its y axis."""
        by_column = self.coefficients[2]
        return float(np.degrees(np.arctan2(by_column[1], by_column[2])))

    @property
    def tilt_deg(self) -> float:
        """Angle between the surface's normal at the centre and the CT's z axis."""
        normal = np.cross(self.coefficients[1], self.coefficients[2])
        return float(np.degrees(np.arccos(abs(normal[0]) / np.linalg.norm(normal))))


def flat_surface(
    map_shape: tuple[int, int],
    pixel: float,
    centre: FloatArray,
    angle_deg: float,
    mirrored: bool,
    slopes: tuple[float, float] = (0.0, 0.0),
) -> PolynomialSurface:
    """A plane through `centre`.

    Parameters
    ----------
    map_shape : (rows, columns)
    pixel : float
        Pixel edge in units of length.
    centre : (3,)
        Lengths (z, y, x) of the map's centre.
    angle_deg, mirrored
        As `PolynomialSurface.angle_deg` and `PolynomialSurface.mirrored`.
    slopes : (float, float)
        Height gained per unit of length along y and along x.
    """
    rows, columns = map_shape
    half = max(rows, columns) / 2.0
    angle = np.radians(angle_deg)
    by_column = np.array([0.0, np.sin(angle), np.cos(angle)])
    sign = -1.0 if mirrored else 1.0
    by_row = sign * np.array([0.0, np.cos(angle), -np.sin(angle)])
    vectors = np.stack([by_row, by_column])
    vectors[:, 0] = vectors[:, 1] * slopes[0] + vectors[:, 2] * slopes[1]
    # the map keeps its size on a tilted plane: turn the pair into an orthonormal one
    left, _, right = np.linalg.svd(vectors, full_matrices=False)
    vectors = left @ right
    coefficients = np.zeros((10, 3))
    coefficients[0] = centre
    coefficients[1] = vectors[0] * half * pixel
    coefficients[2] = vectors[1] * half * pixel
    return PolynomialSurface(coefficients, ((rows - 1) / 2.0, (columns - 1) / 2.0), half)


@dataclass(frozen=True)
class SurfaceFit:
    """What a fit found.

    Attributes
    ----------
    surface : PolynomialSurface
    score : float
        Multiple correlation of the CT on the surface with the phases, after the
        constant, the slopes and the radial term are taken out.
    greys : (phases,) float64
        Grey value of each phase above the background.
    coverage : float
        Share of the map's known area that lies inside the CT.
    noise : float
        Robust standard deviation of the residuals.
    """

    surface: PolynomialSurface
    score: float
    greys: FloatArray
    coverage: float
    noise: float


@dataclass(frozen=True)
class MapPoints:
    """Map pixels that take part in a fit.

    Attributes
    ----------
    rows, columns : (n,) float64
        Map positions.
    fractions : (n, phases) float64
    known : (n,) float64
    area : float
        Map pixels (at full resolution) that each of them stands for.
    """

    rows: FloatArray
    columns: FloatArray
    fractions: FloatArray
    known: FloatArray
    area: float = 1.0


def map_points(images: FractionImages, maximum: int = 60_000, seed: int = 0) -> MapPoints:
    """Pixels of the fraction images that are known for at least a third."""
    i, j = np.nonzero(images.known > 0.34)
    area = float(images.block**2)
    if len(i) > maximum:
        area *= len(i) / maximum
        keep = np.sort(np.random.default_rng(seed).choice(len(i), maximum, replace=False))
        i, j = i[keep], j[keep]
    return MapPoints(
        images.map_rows()[i],
        images.map_columns()[j],
        images.fractions[:, i, j].T.astype(np.float64),
        images.known[i, j].astype(np.float64),
        area,
    )


def _nuisance(surface: PolynomialSurface, u: FloatArray, v: FloatArray, q: FloatArray,
              axis: tuple[float, float]) -> FloatArray:  # fmt: skip
    radial = ((q[:, 1] - axis[0]) ** 2 + (q[:, 2] - axis[1]) ** 2) / max(
        float(np.sum(surface.coefficients[2] ** 2)), 1e-9
    )
    return np.stack([np.ones_like(u), u, v, radial], axis=-1)


def _moments(columns: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted products of all columns with each other.

    Fits of several sets of columns then need one pass over the pixels.
    """
    return np.asarray((columns * weights[:, None]).T @ columns, np.float64)


def _linear_fit(moments: FloatArray, columns: slice, total: float) -> tuple[FloatArray, float]:
    """Fit of the last column by some of the others, and the sum of squares it leaves.

    `total` is the sum of the weights; a millionth of it is the ridge.
    """
    part, right = moments[columns, columns], moments[columns, -1]
    ridge = np.diag(np.full(len(part), 1e-6 * total + 1e-9))
    linear = np.asarray(np.linalg.solve(part + ridge, right), np.float64)
    rest = moments[-1, -1] - 2.0 * linear @ right + linear @ part @ linear
    return linear, float(max(rest, 0.0))


def _strain_rows(
    surface: PolynomialSurface, n_terms: int, length: float, tolerance: float
) -> tuple[FloatArray, FloatArray]:
    """Linearised priors on size and shear; rotations stay free."""
    eu, ev = surface.coefficients[1], surface.coefficients[2]
    rows = np.zeros((3, n_terms, 3))
    sigma = 2.0 * length**2 * tolerance
    rows[0, 1] = 2.0 * eu / sigma
    rows[1, 2] = 2.0 * ev / sigma
    rows[2, 1], rows[2, 2] = 2.0 * ev / sigma, 2.0 * eu / sigma
    misfit = np.array([eu @ eu - length**2, ev @ ev - length**2, 2.0 * (eu @ ev)]) / sigma
    return rows.reshape(3, -1), misfit


def fit_surface(
    prepared: PreparedCT,
    block: Block,
    points: MapPoints,
    start: PolynomialSurface,
    pixel: float,
    *,
    order: int,
    iterations: int = 12,
    tolerance: float | None = None,
) -> SurfaceFit:
    """Fit a surface of one order by robust Gauss-Newton with free grey values.

    Parameters
    ----------
    prepared, block
        The CT, and the box of one level to sample.
    points : MapPoints
        Map pixels at about the pitch of `block`.
    start : PolynomialSurface
    pixel : float
        Nominal edge of a map pixel in units of length.
    order : int
        0 to 3; terms above it stay as they are.
    iterations : int
    tolerance : float, optional
        Standard deviation of the relative error of the pixel size.

    Returns
    -------
    SurfaceFit
        Of the last iteration that lost no correlation worth mentioning.
    """
    settings = prepared.settings
    tolerance = settings.pixel_size_tolerance if tolerance is None else tolerance
    n_terms = N_TERMS[order]
    u, v = start.normalised(points.rows, points.columns)
    terms = basis(u, v, 3)
    used = terms[:, :n_terms]
    axis = prepared.rings.centre
    sigma = np.array([settings.curvature_voxels, settings.warp_voxels, settings.warp_voxels])
    reach = 2.0 * float(block.pitch.max())
    n_phases = points.fractions.shape[1]
    surface, best = start, None
    still, top = 0, 0.0
    for iteration in range(iterations + 1):
        q = terms @ surface.coefficients
        samples, inside = sample_block(prepared, block, q)
        weights = points.known * inside
        coverage = float(weights.sum() / max(points.known.sum(), 1e-9))
        if coverage < 0.2:
            break
        grey = samples[:, 0].astype(np.float64)
        columns = np.concatenate(
            [points.fractions, _nuisance(surface, u, v, q, axis), grey[:, None]], axis=1
        )
        model = columns[:, :-1]
        total = float(weights.sum())
        moments = _moments(columns, weights)
        linear, unexplained = _linear_fit(moments, slice(0, -1), total)
        _, variation = _linear_fit(moments, slice(n_phases, -1), total)
        score = float(np.sqrt(max(0.0, 1.0 - unexplained / max(variation, 1e-12))))
        for _ in range(2):
            residual = grey - model @ linear
            noise = 1.4826 * float(np.median(np.abs(residual[inside]))) + 1e-6
            robust = weights * np.clip(1.0 - (residual / (4.685 * noise)) ** 2, 0.0, 1.0) ** 2
            linear, _ = _linear_fit(_moments(columns, robust), slice(0, -1), float(robust.sum()))
        if best is None or score > top - SCORE_SLACK:
            best = SurfaceFit(surface, score, linear[:n_phases], coverage, noise)
        still = 0 if score > top + 1e-5 else still + 1
        top = max(top, score)
        if iteration == iterations or still >= 3:
            break
        slopes = samples[:, 1:].astype(np.float64)
        jacobian = (used[:, :, None] * slopes[:, None, :]).reshape(len(u), -1)
        design = np.concatenate([jacobian, -model], axis=1)
        scale = 1.0 / (noise**2 * CORRELATED_PIXELS)
        weighted = design * (robust * scale)[:, None]
        gram = weighted.T @ design
        right = -(weighted.T @ grey)
        size = 3 * n_terms
        if order >= 1:
            rows, misfit = _strain_rows(surface, n_terms, surface.half * pixel, tolerance)
            gram[:size, :size] += rows.T @ rows
            right[:size] -= rows.T @ misfit
        for term in range(3, n_terms):
            order_of_term = sum(_POWERS[term])
            for k in range(3):
                stiffness = (2.0 ** (order_of_term - 2) / sigma[k]) ** 2
                gram[3 * term + k, 3 * term + k] += stiffness
                right[3 * term + k] -= stiffness * surface.coefficients[term, k]
        gram[np.diag_indices_from(gram)] *= 1.0 + 1e-3
        gram[np.diag_indices_from(gram)] += 1e-9
        change = np.linalg.solve(gram, right)[:size].reshape(n_terms, 3)
        moved = float(np.abs(used @ change).max())
        if moved > reach:
            change *= reach / moved
        surface = surface.plus(change)
        if moved < 0.01 * float(block.pitch.min()):
            still = max(still, 2)
    if best is None:
        return SurfaceFit(start, 0.0, np.zeros(points.fractions.shape[1]), 0.0, 1.0)
    return best


__all__ = [
    "MapPoints",
    "PolynomialSurface",
    "SurfaceFit",
    "basis",
    "fit_surface",
    "flat_surface",
    "map_points",
]
