"""What can be reached from voxel to voxel across faces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FACES = ((-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, 0, 1), (0, 1, 0), (1, 0, 0))


_OPEN, _REACHED = 1, 2


@njit(cache=True, nogil=True)
def _fill(state: NDArray[np.uint8], stack: NDArray[np.int32], n: int, row: int, plane: int) -> None:
    """Mark as reached what leads across faces to one of the first `n` places of the stack.

    Parameters
    ----------
    state : (m,) uint8
        The flat array with a closed voxel all around it; changed in place.
    stack : int32
        Has four places for every open voxel besides: each is seen once from each side.
    row, plane : int
        From a row, and from a plane, to the next.
    """
    offsets = (-plane, -row, row, plane)
    while n > 0:
        n -= 1
        at = np.int64(stack[n])
        if state[at] != _OPEN:
            continue
        # a whole run along x at once
        low = at
        while state[low - 1] == _OPEN:
            low -= 1
        high = at + 1
        while state[high] == _OPEN:
            high += 1
        state[low:high] = _REACHED
        for offset in offsets:
            before = False
            for k in range(low + offset, high + offset):
                open_ = state[k] == _OPEN
                if open_ and not before:
                    stack[n] = k
                    n += 1
                before = open_


def _reached(open_: NDArray[np.bool_], starts: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Voxels of `open_` connected by faces with one of the starts, (n, 3), which are open."""
    state = np.zeros(tuple(n + 2 for n in open_.shape), dtype=np.uint8)
    inner = state[1:-1, 1:-1, 1:-1]
    inner[...] = open_
    stack = np.empty(4 * int(np.count_nonzero(open_)) + len(starts), dtype=np.int32)
    stack[: len(starts)] = np.ravel_multi_index(tuple((starts + 1).T), state.shape)
    row, plane = state.shape[2], state.shape[1] * state.shape[2]
    _fill(state.reshape(-1), stack, len(starts), row, plane)
    reached: NDArray[np.bool_] = inner == _REACHED
    return reached


def reached_from(open_: NDArray[np.bool_], start: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Voxels of `open_` connected by faces with `start`, which is one of them."""
    return _reached(open_, np.array([start]))


def enclosed(open_: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels of `open_` from which no way across faces leads out of the array."""
    outside = np.zeros(open_.shape, dtype=bool)
    for axis in range(3):
        for side in (0, -1):
            face: list[Any] = [slice(None)] * 3
            face[axis] = side
            outside[tuple(face)] = open_[tuple(face)]
    return open_ & ~_reached(open_, np.argwhere(outside))


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
    # parts of arrays are another type to the compiler, for which it would compile again
    n = _beside(wanted, np.ascontiguousarray(given), queue)
    _spread(values, wanted, queue, n)
    return values


__all__ = ["enclosed", "reached_from", "spread"]
