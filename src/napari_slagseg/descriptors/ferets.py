"""Feret diameters of convex hulls: the longest, the shortest, and the one that a sieve sees.

The width of a body along a direction is the distance of the two planes across it that touch
the body. The least width is that of a face and a corner, or of two edges, that face each other
(Houle & Toussaint 1988). Which edges do is found by walking: while a plane rolls over an edge
from one of its faces to the other, the place where the opposite plane touches moves along the
edges of the other side. So the search looks at pairs that face each other and at no others; it
is exact, and what it costs grows with the edges, not with their square.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def longest(points):  # type: ignore[no-untyped-def]
    """Largest distance of two points, (n, 3) float64."""
    most = 0.0
    for i in range(points.shape[0]):
        a, b, c = points[i, 0], points[i, 1], points[i, 2]
        for j in range(i):
            d = points[j, 0] - a
            e = points[j, 1] - b
            f = points[j, 2] - c
            most = max(most, d * d + e * e + f * f)
    return np.sqrt(most)


@njit(cache=True, nogil=True)
def lowest(points, first, half, n0, n1, n2, p):  # type: ignore[no-untyped-def]
    """Corner that lies lowest along a direction, going down along edges from corner `p`.

    Where no edge leads down, no corner lies lower, as the body is convex.
    """
    at = points[p, 0] * n0 + points[p, 1] * n1 + points[p, 2] * n2
    while True:
        best = p
        for h in range(first[p], first[p + 1]):
            q = half[h, 0]
            s = points[q, 0] * n0 + points[q, 1] * n1 + points[q, 2] * n2
            if s < at:
                at = s
                best = q
        if best == p:
            return p
        p = best


@njit(cache=True, nogil=True)
def least_width(corners, spacing, faces, edges, first, half):  # type: ignore[no-untyped-def]
    """Smallest width over all directions.

    Parameters
    ----------
    corners : (n, 3) float64
        Corners of the hull on the lattice, whole numbers.
    spacing : (3,) float64
    faces, edges
        As of `integer_hulls.faces_of`.
    first, half
        As of `hull_boxes.half_edges`.
    """
    # on the lattice, which of two corners lies lower is decided without rounding; a direction n
    # of the lattice is the direction n / spacing of space
    normals = faces.astype(np.float64)
    facing = np.full(normals.shape[0], -1, dtype=np.int64)
    least = np.inf
    v = 0
    for e in range(edges.shape[0]):
        on, left, right = edges[e, 0], edges[e, 2], edges[e, 3]
        a0, a1, a2 = normals[left, 0], normals[left, 1], normals[left, 2]
        b0, b1, b2 = normals[right, 0], normals[right, 1], normals[right, 2]
        if facing[left] < 0:
            near = facing[right] if facing[right] >= 0 else v
            facing[left] = lowest(corners, first, half, a0, a1, a2, near)
        v = facing[left]
        t = 0.0
        while True:
            # the direction is (1 - t) a + t b
            d0 = a0 + t * (b0 - a0)
            d1 = a1 + t * (b1 - a1)
            d2 = a2 + t * (b2 - a2)
            across = (
                d0 * (corners[on, 0] - corners[v, 0])
                + d1 * (corners[on, 1] - corners[v, 1])
                + d2 * (corners[on, 2] - corners[v, 2])
            )
            d0 /= spacing[0]
            d1 /= spacing[1]
            d2 /= spacing[2]
            least = min(least, across * across / (d0 * d0 + d1 * d1 + d2 * d2))
            if t == 1.0:
                break
            # the neighbour that the opposite plane comes to first
            soonest = 1.0
            then = v
            for h in range(first[v], first[v + 1]):
                q = half[h, 0]
                g0 = corners[q, 0] - corners[v, 0]
                g1 = corners[q, 1] - corners[v, 1]
                g2 = corners[q, 2] - corners[v, 2]
                below = b0 * g0 + b1 * g1 + b2 * g2
                if below < 0.0:
                    above = a0 * g0 + a1 * g1 + a2 * g2
                    met = above / (above - below)
                    if met < soonest:
                        soonest = met
                        then = q
            t = max(t, soonest)
            v = then
        facing[right] = v
    return np.sqrt(least)


__all__ = ["least_width", "longest", "lowest"]
