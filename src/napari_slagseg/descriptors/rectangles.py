"""Rectangles of minimum area around points of a plane: rotating calipers."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def _turn(hull_u, hull_v, size, u, v):  # type: ignore[no-untyped-def]
    """Above 0 where a chain turns left at its last point, on the way to the point (u, v)."""
    return (hull_u[size - 1] - hull_u[size - 2]) * (v - hull_v[size - 2]) - (
        hull_v[size - 1] - hull_v[size - 2]
    ) * (u - hull_u[size - 2])


@njit(cache=True, nogil=True)
def _turns_back(hull_u, hull_v, size, u, v, near):  # type: ignore[no-untyped-def]
    """Whether the way from a chain's last point to (u, v) goes back, by more than nothing."""
    a = hull_u[size - 1] - hull_u[size - 2]
    b = hull_v[size - 1] - hull_v[size - 2]
    c = u - hull_u[size - 1]
    d = v - hull_v[size - 1]
    return a * c + b * d < 0.0 and a * a + b * b > near and c * c + d * d > near


@njit(cache=True, nogil=True)
def convex_polygon(u, v, n, hull_u, hull_v):  # type: ignore[no-untyped-def]
    """Strictly convex hull of the first `n` points, counter-clockwise; its size.

    Repeated points and points on an edge are dropped, as they would stall the
    calipers. `hull_u` and `hull_v` must hold ``2 n + 1`` numbers.
    """
    order = np.argsort(u[:n])
    # equal u: sort by v (runs are short)
    i = 0
    while i < n:
        j = i + 1
        while j < n and u[order[j]] == u[order[i]]:
            j += 1
        for a in range(i + 1, j):
            entry = order[a]
            b = a - 1
            while b >= i and v[order[b]] > v[entry]:
                order[b + 1] = order[b]
                b -= 1
            order[b + 1] = entry
        i = j
    extent = max(u[order[n - 1]] - u[order[0]], np.max(v[:n]) - np.min(v[:n]))
    if extent == 0.0:
        hull_u[0] = u[order[0]]
        hull_v[0] = v[order[0]]
        return 1
    tolerance = 1e-12 * extent * extent
    size = 0
    base = 2
    for step in range(2 * n - 1):
        # out along the lower chain, back along the upper one to the first point
        if step == n:
            base = size + 1
        k = order[step] if step < n else order[2 * n - 2 - step]
        while size >= base:
            turn = _turn(hull_u, hull_v, size, u[k], v[k])
            if turn > tolerance:
                break
            # sorted by u, points on a line along v come in any order, so that the end of
            # the line may come before its middle: within rounding on the line, yet a corner
            if turn > 0.0 and _turns_back(hull_u, hull_v, size, u[k], v[k], 1e-8 * tolerance):
                break
            size -= 1
        hull_u[size] = u[k]
        hull_v[size] = v[k]
        size += 1
    return size - 1


@njit(cache=True, nogil=True)
def strictly_convex(u, v, n, first, hull_u, hull_v):  # type: ignore[no-untyped-def]
    """`convex_polygon` of points that stand in its order already, in a ring; its size.

    Parameters
    ----------
    u, v : (m,)
    n : int
        How many of the points count.
    first : int
        The point of least `u`, and of least `v` among those.
    """
    wide = np.max(u[:n]) - u[first]
    extent = max(wide, np.max(v[:n]) - np.min(v[:n]))
    if extent == 0.0:
        hull_u[0] = u[first]
        hull_v[0] = v[first]
        return 1
    tolerance = 1e-12 * extent * extent
    size = 0
    for step in range(n + 1):
        k = first + step
        if k >= n:
            k -= n
        while size >= 2:
            if _turn(hull_u, hull_v, size, u[k], v[k]) > tolerance:
                break
            size -= 1
        hull_u[size] = u[k]
        hull_v[size] = v[k]
        size += 1
    return size - 1


@njit(cache=True, nogil=True)
def smallest_rectangle(hull_u, hull_v, m):  # type: ignore[no-untyped-def]
    """Least-area rectangle around a strictly convex counter-clockwise polygon.

    One side of it lies on an edge of the polygon (Freeman & Shapira 1975).

    Turning the box through a right angle, its four sides meet all edges of the
    polygon in the order of their angles. Which side an edge meets is known from the corners
    that lie farthest to the four sides at the start, so no side is ever moved on by
    comparing places, which rounding errors on short edges could stop too early.

    Parameters
    ----------
    hull_u, hull_v : (n,) float64
        Corners in the first `m` places. At least ``2 m + 1`` places; the others are written on.
    m : int

    Returns
    -------
    area, along, across, direction_u, direction_v
        Lengths of the sides; the unit vector of the side of length `along`.
    """
    if m == 1:
        return 0.0, 0.0, 0.0, 1.0, 0.0
    if m == 2:
        du = hull_u[1] - hull_u[0]
        dv = hull_v[1] - hull_v[0]
        length = np.sqrt(du * du + dv * dv)
        return 0.0, length, 0.0, du / length, dv / length
    hull_u[m] = hull_u[0]
    hull_v[m] = hull_v[0]
    # the first corner is the leftmost: lowest, rightmost and topmost follow in this order
    bottom = 0
    for k in range(1, m):
        if hull_v[k] < hull_v[bottom]:
            bottom = k
    right = bottom
    for k in range(bottom + 1, m):
        if hull_u[k] > hull_u[right]:
            right = k
    top = right
    for k in range(right + 1, m + 1):
        if hull_v[k] > hull_v[top]:
            top = k
    # a number from 0 to 1 rises with the angle between each edge and the side that it meets
    angle = hull_u[m + 1 :]
    for k in range(m):
        x = abs(hull_u[k + 1] - hull_u[k])
        y = abs(hull_v[k + 1] - hull_v[k])
        turned = k < bottom or right <= k < top
        angle[k] = (x if turned else y) / (x + y)
    left, last_left, last_bottom, last_right = 0, bottom, right, top
    least = np.inf
    best_along = best_across = 0.0
    best_u, best_v = 1.0, 0.0
    for _ in range(m):
        at_left = angle[left] if left < last_left else 2.0
        at_bottom = angle[bottom] if bottom < last_bottom else 2.0
        at_right = angle[right] if right < last_right else 2.0
        at_top = angle[top] if top < m else 2.0
        nearest = min(min(at_left, at_bottom), min(at_right, at_top))
        # along the lower side of the box that has the edge on one of its sides
        a, b, c, d = left, bottom, right, top
        if at_bottom == nearest:
            du = hull_u[b + 1] - hull_u[b]
            dv = hull_v[b + 1] - hull_v[b]
            bottom += 1
        elif at_right == nearest:
            du = hull_v[c + 1] - hull_v[c]
            dv = hull_u[c] - hull_u[c + 1]
            right += 1
        elif at_top == nearest:
            du = hull_u[d] - hull_u[d + 1]
            dv = hull_v[d] - hull_v[d + 1]
            top += 1
        else:
            du = hull_v[a] - hull_v[a + 1]
            dv = hull_u[a + 1] - hull_u[a]
            left += 1
        # both times the length of the edge
        along = (hull_u[c] - hull_u[a]) * du + (hull_v[c] - hull_v[a]) * dv
        across = (hull_v[d] - hull_v[b]) * du - (hull_u[d] - hull_u[b]) * dv
        area = along * across / (du * du + dv * dv)
        if area < least:
            least, best_along, best_across = area, along, across
            best_u, best_v = du, dv
    length = np.sqrt(best_u * best_u + best_v * best_v)
    best_along /= length
    best_across /= length
    return best_along * best_across, best_along, best_across, best_u / length, best_v / length


@njit(cache=True, nogil=True)
def rectangle_around(u, v):  # type: ignore[no-untyped-def]
    """`smallest_rectangle` of any points."""
    hull_u = np.empty(2 * u.size + 1)
    hull_v = np.empty(2 * u.size + 1)
    m = convex_polygon(u, v, u.size, hull_u, hull_v)
    return smallest_rectangle(hull_u, hull_v, m)


def minimum_rectangle(
    points: NDArray[np.floating], spacing: tuple[float, float] = (1.0, 1.0)
) -> tuple[float, float]:
    """Sides of the rectangle of least area around points, whatever its orientation.

    Parameters
    ----------
    points : (n, 2) float
        In pixels (row, column); n at least 1.
    spacing : (row, column)
        Pixel edges.

    Returns
    -------
    major, minor : float
        In the unit of `spacing`; 0 where the points lie on a line or a point.
    """
    scaled = np.asarray(points, dtype=np.float64) * np.asarray(spacing, dtype=np.float64)
    _, along, across, _, _ = rectangle_around(
        np.ascontiguousarray(scaled[:, 0]), np.ascontiguousarray(scaled[:, 1])
    )
    return max(along, across), min(along, across)


__all__ = [
    "convex_polygon",
    "minimum_rectangle",
    "rectangle_around",
    "smallest_rectangle",
    "strictly_convex",
]
