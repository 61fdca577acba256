import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_slagseg.data import SlagsegError
from napari_slagseg.evaluation import match_particles, match_sections, score_particles

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "sem_powder_instances"


def brute_force_scores(predicted, truth):
    """P Eq. 2-6 word by word, with dense masks and all assignments tried."""
    known = (truth != -1) & (predicted != -1)
    predicted, truth = predicted[known], truth[known]
    refs = [r for r in np.unique(truth) if r > 0]
    preds = [p for p in np.unique(predicted) if p > 0]

    def f1(r, p):
        a, b = truth == r, predicted == p
        return 2 * (a & b).sum() / (a.sum() + b.sum())

    overlap = np.array([[f1(r, p) for p in preds] for r in refs]).reshape(len(refs), len(preds))

    def surplus(members, owners, member_array, owner_array):
        """Members beyond the first of which at least half lies in the same owner."""
        owned = dict.fromkeys(owners, 0)
        for m in members:
            inside = owner_array[member_array == m]
            for o in owners:
                if (inside == o).sum() >= 0.5 * len(inside):
                    owned[o] += 1
                    break
        return sum(n - 1 for n in owned.values() if n > 1)

    small, large = sorted((len(refs), len(preds)))
    table = overlap if len(refs) <= len(preds) else overlap.T
    best, best_pairs = -1.0, []
    for choice in permutations(range(large), small):
        values = [table[i, j] for i, j in enumerate(choice) if table[i, j] >= 0.1]
        if sum(values) > best:
            best, best_pairs = sum(values), values
    tp = len(best_pairs)
    fp, fn = len(preds) - tp, len(refs) - tp
    a, b = truth > 0, predicted > 0
    return {
        "f1": 2 * (a & b).sum() / (a.sum() + b.sum()),
        "f1_match": 2 * tp / (2 * tp + fp + fn),
        "f1_instance": sum(best_pairs) / (tp + fp + fn),
        "merger_ratio": surplus(refs, preds, truth, predicted) / len(refs),
        "splitter_ratio": surplus(preds, refs, predicted, truth) / len(refs),
        "n_reference": len(refs),
        "n_predicted": len(preds),
    }


def test_a_perfect_prediction_under_other_numbers():
    truth = np.repeat([0, 3, 9, 4], 25).reshape(10, 10)
    predicted = np.select([truth == 3, truth == 9, truth == 4], [70, 1, 3], 0).astype(np.uint32)
    scores = score_particles(predicted, truth)
    assert scores == {
        "f1": 1.0,
        "f1_match": 1.0,
        "f1_instance": 1.0,
        "merger_ratio": 0.0,
        "splitter_ratio": 0.0,
        "n_reference": 3,
        "n_predicted": 3,
    }


def test_by_hand_one_merger_of_three_one_splitter_one_miss_one_invention():
    truth = np.array([1] * 10 + [2] * 10 + [3] * 10 + [0] * 5 + [4] * 20 + [5] * 8 + [0] * 6)
    predicted = np.array([1] * 30 + [0] * 5 + [2] * 12 + [3] * 8 + [0] * 8 + [4] * 6)
    scores = score_particles(predicted, truth)
    # voxels: 50 shared, 58 true, 56 predicted
    assert scores["f1"] == pytest.approx(100 / 114)
    # one of 1-3 with the merged one (F1 20/40), 4 with its larger piece (F1 24/32)
    assert scores["f1_match"] == pytest.approx(4 / (5 + 4))
    assert scores["f1_instance"] == pytest.approx((0.5 + 0.75) / 7)
    assert scores["merger_ratio"] == pytest.approx((3 - 1) / 5)
    assert scores["splitter_ratio"] == pytest.approx((2 - 1) / 5)
    assert (scores["n_reference"], scores["n_predicted"]) == (5, 4)


def test_a_match_begins_at_an_f1_of_exactly_a_tenth():
    truth = np.zeros(100, dtype=int)
    predicted = np.zeros(100, dtype=int)
    truth[:20] = 1
    predicted[18:38] = 1  # F1 = 4 / 40
    assert score_particles(predicted, truth)["f1_match"] == 1.0
    predicted[38] = 1  # 4 / 41
    assert score_particles(predicted, truth)["f1_match"] == 0.0


def test_each_particle_is_matched_once_and_for_the_largest_sum():
    # r1 meets p1 (F1 0.5) and p2 (0.57); r2 meets only p2 (0.62): the best sum is r1-p1, r2-p2
    truth = np.array([1] * 10 + [2] * 10)
    predicted = np.array([1] * 4 + [2] * 16)
    matches = match_particles(predicted, truth)
    pairs = set(zip(matches.reference[matches.chosen], matches.predicted[matches.chosen]))
    assert pairs == {(1, 1), (2, 2)}
    assert score_particles(predicted, truth)["f1_instance"] == pytest.approx((8 / 14 + 20 / 26) / 2)


def test_unknown_voxels_take_no_part():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, (6, 7, 8))
    predicted = rng.integers(0, 4, (6, 7, 8))
    hidden = rng.random(truth.shape) < 0.4
    with_unknown = np.where(hidden, -1, truth)
    other = np.where(hidden, 9, predicted)  # particle 9 lies wholly in the unknown
    expected = score_particles(predicted[~hidden], truth[~hidden])
    assert score_particles(other, with_unknown) == expected
    assert score_particles(np.where(hidden, -1, predicted), truth) == expected


@pytest.mark.parametrize("seed", range(12))
def test_against_the_definition_on_blobs(seed):
    rng = np.random.default_rng(seed)
    truth = ndimage.label(ndimage.uniform_filter(rng.random((40, 40)), 5) > 0.52)[0]
    truth = np.where(truth > 6, 0, truth)
    moved = np.roll(truth, rng.integers(-3, 4, 2), axis=(0, 1))
    predicted = np.where(moved == 2, 1, moved)  # a merger
    predicted = np.where((predicted == 3) & (np.arange(40) % 9 > 4), 7, predicted)  # a splitter
    truth = np.where(rng.random(truth.shape) < 0.05, -1, truth)
    assert score_particles(predicted, truth) == pytest.approx(brute_force_scores(predicted, truth))


def test_nothing_there_is_nan_not_an_exception():
    empty = np.zeros((3, 3), dtype=np.int32)
    scores = score_particles(empty, empty)
    assert scores["n_reference"] == scores["n_predicted"] == 0
    assert all(
        math.isnan(scores[k])
        for k in ("f1", "f1_match", "f1_instance", "merger_ratio", "splitter_ratio")
    )
    one = empty.copy()
    one[0, 0] = 1
    assert score_particles(empty, one)["f1_instance"] == 0.0
    assert math.isnan(score_particles(one, empty)["merger_ratio"])


def test_wrong_input_is_refused_in_words():
    with pytest.raises(SlagsegError, match=r"\(2, 3\).*\(3, 2\)"):
        score_particles(np.zeros((2, 3), int), np.zeros((3, 2), int))
    with pytest.raises(SlagsegError, match="float64"):
        score_particles(np.zeros(3), np.zeros(3, int))


def test_sections_go_to_the_largest_overlap():
    truth = np.array([1, 1, 1, 1, 2, 2, 2, 2, 3, 3, -1, 0])
    predicted = np.array([5, 5, 7, 7, 7, 7, 7, 0, 0, 0, 9, 9])
    labels, partners, overlap = match_sections(truth, predicted)
    assert labels.tolist() == [1, 2]
    assert partners.tolist() == [5, 7]  # a tie goes to the lower label
    assert overlap.tolist() == [2, 3]


@pytest.mark.shared_data
@pytest.mark.skipif(not DATA.exists(), reason="../shared/data/sem_powder_instances is absent")
def test_hand_drawn_powder_against_its_own_foreground():
    """Connected components of the annotators' foreground merge what they drew apart."""
    for path in sorted(DATA.glob("*_labels.tif")):
        truth = tifffile.imread(path).astype(np.int64)
        merged = ndimage.label(truth > 0)[0]
        scores = score_particles(merged, truth)
        assert scores["f1"] == 1.0
        assert scores["n_reference"] == len(np.unique(truth)) - 1
        assert scores["n_predicted"] == merged.max()
        assert scores["merger_ratio"] > 0.05
        assert scores["f1_match"] < 1
        assert score_particles(truth, truth)["f1_instance"] == 1.0
        # the other way round, what was a merger is a splitter; the counts are the same
        turned = score_particles(truth, merged)
        assert turned["splitter_ratio"] * scores["n_predicted"] == pytest.approx(
            scores["merger_ratio"] * scores["n_reference"]
        )


def test_a_blob_of_a_hundred_particles_is_ninety_nine_mergers():
    truth = np.repeat(np.arange(1, 101), 10)
    scores = score_particles(np.ones_like(truth), truth)
    assert scores["merger_ratio"] == pytest.approx(0.99)
    assert scores["splitter_ratio"] == 0
    assert scores["f1_match"] == 0
