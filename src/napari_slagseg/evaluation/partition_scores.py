"""Partitions against partitions: the superpixel metrics that GDLS reports (G 4.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from napari_slagseg.data import UNKNOWN, SlagsegError
from napari_slagseg.evaluation.contingency import checked_pair, contingency, ratio


def score_partition(
    predicted: NDArray[Any], truth: NDArray[Any], *, invalid: int = UNKNOWN, tolerance: int = 0
) -> dict[str, float | int]:
    """Boundary precision and recall, undersegmentation error, achievable accuracy (G Eq. 3-6).

    Parameters
    ----------
    predicted, truth : integer arrays of one shape, 2D or 3D
        Segment of each pixel; every label but `invalid` is a segment, 0 too.
    invalid : int
        Pixels with this label in either array take no part (G 4.2).
    tolerance : int
        An edge counts as found if the other partition has an edge across the same
        axis within this Chebyshev distance in pixels. 0: exactly there.

    Returns
    -------
    dict
        ``boundary_precision``, ``boundary_recall``: an edge is a pair of valid face
        neighbours with different labels.
        ``undersegmentation_error`` (G Eq. 5, 0 is best),
        ``achievable_segmentation_accuracy`` (G Eq. 6, 1 is best),
        ``n_segments``: valid predicted segments.
        A ratio with a zero denominator is NaN.

    Raises
    ------
    SlagsegError
        If the shapes differ, a dtype is not an integer or the tolerance is negative.
    """
    if tolerance < 0:
        raise SlagsegError(f"The tolerance is {tolerance} pixels; it must be zero or more.")
    predicted, truth = checked_pair(predicted, truth)
    found_true = n_true = found_predicted = n_predicted = 0
    valid = (predicted != invalid) & (truth != invalid)
    for axis in range(truth.ndim):
        t, p = _edges(truth, valid, axis), _edges(predicted, valid, axis)
        found_true += int(np.count_nonzero(t & _widened(p, tolerance)))
        found_predicted += int(np.count_nonzero(p & _widened(t, tolerance)))
        n_true += int(np.count_nonzero(t))
        n_predicted += int(np.count_nonzero(p))
    table = contingency(predicted, truth, invalid=invalid)
    segments, sizes = table.sizes(table.predicted)
    segment = np.searchsorted(segments, table.predicted)
    largest = np.zeros(len(segments), dtype=np.int64)
    np.maximum.at(largest, segment, table.counts)
    leak = np.minimum(table.counts, sizes[segment] - table.counts)
    return {
        "boundary_precision": ratio(found_predicted, n_predicted),
        "boundary_recall": ratio(found_true, n_true),
        "undersegmentation_error": ratio(int(leak.sum()), table.total),
        "achievable_segmentation_accuracy": ratio(int(largest.sum()), table.total),
        "n_segments": len(segments),
    }


def _edges(labels: NDArray[Any], valid: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Whether the pixel and the next one along `axis` are valid and of different segments."""
    low = tuple(slice(None, -1) if i == axis else slice(None) for i in range(labels.ndim))
    high = tuple(slice(1, None) if i == axis else slice(None) for i in range(labels.ndim))
    edges: NDArray[np.bool_] = (labels[low] != labels[high]) & valid[low] & valid[high]
    return edges


def _widened(edges: NDArray[np.bool_], tolerance: int) -> NDArray[np.bool_]:
    if tolerance == 0 or not edges.size:
        return edges
    wide: NDArray[np.bool_] = maximum_filter(edges, size=2 * tolerance + 1, mode="constant")
    return wide


__all__ = ["score_partition"]
