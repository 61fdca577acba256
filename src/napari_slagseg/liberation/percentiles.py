"""Percentiles of sizes from resampled weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(cache=True, nogil=True)
def _percentiles(
    weights: Array,
    rows: NDArray[np.int64],
    values: Array,
    sizes: Array,
    shares: Array,
) -> Array:
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


def weighted_percentiles(
    sizes: Array,
    values: Array,
    shares: Sequence[float],
    rows: NDArray[np.int64] | None = None,
) -> Callable[[Array], Array]:
    """Function that gives the percentiles of sizes for weights of the particles.

    The percentile of the share s is the smallest size such that all up to it (with it) hold
    at least s of the whole: a size that occurs, not one between two.

    Parameters
    ----------
    sizes : (q,) float64
        NaN takes no part.
    values : (q,) float64
        What the shares are shares of: ones (number), volumes, masses.
    shares : sequence of float
        Rising, such as 0.1, 0.5, 0.9.
    rows : (q,) int64 or None
        Particle whose weight each entry has; None for one entry a particle in order.

    Returns
    -------
    percentiles : callable
        From weights (b, n) float64 to (b, shares).
    """
    rows = np.arange(len(sizes)) if rows is None else rows
    missing = np.isfinite(sizes) & ~np.isfinite(values)
    used = np.flatnonzero(np.isfinite(sizes) & np.isfinite(values) & (rows >= 0))
    if missing.any():  # a volume without mass: nothing is known by mass
        used = used[:0]
    order = used[np.argsort(sizes[used], kind="stable")]
    parts = (rows[order], values[order], sizes[order], np.asarray(shares, dtype=np.float64))

    def percentiles(weights: Array) -> Array:
        return np.asarray(_percentiles(np.ascontiguousarray(weights), *parts))

    return percentiles


__all__ = ["weighted_percentiles"]
