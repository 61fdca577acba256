"""Kernels that move single cutouts: an exhaustive search, then six degrees of freedom."""

from __future__ import annotations

import numba
import numpy as np

from napari_slagseg.registration.sampling import trilinear


@numba.njit(cache=True, nogil=True)
def _partial_correlation(moments):  # type: ignore[no-untyped-def]
    """Correlation of columns 0 and 1 after columns 2, ... are taken out of both."""
    n = moments.shape[0]
    inner = moments[2:, 2:].copy()
    for i in range(n - 2):
        inner[i, i] += 1e-6 * moments[2, 2] + 1e-12
    cross = np.ascontiguousarray(moments[2:, :2])
    solved = np.linalg.solve(inner, cross)
    rest = moments[:2, :2] - cross.T @ solved
    if rest[0, 0] <= 1e-12 or rest[1, 1] <= 1e-12:
        return 0.0
    return rest[0, 1] / np.sqrt(rest[0, 0] * rest[1, 1])


@numba.njit(cache=True, nogil=True)
def _at(data, origin, pitch, axis, q0, q1, q2):  # type: ignore[no-untyped-def]
    if (q1 - axis[0]) ** 2 + (q2 - axis[1]) ** 2 > axis[2] * axis[2]:
        return 0.0, 0.0, 0.0, 0.0, False
    value, gz, gy, gx, inside = trilinear(
        data,
        (q0 - origin[0]) / pitch[0] - 0.5,
        (q1 - origin[1]) / pitch[1] - 0.5,
        (q2 - origin[2]) / pitch[2] - 0.5,
    )
    return value, gz / pitch[0], gy / pitch[1], gx / pitch[2], inside


@numba.njit(cache=True, nogil=True)
def _correlation_at(  # type: ignore[no-untyped-def]
    data, origin, pitch, axis, grey, known, base, window, centre, shift, turn, stride
):
    """Partial correlation, valid share of one cutout at one pose."""
    r0, r1, c0, c1 = window[0], window[1], window[2], window[3]
    moments = np.zeros((5, 5))
    row = np.zeros(5)
    area = 0.0
    for r in range(r0, r1, stride):
        for c in range(c0, c1, stride):
            w = known[r, c]
            if w < 0.34:
                continue
            area += w
            d0 = base[r, c, 0] - centre[0]
            d1 = base[r, c, 1] - centre[1]
            d2 = base[r, c, 2] - centre[2]
            e0 = turn[0, 0] * d0 + turn[0, 1] * d1 + turn[0, 2] * d2
            e1 = turn[1, 0] * d0 + turn[1, 1] * d1 + turn[1, 2] * d2
            e2 = turn[2, 0] * d0 + turn[2, 1] * d1 + turn[2, 2] * d2
            value, _, _, _, inside = _at(
                data, origin, pitch, axis,
                centre[0] + shift[0] + e0, centre[1] + shift[1] + e1, centre[2] + shift[2] + e2,
            )  # fmt: skip
            if not inside:
                continue
            row[0] = value
            row[1] = grey[r, c]
            row[2] = 1.0
            row[3] = (r - r0) / (r1 - r0) - 0.5
            row[4] = (c - c0) / (c1 - c0) - 0.5
            for i in range(5):
                for j in range(i, 5):
                    moments[i, j] += w * row[i] * row[j]
    for i in range(5):
        for j in range(i):
            moments[i, j] = moments[j, i]
    share = moments[2, 2] / max(area, 1e-9)
    if moments[2, 2] < 12.0:
        return 0.0, share
    return _partial_correlation(moments), share


@numba.njit(parallel=True, cache=True, nogil=True)
def search_shifts(  # type: ignore[no-untyped-def]
    data, origin, pitch, axis, grey, known, base, windows, centres, turns, starts, offsets, margin
):
    """Best translation of every cutout among `offsets`.

    A shift must beat the start by `margin` in correlation to be taken.
    """
    n = windows.shape[0]
    best = starts.copy()
    scores = np.zeros(n)
    for k in numba.prange(n):
        start_score, _ = _correlation_at(
            data, origin, pitch, axis, grey, known, base,
            windows[k], centres[k], starts[k], turns[k], 1,
        )  # fmt: skip
        top = start_score + margin
        scores[k] = start_score
        for o in range(offsets.shape[0]):
            shift = starts[k] + offsets[o]
            score, share = _correlation_at(
                data, origin, pitch, axis, grey, known, base,
                windows[k], centres[k], shift, turns[k], 1,
            )  # fmt: skip
            if score > top and share > 0.5:
                top = score
                scores[k] = score
                best[k] = shift
    return best, scores


@numba.njit(cache=True, nogil=True)
def _rotated(turn, w):  # type: ignore[no-untyped-def]
    """exp(w x) @ turn by Rodrigues' formula."""
    angle = np.sqrt(w[0] ** 2 + w[1] ** 2 + w[2] ** 2)
    if angle < 1e-12:
        return turn
    k = w / angle
    cross = np.array([[0.0, -k[2], k[1]], [k[2], 0.0, -k[0]], [-k[1], k[0], 0.0]])
    return (np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)) @ turn


@numba.njit(cache=True, nogil=True)
def _vector_of(turn):  # type: ignore[no-untyped-def]
    """Rotation vector of a small rotation."""
    return 0.5 * np.array(
        [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
    )


@numba.njit(parallel=True, cache=True, nogil=True)
def refine_poses(  # type: ignore[no-untyped-def]
    data, origin, pitch, axis, grey, known, base, windows, centres, starts, turns,
    rotation_sigma, shift_sigma, noise, correlated, iterations,
):  # fmt: skip
    """Robust Gauss-Newton over translation and rotation of every cutout.

    Minimised is the Tukey-weighted squared difference between CT and expected grey,
    with a constant and two slopes solved along, and priors on the rotation and on the
    translation (relative to the start).

    Returns
    -------
    shifts (n, 3), turns (n, 3, 3), scores (n,), valid shares (n,)
    """
    n = windows.shape[0]
    shifts = starts.copy()
    rotations = turns.copy()
    scores = np.zeros(n)
    shares = np.zeros(n)
    step_limit = max(pitch[0], pitch[1], pitch[2])
    for k in numba.prange(n):
        r0, r1, c0, c1 = windows[k, 0], windows[k, 1], windows[k, 2], windows[k, 3]
        centre = centres[k]
        turn = rotations[k].copy()
        shift = shifts[k].copy()
        length = 1e-6
        for j in range(3):
            length = max(length, abs(base[r1 - 1, c1 - 1, j] - base[r0, c0, j]))
        nuisance = np.zeros(3)
        sigma = 1e9
        row = np.zeros(9)
        for iteration in range(iterations + 1):
            gram = np.zeros((9, 9))
            right = np.zeros(9)
            absolute = 0.0
            weight_sum = 0.0
            for r in range(r0, r1):
                for c in range(c0, c1):
                    w = known[r, c]
                    if w < 0.34:
                        continue
                    d0 = base[r, c, 0] - centre[0]
                    d1 = base[r, c, 1] - centre[1]
                    d2 = base[r, c, 2] - centre[2]
                    e0 = turn[0, 0] * d0 + turn[0, 1] * d1 + turn[0, 2] * d2
                    e1 = turn[1, 0] * d0 + turn[1, 1] * d1 + turn[1, 2] * d2
                    e2 = turn[2, 0] * d0 + turn[2, 1] * d1 + turn[2, 2] * d2
                    value, gz, gy, gx, inside = _at(
                        data, origin, pitch, axis,
                        centre[0] + shift[0] + e0,
                        centre[1] + shift[1] + e1,
                        centre[2] + shift[2] + e2,
                    )  # fmt: skip
                    if not inside:
                        continue
                    u = (r - r0) / (r1 - r0) - 0.5
                    v = (c - c0) / (c1 - c0) - 0.5
                    difference = value - grey[r, c]
                    residual = difference - nuisance[0] - nuisance[1] * u - nuisance[2] * v
                    absolute += w * abs(residual)
                    weight_sum += w
                    t = residual / (4.685 * sigma)
                    if t * t >= 1.0:
                        continue
                    w *= (1.0 - t * t) ** 2
                    row[0] = gz
                    row[1] = gy
                    row[2] = gx
                    # d/dw of g . (w x e) = (e x g)
                    row[3] = e1 * gx - e2 * gy
                    row[4] = e2 * gz - e0 * gx
                    row[5] = e0 * gy - e1 * gz
                    row[6] = -1.0
                    row[7] = -u
                    row[8] = -v
                    for i in range(9):
                        right[i] -= w * row[i] * difference
                        for j in range(i, 9):
                            gram[i, j] += w * row[i] * row[j]
            if weight_sum < 12.0:
                break
            for i in range(9):
                for j in range(i):
                    gram[i, j] = gram[j, i]
            if iteration == 0:
                # the first pass only finds the constant, the slopes and the noise
                inner = gram[6:, 6:].copy()
                for i in range(3):
                    inner[i, i] += 1e-9 + 1e-6 * inner[0, 0]
                nuisance = np.linalg.solve(inner, right[6:])
                sigma = max(noise, 1.2533 * absolute / weight_sum)
                continue
            sigma = max(noise, 1.2533 * absolute / weight_sum)
            scale = 1.0 / (sigma * sigma * correlated)
            gram *= scale
            right *= scale
            turned = _vector_of(turn)
            for i in range(3):
                gram[i, i] += 1.0 / (shift_sigma * shift_sigma)
                right[i] -= (shift[i] - starts[k, i]) / (shift_sigma * shift_sigma)
                gram[3 + i, 3 + i] += 1.0 / (rotation_sigma * rotation_sigma)
                right[3 + i] -= turned[i] / (rotation_sigma * rotation_sigma)
            for i in range(9):
                gram[i, i] *= 1.0 + 1e-4
                gram[i, i] += 1e-9
            change = np.linalg.solve(gram, right)
            largest = 0.0
            for i in range(3):
                largest = max(largest, abs(change[i]), abs(change[3 + i]) * 0.5 * length)
            damp = min(1.0, step_limit / max(largest, 1e-12))
            shift = shift + damp * change[:3]
            turn = _rotated(turn, damp * change[3:6])
            nuisance = change[6:]
            if largest < 0.01 * step_limit and iteration > 1:
                break
        shifts[k] = shift
        rotations[k] = turn
        scores[k], shares[k] = _correlation_at(
            data, origin, pitch, axis, grey, known, base,
            windows[k], centre, shift, turn, 1,
        )  # fmt: skip
    return shifts, rotations, scores, shares


@numba.njit(parallel=True, cache=True, nogil=True)
def correlations(  # type: ignore[no-untyped-def]
    data, origin, pitch, axis, grey, known, base, windows, centres, shifts, turns
):
    """Correlation and valid share of every cutout at its pose."""
    n = windows.shape[0]
    scores = np.zeros(n)
    shares = np.zeros(n)
    for k in numba.prange(n):
        scores[k], shares[k] = _correlation_at(
            data, origin, pitch, axis, grey, known, base,
            windows[k], centres[k], shifts[k], turns[k], 1,
        )  # fmt: skip
    return scores, shares


__all__ = ["correlations", "refine_poses", "search_shifts"]
