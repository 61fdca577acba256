"""Loops over labels, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def touching_pairs(
    here: NDArray[np.uint32],
    here_values: NDArray[Any],
    there: NDArray[np.uint32],
    there_values: NDArray[Any],
    down: int,
    across: int,
    by_value: bool,
    keys: NDArray[np.int64],
) -> int:
    """Pairs of pieces on two faces that look at each other; most pairs come once.

    Parameters
    ----------
    here, there : (r, c) uint32
        Pieces, 0 where there is none.
    here_values, there_values : (r, c)
        Only touched if `by_value`: then pieces touch where these are equal.
    down, across : int
        How far apart rows and columns may lie.
    by_value : bool
    keys : int64
        Where to write ``there << 32 | here``.

    Returns
    -------
    n : int
        Keys written.
    """
    rows, columns = here.shape
    n = 0
    last = np.int64(-1)
    for i in range(rows):
        for di in range(-down, down + 1):
            k = i + di
            if k < 0 or k >= rows:
                continue
            for j in range(columns):
                if here[i, j] == 0:
                    continue
                for dj in range(-across, across + 1):
                    m = j + dj
                    if m < 0 or m >= columns or there[k, m] == 0:
                        continue
                    key = (np.int64(there[k, m]) << 32) | np.int64(here[i, j])
                    if key == last or (by_value and here_values[i, j] != there_values[k, m]):
                        continue
                    keys[n] = key
                    n += 1
                    last = key
    return n


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


__all__ = ["count_into", "renumber_into", "touching_pairs"]
