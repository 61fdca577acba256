"""Values with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from napari_slagseg.liberation.sums import Sums

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Values with the lower and upper ends of their intervals, (k,) float64 each."""

    value: Array
    low: Array
    high: Array

    def columns(self, prefix: str = "") -> dict[str, Array]:
        """Columns ``value, low, high`` of a table, or ``<prefix>, <prefix>_low, ...``."""
        names = (prefix, f"{prefix}_low", f"{prefix}_high") if prefix else ("value", "low", "high")
        return dict(zip(names, (self.value, self.low, self.high)))

    def __getitem__(self, index: slice) -> Estimate:
        return Estimate(self.value[index], self.low[index], self.high[index])


def estimate(sums: Sums) -> Estimate:
    """Percentile interval of each value, NaN where under half of the resamples have one.

    Plain percentile intervals of few particles are too short. They are taken further out,
    to where Student's t of N_e - 1 degrees of freedom lies on the normal distribution, with
    the effective number N_e of particles (the expanded percentile interval, Hesterberg 2015,
    The American Statistician 69, 371-386). One particle alone tells no spread: NaN.
    """
    freedom = sums.effective if sums.freedom is None else sums.freedom
    t = stats.t.ppf((1 + sums.level) / 2, np.maximum(freedom - 1, 1.0))
    tail = np.where(np.isfinite(t), stats.norm.sf(t), (1 - sums.level) / 2)
    ordered = np.sort(sums.resampled, axis=0)  # NaN last
    low, high = _quantiles(ordered, tail), _quantiles(ordered, 1 - tail)
    gone = ~np.isfinite(sums.value) | (sums.effective < 1 + 1e-9)
    return Estimate(sums.value, np.where(gone, np.nan, low), np.where(gone, np.nan, high))


def share(sums: Sums) -> Estimate:
    """Interval of shares, which lie between 0 and 1.

    A share of 0 (or 1) is the same in every resample, and the bootstrap would call it
    certain. Its interval reaches to the share that N effective particles miss with
    probability 1 - level, ``1 - (1 - level)^(1/N)``: about 3 / N at 95 % (the rule of three,
    Hanley and Lippman-Hand 1983, JAMA 249, 1743-1745).
    """
    found = estimate(sums)
    if not len(sums.resampled):
        return found
    same = np.abs(sums.resampled - sums.value) < 1e-12
    spread = ~(same | np.isnan(sums.resampled)).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = 1 - (1 - sums.level) ** (1 / sums.effective)
    none = ~spread & (sums.value < 1e-12)
    all_of_it = ~spread & (sums.value > 1 - 1e-12)
    low = np.where(all_of_it, 1 - reach, np.where(none, 0.0, found.low))
    high = np.where(none, reach, np.where(all_of_it, 1.0, found.high))
    # sums of shares round to a little above 1
    return Estimate(found.value, np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0))


def certain(found: Estimate, where: NDArray[np.bool_]) -> Estimate:
    """Same with intervals of no width where a value holds by definition."""
    return Estimate(
        found.value,
        np.where(where, found.value, found.low),
        np.where(where, found.value, found.high),
    )


def falling(found: Estimate) -> Estimate:
    """Same with ends that fall as the values do: widened where they would rise."""
    return Estimate(
        found.value,
        np.minimum.accumulate(found.low),
        np.maximum.accumulate(found.high[::-1])[::-1],
    )


def rising(found: Estimate) -> Estimate:
    """Same with ends that rise as the values do."""
    return falling(found[::-1])[::-1]


def _quantiles(ordered: Array, probabilities: Array) -> Array:
    """Quantile of each column without its NaN, each at a probability of its own."""
    n, k = ordered.shape
    if n == 0 or k == 0:
        return np.full(k, np.nan)
    finite = np.isfinite(ordered).sum(axis=0)
    last = np.maximum(finite - 1, 0)
    at = probabilities * last
    below = np.floor(at).astype(np.int64)
    above = np.minimum(below + 1, last)
    step = at - below
    columns = np.arange(k)
    value = ordered[below, columns] * (1 - step) + ordered[above, columns] * step
    return np.where(finite * 2 >= n, value, np.nan)


__all__ = ["Estimate", "certain", "estimate", "falling", "rising", "share"]
