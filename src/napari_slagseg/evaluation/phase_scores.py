"""Phases against phases: K 3.1, the weighted error of Osenberg, the metrics of Rizzo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.evaluation.contingency import Contingency, contingency, ratio


def score_phases(
    predicted: NDArray[Any], truth: NDArray[Any], ids: Sequence[int] | None = None
) -> dict[str, Any]:
    """Dice, accuracy and IoU of a phase segmentation on the known voxels.

    Parameters
    ----------
    predicted, truth : integer arrays of one shape
        Phase ids, 0 background. Voxels that are -1 (unknown) in either are left out.
    ids : sequence of int, optional
        Phases to give an IoU for; by default all that occur in either array.

    Returns
    -------
    dict
        ``dice``: of particle against background, all phases above 0 together (K 3.1).
        ``accuracy``: share of voxels with the right phase (K 3.1).
        ``iou``: dict of phase id to intersection over union (O 2.6; R Eq. C8).
        A ratio with a zero denominator is NaN.

    Raises
    ------
    SlagsegError
        If the shapes differ or a dtype is not an integer.

    Examples
    --------
    >>> import numpy as np
    >>> scores = score_phases(np.array([0, 1, 1, 2]), np.array([0, 1, 2, -1]))
    >>> scores["dice"], round(scores["accuracy"], 3), scores["iou"][1]
    (1.0, 0.667, 0.5)
    """
    table = contingency(predicted, truth)
    t, p = table.truth > 0, table.predicted > 0
    shared = int(table.counts[t & p].sum())
    either = int(table.counts[t].sum()) + int(table.counts[p].sum())
    right = int(table.counts[table.truth == table.predicted].sum())
    return {
        "dice": ratio(2 * shared, either),
        "accuracy": ratio(right, table.total),
        "iou": {
            i: ratio(tp, tp + fp + fn)
            for i in _chosen_ids(table, ids)
            for tp, fp, _, fn in [_cardinalities(table, i)]
        },
    }


def average_weighted_error(
    predicted: NDArray[Any], truth: NDArray[Any], ids: Sequence[int] | None = None
) -> float:
    """Average weighted error in per cent: ``(1 - sum_i IoU_i p_i) * 100`` (O Eq. 1).

    Parameters
    ----------
    predicted, truth : integer arrays of one shape
        Phase ids; voxels that are -1 in either are left out.
    ids : sequence of int, optional
        Classes in the sum; by default all that occur. ``p_i`` is the share of class
        i of the true voxels of these classes.

    Returns
    -------
    float
        0 (perfect) to 100; NaN if no true voxel is of these classes.
    """
    table = contingency(predicted, truth)
    chosen = _chosen_ids(table, ids)
    total, weighted = 0, 0.0
    for i in chosen:
        tp, fp, _, fn = _cardinalities(table, i)
        size = tp + fn
        total += size
        if size:  # a class that truth lacks weighs nothing, whatever its IoU
            weighted += size * tp / (tp + fp + fn)
    return 100 * (1 - weighted / total) if total else float("nan")


def score_classes(
    predicted: NDArray[Any], truth: NDArray[Any], ids: Sequence[int] | None = None
) -> dict[int, dict[str, float]]:
    """Metrics of Rizzo et al., each phase against all others (R appendix C).

    Parameters
    ----------
    predicted, truth : integer arrays of one shape
        Phase ids; voxels that are -1 in either are left out.
    ids : sequence of int, optional
        Phases to score; by default all that occur in either array.

    Returns
    -------
    dict of int to dict
        For each phase what `binary_scores` gives.
    """
    table = contingency(predicted, truth)
    return {i: binary_scores(*_cardinalities(table, i)) for i in _chosen_ids(table, ids)}


def binary_scores(tp: int, fp: int, tn: int, fn: int) -> dict[str, float]:
    """Scores of one class from its counts of true and false positives and negatives.

    Returns
    -------
    dict
        ``recall`` (R C1), ``specificity`` (C3), ``precision`` (C5), ``accuracy``,
        ``f_score`` (Dice, C7), ``iou`` (C8), ``auc`` (C10: of the one-point ROC),
        ``volumetric_similarity`` (C11), ``kappa``: Cohen's, by its standard
        definition ``(po - pe) / (1 - pe)``; R's C14 is misprinted (TN twice, TP
        missing). A ratio with a zero denominator is NaN.

    Examples
    --------
    >>> scores = binary_scores(tp=40, fp=10, tn=30, fn=20)
    >>> round(scores["kappa"], 3), round(scores["f_score"], 3)
    (0.4, 0.727)
    """
    n = tp + fp + tn + fn
    false_positive_rate, false_negative_rate = ratio(fp, fp + tn), ratio(fn, fn + tp)
    # multiplied by n: expected agreement as a count (R C12)
    chance = ratio((tn + fn) * (tn + fp) + (fp + tp) * (fn + tp), n)
    return {
        "recall": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "precision": ratio(tp, tp + fp),
        "accuracy": ratio(tp + tn, n),
        "f_score": ratio(2 * tp, 2 * tp + fp + fn),
        "iou": ratio(tp, tp + fp + fn),
        "auc": 1 - (false_positive_rate + false_negative_rate) / 2,
        "volumetric_similarity": 1 - ratio(abs(fn - fp), 2 * tp + fp + fn),
        "kappa": ratio(tp + tn - chance, n - chance),
    }


def _chosen_ids(table: Contingency, ids: Sequence[int] | None) -> list[int]:
    if ids is not None:
        return [int(i) for i in ids]
    return [int(i) for i in np.union1d(table.truth, table.predicted)]


def _cardinalities(table: Contingency, phase: int) -> tuple[int, int, int, int]:
    """True positives, false positives, true negatives, false negatives of one phase."""
    t, p = table.truth == phase, table.predicted == phase
    tp = int(table.counts[t & p].sum())
    fp = int(table.counts[~t & p].sum())
    fn = int(table.counts[t & ~p].sum())
    return tp, fp, table.total - tp - fp - fn, fn


__all__ = ["average_weighted_error", "binary_scores", "score_classes", "score_phases"]
