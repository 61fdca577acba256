"""Percentiles of sorted sizes for many weights of them."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(cache=True, nogil=True)
def percentiles_of(
    weights: Array,
    rows: NDArray[np.int64],
    values: Array,
    sizes: Array,
    shares: Array,
) -> Array:
    """Percentiles (resamples, shares) of sizes in rising order; NaN where nothing has weight."""
    resamples, entries, wanted = weights.shape[0], len(rows), len(shares)
    found = np.full((resamples, wanted), np.nan)
    for b in range(resamples):
        whole = 0.0
        for j in range(entries):
            whole += weights[b, rows[j]] * values[j]
        if not whole > 0.0:
            continue
        passed = 0.0
        k = 0
        for j in range(entries):
            passed += weights[b, rows[j]] * values[j]
            # sums round: a share of exactly one half counts as reached
            while k < wanted and passed >= shares[k] * whole * (1 - 1e-12):
                found[b, k] = sizes[j]
                k += 1
            if k == wanted:
                break
    return found


__all__ = ["percentiles_of"]
