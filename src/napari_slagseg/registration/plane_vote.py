"""The patches' vote: position in the plane first, then height and two tilts."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(parallel=True, cache=True, nogil=True)
def add_patches(peaks, shifts):  # type: ignore[no-untyped-def]
    """Mean over the patches of their best correlation, each read at its own shift.

    Parameters
    ----------
    peaks : (patch, y, x) float32
        Largest correlation over all heights.
    shifts : (patch, 2) float64
        Place of each patch relative to the map's centre, in pixels.

    Returns
    -------
    (y, x) float32
        For every place of the map's centre; patches outside count as 0.
    """
    n, height, width = peaks.shape
    out = np.zeros((height, width), dtype=np.float32)
    for y in numba.prange(height):
        for x in range(width):
            total = 0.0
            for p in range(n):
                j = int(np.round(y + shifts[p, 0]))
                i = int(np.round(x + shifts[p, 1]))
                if 0 <= j < height and 0 <= i < width:
                    total += peaks[p, j, i]
            out[y, x] = total / n
    return out


@numba.njit(cache=True, nogil=True)
def _profiles(volumes, shifts, y, x):  # type: ignore[no-untyped-def]
    """(patch, slice) best correlation within a pixel of where the patch should lie."""
    n, depth, height, width = volumes.shape
    out = np.zeros((n, depth), dtype=np.float32)
    for p in range(n):
        j0 = int(np.round(y + shifts[p, 0]))
        i0 = int(np.round(x + shifts[p, 1]))
        for z in range(depth):
            best = 0.0
            for j in range(max(j0 - 1, 0), min(j0 + 2, height)):
                for i in range(max(i0 - 1, 0), min(i0 + 2, width)):
                    best = max(best, volumes[p, z, j, i])
            out[p, z] = best
    return out


@numba.njit(parallel=True, cache=True, nogil=True)
def vote_for_plane(volumes, shifts, y, x, low, high, steepest):  # type: ignore[no-untyped-def]
    """Height and slopes that maximise the mean correlation of all patches.

    Parameters
    ----------
    volumes : (patch, slice, y, x) float32
        Correlations.
    shifts : (patch, 2) float64
    y, x : float
        Place of the map's centre.
    low, high : float
        Slices between which the centre lies.
    steepest : (2,) float64
        Largest slope along y and x, in slices per pixel.

    Returns
    -------
    votes, height, slope_y, slope_x : float
    """
    profiles = _profiles(volumes, shifts, y, x)
    n, depth = profiles.shape
    arm = 1.0
    for p in range(n):
        arm = max(arm, abs(shifts[p, 0]), abs(shifts[p, 1]))
    steps_y = int(np.ceil(steepest[0] * arm))
    steps_x = int(np.ceil(steepest[1] * arm))
    n_y, n_x = 2 * steps_y + 1, 2 * steps_x + 1
    first, last = int(np.floor(low)), int(np.ceil(high))
    best = np.full(n_y, -1.0)
    where = np.zeros((n_y, 2))
    for a in numba.prange(n_y):
        slope_y = (a - steps_y) * steepest[0] / max(steps_y, 1)
        for b in range(n_x):
            slope_x = (b - steps_x) * steepest[1] / max(steps_x, 1)
            for z in range(first, last + 1):
                total = 0.0
                for p in range(n):
                    h = z + slope_y * shifts[p, 0] + slope_x * shifts[p, 1]
                    if -0.5 <= h <= depth - 0.5:
                        h = min(max(h, 0.0), depth - 1.0)
                        k = int(h)
                        k1 = min(k + 1, depth - 1)
                        w = h - k
                        total += (1 - w) * profiles[p, k] + w * profiles[p, k1]
                total /= n
                # among equals the flatter plane
                total -= 1e-4 * (abs(a - steps_y) + abs(b - steps_x)) / (n_y + n_x)
                if total > best[a]:
                    best[a] = total
                    where[a, 0] = z
                    where[a, 1] = slope_x
    top = int(np.argmax(best))
    return (
        best[top],
        where[top, 0],
        (top - steps_y) * steepest[0] / max(steps_y, 1),
        where[top, 1],
    )


__all__ = ["add_patches", "vote_for_plane"]
