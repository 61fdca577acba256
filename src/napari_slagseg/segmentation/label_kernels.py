"""Loops over labels, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def first_places(
    labels: NDArray[Any], n: int, start: tuple[int, int, int], rows: int, columns: int
) -> NDArray[np.int64]:
    """Flat index in a volume of each label's first voxel in a block that begins at `start`.

    Labels run from 1 to `n`; the volume has `rows` rows of `columns` voxels in a plane.
    """
    places = np.full(n, -1, dtype=np.int64)
    found = 0
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            if found == n:
                return places
            begin = ((z + start[0]) * rows + y + start[1]) * columns + start[2]
            last = labels[z, y, 0]
            for x in range(labels.shape[2]):
                label = labels[z, y, x]
                if (label != last or x == 0) and label > 0 and places[label - 1] < 0:
                    places[label - 1] = begin + x
                    found += 1
                last = label
    return places


@njit(cache=True, nogil=True)
def count_into(labels: NDArray[Any], low: int, totals: NDArray[np.int64]) -> None:
    """Add the number of voxels of label ``low + i`` to ``totals[i]``; labels are a row.

    Runs of equal labels are counted before the table is touched. Label 0 and what lies
    outside the table are passed over.
    """
    last = np.int64(0)
    run = 0
    for k in range(len(labels)):
        label = np.int64(labels[k])
        if label == last:
            run += 1
            continue
        if last > 0 and 0 <= last - low < len(totals):
            totals[last - low] += run
        last = label
        run = 1
    if last > 0 and 0 <= last - low < len(totals):
        totals[last - low] += run


@njit(cache=True, nogil=True)
def renumber_into(
    labels: NDArray[Any], low: int, table: NDArray[np.uint32], out: NDArray[np.uint32]
) -> None:
    """Give label ``low + i`` the number ``table[i]``, and 0 to what lies outside the table."""
    last = np.int64(0)
    number = np.uint32(0)
    top = np.int64(len(table))
    for k in range(len(labels)):
        label = np.int64(labels[k])
        if label != last:
            last = label
            at = label - low
            if label > 0 and at >= 0 and at < top:
                number = table[at]
            else:
                number = np.uint32(0)
        out[k] = number


__all__ = ["count_into", "first_places", "renumber_into"]
