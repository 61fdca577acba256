"""The smallest square hole that a convex body passes, moving straight: what a sieve sees.

Two directions at right angles span the hole; its side is the larger of the body's widths along
them. It is made as small as possible over all such pairs: first over a fixed set of
directions, then the best pairs are turned by ever smaller steps. So it is an upper bound of the
smallest hole. On 30 rough balls of 24 voxels and 20 turned ellipsoids and boxes, linear programs
from eight of 4000 near-best pairs found holes smaller by 0.007 % (rough balls) and 0.01 % in the
mean, 0.1 % at most.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.descriptors.ferets import lowest

_SLANT = 0.09
"""Cosine up to which two directions count as at right angles."""

_APART = 0.94
"""Cosine above which directions of two pairs are taken for the same."""

STARTS = 4
"""Pairs of the fixed set that are turned."""

_FIRST, _LAST = 0.06, 1e-4
"""Steps of turning, in radians."""

_PATIENCE = 9
"""Turns in a row that may gain nothing before the step is halved."""


def _spread(n: int, share: float) -> NDArray[np.float64]:
    """Unit vectors spread evenly over a part of the sphere."""
    k = np.arange(n) + 0.5
    z = 1 - share * k / n
    angle = math.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - z * z)
    return np.stack([z, flat * np.sin(angle), flat * np.cos(angle)], axis=1)


# half a sphere, 10 degrees apart
_DIRECTIONS = np.ascontiguousarray(_spread(200, 1.0))
# where to begin to look for the corners that lie farthest along a direction
_COSINES = np.tril(_DIRECTIONS @ _DIRECTIONS.T, -1)
_NEAR = np.ascontiguousarray(np.argmax(_COSINES, axis=1).astype(np.int64))
_PAIRS = np.ascontiguousarray(
    np.argwhere(np.triu(np.abs(_DIRECTIONS @ _DIRECTIONS.T) < _SLANT)).astype(np.int64)
)
# axes of turns; steps of 34 of 97 go around the sphere every few turns
_TURNS = np.ascontiguousarray(_spread(97, 2.0)[np.arange(97) * 34 % 97])


@njit(cache=True, nogil=True)
def _turned(frame, axis, angle, out):  # type: ignore[no-untyped-def]
    """Turn two vectors about a unit vector (Rodrigues)."""
    c = math.cos(angle)
    s = math.sin(angle)
    for i in range(2):
        along = 0.0
        for k in range(3):
            along += axis[k] * frame[i, k]
        along *= 1.0 - c
        x, y, z = frame[i, 0], frame[i, 1], frame[i, 2]
        out[i, 0] = x * c + (axis[1] * z - axis[2] * y) * s + axis[0] * along
        out[i, 1] = y * c + (axis[2] * x - axis[0] * z) * s + axis[1] * along
        out[i, 2] = z * c + (axis[0] * y - axis[1] * x) * s + axis[2] * along


@njit(cache=True, nogil=True)
def _side(points, first, half, frame, ends):  # type: ignore[no-untyped-def]
    """Larger width along two directions; `ends` are corners to begin at, and then the farthest."""
    widest = 0.0
    for i in range(2):
        x, y, z = frame[i, 0], frame[i, 1], frame[i, 2]
        low = lowest(points, first, half, x, y, z, ends[i, 0])
        high = lowest(points, first, half, -x, -y, -z, ends[i, 1])
        ends[i, 0] = low
        ends[i, 1] = high
        width = (
            x * (points[high, 0] - points[low, 0])
            + y * (points[high, 1] - points[low, 1])
            + z * (points[high, 2] - points[low, 2])
        )
        widest = max(widest, width)
    return widest


@njit(cache=True, nogil=True)
def _smaller(points, first, half, frame, ends, turns):  # type: ignore[no-untyped-def]
    """Side of the hole after turning its frame as long as that makes it smaller."""
    side = _side(points, first, half, frame, ends)
    other = np.empty((2, 3))
    step = _FIRST
    k = failed = 0
    while step > _LAST:
        _turned(frame, turns[k], step, other)
        found = _side(points, first, half, other, ends)
        if found < side:
            side = found
            frame[:] = other
            failed = 0
            # on in the same direction
            continue
        k += 1
        if k == turns.shape[0]:
            k = 0
        failed += 1
        if failed == _PATIENCE:
            step *= 0.5
            failed = 0
    return side


@njit(cache=True, nogil=True)
def _alike(directions, pairs, a, b):  # type: ignore[no-untyped-def]
    """Whether two pairs of directions are nearly the same."""
    straight = crossed = True
    for i in range(2):
        for j in range(2):
            s = 0.0
            for k in range(3):
                s += directions[pairs[a, i], k] * directions[pairs[b, j], k]
            if abs(s) < _APART:
                if i == j:
                    straight = False
                else:
                    crossed = False
    return straight or crossed


@njit(cache=True, nogil=True)
def least_square(points, first, half, axes, directions, near, pairs, turns, starts):  # type: ignore[no-untyped-def]
    """Side of the smallest square hole that was found.

    Parameters
    ----------
    points : (n, 3) float64
        Corners of the hull.
    first, half
        As of `hull_boxes.half_edges`.
    axes : (3, 3) float64
        Of the smallest box: its pairs of axes, and the same turned by 45 degrees, are tried too.
    directions, near, pairs, turns, starts
        See `SEARCH`.
    """
    n = directions.shape[0]
    ends = np.zeros((n, 2), dtype=np.int64)
    width = np.empty(n)
    for i in range(n):
        x, y, z = directions[i, 0], directions[i, 1], directions[i, 2]
        low = lowest(points, first, half, x, y, z, ends[near[i], 0])
        high = lowest(points, first, half, -x, -y, -z, ends[near[i], 1])
        ends[i, 0] = low
        ends[i, 1] = high
        width[i] = (
            x * (points[high, 0] - points[low, 0])
            + y * (points[high, 1] - points[low, 1])
            + z * (points[high, 2] - points[low, 2])
        )
    # the best of each direction with one that comes after it
    mate = np.full(n, -1, dtype=np.int64)
    side = np.full(n, np.inf)
    for p in range(pairs.shape[0]):
        i = pairs[p, 0]
        widest = max(width[i], width[pairs[p, 1]])
        if widest < side[i]:
            side[i] = widest
            mate[i] = p

    least = np.inf
    frame = np.empty((2, 3))
    other = np.empty((2, 3))
    hold = np.zeros((2, 2), dtype=np.int64)
    best = np.empty((2, 3))
    for a in range(3):
        for slant in range(2):
            for k in range(3):
                u, v = axes[a, k], axes[(a + 1) % 3, k]
                other[0, k] = u if slant == 0 else (u + v) * math.sqrt(0.5)
                other[1, k] = v if slant == 0 else (u - v) * math.sqrt(0.5)
            found = _side(points, first, half, other, hold)
            if found < least:
                least = found
                best[:] = other
    least = min(least, _smaller(points, first, half, best, hold, turns))

    taken = np.empty(starts, dtype=np.int64)
    n_taken = 0
    for _ in range(8 * starts):
        i = int(np.argmin(side))
        if side[i] == np.inf or n_taken == starts:
            break
        side[i] = np.inf
        met = False
        for k in range(n_taken):
            if _alike(directions, pairs, mate[i], taken[k]):
                met = True
                break
        if met:
            continue
        taken[n_taken] = mate[i]
        n_taken += 1
        one, two = pairs[mate[i], 0], pairs[mate[i], 1]
        cosine = length = 0.0
        for k in range(3):
            cosine += directions[one, k] * directions[two, k]
        for k in range(3):
            frame[0, k] = directions[one, k]
            frame[1, k] = directions[two, k] - cosine * directions[one, k]
            length += frame[1, k] ** 2
        for k in range(3):
            frame[1, k] /= math.sqrt(length)
        hold[0] = ends[one]
        hold[1] = ends[two]
        least = min(least, _smaller(points, first, half, frame, hold, turns))
    return least


SEARCH = (_DIRECTIONS, _NEAR, _PAIRS, _TURNS, STARTS)
"""What `least_square` searches: directions over half a sphere, for each an earlier one that is
near, pairs at nearly right angles, axes to turn about, and how many pairs are turned."""

__all__ = ["SEARCH", "STARTS", "least_square"]
