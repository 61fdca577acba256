"""Suspects of shapes made by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.data import BlockGrid, SlagsegError, ThreadRun
from napari_slagseg.evaluation.suspects import (
    SUSPECT_COLUMNS,
    features_of_blocks,
    find_suspects,
    suspects_of_blocks,
)
from napari_slagseg.evaluation.suspects.boxes import BoxView
from napari_slagseg.evaluation.suspects.necks import cuts_of
from napari_slagseg.evaluation.suspects.population import Population

Z, Y, X = np.mgrid[:40, :40, :96]
BALL, DUMBBELL, LEFT, RIGHT, NEEDLE = 7, 20, 300, 41, 50


def ball(centre, radius):
    return (Z - centre[0]) ** 2 + (Y - centre[1]) ** 2 + (X - centre[2]) ** 2 <= radius**2


@pytest.fixture(scope="module")
def made():
    """A ball, a dumbbell, a ball cut in two, an ellipsoid three times as long as wide."""
    labels = np.zeros(Z.shape, dtype=np.uint32)
    labels[ball((12, 12, 14), 10)] = BALL
    labels[ball((12, 12, 40), 10) | ball((12, 12, 56), 10)] = DUMBBELL
    cut = ball((28, 28, 14), 11)
    labels[cut & (X < 14)] = LEFT
    labels[cut & (X >= 14)] = RIGHT
    labels[((Z - 28) / 8) ** 2 + ((Y - 28) / 8) ** 2 + ((X - 60) / 24) ** 2 <= 1] = NEEDLE
    return labels, np.where(labels > 0, 240, 10).astype(np.uint8)


def features(labels, probability, edge=96, **options):
    run = ThreadRun(BlockGrid.of(labels.shape, edge), 1)
    return features_of_blocks(labels, probability, run, **options)


def first(queue: pd.DataFrame, label: int) -> pd.Series:
    return queue[queue["label"] == label].iloc[0]


def test_the_neck_of_a_line_of_heights():
    heights = np.array([1, 5, 3, 4, 2, 8, 1], dtype=float).reshape(1, 1, 7)
    cuts = cuts_of(heights, np.ones(heights.shape, bool))
    # tops 8, 5 and 4: that of 4 ends in that of 5 at 3, that of 5 in that of 8 at 2
    assert cuts.tops.tolist() == [8, 5, 4]
    assert cuts.saddles.tolist() == [0, 2, 3]
    assert cuts.into.tolist() == [-1, 0, 1]
    assert cuts.shares[0] == 1
    assert cuts.narrowest(cuts.wide()) == 1
    # the basin of 4 holds one voxel of seven
    assert cuts.sound(700).tolist() == [False, True, True]
    assert cuts.sound(100).tolist() == [False, True, False]
    assert cuts.side(1).reshape(-1)[:4].all()
    assert not cuts.side(1).reshape(-1)[5:].any()


def test_a_dumbbell_has_a_neck_and_balls_and_needles_have_none(made):
    found = features(*made).particles
    # balls of radius 10, 16 apart: the common circle's radius is 6
    assert found.loc[DUMBBELL, "neck"] == pytest.approx(0.4, abs=0.05)
    assert found.loc[DUMBBELL, "neck_share"] == pytest.approx(0.5, abs=0.02)
    assert found.loc[DUMBBELL, "pieces"] == 2
    assert found.loc[DUMBBELL, ["place_z", "place_y"]].tolist() == pytest.approx([12.5] * 2, abs=1)
    assert found.loc[DUMBBELL, "place_x"] == pytest.approx(48.5, abs=1)
    assert (found.loc[[BALL, NEEDLE, LEFT, RIGHT], "neck"] < 0.05).all()
    assert found.loc[NEEDLE, "elongation"] == pytest.approx(3, rel=0.03)
    assert found.loc[BALL, "elongation"] == pytest.approx(1, rel=0.01)


def test_the_dumbbell_is_first_of_the_single_ones(made):
    queue = find_suspects(*made)
    assert tuple(queue.columns) == SUSPECT_COLUMNS
    alone = queue[queue["kind"] != "splitter"]
    assert alone["label"].iloc[0] == DUMBBELL
    row = alone.iloc[0]
    assert row["kind"] == "merger"
    assert "neck" in row["reasons"]
    assert row["partner"] == 0
    assert row["score"] > 3 * first(queue, BALL)["score"]
    assert row["score"] > 3 * first(queue, NEEDLE)["score"]
    assert queue["score"].is_monotonic_decreasing
    assert set(queue["label"]) == {BALL, DUMBBELL, LEFT, RIGHT, NEEDLE}


def test_a_ball_cut_in_two_is_a_splitter_with_its_other_half(made):
    queue = find_suspects(*made)
    pairs = queue[queue["kind"] == "splitter"]
    assert len(pairs) == 1
    row = pairs.iloc[0]
    # the plane's voxels belong to the right half, so the left one is the smaller
    assert (row["label"], row["partner"]) == (LEFT, RIGHT)
    assert row["score"] > 0.2
    assert (row["z_um"], row["y_um"], row["x_um"]) == pytest.approx((28.5, 28.5, 14.0), abs=0.01)
    # only the dumbbell may come before it
    assert queue["label"].iloc[:2].tolist() == [DUMBBELL, LEFT]


def test_doubt_across_the_border_and_a_neck_speak_for_two_particles(made):
    labels, probability = made
    certain = first(find_suspects(labels, probability), LEFT)["score"]
    parted = probability.copy()
    parted[(np.abs(X - 13.5) < 1) & (labels > 0)] = 90
    assert first(find_suspects(labels, parted), LEFT)["score"] < certain

    touching = labels.copy()
    touching[ball((12, 12, 56), 10) & (X > 48)] = 8
    pair = features(touching, probability).pairs.set_index("label")
    assert pair.loc[[8, DUMBBELL][int(8 not in pair.index)], "open"] == pytest.approx(0.6, abs=0.07)
    assert pair["open"].loc[LEFT] == 1


def test_a_valley_in_the_probability_is_a_dip(made):
    labels, probability = made
    valley = probability.copy()
    valley[(labels == NEEDLE) & (np.abs(X - 60) <= 1)] = 138
    found = features(labels, valley).particles
    assert found.loc[NEEDLE, "dip"] == pytest.approx(102 / 255)
    assert found.loc[BALL, "dip"] == 0
    assert first(find_suspects(labels, valley), NEEDLE)["kind"] == "merger"


def test_a_hole_that_the_network_denies(made):
    labels, probability = made
    hollow = labels.copy()
    hollow[ball((12, 12, 14), 4)] = 0
    found = features(hollow, probability).particles
    holes = np.count_nonzero(ball((12, 12, 14), 4)) / np.count_nonzero(hollow == BALL)
    assert found.loc[BALL, "holes"] == pytest.approx(holes)
    assert found.loc[BALL, "denied_holes"] == pytest.approx(holes)
    row = first(find_suspects(hollow, probability), BALL)
    assert row["kind"] == "shape"
    assert "holes" in row["reasons"]


def test_phases_and_network_that_disagree(made):
    labels, probability = made
    phases = (labels > 0).astype(np.uint8)
    phases[(labels == BALL) & (X < 14)] = 0
    found = features(labels, probability, phases=phases).particles
    share = np.mean(X[labels == BALL] < 14)
    assert found.loc[BALL, "denied"] == pytest.approx(share)
    assert found.loc[DUMBBELL, "denied"] == 0


def test_blocks_change_nothing(made):
    whole, cut = features(*made), features(*made, edge=17)
    pd.testing.assert_frame_equal(whole.particles, cut.particles)
    pd.testing.assert_frame_equal(whole.pairs, cut.pairs)


def test_areas_count_with_the_voxel_edges():
    labels = np.zeros((4, 5, 8), dtype=np.uint32)
    labels[1:3, 1:4, 1:4] = 1
    labels[1:3, 1:4, 4:6] = 2
    probability = np.full(labels.shape, 255, np.uint8)
    probability[..., 4] = 51
    found = features(labels, probability, voxel_size_um=(3.0, 2.0, 1.0))
    # faces across z 2, across y 3, across x 6 um2
    assert found.particles.loc[1, "surface"] == 2 * (9 * 2 + 6 * 3 + 6 * 6)
    assert found.particles.loc[2, "surface"] == 2 * (6 * 2 + 4 * 3 + 6 * 6)
    pair = found.pairs.iloc[0]
    assert (pair["label"], pair["partner"]) == (2, 1)
    assert pair["contact"] == pytest.approx(36 / 120)
    # 0.2 across the border; 1 in the one, 0.6 in the other
    assert pair["chance"] == pytest.approx(0.2 / ((18 * 1 + 12 * 0.6) / 30))
    assert found.particles.loc[1, "contact_chance"] == pytest.approx(0.2)


def test_missed_particles(made):
    labels, probability = made
    labels = labels.copy()
    labels[2:8, 2:8, 84:92] = 99
    phases = (labels > 0).astype(np.uint8)
    spot = ball((30, 14, 84), 6)
    phases[spot] = 2
    phases[35:37, 35:37, 90:92] = 1  # smaller than any particle
    sure = np.where(spot, 180, probability).astype(np.uint8)
    sure[30, 14, 86] = 201
    runs = [features(labels, sure, edge, phases=phases) for edge in (96, 17)]
    pd.testing.assert_frame_equal(runs[0].missed, runs[1].missed)
    assert len(runs[0].missed) == 1
    row = runs[0].missed.iloc[0]
    first_voxel = int(np.flatnonzero(spot)[0])
    assert row["first"] == first_voxel + 1
    assert row["voxels"] == np.count_nonzero(spot)
    assert row["chance"] == pytest.approx((180 + 21 / np.count_nonzero(spot)) / 255)
    assert row["contact"] == 0
    assert row[["z0", "y0", "x0", "z1", "y1", "x1"]].tolist() == [24, 8, 78, 37, 21, 91]
    assert row[["place_z", "place_y", "place_x"]].tolist() == pytest.approx([30.5, 14.5, 84.5])
    queue = find_suspects(labels, sure, phases=phases)
    missed = queue[queue["kind"] == "missed"]
    assert missed[["label", "partner"]].to_numpy().tolist() == [[0, first_voxel + 1]]
    # the same without them, and with the small one
    run = ThreadRun(BlockGrid.of(labels.shape, 96), 1)
    assert features_of_blocks(labels, sure, run, phases=phases, missed=False).missed is None
    small = features_of_blocks(labels, sure, run, phases=phases, smallest_missed=8).missed
    assert small["voxels"].tolist() == [np.count_nonzero(spot), 8]
    # two layers of voxels on a face of the smallest particle: the one touches it
    phases[spot] = 0
    phases[8:10, 2:8, 84:92] = 1
    hanging = features_of_blocks(labels, sure, run, phases=phases, smallest_missed=9).missed
    assert hanging[["voxels", "contact"]].to_numpy().tolist() == [[96, 0.5]]


def test_a_large_box_is_thinned_out(made):
    labels, probability = made
    view = BoxView.read(labels, probability, (2, 2, 30), (23, 23, 67), (1, 1, 1), 5000)
    assert view.edges.tolist() == [2, 2, 2]
    assert view.labels.shape == (13, 13, 21)  # with its frame
    run = ThreadRun(BlockGrid.of(labels.shape, 96), 1)
    queue = suspects_of_blocks(labels, probability, run, largest_box=5000)
    row = first(queue, DUMBBELL)
    assert row["kind"] == "merger"
    assert (row["z_um"], row["y_um"], row["x_um"]) == pytest.approx((12.5, 12.5, 48.5), abs=2)


def test_no_particle_and_one():
    nothing = np.zeros((20, 20, 20), dtype=np.uint32)
    probability = np.zeros(nothing.shape, dtype=np.uint8)
    for empty in (nothing, nothing[:0]):
        queue = find_suspects(empty, probability[: len(empty)])
        assert len(queue) == 0
        assert tuple(queue.columns) == SUSPECT_COLUMNS
    nothing[3, 4, 5] = 9
    queue = find_suspects(nothing, probability, voxel_size_um=2.0)
    assert queue["label"].tolist() == [9]
    assert queue[["z_um", "y_um", "x_um"]].to_numpy().tolist() == [[7, 9, 11]]
    assert len(find_suspects(np.ones((8, 8, 8), np.uint32), np.zeros((8, 8, 8), np.uint8))) == 1


def test_what_is_usual():
    voxels = np.exp([1.0, 2, 3, 4, 5, 6, 7, 8, 100])
    table = pd.DataFrame({"voxels": voxels, "elongation": 1.0, "solidity": 0.9, "unsure": 0.0,
                          "denied": 0.0})  # fmt: skip
    usual = Population.of(table)
    # median 5, MAD 2
    assert usual.usual["size_z"][0] == pytest.approx((0, 5, 2.9652))
    assert usual.usual["solidity_z"][0] == pytest.approx((5, 0.9, 0.01))
    z = usual.with_z(table)["size_z"].to_numpy()
    assert z[:2] == pytest.approx([-4 / 2.9652, -3 / 2.9652])
    assert z[-1] == 4
    again = Population.from_json(json.loads(json.dumps(usual.to_json())))
    assert again == usual
    # two classes of 20 by size, and what lies between them
    sizes = np.exp(np.repeat([2.0, 6.0], 20))
    solid = np.repeat([0.5, 0.9], 20) + np.tile([-0.1, 0.1], 20)
    table = pd.DataFrame({"voxels": sizes, "elongation": 1.0, "solidity": solid, "unsure": 0.0,
                          "denied": 0.0})  # fmt: skip
    usual = Population.of(table)
    assert np.array(usual.usual["solidity_z"]) == pytest.approx(
        np.array([[2, 0.5, 0.14826], [6, 0.9, 0.14826]])
    )
    between = table[:1].assign(voxels=np.exp(4.0), solidity=0.7 - 0.14826)
    assert usual.with_z(between)["solidity_z"].tolist() == pytest.approx([-1])
    table = table[:9]
    # five are no crowd to stand out from
    assert Population.of(table[:5]).with_z(table[:5])["size_z"].tolist() == [0] * 5


def test_volumes_that_do_not_fit():
    labels = np.ones((4, 4, 4), dtype=np.uint32)
    with pytest.raises(SlagsegError, match="same volume"):
        find_suspects(labels, np.zeros((4, 4, 5), np.uint8))
    with pytest.raises(SlagsegError, match="uint8"):
        find_suspects(labels, np.zeros((4, 4, 4), np.float32))
