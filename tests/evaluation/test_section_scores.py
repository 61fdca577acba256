"""Squares whose descriptors, and the errors of them, are worked out by hand."""

import numpy as np
import pytest

from napari_slagseg.data import SlagsegError, phase_table_of
from napari_slagseg.evaluation import TABLE_2, matched_sections, score_sections

PHASES = phase_table_of(["background", "target", "rest"], ["#000000", "#d55e00", "#56b4e9"])
PHASES = PHASES.with_target("target")
SIDES = (6, 8, 10, 12, 16)
DIAMETER = np.sqrt(4 / np.pi)


def squares(more=0, shape=(30, 110), sides=SIDES, number=1):
    """Squares in a row; the left two columns of each are target."""
    labels, phases = np.zeros(shape, np.int32), np.zeros(shape, np.int16)
    left = 4
    for i, side in enumerate(sides):
        box = slice(4, 4 + side + more), slice(left, left + side + more)
        labels[box], phases[box] = i + number, 2
        phases[box[0], left : left + 2] = 1
        left += 20
    return labels, phases


def rows(frame):
    return frame.set_index("descriptor")


def test_what_is_the_same_has_no_error():
    matched = matched_sections(*squares(), *squares(number=70), (2.0, 2.0), PHASES)
    assert matched.truth["label"].tolist() == [1, 2, 3, 4, 5]
    assert matched.predicted["label"].tolist() == [70, 71, 72, 73, 74]
    scores = score_sections([matched])
    assert scores["descriptor"].tolist() == [name for name, _ in TABLE_2]
    assert (scores["mae"] == 0).all()
    assert (scores["n"] == 5).all()
    uneven = rows(scores).drop(index=["elongation"])  # all squares: nothing to rank
    assert (uneven["r2"] == 1).all()
    assert uneven["spearman"].to_numpy() == pytest.approx(1)
    assert np.isnan(rows(scores).loc["elongation", ["r2", "spearman"]].astype(float)).all()


def test_squares_that_are_two_pixels_too_wide():
    """K Table 2 by hand: diameters 2 pixels of 1.5 um more, liberation 2 / side less."""
    matched = matched_sections(*squares(), *squares(more=2), (1.5, 1.5), PHASES)
    scores = rows(score_sections([matched]))
    side = np.array(SIDES)
    diameter = scores.loc["equivalent_diameter_um"]
    assert diameter["bias"] == pytest.approx(2 * 1.5 * DIAMETER)
    assert diameter["mae"] == pytest.approx(2 * 1.5 * DIAMETER)
    spread = ((side - side.mean()) ** 2).sum()
    assert diameter["r2"] == pytest.approx(1 - 5 * 4 / spread)
    assert diameter["spearman"] == pytest.approx(1)
    liberation = scores.loc["volume_liberation"]
    off = 2 / (side + 2) - 2 / side
    assert liberation["bias"] == pytest.approx(off.mean())
    assert liberation["mae"] == pytest.approx(np.abs(off).mean())
    # 4 (side - 1) boundary pixels, of which 2 (side and side) + 2 are in the target's columns
    surface = ((side + 2) + 2) / (4 * (side + 1)) - (side + 2) / (4 * (side - 1))
    assert scores.loc["surface_liberation", "bias"] == pytest.approx(surface.mean())


def test_planes_are_put_together():
    one = matched_sections(*squares(sides=(6, 8)), *squares(1, sides=(6, 8)), (1, 1), PHASES)
    two = matched_sections(*squares(sides=(10,)), *squares(4, sides=(10,)), (1, 1), PHASES)
    scores = rows(score_sections([one, two])).loc["equivalent_diameter_um"]
    assert scores["n"] == 3
    assert scores["bias"] == pytest.approx((1 + 1 + 4) / 3 * DIAMETER)


def test_a_merged_prediction_is_the_match_of_both():
    labels, phases = squares()
    merged = np.where(labels > 0, 9, 0)
    matched = matched_sections(labels, phases, merged, phases, (1, 1), PHASES)
    assert matched.predicted["label"].tolist() == [9] * 5
    assert matched.predicted["n_pixels"].tolist() == [sum(s * s for s in SIDES)] * 5


def test_sections_at_the_edge_of_what_is_known_are_left_out():
    labels, phases = squares()
    known = np.ones(labels.shape, bool)
    known[:, :8] = False  # cuts the first square
    known[:, 100:] = False  # cuts the last
    matched = matched_sections(labels, phases, labels, phases, (1, 1), PHASES, known=known)
    assert matched.truth["label"].tolist() == [2, 3, 4]
    assert (matched.n_truth, matched.n_cut) == (3, 2)
    at_border = matched_sections(labels[4:], phases[4:], labels[4:], phases[4:], (1, 1), PHASES)
    assert (at_border.n_truth, at_border.n_cut) == (0, 5)
    assert (score_sections([at_border])["n"] == 0).all()


def test_unknown_pixels_match_nothing():
    labels, phases = squares(sides=(6,))
    predicted = np.where(labels > 0, 3, 0)
    labels[4:10, 5:10], predicted[4:10, 4:5] = -1, 8
    matched = matched_sections(labels, phases, predicted, phases, (1, 1), PHASES)
    assert matched.predicted["label"].tolist() == [8]


def test_nothing_predicted_and_wrong_shapes():
    labels, phases = squares()
    none = matched_sections(labels, phases, 0 * labels, 0 * phases, (1, 1), PHASES)
    assert len(none.truth) == 0
    scores = score_sections([none])
    assert (scores["n"] == 0).all()
    assert scores["mae"].isna().all()
    assert (score_sections([])["n"] == 0).all()
    with pytest.raises(SlagsegError, match="same voxels"):
        matched_sections(labels, phases, labels[1:], phases[1:], (1, 1), PHASES)
    with pytest.raises(SlagsegError, match="What is known"):
        matched_sections(
            labels, phases, labels, phases, (1, 1), PHASES, known=np.ones((3, 3), bool)
        )
    with pytest.raises(SlagsegError, match="no column 'colour'"):
        score_sections([none], [("colour", "")])
