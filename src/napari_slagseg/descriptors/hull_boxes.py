"""Kernels of the oriented box: a convex polyhedron in, its smallest box out."""

from __future__ import annotations

import numpy as np
from numba import njit

from napari_slagseg.descriptors.rectangles import convex_polygon, smallest_rectangle


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
    low = np.inf
    high = -np.inf
    for i in range(points.shape[0]):
        s = points[i, 0] * n[0] + points[i, 1] * n[1] + points[i, 2] * n[2]
        low = min(low, s)
        high = max(high, s)
    return high - low


@njit(cache=True, nogil=True)
def _box_along(  # type: ignore[no-untyped-def]
    points,
    normals,
    areas,
    edges,
    n,
    best,
    side,
    mark,
    work_u,
    work_v,
    hull_u,
    hull_v,
    axes,
    lengths,
):
    """Smallest box with one axis along `n`: its volume, or infinity if it cannot beat `best`.

    Only the silhouette is projected: vertices on edges between a face that looks
    along `n` and one that does not. The area of the shadow, half the sum of the
    faces' shadows (Cauchy), bounds the rectangle from below: most directions end there.
    """
    height = _height(points, n)
    shadow = 0.0
    for f in range(normals.shape[0]):
        s = normals[f, 0] * n[0] + normals[f, 1] * n[1] + normals[f, 2] * n[2]
        side[f] = s > 0.0
        shadow += areas[f] * abs(s)
    if 0.5 * shadow * height >= best * (1.0 + 1e-12):
        return np.inf
    u = np.empty(3)
    v = np.empty(3)
    _perpendicular(n, u, v)
    count = 0
    mark[:] = False
    for e in range(edges.shape[0]):
        if side[edges[e, 2]] != side[edges[e, 3]]:
            for end in range(2):
                p = edges[e, end]
                if not mark[p]:
                    mark[p] = True
                    work_u[count] = points[p, 0] * u[0] + points[p, 1] * u[1] + points[p, 2] * u[2]
                    work_v[count] = points[p, 0] * v[0] + points[p, 1] * v[1] + points[p, 2] * v[2]
                    count += 1
    m = convex_polygon(work_u, work_v, count, hull_u, hull_v)
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
def smallest_box(points, normals, areas, edges, directions, n_polish):  # type: ignore[no-untyped-def]
    """Smallest box with an axis along one of `directions`, then polished.

    Parameters
    ----------
    points : (n, 3)
        Vertices of the hull.
    normals, areas : (f, 3), (f,)
        Outward unit normals and areas of its faces.
    edges : (e, 4) int64
        Two vertices and the two faces that meet there.
    directions : (d, 3)
        Unit vectors to try: all face normals, and the coordinate axes.
    n_polish : int
        How many of the best boxes are polished: each axis in turn is held and
        the rectangle across it made as small as it can be, until nothing is gained.
        This reaches boxes without a face of the hull on them.

    Returns
    -------
    lengths : (3,)
    axes : (3, 3)
        Unit vectors in rows.
    """
    n_points = points.shape[0]
    side = np.empty(normals.shape[0], dtype=np.bool_)
    mark = np.empty(n_points, dtype=np.bool_)
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
            points, normals, areas, edges, directions[d], best_volumes[n_polish - 1],
            side, mark, work_u, work_v, hull_u, hull_v, axes, lengths,
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

    hold = np.empty(3)
    for start in range(n_polish):
        if best_volumes[start] == np.inf:
            continue
        for _ in range(100):
            before = best_volumes[start]
            for axis in range(3):
                hold[:] = best_axes[start, axis]
                volume = _box_along(
                    points, normals, areas, edges, hold, best_volumes[start],
                    side, mark, work_u, work_v, hull_u, hull_v, axes, lengths,
                )  # fmt: skip
                if volume < best_volumes[start]:
                    best_volumes[start] = volume
                    best_axes[start] = axes
                    best_lengths[start] = lengths
                    break
            if best_volumes[start] >= before * (1.0 - 1e-9):
                break
    winner = np.argmin(best_volumes)
    return best_lengths[winner], best_axes[winner]


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
    (n, 3) float64
        In voxels; corners of voxel i lie at i - 0.5 and i + 0.5.
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
    out = np.empty((2 * (depth + 1) * (height + 1), 3))
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
                out[n, 0] = z - 0.5
                out[n, 1] = chain_y[i] - 0.5
                out[n, 2] = (chain_x[i] if side == 0 else -chain_x[i]) - 0.5
                n += 1
    return out[:n]


__all__ = ["extreme_corners", "smallest_box"]
