"""Corners of voxels that can be corners of a particle's convex hull, merged over blocks.

In every plane of voxels a particle covers, only the corners on the strictly convex hull of
that plane's voxels count: a lower chain (least x for every y) and an upper one. The hull of
a union is the hull of the hulls, and all coordinates are whole numbers, so chains of
blocks merge to the very chains of the whole.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def push(chain_y, chain_x, size, y, x):  # type: ignore[no-untyped-def]
    """Add a point with y not below the last one's to a strictly convex lower chain; its size."""
    if size > 0 and chain_y[size - 1] == y:
        if x >= chain_x[size - 1]:
            return size
        size -= 1
    while size >= 2 and (chain_x[size - 1] - chain_x[size - 2]) * (y - chain_y[size - 2]) >= (
        x - chain_x[size - 2]
    ) * (chain_y[size - 1] - chain_y[size - 2]):
        size -= 1
    chain_y[size] = y
    chain_x[size] = x
    return size + 1


@njit(cache=True, nogil=True)
def plane_chains(  # type: ignore[no-untyped-def]
    z, extents, in_plane, n_rows, first_extent, last_extent, box,
    chain_y, chain_x, pieces, n_pieces, points, n_points,
):  # fmt: skip
    """Chains of every row of one plane of a block; how many pieces and points there are now.

    A piece is (row, z, points of the lower chain, points of the upper one). Boxes
    (low z, y, x, high z, y, x) grow with what the plane holds.
    """
    for i in range(n_rows):
        row = in_plane[i]
        start = n_points
        low_x = extents[first_extent[row], 1]
        high_x = 0
        sizes = 0
        for side in range(2):
            size = 0
            extent = first_extent[row]
            while extent >= 0:
                # the upper chain is the lower one of the mirrored plane
                x = extents[extent, 1] if side == 0 else -extents[extent, 2]
                size = push(chain_y, chain_x, size, extents[extent, 0], x)
                size = push(chain_y, chain_x, size, extents[extent, 0] + 1, x)
                low_x = min(low_x, extents[extent, 1])
                high_x = max(high_x, extents[extent, 2])
                extent = extents[extent, 3]
            for k in range(size):
                points[n_points, 0] = chain_y[k]
                points[n_points, 1] = chain_x[k] if side == 0 else -chain_x[k]
                n_points += 1
            if side == 0:
                sizes = size
        pieces[n_pieces, 0] = row
        pieces[n_pieces, 1] = z
        pieces[n_pieces, 2] = sizes
        pieces[n_pieces, 3] = n_points - start - sizes
        n_pieces += 1
        box[row, 0] = min(box[row, 0], z)
        box[row, 1] = min(box[row, 1], extents[first_extent[row], 0])
        box[row, 2] = min(box[row, 2], low_x)
        box[row, 3] = max(box[row, 3], z)
        box[row, 4] = max(box[row, 4], extents[last_extent[row], 0])
        box[row, 5] = max(box[row, 5], high_x - 1)
        last_extent[row] = -1
    return n_pieces, n_points


@njit(cache=True, nogil=True)
def merged_corners(planes, starts, sizes, points, low, out):  # type: ignore[no-untyped-def]
    """Corners of one particle from the pieces that blocks found of it; how many.

    Parameters
    ----------
    planes : (p,) int64
        Plane z of each piece, rising.
    starts, sizes : (p,) and (p, 2) int64
        Where the points of each piece begin, and how long its two chains are.
    points : (m, 2) int64
        Corners (y, x).
    low : (3,) int64
        First voxel of the particle's bounding box.
    out : (n, 3) int64
        Filled with corners in the order of planes of corners, then chain, then y. Corners
        of voxel i of the bounding box lie at i and i + 1. Each piece lies in two
        planes of corners, so twice as many places as points are enough.
    """
    count = 0
    n_pieces = planes.size
    room = 0
    for i in range(n_pieces):
        room += sizes[i, 0] + sizes[i, 1]
    y = np.empty(room, dtype=np.int64)
    x = np.empty(room, dtype=np.int64)
    chain_y = np.empty(room, dtype=np.int64)
    chain_x = np.empty(room, dtype=np.int64)
    first = 0
    plane = planes[0]
    while first < n_pieces:
        # pieces that have corners in this plane: of voxels below it and above it
        while first < n_pieces and planes[first] < plane - 1:
            first += 1
        last = first
        while last < n_pieces and planes[last] <= plane:
            last += 1
        for side in range(2):
            n = 0
            for i in range(first, last):
                start = starts[i] + (0 if side == 0 else sizes[i, 0])
                for k in range(start, start + sizes[i, side]):
                    a = points[k, 0]
                    b = points[k, 1] if side == 0 else -points[k, 1]
                    at = n
                    while at > 0 and (y[at - 1] > a or (y[at - 1] == a and x[at - 1] > b)):
                        y[at] = y[at - 1]
                        x[at] = x[at - 1]
                        at -= 1
                    y[at] = a
                    x[at] = b
                    n += 1
            size = 0
            for k in range(n):
                size = push(chain_y, chain_x, size, y[k], x[k])
            for k in range(size):
                out[count, 0] = plane - low[0]
                out[count, 1] = chain_y[k] - low[1]
                out[count, 2] = (chain_x[k] if side == 0 else -chain_x[k]) - low[2]
                count += 1
        plane += 1
    return count


__all__ = ["merged_corners", "plane_chains", "push"]
