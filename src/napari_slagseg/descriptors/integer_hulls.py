"""Convex hulls of points with whole coordinates, exact: Quickhull without tolerances.

Barber, Dobkin & Huhdanpaa 1996, "The quickhull algorithm for convex hulls". Voxel corners
lie on a lattice, so on which side of a plane a point lies is the sign of a whole number: no
point is lost, none is moved, and triangles of one plane are known to be of one face.
"""

from __future__ import annotations

import numpy as np
from numba import njit

WIDEST = 1_000_000
"""Extent of points up to which all that is computed of them fits 64 bits: 6 extent^3."""


@njit(cache=True, nogil=True)
def _above(normals, offsets, t, points, p):  # type: ignore[no-untyped-def]
    """Above 0 where point `p` lies outside of the plane of triangle `t`, 0 on it."""
    return (
        normals[t, 0] * points[p, 0]
        + normals[t, 1] * points[p, 1]
        + normals[t, 2] * points[p, 2]
        - offsets[t]
    )


@njit(cache=True, nogil=True)
def _set_plane(triangles, normals, offsets, t, points):  # type: ignore[no-untyped-def]
    a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
    b0 = points[b, 0] - points[a, 0]
    b1 = points[b, 1] - points[a, 1]
    b2 = points[b, 2] - points[a, 2]
    c0 = points[c, 0] - points[a, 0]
    c1 = points[c, 1] - points[a, 1]
    c2 = points[c, 2] - points[a, 2]
    normals[t, 0] = b1 * c2 - b2 * c1
    normals[t, 1] = b2 * c0 - b0 * c2
    normals[t, 2] = b0 * c1 - b1 * c0
    offsets[t] = (
        normals[t, 0] * points[a, 0] + normals[t, 1] * points[a, 1] + normals[t, 2] * points[a, 2]
    )


@njit(cache=True, nogil=True)
def _first_corners(points, n):  # type: ignore[no-untyped-def]
    """Four points that are not in one plane, or -1 in the last place."""
    a = 0
    for i in range(1, n):
        for k in range(3):
            if points[i, k] != points[a, k]:
                if points[i, k] < points[a, k]:
                    a = i
                break
    b, far = a, 0.0
    for i in range(n):
        d = 0.0
        for k in range(3):
            d += float(points[i, k] - points[a, k]) ** 2
        if d > far:
            b, far = i, d
    e = points[b] - points[a]
    c, far = a, 0.0
    across = np.zeros(3, dtype=np.int64)
    for i in range(n):
        g0 = points[i, 0] - points[a, 0]
        g1 = points[i, 1] - points[a, 1]
        g2 = points[i, 2] - points[a, 2]
        n0 = e[1] * g2 - e[2] * g1
        n1 = e[2] * g0 - e[0] * g2
        n2 = e[0] * g1 - e[1] * g0
        d = float(n0) ** 2 + float(n1) ** 2 + float(n2) ** 2
        if d > far:
            c, far = i, d
            across[0], across[1], across[2] = n0, n1, n2
    d, away = -1, 0
    for i in range(n):
        s = 0
        for k in range(3):
            s += across[k] * (points[i, k] - points[a, k])
        if abs(s) > abs(away):
            d, away = i, s
    # seen from outside, corners of triangles run counter-clockwise
    return (a, b, c, d) if away < 0 else (a, c, b, d)


@njit(cache=True, nogil=True)
def hull_triangles(points, n):  # type: ignore[no-untyped-def]
    """Triangles of the hull of the first `n` points.

    Parameters
    ----------
    points : (m, 3) int64
        Whole numbers from 0 to `WIDEST`.
    n : int

    Returns
    -------
    triangles : (t, 3) int64
        Numbers of points, counter-clockwise from outside; none if all lie in one plane.
    neighbours : (t, 3) int64
        Triangle beyond the side from corner k to corner k + 1.
    normals : (t, 3) int64
        Outward, twice the area long.
    offsets : (t,) int64
        A point p is outside where ``normal @ p > offset``.
    """
    # 2 n - 4 triangles at most stand; what an insertion adds stands beside what it removes
    room = 4 * n + 8
    triangles = np.empty((room, 3), dtype=np.int64)
    neighbours = np.empty((room, 3), dtype=np.int64)
    normals = np.empty((room, 3), dtype=np.int64)
    offsets = np.empty(room, dtype=np.int64)
    # points outside a triangle's plane are chained; each point is in one chain at most
    head = np.full(room, -1, dtype=np.int64)
    farthest = np.full(room, -1, dtype=np.int64)
    distance = np.zeros(room, dtype=np.int64)
    after = np.full(n, -1, dtype=np.int64)
    alive = np.zeros(room, dtype=np.bool_)
    seen = np.zeros(room, dtype=np.bool_)
    free = np.empty(room, dtype=np.int64)
    waiting = np.empty(room, dtype=np.int64)
    queued = np.zeros(room, dtype=np.bool_)
    visible = np.empty(room, dtype=np.int64)
    fresh = np.empty(room, dtype=np.int64)
    starts_at = np.empty(n, dtype=np.int64)

    a, b, c, d = _first_corners(points, n)
    if d < 0:
        return triangles[:0], neighbours[:0], normals[:0], offsets[:0]
    first = ((a, b, c), (a, d, b), (b, d, c), (c, d, a))
    beyond = ((1, 2, 3), (3, 2, 0), (1, 3, 0), (2, 1, 0))
    for t in range(4):
        for k in range(3):
            triangles[t, k] = first[t][k]
            neighbours[t, k] = beyond[t][k]
        _set_plane(triangles, normals, offsets, t, points)
        alive[t] = True
        fresh[t] = t
    n_free = 0
    for t in range(room - 1, 3, -1):
        free[n_free] = t
        n_free += 1
    for p in range(n):
        if p != a and p != b and p != c and p != d:
            _give(p, fresh, 4, points, normals, offsets, head, farthest, distance, after)
    n_waiting = 0
    for t in range(4):
        if head[t] >= 0:
            waiting[n_waiting] = t
            queued[t] = True
            n_waiting += 1

    while n_waiting:
        n_waiting -= 1
        t = waiting[n_waiting]
        queued[t] = False
        if not alive[t] or head[t] < 0:
            continue
        apex = farthest[t]
        # all triangles that see the point; they hang together
        n_visible = 1
        visible[0] = t
        seen[t] = True
        n_fresh = 0
        i = 0
        while i < n_visible:
            old = visible[i]
            i += 1
            for k in range(3):
                other = neighbours[old, k]
                if seen[other]:
                    continue
                if _above(normals, offsets, other, points, apex) > 0:
                    seen[other] = True
                    visible[n_visible] = other
                    n_visible += 1
        # a new triangle on every side of what is seen
        for i in range(n_visible):
            old = visible[i]
            for k in range(3):
                other = neighbours[old, k]
                if seen[other]:
                    continue
                p = triangles[old, k]
                q = triangles[old, k + 1 if k < 2 else 0]
                n_free -= 1
                new = free[n_free]
                triangles[new, 0] = p
                triangles[new, 1] = q
                triangles[new, 2] = apex
                _set_plane(triangles, normals, offsets, new, points)
                neighbours[new, 0] = other
                for j in range(3):
                    if triangles[other, j] == q:
                        neighbours[other, j] = new
                head[new] = -1
                distance[new] = 0
                alive[new] = True
                starts_at[p] = new
                fresh[n_fresh] = new
                n_fresh += 1
        for i in range(n_fresh):
            new = fresh[i]
            nearby = starts_at[triangles[new, 1]]
            neighbours[new, 1] = nearby
            neighbours[nearby, 2] = new
        for i in range(n_visible):
            old = visible[i]
            p = head[old]
            while p >= 0:
                then = after[p]
                if p != apex:
                    # who is outside the hull and was outside of a removed triangle
                    # is outside of a new one; all others are inside for good
                    _give(
                        p, fresh, n_fresh, points, normals, offsets, head, farthest, distance, after
                    )
                p = then
            head[old] = -1
            alive[old] = False
            seen[old] = False
            free[n_free] = old
            n_free += 1
        for i in range(n_fresh):
            new = fresh[i]
            if head[new] >= 0 and not queued[new]:
                waiting[n_waiting] = new
                queued[new] = True
                n_waiting += 1

    # close the gaps
    count = 0
    for t in range(room):
        if alive[t]:
            fresh[t] = count
            triangles[count] = triangles[t]
            neighbours[count] = neighbours[t]
            normals[count] = normals[t]
            offsets[count] = offsets[t]
            count += 1
    for t in range(count):
        for k in range(3):
            neighbours[t, k] = fresh[neighbours[t, k]]
    return triangles[:count], neighbours[:count], normals[:count], offsets[:count]


@njit(cache=True, nogil=True)
def _give(p, fresh, n_fresh, points, normals, offsets, head, farthest, distance, after):  # type: ignore[no-untyped-def]
    """Chain a point to the first of the new triangles that it is outside of."""
    for i in range(n_fresh):
        t = fresh[i]
        above = _above(normals, offsets, t, points, p)
        if above > 0:
            after[p] = head[t]
            head[t] = p
            if above > distance[t]:
                distance[t] = above
                farthest[t] = p
            return


@njit(cache=True, nogil=True)
def faces_of(points, triangles, neighbours, normals, offsets):  # type: ignore[no-untyped-def]
    """Flat faces of a triangulated hull, and the edges between them.

    Returns
    -------
    faces : (f, 3) int64
        Outward normals, twice the area long, largest first.
    corners : (n,) int64
        Numbers of the points that are corners of the hull, and none on edges or faces.
    edges : (e, 4) int64
        From corner, to corner, the face to the left seen from outside, the face to the right.
    """
    count = triangles.shape[0]
    face = np.full(count, -1, dtype=np.int64)
    summed = np.zeros((count, 3), dtype=np.int64)
    stack = np.empty(count, dtype=np.int64)
    n_faces = 0
    for start in range(count):
        if face[start] >= 0:
            continue
        face[start] = n_faces
        stack[0] = start
        size = 1
        while size:
            size -= 1
            t = stack[size]
            for k in range(3):
                summed[n_faces, k] += normals[t, k]
            for k in range(3):
                other = neighbours[t, k]
                if face[other] >= 0:
                    continue
                flat = True
                for j in range(3):
                    if _above(normals, offsets, t, points, triangles[other, j]) != 0:
                        flat = False
                        break
                if flat:
                    face[other] = n_faces
                    stack[size] = other
                    size += 1
        n_faces += 1
    area = np.empty(n_faces)
    for f in range(n_faces):
        area[f] = -np.sqrt(
            float(summed[f, 0]) ** 2 + float(summed[f, 1]) ** 2 + float(summed[f, 2]) ** 2
        )
    order = np.argsort(area, kind="mergesort")
    rank = np.empty(n_faces, dtype=np.int64)
    faces = np.empty((n_faces, 3), dtype=np.int64)
    for i in range(n_faces):
        rank[order[i]] = i
        faces[i] = summed[order[i]]

    edges = np.empty((3 * count // 2, 4), dtype=np.int64)
    n_edges = 0
    for t in range(count):
        for k in range(3):
            other = neighbours[t, k]
            if other > t and face[other] != face[t]:
                edges[n_edges, 0] = triangles[t, k]
                edges[n_edges, 1] = triangles[t, k + 1 if k < 2 else 0]
                edges[n_edges, 2] = rank[face[t]]
                edges[n_edges, 3] = rank[face[other]]
                n_edges += 1
    corners, n_edges = _joined(edges, n_edges, points.shape[0])
    return faces, corners, edges[:n_edges]


@njit(cache=True, nogil=True)
def _joined(edges, n_edges, n_points):  # type: ignore[no-untyped-def]
    """Join the edges that meet in a point of a straight edge; number what is left.

    Returns
    -------
    corners : (n,) int64
        Points by number.
    n_edges : int
        How many of the edges, now between numbers, are left.
    """
    degree = np.zeros(n_points, dtype=np.int64)
    ends_here = np.empty((n_points, 2), dtype=np.int64)
    for e in range(n_edges):
        for end in range(2):
            p = edges[e, end]
            if degree[p] < 2:
                ends_here[p, degree[p]] = e
            degree[p] += 1
    for p in range(n_points):
        if degree[p] != 2:
            continue
        # two edges only: between the same two faces, so on one line
        kept, gone = ends_here[p, 0], ends_here[p, 1]
        far = edges[gone, 0] if edges[gone, 1] == p else edges[gone, 1]
        if edges[kept, 0] == p:
            edges[kept, 0] = far
        else:
            edges[kept, 1] = far
        edges[gone, 0] = -1
        if degree[far] == 2:
            ends_here[far, 0 if ends_here[far, 0] == gone else 1] = kept
    number = np.full(n_points, -1, dtype=np.int64)
    corners = np.empty(n_points, dtype=np.int64)
    n_corners = left = 0
    for e in range(n_edges):
        if edges[e, 0] < 0:
            continue
        for end in range(2):
            p = edges[e, end]
            if number[p] < 0:
                number[p] = n_corners
                corners[n_corners] = p
                n_corners += 1
            edges[left, end] = number[p]
        edges[left, 2] = edges[e, 2]
        edges[left, 3] = edges[e, 3]
        left += 1
    return corners[:n_corners], left


__all__ = ["WIDEST", "faces_of", "hull_triangles"]
