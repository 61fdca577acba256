"""What can be reached from voxel to voxel across faces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FACES = ((-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, 0, 1), (0, 1, 0), (1, 0, 0))


@njit(cache=True, nogil=True)
def reach(open_: NDArray[np.bool_], queue: NDArray[np.int32], n: int) -> int:
    """Close all voxels that can be reached across faces from those in the queue.

    Parameters
    ----------
    open_ : (z, y, x) bool
        Where one may go; changed in place. The first `n` in the queue are closed already.
    queue : (m,) int32
        Flat places. Has room for every open voxel besides; ends with all that were reached.
    n : int
        Filled places of the queue.

    Returns
    -------
    n : int
        Filled places at the end.
    """
    depth, rows, columns = open_.shape
    taken = 0
    while taken < n:
        at = np.int64(queue[taken])
        taken += 1
        z, y, x = at // (rows * columns), at // columns % rows, at % columns
        for dz, dy, dx in _FACES:
            a, b, c = z + dz, y + dy, x + dx
            if 0 <= a < depth and 0 <= b < rows and 0 <= c < columns and open_[a, b, c]:
                open_[a, b, c] = False
                queue[n] = (a * rows + b) * columns + c
                n += 1
    return n


def reached_from(open_: NDArray[np.bool_], start: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Voxels of `open_` connected by faces with `start`, which is one of them."""
    left = open_.copy()
    queue = np.empty(int(np.count_nonzero(left)) + 1, dtype=np.int32)
    queue[0] = np.ravel_multi_index(start, left.shape)
    left[start] = False
    n = reach(left, queue, 1)
    found = np.zeros(left.shape, dtype=bool)
    found.reshape(-1)[queue[:n]] = True
    return found


def enclosed(open_: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels of `open_` from which no way across faces leads out of the array."""
    left = open_.copy()
    outside = np.zeros(left.shape, dtype=bool)
    for axis in range(3):
        for side in (0, -1):
            face: list[Any] = [slice(None)] * 3
            face[axis] = side
            outside[tuple(face)] = left[tuple(face)]
    begin = np.flatnonzero(outside)
    queue = np.empty(int(np.count_nonzero(left)) + 1, dtype=np.int32)
    queue[: len(begin)] = begin
    left[outside] = False
    reach(left, queue, len(begin))
    return left


@njit(cache=True, nogil=True)
def _spread(
    values: NDArray[np.uint8], wanted: NDArray[np.bool_], queue: NDArray[np.int32], n: int
) -> None:
    depth, rows, columns = values.shape
    taken = 0
    while taken < n:
        at = np.int64(queue[taken])
        taken += 1
        z, y, x = at // (rows * columns), at // columns % rows, at % columns
        for dz, dy, dx in _FACES:
            a, b, c = z + dz, y + dy, x + dx
            if 0 <= a < depth and 0 <= b < rows and 0 <= c < columns and wanted[a, b, c]:
                wanted[a, b, c] = False
                values[a, b, c] = values[z, y, x]
                queue[n] = (a * rows + b) * columns + c
                n += 1


@njit(cache=True, nogil=True)
def _beside(wanted: NDArray[np.bool_], given: NDArray[np.bool_], queue: NDArray[np.int32]) -> int:
    """Voxels of `given` with a face neighbour in `wanted`, in order; their number."""
    depth, rows, columns = wanted.shape
    n = 0
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                if not given[z, y, x]:
                    continue
                for dz, dy, dx in _FACES:
                    a, b, c = z + dz, y + dy, x + dx
                    if 0 <= a < depth and 0 <= b < rows and 0 <= c < columns and wanted[a, b, c]:
                        queue[n] = (z * rows + y) * columns + x
                        n += 1
                        break
    return n


def spread(
    values: NDArray[np.uint8], given: NDArray[np.bool_], wanted: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """A copy of `values` in which wanted voxels have the value of the nearest given one.

    Nearest on the way across the faces of wanted voxels; of several, the first in C
    order. Those without any such way are left as they are.
    """
    values, wanted = values.copy(), wanted & ~given
    queue = np.empty(values.size + 1, dtype=np.int32)
    n = _beside(wanted, given, queue)
    _spread(values, wanted, queue, n)
    return values


__all__ = ["enclosed", "reach", "reached_from", "spread"]
