"""The hull of each section's pixel corners: its smallest rectangle, its Feret diameters, its size.

A hull of pixel corners has few corners, so pairs of them are simply all looked at: the largest
distance is that of two corners, the least width that of an edge and a corner (Houle &
Toussaint 1988). Both are exact.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from napari_slagseg.descriptors.rectangles import convex_polygon, smallest_rectangle

PLANE_SHAPES = (
    "axis_major",
    "axis_minor",
    "feret_max",
    "feret_min",
    "convex_area",
    "convex_perimeter",
)
"""What `plane_shapes` measures, in this order."""


@njit(cache=True, nogil=True)
def measured_polygon(hull_u, hull_v, m):  # type: ignore[no-untyped-def]
    """Largest distance of corners, least width, area and perimeter of a convex polygon.

    Parameters
    ----------
    hull_u, hull_v : (n,) float64
        Corners in the first `m` places, counter-clockwise, no three on a line.
    m : int
        Above 2.
    """
    longest = perimeter = area = 0.0
    least = np.inf
    for i in range(m):
        j = i + 1 if i + 1 < m else 0
        du = hull_u[j] - hull_u[i]
        dv = hull_v[j] - hull_v[i]
        length = np.sqrt(du * du + dv * dv)
        perimeter += length
        area += hull_u[i] * hull_v[j] - hull_u[j] * hull_v[i]
        width = 0.0
        for k in range(m):
            a = hull_u[k] - hull_u[i]
            b = hull_v[k] - hull_v[i]
            longest = max(longest, a * a + b * b)
            width = max(width, du * b - dv * a)
        least = min(least, width / length)
    return np.sqrt(longest), least, 0.5 * area, perimeter


@njit(cache=True, nogil=True)
def plane_shapes(keys, low, high, row_edge, column_edge):  # type: ignore[no-untyped-def]
    """Numbers of `PLANE_SHAPES` of each section, (n, 6) float64.

    Parameters
    ----------
    keys : (row, column) int32
        From `plane_keys`.
    low, high : (n, 2) int32
        Bounding boxes, both ends inside.
    row_edge, column_edge : float
        Of a pixel.
    """
    n = low.shape[0]
    shapes = np.empty((n, 6))
    for i in range(n):
        rows = high[i, 0] - low[i, 0] + 1
        first = np.full(rows + 1, 1 << 30, dtype=np.int64)
        last = np.full(rows + 1, -1, dtype=np.int64)
        for r in range(rows):
            for c in range(low[i, 1], high[i, 1] + 1):
                if keys[low[i, 0] + r, c] == i + 1:
                    first[r] = min(first[r], c)
                    first[r + 1] = min(first[r + 1], c)
                    last[r] = max(last[r], c + 1)
                    last[r + 1] = max(last[r + 1], c + 1)
        u = np.empty(2 * rows + 2)
        v = np.empty(2 * rows + 2)
        count = 0
        for r in range(rows + 1):
            if last[r] >= 0:
                u[count] = u[count + 1] = r * row_edge
                v[count] = first[r] * column_edge
                v[count + 1] = last[r] * column_edge
                count += 2
        hull_u = np.empty(2 * count + 1)
        hull_v = np.empty(2 * count + 1)
        m = convex_polygon(u, v, count, hull_u, hull_v)
        _, along, across, _, _ = smallest_rectangle(hull_u, hull_v, m)
        shapes[i, 0] = max(along, across)
        shapes[i, 1] = min(along, across)
        shapes[i, 2:] = measured_polygon(hull_u, hull_v, m)
    return shapes


__all__ = ["PLANE_SHAPES", "measured_polygon", "plane_shapes"]
