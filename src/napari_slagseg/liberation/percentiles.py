"""Percentiles of sizes from resampled weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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

    # numba takes a second to import: only those who compute wait for it
    from napari_slagseg.liberation.percentile_kernel import percentiles_of

    def percentiles(weights: Array) -> Array:
        return np.asarray(percentiles_of(np.ascontiguousarray(weights), *parts))

    return percentiles


__all__ = ["weighted_percentiles"]
