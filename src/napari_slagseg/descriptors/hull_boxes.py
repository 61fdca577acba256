"""Kernels of the oriented box: a convex polyhedron in, its smallest box out."""

from __future__ import annotations

import numpy as np
from numba import njit

from napari_slagseg.descriptors.corner_chains import merged_corners
from napari_slagseg.descriptors.ferets import least_width, longest
from napari_slagseg.descriptors.integer_hulls import faces_of, hull_triangles
from napari_slagseg.descriptors.rectangles import (
    convex_polygon,
    smallest_rectangle,
    strictly_convex,
)
from napari_slagseg.descriptors.square_holes import least_square

_SAME = 1e-9
"""Volumes and directions that differ by less, relatively, are taken as equal."""


@njit(cache=True, nogil=True)
def _perpendicular(n, u, v):  # type: ignore[no-untyped-def]
    """Two unit vectors that make a right-handed frame with the unit vector `n`."""
    k = 0
    for i in range(1, 3):
        if abs(n[i]) < abs(n[k]):
            k = i
    length = np.sqrt(1.0 - n[k] * n[k])
    for i in range(3):
        u[i] = ((1.0 if i == k else 0.0) - n[k] * n[i]) / length
    v[0] = n[1] * u[2] - n[2] * u[1]
    v[1] = n[2] * u[0] - n[0] * u[2]
    v[2] = n[0] * u[1] - n[1] * u[0]


@njit(cache=True, nogil=True)
def _height(points, n):  # type: ignore[no-untyped-def]
    # two points at a time, as each comparison waits for the one before
    last = points.shape[0] - 1
    s = points[last, 0] * n[0] + points[last, 1] * n[1] + points[last, 2] * n[2]
    low = high = low_2 = high_2 = s
    for i in range(0, last, 2):
        s = points[i, 0] * n[0] + points[i, 1] * n[1] + points[i, 2] * n[2]
        low = min(low, s)
        high = max(high, s)
        s = points[i + 1, 0] * n[0] + points[i + 1, 1] * n[1] + points[i + 1, 2] * n[2]
        low_2 = min(low_2, s)
        high_2 = max(high_2, s)
    return max(high, high_2) - min(low, low_2)


@njit(cache=True, nogil=True)
def _shadow(outward, n, side):  # type: ignore[no-untyped-def]
    """Area of the shadow along `n` (Cauchy); `side` is filled with what looks along `n`."""
    last = outward.shape[0] - 1
    area = area_2 = 0.0
    for f in range(0, last, 2):
        s = outward[f, 0] * n[0] + outward[f, 1] * n[1] + outward[f, 2] * n[2]
        side[f] = s > 0.0
        area += abs(s)
        s = outward[f + 1, 0] * n[0] + outward[f + 1, 1] * n[1] + outward[f + 1, 2] * n[2]
        side[f + 1] = s > 0.0
        area_2 += abs(s)
    if last % 2 == 0:
        s = outward[last, 0] * n[0] + outward[last, 1] * n[1] + outward[last, 2] * n[2]
        side[last] = s > 0.0
        area += abs(s)
    return 0.5 * (area + area_2)


@njit(cache=True, nogil=True)
def half_edges(edges, n_points):  # type: ignore[no-untyped-def]
    """Edges in both directions, in order of where they begin.

    Returns
    -------
    first : (n_points + 1,) int64
        Those that begin in point p are ``first[p]`` to ``first[p + 1]``.
    half : (h, 3) int64
        To which point, face on the left, face on the right.
    """
    first = np.zeros(n_points + 1, dtype=np.int64)
    for e in range(edges.shape[0]):
        first[edges[e, 0] + 1] += 1
        first[edges[e, 1] + 1] += 1
    for p in range(n_points):
        first[p + 1] += first[p]
    at = first[:-1].copy()
    half = np.empty((2 * edges.shape[0], 3), dtype=np.int64)
    for e in range(edges.shape[0]):
        for end in range(2):
            p = edges[e, end]
            half[at[p], 0] = edges[e, 1 - end]
            half[at[p], 1] = edges[e, 2 + end]
            half[at[p], 2] = edges[e, 3 - end]
            at[p] += 1
    return first, half


@njit(cache=True, nogil=True)
def _outline(points, first, half, side, shadow, u, v, work_u, work_v, hull_u, hull_v):  # type: ignore[no-untyped-def]
    """Strictly convex, counter-clockwise shadow of a hull on the plane of `u` and `v`; its size.

    Its border is the edges between a face that looks at the light and one that does not.
    They make one ring, which is walked. Rounding errors on faces along the light may break
    it: then the area is not that of the shadow, and all points are projected instead.
    """
    n_points = points.shape[0]
    p = 0
    start = -1
    while p < n_points and start < 0:
        for h in range(first[p], first[p + 1]):
            if side[half[h, 1]] > side[half[h, 2]]:
                start = p
                break
        p += 1
    count = 0
    leftmost = 0
    p = start
    while p >= 0 and count < n_points:
        a = points[p, 0] * u[0] + points[p, 1] * u[1] + points[p, 2] * u[2]
        b = points[p, 0] * v[0] + points[p, 1] * v[1] + points[p, 2] * v[2]
        work_u[count] = a
        work_v[count] = b
        if a < work_u[leftmost] or (a == work_u[leftmost] and b < work_v[leftmost]):
            leftmost = count
        count += 1
        then = -1
        for h in range(first[p], first[p + 1]):
            if side[half[h, 1]] > side[half[h, 2]]:
                then = half[h, 0]
                break
        p = then
        if p == start:
            break
    if count > 2 and p == start:
        m = strictly_convex(work_u, work_v, count, leftmost, hull_u, hull_v)
        area = hull_u[m - 1] * hull_v[0] - hull_u[0] * hull_v[m - 1]
        for k in range(m - 1):
            area += hull_u[k] * hull_v[k + 1] - hull_u[k + 1] * hull_v[k]
        if abs(0.5 * area - shadow) <= _SAME * shadow:
            return m
    for p in range(n_points):
        work_u[p] = points[p, 0] * u[0] + points[p, 1] * u[1] + points[p, 2] * u[2]
        work_v[p] = points[p, 0] * v[0] + points[p, 1] * v[1] + points[p, 2] * v[2]
    return convex_polygon(work_u, work_v, n_points, hull_u, hull_v)


@njit(cache=True, nogil=True)
def _box_along(  # type: ignore[no-untyped-def]
    points, outward, first, half, n, best, side, work_u, work_v, hull_u, hull_v, axes, lengths
):
    """Smallest box with one axis along `n`: its volume, or infinity if it cannot beat `best`.

    The area of the shadow, half the sum of the faces' shadows (Cauchy), bounds the
    rectangle from below: many directions end there.
    """
    height = _height(points, n)
    shadow = _shadow(outward, n, side)
    if shadow * height >= best * (1.0 + 1e-12):
        return np.inf
    u = np.empty(3)
    v = np.empty(3)
    _perpendicular(n, u, v)
    m = _outline(points, first, half, side, shadow, u, v, work_u, work_v, hull_u, hull_v)
    area, along, across, du, dv = smallest_rectangle(hull_u, hull_v, m)
    for i in range(3):
        axes[0, i] = n[i]
        axes[1, i] = du * u[i] + dv * v[i]
        axes[2, i] = -dv * u[i] + du * v[i]
    lengths[0] = height
    lengths[1] = along
    lengths[2] = across
    return area * height


@njit(cache=True, nogil=True)
def _met(volume, axes, seen_volumes, seen_axes, n_seen):  # type: ignore[no-untyped-def]
    """Whether a box was met before, whatever the order and the signs of its axes."""
    for i in range(n_seen):
        if abs(seen_volumes[i] - volume) > _SAME * volume:
            continue
        parallel = 0
        for a in range(2):
            for b in range(3):
                s = 0.0
                for k in range(3):
                    s += axes[a, k] * seen_axes[i, b, k]
                if abs(s) > 1.0 - _SAME:
                    parallel += 1
                    break
        if parallel == 2:
            return True
    return False


@njit(cache=True, nogil=True)
def smallest_box(points, outward, edges, directions, n_polish):  # type: ignore[no-untyped-def]
    """Smallest box with an axis along one of `directions`, then polished.

    Parameters
    ----------
    points : (n, 3)
        Vertices of the hull.
    outward : (f, 3)
        Outward normals of its faces, as long as their areas.
    edges : (e, 4) int64
        From vertex, to vertex, face on the left as seen from outside, face on the right.
    directions : (d, 3)
        Unit vectors to try: all face normals, and the coordinate axes.
    n_polish : int
        How many of the best boxes are polished: each axis in turn is held and
        the rectangle across it made as small as it can be, until nothing is gained or a
        box is met that an earlier one has been through.
        This reaches boxes without a face of the hull on them.

    Returns
    -------
    lengths : (3,)
    axes : (3, 3)
        Unit vectors in rows.
    """
    n_points = points.shape[0]
    first, half = half_edges(edges, n_points)
    side = np.empty(outward.shape[0], dtype=np.bool_)
    work_u = np.empty(n_points)
    work_v = np.empty(n_points)
    hull_u = np.empty(2 * n_points + 1)
    hull_v = np.empty(2 * n_points + 1)
    axes = np.empty((3, 3))
    lengths = np.empty(3)

    best_volumes = np.full(n_polish, np.inf)
    best_axes = np.zeros((n_polish, 3, 3))
    best_lengths = np.zeros((n_polish, 3))
    for d in range(directions.shape[0]):
        # only boxes that would enter the list need their rectangle
        volume = _box_along(
            points, outward, first, half, directions[d], best_volumes[n_polish - 1],
            side, work_u, work_v, hull_u, hull_v, axes, lengths,
        )  # fmt: skip
        if volume < best_volumes[n_polish - 1]:
            k = n_polish - 1
            while k > 0 and best_volumes[k - 1] > volume:
                best_volumes[k] = best_volumes[k - 1]
                best_axes[k] = best_axes[k - 1]
                best_lengths[k] = best_lengths[k - 1]
                k -= 1
            best_volumes[k] = volume
            best_axes[k] = axes
            best_lengths[k] = lengths

    seen_volumes = np.empty(16 * n_polish)
    seen_axes = np.empty((16 * n_polish, 3, 3))
    n_seen = 0
    hold = np.empty(3)
    for start in range(n_polish):
        if best_volumes[start] == np.inf:
            break
        for _ in range(100):
            if _met(best_volumes[start], best_axes[start], seen_volumes, seen_axes, n_seen):
                break
            if n_seen < seen_volumes.size:
                seen_volumes[n_seen] = best_volumes[start]
                seen_axes[n_seen] = best_axes[start]
                n_seen += 1
            gained = False
            # the rectangle across the first axis is the smallest already
            for axis in range(1, 3):
                hold[:] = best_axes[start, axis]
                least = best_volumes[start] * (1.0 - _SAME)
                volume = _box_along(
                    points, outward, first, half, hold, least,
                    side, work_u, work_v, hull_u, hull_v, axes, lengths,
                )  # fmt: skip
                if volume < least:
                    best_volumes[start] = volume
                    best_axes[start] = axes
                    best_lengths[start] = lengths
                    gained = True
                    break
            if not gained:
                break
    winner = np.argmin(best_volumes)
    return best_lengths[winner], best_axes[winner]


@njit(cache=True, nogil=True)
def lattice_hull(points, n, spacing):  # type: ignore[no-untyped-def]
    """Hull of points of a lattice that are not all in one plane.

    Parameters
    ----------
    points : (m, 3) int64
        From 0 to `integer_hulls.WIDEST`; the first `n` count.
    spacing : (3,) float64

    Returns
    -------
    corners : (n, 3) float64
        Of the hull, on the lattice.
    vertices : (n, 3) float64
        The same in space.
    faces : (f, 3) int64
    outward : (f, 3) float64
        Outward normals on the lattice, and in space, there as long as the areas.
    edges : (e, 4) int64
        As of `integer_hulls.faces_of`.
    volume : float

    Notes
    -----
    Lattice and spacing are apart until the hull and its faces are known, so that both are exact.
    """
    triangles, neighbours, normals, offsets = hull_triangles(points, n)
    faces, numbers, edges = faces_of(points, triangles, neighbours, normals, offsets)
    corners = np.empty((numbers.size, 3))
    vertices = np.empty((numbers.size, 3))
    for i in range(numbers.size):
        for k in range(3):
            corners[i, k] = points[numbers[i], k]
            vertices[i, k] = points[numbers[i], k] * spacing[k]
    cell = spacing[0] * spacing[1] * spacing[2]
    outward = np.empty(faces.shape)
    for f in range(faces.shape[0]):
        for k in range(3):
            outward[f, k] = 0.5 * faces[f, k] * (cell / spacing[k])
    return corners, vertices, faces, outward, edges, np.sum(offsets) / 6.0 * cell


@njit(cache=True, nogil=True)
def lattice_box(points, n, spacing, n_polish):  # type: ignore[no-untyped-def]
    """Smallest box of the points of `lattice_hull`; lengths and axes as of `smallest_box`."""
    _, vertices, faces, outward, edges, _ = lattice_hull(points, n, spacing)
    return smallest_box(vertices, outward, edges, _directions(faces, outward), n_polish)


@njit(cache=True, nogil=True)
def _directions(faces, outward):  # type: ignore[no-untyped-def]
    """The coordinate axes and the normals of all faces, unit vectors, opposite ones once."""
    n_faces = faces.shape[0]
    out = np.zeros((n_faces + 3, 3))
    n = 0
    # a table of the least whole numbers along each normal
    size = 16
    while size < 2 * (n_faces + 3):
        size *= 2
    table = np.zeros((size, 3), dtype=np.int64)
    for f in range(-3, n_faces):
        if f < 0:
            a, b, c = int(f == -3), int(f == -2), int(f == -1)
        else:
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        divisor = _common(_common(abs(a), abs(b)), abs(c))
        if a < 0 or (a == 0 and (b < 0 or (b == 0 and c < 0))):
            divisor = -divisor
        a //= divisor
        b //= divisor
        c //= divisor
        at = (a * 73856093 ^ b * 19349663 ^ c * 83492791) & (size - 1)
        while table[at, 0] != a or table[at, 1] != b or table[at, 2] != c:
            if table[at, 0] == 0 and table[at, 1] == 0 and table[at, 2] == 0:
                table[at, 0] = a
                table[at, 1] = b
                table[at, 2] = c
                if f < 0:
                    out[n, f + 3] = 1.0
                else:
                    long = np.sqrt(outward[f, 0] ** 2 + outward[f, 1] ** 2 + outward[f, 2] ** 2)
                    for k in range(3):
                        out[n, k] = outward[f, k] / long
                n += 1
                break
            at = (at + 1) & (size - 1)
    return out[:n]


@njit(cache=True, nogil=True)
def _common(a, b):  # type: ignore[no-untyped-def]
    """Greatest common divisor."""
    while b:
        a, b = b, a % b
    return a


@njit(cache=True, nogil=True)
def shape_of_hull(points, n, spacing, n_polish, search, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the numbers of `SHAPES`; parameters as of `lattice_hull`."""
    corners, vertices, faces, outward, edges, volume = lattice_hull(points, n, spacing)
    found, axes = smallest_box(vertices, outward, edges, _directions(faces, outward), n_polish)
    out[:3] = np.sort(found)[::-1]
    first, half = half_edges(edges, vertices.shape[0])
    out[3] = longest(vertices)
    out[4] = least_width(corners, spacing, faces, edges, first, half)
    directions, near, pairs, turns, starts = search
    out[5] = least_square(vertices, first, half, axes, directions, near, pairs, turns, starts)
    out[6] = volume
    surface = 0.0
    for f in range(outward.shape[0]):
        surface += np.sqrt(outward[f, 0] ** 2 + outward[f, 1] ** 2 + outward[f, 2] ** 2)
    out[7] = surface


SHAPES = (
    "axis_major", "axis_intermediate", "axis_minor",
    "feret_max", "feret_min", "sieve_diameter", "convex_volume", "convex_surface",
)  # fmt: skip
"""What `shapes_of_pieces` measures, in this order."""


@njit(cache=True, nogil=True)
def shapes_of_pieces(  # type: ignore[no-untyped-def]
    ends, planes, starts, sizes, points, low, spacing, n_polish, search, shapes
):
    """Fit the boxes of many particles, and measure their hulls.

    Parameters
    ----------
    ends : (n + 1,) int64
        Pieces ``ends[i]`` to ``ends[i + 1]`` are those of particle i.
    planes, starts, sizes, points, low
        As of `corner_chains.merged_corners`; ``low`` is (n, 3).
    spacing : (3,) float64
    n_polish : int
    search
        `square_holes.SEARCH`.
    shapes : (n, 8) float64
        Filled with the numbers of `SHAPES`.
    """
    for i in range(ends.size - 1):
        own = slice(ends[i], ends[i + 1])
        room = 2 * np.sum(sizes[own])
        corners = np.empty((room, 3), dtype=np.int64)
        n = merged_corners(planes[own], starts[own], sizes[own], points, low[i], corners)
        shape_of_hull(corners, n, spacing, n_polish, search, shapes[i])


@njit(cache=True, nogil=True)
def extreme_corners(labels, label):  # type: ignore[no-untyped-def]
    """Corners of voxels that can be vertices of the particle's hull.

    Along every row of corners only the first and the last can be one, and in
    every plane of corners only those on that plane's convex hull.

    Parameters
    ----------
    labels : (z, y, x)
        Cut out around the particle.

    Returns
    -------
    (n, 3) int64
        Corners of voxel i lie at i and i + 1.
    """
    depth, height, width = labels.shape
    first = np.full((depth + 1, height + 1), width + 1, dtype=np.int64)
    last = np.full((depth + 1, height + 1), -1, dtype=np.int64)
    for z in range(depth):
        for y in range(height):
            low = -1
            high = -1
            for x in range(width):
                if labels[z, y, x] == label:
                    low = x
                    break
            if low < 0:
                continue
            for x in range(width - 1, -1, -1):
                if labels[z, y, x] == label:
                    high = x + 1
                    break
            for dz in range(2):
                for dy in range(2):
                    first[z + dz, y + dy] = min(first[z + dz, y + dy], low)
                    last[z + dz, y + dy] = max(last[z + dz, y + dy], high)
    out = np.empty((2 * (depth + 1) * (height + 1), 3), dtype=np.int64)
    n = 0
    chain_y = np.empty(height + 1, dtype=np.int64)
    chain_x = np.empty(height + 1, dtype=np.int64)
    for z in range(depth + 1):
        for side in range(2):
            size = 0
            for y in range(height + 1):
                if last[z, y] < 0:
                    continue
                # the upper side is the lower one of the mirrored row
                x = first[z, y] if side == 0 else -last[z, y]
                while size >= 2 and (chain_x[size - 1] - chain_x[size - 2]) * (
                    y - chain_y[size - 2]
                ) >= (x - chain_x[size - 2]) * (chain_y[size - 1] - chain_y[size - 2]):
                    size -= 1
                chain_y[size] = y
                chain_x[size] = x
                size += 1
            for i in range(size):
                out[n, 0] = z
                out[n, 1] = chain_y[i]
                out[n, 2] = chain_x[i] if side == 0 else -chain_x[i]
                n += 1
    return out[:n]


__all__ = [
    "SHAPES",
    "extreme_corners",
    "lattice_box",
    "shape_of_hull",
    "shapes_of_pieces",
    "smallest_box",
]
