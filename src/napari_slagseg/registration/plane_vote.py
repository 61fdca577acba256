"""The patches' vote: position in the plane first, then height and two tilts."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


def add_patches(peaks: NDArray[np.float32], shifts: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mean over the patches of their best correlation, each read at its own shift.

    Parameters
    ----------
    peaks : (patch, y, x) float32
        Largest correlation over all heights.
    shifts : (angle, patch, 2) float64
        Place of each patch relative to the map's centre, in pixels.

    Returns
    -------
    (angle, y, x) float32
        For every place of the map's centre; patches outside count as 0.
    """
    n, height, width = peaks.shape
    out = np.zeros((len(shifts), height, width), dtype=np.float32)
    for summed, shift in zip(out, shifts):
        for peak, (dy, dx) in zip(peaks, shift.round().astype(int)):
            # an offset beyond the image leaves nothing to add
            y0, y1 = max(0, -dy), max(0, min(height, height - dy))
            x0, x1 = max(0, -dx), max(0, min(width, width - dx))
            if y0 < y1 and x0 < x1:
                summed[y0:y1, x0:x1] += peak[y0 + dy : y1 + dy, x0 + dx : x1 + dx]
    out /= n
    return out


@numba.njit(cache=True, nogil=True)
def _profiles(volumes, shifts, y, x):  # type: ignore[no-untyped-def]
    """(slice, patch) best correlation within a pixel of where the patch should lie."""
    n, depth, height, width = volumes.shape
    out = np.zeros((depth, n), dtype=np.float32)
    for p in range(n):
        j0 = y + int(np.round(shifts[p, 0]))
        i0 = x + int(np.round(shifts[p, 1]))
        for z in range(depth):
            best = np.float32(0.0)
            for j in range(max(j0 - 1, 0), min(j0 + 2, height)):
                for i in range(max(i0 - 1, 0), min(i0 + 2, width)):
                    best = max(best, volumes[p, z, j, i])
            out[z, p] = best
    return out


@numba.njit(cache=True, nogil=True)
def vote_for_plane(volumes, shifts, y, x, low, high, steepest):  # type: ignore[no-untyped-def]
    """Height and slopes that maximise the mean correlation of all patches.

    Parameters
    ----------
    volumes : (patch, slice, y, x) float32
        Correlations.
    shifts : (patch, 2) float64
    y, x : int
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
    depth, n = profiles.shape
    arm = 1.0
    for p in range(n):
        arm = max(arm, abs(shifts[p, 0]), abs(shifts[p, 1]))
    steps_y = int(np.ceil(steepest[0] * arm))
    steps_x = int(np.ceil(steepest[1] * arm))
    n_y, n_x = 2 * steps_y + 1, 2 * steps_x + 1
    first, last = int(np.floor(low)), int(np.ceil(high))
    best, best_z, best_y, best_x = -1.0, 0.0, 0.0, 0.0
    total = np.empty(last + 1 - first)
    for a in range(n_y):
        slope_y = (a - steps_y) * steepest[0] / max(steps_y, 1)
        for b in range(n_x):
            slope_x = (b - steps_x) * steepest[1] / max(steps_x, 1)
            total[:] = 0.0
            for p in range(n):
                # all centres share the fraction of a slice by which this patch is off
                rise = slope_y * shifts[p, 0] + slope_x * shifts[p, 1]
                whole = int(np.floor(rise))
                w = rise - whole
                for z in range(first, last + 1):
                    h = z + rise
                    if h < -0.5 or h > depth - 0.5:
                        continue
                    k = min(max(z + whole, 0), depth - 1)
                    k1 = min(max(z + whole + 1, 0), depth - 1)
                    total[z - first] += (1 - w) * profiles[k, p] + w * profiles[k1, p]
            # among equals the flatter plane
            steepness = 1e-4 * (abs(a - steps_y) + abs(b - steps_x)) / (n_y + n_x)
            for z in range(first, last + 1):
                votes = total[z - first] / n - steepness
                if votes > best:
                    best, best_z, best_y, best_x = votes, float(z), slope_y, slope_x
    return best, best_z, best_y, best_x


@numba.njit(parallel=True, cache=True, nogil=True)
def vote_at(volumes, shifts, places, low, high, steepest):  # type: ignore[no-untyped-def]
    """`vote_for_plane` at many places.

    Parameters
    ----------
    volumes : (patch, slice, y, x) float32
    shifts : (angle, patch, 2) float64
    places : (k, 3) int64
        Angle, y and x of each place.
    low, high, steepest
        As in `vote_for_plane`.

    Returns
    -------
    (k, 4) float64
        Votes, height and slopes along y and x.
    """
    out = np.empty((len(places), 4))
    for k in numba.prange(len(places)):
        angle, y, x = places[k]
        votes, z, slope_y, slope_x = vote_for_plane(
            volumes, shifts[angle], y, x, low, high, steepest
        )
        out[k, 0], out[k, 1], out[k, 2], out[k, 3] = votes, z, slope_y, slope_x
    return out


__all__ = ["add_patches", "vote_at", "vote_for_plane"]
