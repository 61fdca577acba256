"""Many rigid fits at once: `surface.fit_surface` of order 1, compiled.

The same steps and numbers as there, for pieces of a map: what differs is that the
pieces run side by side and that the covariance of each piece's centre comes back.
"""

from __future__ import annotations

import numba
import numpy as np

from napari_slagseg.registration.sampling import trilinear

FREE = 9
"""Three coefficients (centre, along rows, along columns) in three directions."""

NUISANCE = 4
"""A constant, two slopes, a radial term."""

_PIECE = 512
"""Pixels whose products are added up while they lie in a core's nearest cache."""


@numba.njit(inline="always")
def _power(u, v, k):  # type: ignore[no-untyped-def]
    """Basis function `k` of `surface.basis`."""
    if k == 0:
        return 1.0
    if k == 1:
        return u
    if k == 2:
        return v
    if k == 3:
        return u * u
    if k == 4:
        return u * v
    if k == 5:
        return v * v
    if k == 6:
        return u * u * u
    if k == 7:
        return u * u * v
    if k == 8:
        return u * v * v
    return v * v * v


@numba.njit(cache=True, nogil=True)
def _solve(gram, right):  # type: ignore[no-untyped-def]
    """Solution of a positive definite system by Cholesky; zeros where it is none."""
    n = len(right)
    low = np.zeros((n, n))
    out = np.zeros(n)
    for i in range(n):
        for j in range(i + 1):
            value = gram[i, j]
            for k in range(j):
                value -= low[i, k] * low[j, k]
            if i == j:
                if value <= 0.0:
                    return out
                low[i, i] = np.sqrt(value)
            else:
                low[i, j] = value / low[j, j]
    half = np.zeros(n)
    for i in range(n):
        value = right[i]
        for k in range(i):
            value -= low[i, k] * half[k]
        half[i] = value / low[i, i]
    for i in range(n - 1, -1, -1):
        value = half[i]
        for k in range(i + 1, n):
            value -= low[k, i] * out[k]
        out[i] = value / low[i, i]
    return out


@numba.njit(cache=True, nogil=True)
def _linear_fit(moments, first, last, total):  # type: ignore[no-untyped-def]
    """As `surface._linear_fit`, of the last column by columns `first` to `last`."""
    n = last - first
    gram = np.empty((n, n))
    right = np.empty(n)
    end = moments.shape[0] - 1
    for i in range(n):
        right[i] = moments[first + i, end]
        for j in range(n):
            gram[i, j] = moments[first + i, first + j]
    ridge = 1e-6 * total + 1e-9
    solid = gram.copy()
    for i in range(n):
        solid[i, i] += ridge
    linear = _solve(solid, right)
    rest = moments[end, end]
    for i in range(n):
        rest -= 2.0 * linear[i] * right[i]
        for j in range(n):
            rest += linear[i] * gram[i, j] * linear[j]
    return linear, max(rest, 0.0)


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _moments(columns, weights):  # type: ignore[no-untyped-def]
    """(k, k) weighted products of the rows of `columns` (k, n) with each other.

    Sums may be taken in any order, which lets them be taken several at a time.
    """
    k, n = columns.shape
    out = np.zeros((k, k))
    space = np.empty(_PIECE)
    for first in range(0, n, _PIECE):
        last = min(first + _PIECE, n)
        weight = weights[first:last]
        weighted = space[: last - first]
        for i in range(k):
            own = columns[i, first:last]
            for p in range(len(own)):
                weighted[p] = weight[p] * own[p]
            for j in range(i + 1):
                other = columns[j, first:last]
                total = 0.0
                for p in range(len(other)):
                    total += weighted[p] * other[p]
                out[i, j] += total
    for i in range(k):
        for j in range(i + 1, k):
            out[i, j] = out[j, i]
    return out


@numba.njit(cache=True, nogil=True)
def _refine(  # type: ignore[no-untyped-def]
    data, origin, pitch, axis, radius, rows, columns_, fractions, known, own,
    centre, half, start, size_sigma, correlated, slack, iterations,
):  # fmt: skip
    """One piece; `own` are the indices of its map pixels."""
    n = len(own)
    phases = fractions.shape[1]
    linear_size = phases + NUISANCE
    u = np.empty(n)
    v = np.empty(n)
    for p in range(n):
        u[p] = (rows[own[p]] - centre[0]) / half
        v[p] = (columns_[own[p]] - centre[1]) / half
    size = FREE + linear_size
    # what the grey value changes by with the nine rigid terms, the linear model, the grey
    columns = np.empty((size + 1, n))
    model = columns[FREE:]
    weights = np.empty(n)
    robust = np.empty(n)
    inside = np.empty(n, dtype=np.bool_)
    residual = np.empty(n)
    coefficients = start.copy()
    best = start.copy()
    best_score = -1.0
    best_noise = 1.0
    best_coverage = 0.0
    covariance = np.full((3, 3), np.inf)
    length = 0.5 * (np.sqrt((start[1] ** 2).sum()) + np.sqrt((start[2] ** 2).sum()))
    total_known = 0.0
    for p in range(n):
        total_known += known[own[p]]
    reach = 2.0 * pitch.max()
    still = 0
    top = 0.0
    for iteration in range(iterations + 1):
        scale = 0.0
        for k in range(3):
            scale += coefficients[2, k] ** 2
        scale = max(scale, 1e-9)
        total = 0.0
        for p in range(n):
            q0 = 0.0
            q1 = 0.0
            q2 = 0.0
            for k in range(10):
                term = _power(u[p], v[p], k)
                q0 += term * coefficients[k, 0]
                q1 += term * coefficients[k, 1]
                q2 += term * coefficients[k, 2]
            dy = q1 - axis[0]
            dx = q2 - axis[1]
            r2 = dy * dy + dx * dx
            value, gz, gy, gx, found = trilinear(
                data,
                (q0 - origin[0]) / pitch[0] - 0.5,
                (q1 - origin[1]) / pitch[1] - 0.5,
                (q2 - origin[2]) / pitch[2] - 0.5,
            )
            if r2 > radius * radius:
                found = False
            inside[p] = found
            w = known[own[p]] if found else 0.0
            weights[p] = w
            total += w
            for f in range(phases):
                model[f, p] = fractions[own[p], f]
            model[phases, p] = 1.0
            model[phases + 1, p] = u[p]
            model[phases + 2, p] = v[p]
            model[phases + 3, p] = r2 / scale
            model[linear_size, p] = value if found else 0.0
            for k in range(3):
                slope = ((gz, gy, gx)[k]) / pitch[k] if found else 0.0
                columns[k, p] = slope
                columns[3 + k, p] = slope * u[p]
                columns[6 + k, p] = slope * v[p]
        coverage = total / max(total_known, 1e-9)
        if coverage < 0.2:
            break
        moments = _moments(model, weights)
        linear, unexplained = _linear_fit(moments, 0, linear_size, total)
        _, variation = _linear_fit(moments, phases, linear_size, total)
        score = np.sqrt(max(0.0, 1.0 - unexplained / max(variation, 1e-12)))
        noise = 1.0
        for turn in range(2):
            for p in range(n):
                residual[p] = model[linear_size, p]
            for k in range(linear_size):
                for p in range(n):
                    residual[p] -= linear[k] * model[k, p]
            noise = 1.4826 * np.median(np.abs(residual[inside])) + 1e-6
            sum_robust = 0.0
            for p in range(n):
                t = 1.0 - (residual[p] / (4.685 * noise)) ** 2
                t = t * t if t > 0.0 else 0.0
                robust[p] = weights[p] * t
                sum_robust += robust[p]
            if turn == 0:
                linear, _ = _linear_fit(_moments(model, robust), 0, linear_size, sum_robust)
        # Gauss-Newton: the nine rigid terms and the linear model together
        moments = _moments(columns, robust)
        scale = 1.0 / (noise * noise * correlated)
        gram = np.empty((size, size))
        right = np.empty(size)
        for i in range(size):
            sign = 1.0 if i < FREE else -1.0
            right[i] = -sign * scale * moments[i, size]
            for j in range(i + 1):
                other = 1.0 if j < FREE else -1.0
                gram[i, j] = sign * other * scale * moments[i, j]
        sigma = 2.0 * length * length * size_sigma
        strain = np.zeros((3, FREE))
        misfit = np.zeros(3)
        for k in range(3):
            eu = coefficients[1, k]
            ev = coefficients[2, k]
            strain[0, 3 + k] = 2.0 * eu / sigma
            strain[1, 6 + k] = 2.0 * ev / sigma
            strain[2, 3 + k] = 2.0 * ev / sigma
            strain[2, 6 + k] = 2.0 * eu / sigma
            misfit[0] += eu * eu
            misfit[1] += ev * ev
            misfit[2] += 2.0 * eu * ev
        misfit[0] = (misfit[0] - length * length) / sigma
        misfit[1] = (misfit[1] - length * length) / sigma
        misfit[2] = misfit[2] / sigma
        for m in range(3):
            for i in range(FREE):
                right[i] -= strain[m, i] * misfit[m]
                for j in range(i + 1):
                    gram[i, j] += strain[m, i] * strain[m, j]
        for i in range(size):
            gram[i, i] = gram[i, i] * (1.0 + 1e-3) + 1e-9
            for j in range(i):
                gram[j, i] = gram[i, j]
        if best_score < 0.0 or score > top - slack:
            best = coefficients.copy()
            best_score = score
            best_noise = noise
            best_coverage = coverage
            for k in range(3):
                unit = np.zeros(size)
                unit[k] = 1.0
                column = _solve(gram, unit)
                for j in range(3):
                    covariance[j, k] = column[j]
        still = 0 if score > top + 1e-5 else still + 1
        top = max(top, score)
        if iteration == iterations or still >= 3:
            break
        change = _solve(gram, right)
        moved = 0.0
        for p in range(n):
            for k in range(3):
                shift = change[k] + change[3 + k] * u[p] + change[6 + k] * v[p]
                moved = max(moved, abs(shift))
        factor = reach / moved if moved > reach else 1.0
        for t in range(3):
            for k in range(3):
                coefficients[t, k] += factor * change[3 * t + k]
        if moved < 0.01 * pitch.min():
            still = max(still, 2)
    return best, max(best_score, 0.0), best_coverage, best_noise, covariance


@numba.njit(parallel=True, cache=True, nogil=True)
def refine_all(  # type: ignore[no-untyped-def]
    data, origin, pitch, axis, radius, rows, columns, fractions, known, own, first,
    centres, halves, starts, size_sigma, correlated, slack, iterations,
):  # fmt: skip
    """Rigid fits of many pieces of a map.

    Parameters
    ----------
    data : (z, y, x) float32
        Block of the CT, with its `origin` and `pitch` (3,).
    axis : (2,), radius : float
        Of the CT's cylinder.
    rows, columns : (n,) float64, fractions : (n, phases) float64, known : (n,) float64
        Map pixels.
    own : (k,) int64, first : (pieces + 1,) int64
        Indices of the pixels of piece `i` are ``own[first[i]:first[i + 1]]``.
    centres : (pieces, 2), halves : (pieces,), starts : (pieces, 10, 3) float64
        Surface of each piece in its own coordinates.
    size_sigma, slack : float
    correlated : (pieces,) float64
        Pixels that count as one, see `surface.CORRELATED_PIXELS`.
    iterations : int

    Returns
    -------
    coefficients : (pieces, 10, 3) float64
    scores, coverages, noises : (pieces,) float64
    covariances : (pieces, 3, 3) float64
        Of the centre (z, y, x), in units of length squared.
    """
    pieces = len(halves)
    coefficients = np.empty((pieces, 10, 3))
    scores = np.empty(pieces)
    coverages = np.empty(pieces)
    noises = np.empty(pieces)
    covariances = np.empty((pieces, 3, 3))
    for i in numba.prange(pieces):
        best, score, coverage, noise, covariance = _refine(
            data, origin, pitch, axis, radius, rows, columns, fractions, known,
            own[first[i] : first[i + 1]], centres[i], halves[i], starts[i],
            size_sigma, correlated[i], slack, iterations,
        )  # fmt: skip
        coefficients[i] = best
        scores[i] = score
        coverages[i] = coverage
        noises[i] = noise
        covariances[i] = covariance
    return coefficients, scores, coverages, noises, covariances


__all__ = ["refine_all"]
