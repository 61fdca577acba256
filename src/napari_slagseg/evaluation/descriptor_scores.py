"""Descriptors of matched particles against each other (K 3.1, Table 2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from napari_slagseg.data import SlagsegError
from napari_slagseg.evaluation.contingency import ratio


def score_descriptors(
    truth_values: ArrayLike, predicted_values: ArrayLike
) -> dict[str, float | int]:
    """Agreement of a descriptor over matched particles (K 3.1).

    Parameters
    ----------
    truth_values, predicted_values : (n,) numbers
        Descriptor of each true particle and of its match. Pairs with a NaN (an
        undefined descriptor) are left out.

    Returns
    -------
    dict
        ``mae``, ``bias`` (predicted minus true), ``r2`` (coefficient of
        determination), ``spearman`` (rank correlation, mean ranks on ties), ``n``
        (pairs used). NaN where undefined: no pairs, or constant values.

    Raises
    ------
    SlagsegError
        If the two have different lengths or are not one row of numbers.

    Examples
    --------
    >>> scores = score_descriptors([1, 2, 3], [1, 2, 5])
    >>> round(scores["mae"], 3), scores["r2"], scores["spearman"]
    (0.667, -1.0, 1.0)
    """
    y: Any = np.asarray(truth_values, dtype=np.float64)
    z: Any = np.asarray(predicted_values, dtype=np.float64)
    if y.ndim != 1 or y.shape != z.shape:
        raise SlagsegError(
            f"Descriptor values of shapes {y.shape} (truth) and {z.shape} (prediction) cannot be "
            "compared; give one value for each matched particle in both."
        )
    known = ~(np.isnan(y) | np.isnan(z))
    y, z = y[known], z[known]
    n = len(y)
    if n == 0:
        nan = float("nan")
        return {"mae": nan, "bias": nan, "r2": nan, "spearman": nan, "n": 0}
    spread = float(((y - y.mean()) ** 2).sum()) if np.ptp(y) > 0 else 0.0
    r, s = rankdata(y) - (n + 1) / 2, rankdata(z) - (n + 1) / 2
    return {
        "mae": float(np.abs(z - y).mean()),
        "bias": float((z - y).mean()),
        "r2": 1 - ratio(float(((y - z) ** 2).sum()), spread),
        "spearman": ratio(float((r * s).sum()), float(np.sqrt((r**2).sum() * (s**2).sum()))),
        "n": n,
    }


__all__ = ["score_descriptors"]
