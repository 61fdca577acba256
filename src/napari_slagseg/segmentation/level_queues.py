"""First in, first out: a queue for each level of a flood, in one pool of chunks.

Putting a voxel at a queue's end stands in each of the loops that do so: called as a
function of its own, even one that is inlined, it makes a whole flood half as slow again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.segmentation.prefetch import prefetch

CHUNK = 1024
"""Voxels that a piece of a queue holds; a power of two."""

_AHEAD = 8


@njit(cache=True, nogil=True)
def neighbour(i: Any, k: int, row: int, plane: int) -> Any:
    """The `k`-th of the six face neighbours of a voxel, in the order of their places."""
    if k == 0:
        return i - plane
    if k == 1:
        return i - row
    if k == 2:
        return i - 1
    if k == 3:
        return i + 1
    if k == 4:
        return i + row
    return i + plane


@njit(cache=True, nogil=True)
def empty_queues(levels: int, room: int) -> Any:
    """Begins and ends of the queues, the chunk after each chunk, and chunks to spare."""
    head = np.full(levels, -1, dtype=np.int64)
    tail = np.zeros(levels, dtype=np.int64)
    after = np.full(room // CHUNK, -1, dtype=np.int32)
    spare = np.array([-1, 0], dtype=np.int64)
    return head, tail, after, spare


@njit(cache=True, nogil=True)
def next_chunk(
    level: Any,
    end: Any,
    head: NDArray[np.int64],
    after: NDArray[np.int32],
    spare: NDArray[np.int64],
) -> Any:
    """Where the queue of a level goes on whose last chunk is full; -1 if there is no room.

    ``spare`` holds the first of the chunks given back and the first never used.
    """
    chunk = spare[0]
    if chunk >= 0:
        spare[0] = after[chunk]
    elif spare[1] < len(after):
        chunk = spare[1]
        spare[1] += 1
    else:
        return np.int64(-1)
    if end == 0:
        head[level] = chunk * CHUNK
    else:
        after[(end - 1) // CHUNK] = chunk
    return chunk * CHUNK


@njit(cache=True, nogil=True)
def leave_chunk(at: Any, after: NDArray[np.int32], spare: NDArray[np.int64]) -> Any:
    """Give back the chunk that ends at `at`; the begin of the next one of its queue."""
    old = at // CHUNK - 1
    begin = np.int64(after[old]) * CHUNK
    after[old] = spare[0]
    spare[0] = old
    return begin


@njit(cache=True, nogil=True)
def fetch_ahead(
    state: NDArray[np.int64], pool: NDArray[np.int32], at: Any, row: int, plane: int
) -> None:
    """Fetch what the voxel some entries behind `at` will need: twice as fast altogether."""
    # behind the end of a queue lies anything; far outside, even a hint takes long
    i: Any = np.int64(pool[min(at + _AHEAD, len(pool) - 1)])
    i = min(max(i, plane), len(state) - plane - 1)
    prefetch(state, i)
    prefetch(state, i - plane)
    prefetch(state, i + plane)
    prefetch(state, i - row)
    prefetch(state, i + row)


__all__ = ["CHUNK", "empty_queues", "fetch_ahead", "leave_chunk", "neighbour", "next_chunk"]
