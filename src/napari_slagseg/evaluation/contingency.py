"""How often each pair of labels meets: the one table all overlap scores are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import UNKNOWN, SlagsegError

_CHUNK = 1 << 22  # voxels held as 64-bit keys at a time


@dataclass(frozen=True)
class Contingency:
    """Sparse contingency table of two label arrays; entry i is one pair that occurs.

    Attributes
    ----------
    truth, predicted : (n,) int64
        Labels of the pair; the pairs are in rising order of (truth, predicted).
    counts : (n,) int64
        Voxels that carry the pair.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """Number of voxels counted."""
        return int(self.counts.sum())

    def sizes(self, side: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Labels that occur on one side (`truth` or `predicted`) and their voxels.

        Returns
        -------
        labels : (m,) int64
            Rising.
        sizes : (m,) int64
        """
        labels, inverse = np.unique(side, return_inverse=True)
        sizes = np.zeros(len(labels), dtype=np.int64)
        np.add.at(sizes, inverse, self.counts)
        return labels, sizes


def label_array(values: NDArray[Any], what: str) -> NDArray[Any]:
    """`values` as an array of integer labels, or a clear error that names `what`."""
    array = np.asarray(values)
    if array.dtype == bool:
        return array.view(np.uint8)
    if not np.issubdtype(array.dtype, np.integer):
        raise SlagsegError(
            f"{what} has the type {array.dtype}; labels must be whole numbers (an integer type)."
        )
    return array


def checked_pair(predicted: NDArray[Any], truth: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as integer label arrays of one shape, or a clear error."""
    predicted, truth = label_array(predicted, "The prediction"), label_array(truth, "The truth")
    if predicted.shape != truth.shape:
        raise SlagsegError(
            f"The prediction has the shape {predicted.shape} and the truth {truth.shape}; "
            "to be compared they must cover the same voxels, so their shapes must be equal."
        )
    return predicted, truth


def contingency(
    predicted: NDArray[Any], truth: NDArray[Any], *, invalid: int = UNKNOWN
) -> Contingency:
    """Count the pairs of labels of two arrays.

    Works on runs of equal pairs, in chunks: a volume of 512^3 voxels needs no more
    than some hundred MB.

    Parameters
    ----------
    predicted, truth : integer arrays of one shape
    invalid : int
        Voxels that have this label in either array are left out.

    Raises
    ------
    SlagsegError
        If the shapes differ or a dtype is not an integer.
    """
    predicted, truth = checked_pair(predicted, truth)
    a, b = truth.reshape(-1), predicted.reshape(-1)
    found: dict[str, list[NDArray[np.int64]]] = {"a": [], "b": [], "n": []}
    for start in range(0, a.size, _CHUNK):
        t = a[start : start + _CHUNK].astype(np.int64)
        p = b[start : start + _CHUNK].astype(np.int64)
        valid = (t != invalid) & (p != invalid)
        if not valid.all():
            t, p = t[valid], p[valid]
        if not t.size:
            continue
        first = np.flatnonzero(np.r_[True, (np.diff(t) != 0) | (np.diff(p) != 0)])
        for key, values in zip(
            "abn", _summed(t[first], p[first], np.diff(np.r_[first, t.size])), strict=True
        ):
            found[key].append(values)
    if not found["a"]:
        empty = np.zeros(0, dtype=np.int64)
        return Contingency(empty, empty, empty)
    return Contingency(*_summed(*(np.concatenate(found[key]) for key in "abn")))


def _summed(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sort the pairs and add up the counts of equal ones."""
    order = np.lexsort((predicted, truth))
    truth, predicted, counts = truth[order], predicted[order], counts[order]
    first = np.flatnonzero(np.r_[True, (np.diff(truth) != 0) | (np.diff(predicted) != 0)])
    return truth[first], predicted[first], np.add.reduceat(counts, first)


def merged(tables: Iterable[Contingency]) -> Contingency:
    """The table of a volume from those of its parts."""
    every = list(tables)
    if not every:
        empty = np.zeros(0, dtype=np.int64)
        return Contingency(empty, empty, empty)
    joined = (
        np.concatenate([getattr(table, name) for table in every])
        for name in ("truth", "predicted", "counts")
    )
    truth, predicted, counts = joined
    if not len(truth):
        return Contingency(truth, predicted, counts)
    return Contingency(*_summed(truth, predicted, counts))


def ratio(numerator: float, denominator: float) -> float:
    """Quotient, NaN where the denominator is zero."""
    return float(numerator) / float(denominator) if denominator else float("nan")


__all__ = ["Contingency", "checked_pair", "contingency", "label_array", "merged", "ratio"]
