import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from napari_slagseg.data import SlagsegError
from napari_slagseg.evaluation import (
    average_weighted_error,
    binary_scores,
    score_classes,
    score_descriptors,
    score_partition,
    score_phases,
)

TRUTH = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [3, 3, -1, -1]])
PREDICTED = np.array([[0, 1, 1, 1], [0, 2, 1, 0], [3, 3, 2, 0]], dtype=np.uint8)


def test_dice_and_accuracy_by_hand():
    scores = score_phases(PREDICTED, TRUTH)
    # ten known voxels, seven particle in truth, seven in the prediction, six in both
    assert scores["dice"] == pytest.approx(12 / 14)
    assert scores["accuracy"] == pytest.approx(7 / 10)
    assert scores["iou"] == pytest.approx({0: 2 / 4, 1: 2 / 5, 2: 1 / 2, 3: 1.0})


def test_ids_that_do_not_occur_are_nan():
    scores = score_phases(PREDICTED, TRUTH, ids=(1, 9))
    assert list(scores["iou"]) == [1, 9]
    assert math.isnan(scores["iou"][9])
    assert math.isnan(score_phases(np.zeros(3, int), np.full(3, -1))["accuracy"])


def test_weighted_error_by_hand():
    # O Eq. 1: shares 3, 3, 2, 2 of ten
    expected = 100 * (1 - (0.3 * 0.5 + 0.3 * 0.4 + 0.2 * 0.5 + 0.2))
    assert average_weighted_error(PREDICTED, TRUTH) == pytest.approx(expected)
    assert average_weighted_error(TRUTH, TRUTH) == 0
    # a class that only the prediction has costs its victims' IoU, and has no weight itself
    assert average_weighted_error(np.array([5, 1]), np.array([1, 1])) == pytest.approx(50)


@pytest.mark.parametrize(
    ("yes_yes", "yes_no", "no_yes", "no_no", "kappa"),
    [(20, 5, 10, 15, 0.4), (45, 15, 25, 15, 0.1304), (25, 35, 5, 35, 0.2593)],
)
def test_kappa_of_textbook_tables(yes_yes, yes_no, no_yes, no_no, kappa):
    scores = binary_scores(tp=yes_yes, fp=yes_no, tn=no_no, fn=no_yes)
    assert scores["kappa"] == pytest.approx(kappa, abs=5e-5)


def test_classes_by_masks_phase_by_phase():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 4, 3000)
    predicted = np.where(rng.random(3000) < 0.6, truth, rng.integers(0, 4, 3000))
    for phase, scores in score_classes(predicted, truth).items():
        t, p = truth == phase, predicted == phase
        assert scores["recall"] == pytest.approx(p[t].mean())
        assert scores["specificity"] == pytest.approx((~p)[~t].mean())
        assert scores["precision"] == pytest.approx(t[p].mean())
        assert scores["accuracy"] == pytest.approx((t == p).mean())
        harmonic = 2 / (1 / scores["precision"] + 1 / scores["recall"])
        assert scores["f_score"] == pytest.approx(harmonic)
        assert scores["iou"] == pytest.approx((t & p).sum() / (t | p).sum())
        # the ROC of a hard decision: (0, 0), one point, (1, 1); trapezoids below it
        roc = np.trapezoid([0, p[t].mean(), 1], [0, p[~t].mean(), 1])
        assert scores["auc"] == pytest.approx(roc)
        assert scores["volumetric_similarity"] == pytest.approx(
            1 - abs(t.sum() - p.sum()) / (t.sum() + p.sum())
        )
    assert list(score_classes(predicted, truth, ids=[2])) == [2]


def test_binary_scores_without_any_positive():
    scores = binary_scores(tp=0, fp=0, tn=7, fn=0)
    assert scores["specificity"] == scores["accuracy"] == 1
    assert all(math.isnan(scores[k]) for k in ("recall", "precision", "f_score", "auc", "kappa"))


def test_descriptor_scores_by_hand_and_against_scipy():
    scores = score_descriptors([1, 2, 3, 4, np.nan], [2, 2, 3, 7, 1])
    assert scores["n"] == 4
    assert scores["mae"] == pytest.approx(1.0)
    assert scores["bias"] == pytest.approx(1.0)
    assert scores["r2"] == pytest.approx(1 - 10 / 5)
    rng = np.random.default_rng(2)
    y = rng.integers(0, 9, 200).astype(float)
    z = y + rng.normal(0, 2, 200).round()
    scores = score_descriptors(y, z)
    assert scores["spearman"] == pytest.approx(spearmanr(y, z).statistic)
    assert scores["r2"] == pytest.approx(
        1 - np.var(y - z) / np.var(y) - (y - z).mean() ** 2 / np.var(y)
    )


def test_descriptor_scores_that_are_undefined():
    constant = score_descriptors([0.1, 0.1, 0.1], [1, 2, 3])
    assert math.isnan(constant["r2"])
    assert math.isnan(constant["spearman"])
    assert score_descriptors([], [])["n"] == 0
    with pytest.raises(SlagsegError, match="matched particle"):
        score_descriptors([1, 2], [1, 2, 3])


def test_partition_by_hand():
    truth = np.array([[1, 1, 2, 2], [1, 1, 2, 2]])
    moved = np.array([[1, 1, 1, 2], [1, 1, 1, 2]])
    scores = score_partition(moved, truth)
    assert scores["boundary_precision"] == scores["boundary_recall"] == 0
    # segment 1 (6 pixels): 4 in G1 (leak 2), 2 in G2 (leak 2); segment 2 leaks nothing
    assert scores["undersegmentation_error"] == pytest.approx((2 + 2) / 8)
    assert scores["achievable_segmentation_accuracy"] == pytest.approx((4 + 2) / 8)
    assert scores["n_segments"] == 2
    near = score_partition(moved, truth, tolerance=1)
    assert near["boundary_precision"] == near["boundary_recall"] == 1


def test_oversegmentation_keeps_the_accuracy_and_loses_precision():
    truth = np.zeros((4, 8), dtype=int)
    truth[:, 4:] = 1
    fine = truth * 2 + (np.arange(4)[:, None] > 1)
    scores = score_partition(fine, truth)
    assert scores["achievable_segmentation_accuracy"] == 1
    assert scores["undersegmentation_error"] == 0
    assert scores["boundary_recall"] == 1
    assert scores["boundary_precision"] == pytest.approx(4 / 12)  # 8 edges across rows are extra


def test_invalid_pixels_make_no_edges_and_no_area():
    truth = np.array([[1, 1, -1, 2, 2]])
    predicted = np.array([[1, 3, 3, -1, 2]])
    scores = score_partition(predicted, truth)
    # valid: columns 0, 1, 4; the only pair of valid neighbours is 0-1
    assert scores["boundary_precision"] == 0
    assert math.isnan(scores["boundary_recall"])
    assert scores["achievable_segmentation_accuracy"] == 1
    with pytest.raises(SlagsegError, match="tolerance"):
        score_partition(predicted, truth, tolerance=-1)
