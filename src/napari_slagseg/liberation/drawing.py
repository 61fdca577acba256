"""Counting what was drawn, and adding it up."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def count_drawn(
    drawn: NDArray[np.uint32],
    members: NDArray[np.int64],
    weight: float,
    weights: NDArray[np.float64],
) -> None:
    """Add `weight` for each draw of a member of a stratum.

    Parameters
    ----------
    drawn : (b, m - 1) uint32
        Places in `members`.
    members : (m,) int64
        Columns of `weights`.
    weight : float
    weights : (b, n) float64
        Changed in place.
    """
    for b in range(drawn.shape[0]):
        for k in range(drawn.shape[1]):
            weights[b, members[drawn[b, k]]] += weight


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def add_up(
    weights: NDArray[np.float64],
    starts: NDArray[np.int32],
    columns: NDArray[np.int32],
    values: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Multiply a sparse matrix with each row of weights.

    Parameters
    ----------
    weights : (b, n) float64
        A row stays in the cache while all of the matrix passes by; that is why this is
        faster than the product of whole matrices.
    starts : (k + 1,) int32
        First entry of each row of the matrix (compressed sparse rows).
    columns : (entries,) int32
    values : (entries,) float64
    sums : (b, k) float64
        Changed in place.
    """
    for b in range(weights.shape[0]):
        row = weights[b]
        for k in range(sums.shape[1]):
            found = 0.0
            for j in range(starts[k], starts[k + 1]):
                found += row[columns[j]] * values[j]
            sums[b, k] = found


__all__ = ["add_up", "count_drawn"]
