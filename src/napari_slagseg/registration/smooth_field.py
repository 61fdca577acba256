"""A smooth field through scattered measurements, and how uncertain it is everywhere.

Small windows say how far the surface is off where they lie. The measurements scatter,
and neighbouring windows share pixels, so they scatter alike. Kriging (Gaussian process
regression; Rasmussen and Williams 2006, chapters 2 and 5) takes both into account: it
gives the most likely smooth field, and its standard deviation at any place, small
between good measurements and large beyond the last ones. How smooth the field is and
how much the measurements scatter is read off the data, by marginal likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from threadpoolctl import threadpool_limits

from napari_slagseg.registration.surface import basis

FloatArray = NDArray[np.float64]

AMPLITUDES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Standard deviations of the field that are tried, as lengths."""

RANGES = (1.0, 2.0, 4.0)
"""Its correlation lengths that are tried, in edges of a window."""

SCATTERS = (0.5, 1.0, 2.0)
"""Factors on the stated standard deviations of the measurements that are tried."""

_BASIS_SD = (0.3, 0.3, 0.3, 0.25, 0.25, 0.25, 0.15, 0.15, 0.15, 0.15)
"""Of the polynomial part, by `surface.basis`: what the surface under it may still lack."""

_FREEDOM = 4.0
"""Degrees of freedom of Student's t for the scatter: some windows are far off (torn
particles, wrong labels), and must not bend the field."""

_ROUNDS = 3
_NUGGET = 0.02
_MOST_FOR_LIKELIHOOD = 250


@dataclass(frozen=True)
class SmoothField:
    """A field of vectors over the map.

    Attributes
    ----------
    at : (n, 2) float64
        Where it was measured: map positions as lengths.
    values, deviations : (n, 3) float64
        Measurements and their standard deviations.
    edge : float
        Of the windows, as a length.
    middle : (2,) float64, half : float
        Centre and scale of the polynomial part.
    amplitudes, ranges, scatters : (3,) float64
        Of each direction.
    """

    at: FloatArray
    values: FloatArray
    deviations: FloatArray
    edge: float
    middle: FloatArray
    half: float
    amplitudes: FloatArray
    ranges: FloatArray
    scatters: FloatArray

    def predict(self, at: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Field (m, 3) and its standard deviation (m, 3) at map positions (m, 2)."""
        mean, deviation = np.empty((len(at), 3)), np.empty((len(at), 3))
        for k in range(3):
            covariance = self._covariance(self.at, self.at, k) + self._noise(k)
            lower = cho_factor(covariance, lower=True)
            between = self._covariance(at, self.at, k)
            mean[:, k] = between @ cho_solve(lower, self.values[:, k])
            explained = solve_triangular(lower[0], between.T, lower=True)
            own = self.amplitudes[k] ** 2 + (self._terms(at) ** 2).sum(axis=1)
            deviation[:, k] = np.sqrt(np.maximum(own - (explained**2).sum(axis=0), 0.0))
        return mean, deviation

    def _terms(self, at: FloatArray) -> FloatArray:
        u, v = ((at - self.middle) / self.half).T
        return basis(u, v, 3) * np.array(_BASIS_SD)

    def _covariance(self, a: FloatArray, b: FloatArray, k: int) -> FloatArray:
        return _smooth(a, b, self.amplitudes[k], self.ranges[k]) + self._terms(a) @ (
            self._terms(b).T
        )

    def _noise(self, k: int) -> FloatArray:
        return _shared_noise(self.at, self.deviations[:, k], self.edge, self.scatters[k])


def _smooth(a: FloatArray, b: FloatArray, amplitude: float, length: float) -> FloatArray:
    square = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)
    return np.asarray(amplitude**2 * np.exp(-0.5 * square / length**2), np.float64)


def _shared_noise(
    at: FloatArray, deviations: FloatArray, edge: float, scatter: float
) -> FloatArray:
    """Covariance of measurements by square windows: as much as the windows overlap."""
    apart = np.abs(at[:, None, :] - at[None, :, :]) / edge
    overlap = np.clip(1.0 - apart, 0.0, None).prod(axis=-1)
    noise = scatter**2 * np.outer(deviations, deviations) * overlap
    noise[np.diag_indices_from(noise)] += _NUGGET**2
    return np.asarray(noise, np.float64)


def _likelihood(covariance: FloatArray, values: FloatArray) -> float:
    """Logarithm of the marginal likelihood of the columns of `values` (n, k), less a constant."""
    lower, _ = cho_factor(covariance, lower=True)
    white = solve_triangular(lower, values, lower=True)
    return float(-0.5 * np.sum(white**2) - values.shape[1] * np.sum(np.log(np.diag(lower))))


def fit_smooth_field(
    at: FloatArray,
    values: FloatArray,
    deviations: FloatArray,
    edge: float,
    *,
    middle: FloatArray,
    half: float,
    seed: int = 0,
) -> SmoothField:
    """Smooth field through measurements that scatter like Student's t.

    Measurements far off the field are taken for less certain than stated and the field
    is fitted again (iteratively reweighted, Lange, Little and Taylor 1989).

    Parameters
    ----------
    at : (n, 2) float64
        Map positions of the windows as lengths, n >= 1.
    values, deviations : (n, 3) float64
        Displacements (z, y, x) and their stated standard deviations, as lengths.
    edge : float
        Of the windows.
    middle : (2,) float64, half : float
        Centre of the map, and the length that counts as one in the polynomial part.
    seed : int
        Of the choice of measurements where there are very many.
    """
    # threads wait for each other longer than such small matrices take
    with threadpool_limits(1, user_api="blas"):
        field = _fit(at, values, deviations, edge, middle, half, seed)
        for _ in range(_ROUNDS - 1):
            mean, _ = field.predict(at)
            square = (((values - mean) / (deviations * field.scatters)) ** 2).sum(axis=1)
            weights = (_FREEDOM + 3.0) / (_FREEDOM + square)
            taken = deviations / np.sqrt(weights)[:, None]
            field = _fit(at, values, taken, edge, middle, half, seed)
    return field


def _fit(
    at: FloatArray,
    values: FloatArray,
    deviations: FloatArray,
    edge: float,
    middle: FloatArray,
    half: float,
    seed: int,
) -> SmoothField:
    """Smoothness and scatter by likelihood: in height, and for both directions in plane."""
    some = np.arange(len(at))
    if len(at) > _MOST_FOR_LIKELIHOOD:
        some = np.sort(
            np.random.default_rng(seed).choice(len(at), _MOST_FOR_LIKELIHOOD, replace=False)
        )
    chosen = np.empty((3, 3))
    start = SmoothField(at, values, deviations, edge, middle, half, *(np.ones(3) for _ in range(3)))
    terms = start._terms(at[some])
    polynomial = terms @ terms.T
    shapes = [_smooth(at[some], at[some], 1.0, length * edge) for length in RANGES]
    for group in ([0], [1, 2]):
        spread = np.sqrt((deviations[some][:, group] ** 2).mean(axis=1))
        noises = [_shared_noise(at[some], spread, edge, scatter) for scatter in SCATTERS]
        observed = values[some][:, group]
        best = -np.inf
        for (shape, length), (noise, scatter) in product(
            zip(shapes, RANGES), zip(noises, SCATTERS)
        ):
            for amplitude in AMPLITUDES:
                found = _likelihood(amplitude**2 * shape + polynomial + noise, observed)
                if found > best:
                    best = found
                    chosen[group] = amplitude, length * edge, scatter
    return SmoothField(at, values, deviations, edge, middle, half, *chosen.T)


__all__ = ["SmoothField", "fit_smooth_field"]
