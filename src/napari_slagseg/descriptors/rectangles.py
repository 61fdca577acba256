"""Rectangles of minimum area around points of a plane: rotating calipers."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


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
            cross = (hull_u[size - 1] - hull_u[size - 2]) * (v[k] - hull_v[size - 2]) - (
                hull_v[size - 1] - hull_v[size - 2]
            ) * (u[k] - hull_u[size - 2])
            if cross > tolerance:
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
    best = np.inf
    best_along = best_across = 0.0
    best_u, best_v = 1.0, 0.0
    right = top = left = 0
    for i in range(m):
        j = i + 1 if i + 1 < m else 0
        du = hull_u[j] - hull_u[i]
        dv = hull_v[j] - hull_v[i]
        length = np.sqrt(du * du + dv * dv)
        du /= length
        dv /= length
        if i == 0:
            for k in range(1, m):
                s = hull_u[k] * du + hull_v[k] * dv
                if s > hull_u[right] * du + hull_v[right] * dv:
                    right = k
                if s < hull_u[left] * du + hull_v[left] * dv:
                    left = k
                if hull_v[k] * du - hull_u[k] * dv > hull_v[top] * du - hull_u[top] * dv:
                    top = k
        else:
            for _ in range(m):
                k = right + 1 if right + 1 < m else 0
                if (hull_u[k] - hull_u[right]) * du + (hull_v[k] - hull_v[right]) * dv <= 0:
                    break
                right = k
            for _ in range(m):
                k = top + 1 if top + 1 < m else 0
                if (hull_v[k] - hull_v[top]) * du - (hull_u[k] - hull_u[top]) * dv <= 0:
                    break
                top = k
            for _ in range(m):
                k = left + 1 if left + 1 < m else 0
                if (hull_u[k] - hull_u[left]) * du + (hull_v[k] - hull_v[left]) * dv >= 0:
                    break
                left = k
        along = (hull_u[right] - hull_u[left]) * du + (hull_v[right] - hull_v[left]) * dv
        across = (hull_v[top] - hull_v[i]) * du - (hull_u[top] - hull_u[i]) * dv
        area = along * across
        if area < best:
            best, best_along, best_across = area, along, across
            best_u, best_v = du, dv
    return best, best_along, best_across, best_u, best_v


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


__all__ = ["convex_polygon", "minimum_rectangle", "rectangle_around", "smallest_rectangle"]
