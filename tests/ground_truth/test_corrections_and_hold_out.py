from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.ground_truth import (
    add_known,
    apply_corrections,
    build_ground_truth,
    hold_out,
)

SHAPE = (30, 60, 60)
VOXEL = (2.3, 2.3, 2.3)


@pytest.fixture
def setting(cuts, table):
    """Two level sections, z = 10 and z = 20, with the same 5 x 5 squares on both."""
    Cut, plane, _ = cuts
    phases = np.zeros((60, 60), dtype=np.int16)
    for r in range(2, 56, 8):
        for c in range(2, 56, 8):
            phases[r : r + 5, c : c + 5] = 1 + (r + c) % 3
    made = [
        Cut(plane((z, 0, 0), (0, 1, 0), (0, 0, 1)), (60, 60), SHAPE, name, grid=30)
        for name, z in (("low", 10), ("high", 20))
    ]
    placed = [c.placed for c in made]
    maps = [c.mineral_map(phases, table) for c in made]
    return build_ground_truth(SHAPE, VOXEL, maps, placed, table), placed


def flat(*zyx):
    return np.ravel_multi_index(np.array(zyx).T, SHAPE).astype(np.int64)


def test_equation_three_by_hand(setting):
    truth, _ = setting
    largest = truth.particle_weights.max()
    assert largest > 0.1
    # four voxels wrongly taken for particle, one wrongly for background; two known from a map
    painted = flat((0, 0, 0), (10, 3, 3), (5, 5, 5), (10, 0, 0), (5, 5, 6))
    predicted = np.array([True, True, True, False, True])
    new = apply_corrections(truth, painted, predicted)
    assert len(new) == len(truth) + 3
    foreground, weight = new.dense("foreground"), new.dense("particle_weights", 0)
    at = tuple(np.array(np.unravel_index(painted, SHAPE)))
    assert foreground[at].tolist() == [0, 0, 0, 1, 0]
    assert weight[at] == pytest.approx([largest, largest, largest, 4 * largest, largest])
    assert new.dense("particles")[at].tolist() == [0, 0, 0, -1, 0]
    assert new.dense("map_index", -9)[at].tolist() == [-1] * 5
    # phases cannot be painted: what the map said stays, and nothing new is known
    assert new.dense("phases")[at].tolist() == [-1, truth.dense("phases")[10, 3, 3], -1, 0, -1]
    assert new.dense("phase_weights", 0)[at].tolist() == [0, 1, 0, 1, 0]
    # all other voxels are as before
    others = ~np.isin(new.voxels, painted)
    before = ~np.isin(truth.voxels, painted)
    for name in ("voxels", "phases", "particles", "foreground", "particle_weights", "map_index"):
        assert np.array_equal(getattr(new, name)[others], getattr(truth, name)[before])


def test_both_kinds_of_error_weigh_the_same_in_total(setting):
    truth, _ = setting
    rng = np.random.default_rng(0)
    painted = rng.choice(np.prod(SHAPE), 500, replace=False).astype(np.int64)
    predicted = rng.random(500) < 0.8
    new = apply_corrections(truth, painted, predicted)
    of_paint = new.map_index < 0
    weight = new.particle_weights.astype(float)
    totals = [weight[of_paint & (new.foreground == side)].sum() for side in (0, 1)]
    assert totals[0] == pytest.approx(totals[1], rel=1e-5)


@pytest.mark.parametrize("predicted", [True, False])
def test_one_kind_of_error_alone_weighs_the_maximum(setting, predicted):
    truth, _ = setting
    painted = flat((0, 0, 0), (1, 0, 0))
    new = apply_corrections(truth, painted, np.array([predicted, predicted]))
    weight = new.particle_weights[new.map_index < 0]
    assert weight == pytest.approx([truth.particle_weights.max()] * 2)


def test_a_second_round_is_not_inflated_by_the_first(setting):
    truth, _ = setting
    many = flat(*[(1, 1, i) for i in range(50)], (2, 2, 2))
    once = apply_corrections(truth, many, np.array([True] * 50 + [False]))
    assert once.particle_weights.max() == pytest.approx(50 * truth.particle_weights.max())
    twice = apply_corrections(once, flat((3, 3, 3)), np.array([True]))
    assert twice.dense("particle_weights", 0)[3, 3, 3] == pytest.approx(
        truth.particle_weights.max()
    )
    assert apply_corrections(truth, np.zeros(0, np.int64), np.zeros(0, bool)) is truth


def test_kept_particles_weigh_as_the_maps_voxels_do(setting):
    truth, _ = setting
    voxels = flat((0, 0, 0), (0, 0, 1), (0, 0, 2), (10, 3, 3))
    new = add_known(truth, voxels, np.array([0, 1, 2, 1], np.uint8))
    assert len(new) == len(truth) + 3  # what a map knows stays
    weights, sides = truth.particle_weights, truth.foreground
    at = (0, 0, slice(0, 3))
    assert new.dense("foreground")[at].tolist() == [0, 1, 0]
    assert new.dense("particle_weights", 0)[at] == pytest.approx(
        [
            weights[(sides == 0) & (weights > 0)].min(),
            np.median(weights[(sides == 1) & (weights > 0)]),
            weights.max() / 2,
        ]
    )
    assert new.dense("map_index", -9)[at].tolist() == [-1] * 3
    assert new.dense("particles")[at].tolist() == [-1] * 3
    assert new.dense("phase_weights", 0)[at].tolist() == [0] * 3
    old = ~np.isin(new.voxels, voxels[:3])
    assert np.array_equal(new.voxels[old], truth.voxels)
    assert np.array_equal(new.particle_weights[old], weights)
    assert add_known(truth, voxels[:0], np.zeros(0, np.uint8)) is truth
    with pytest.raises(SlagsegError, match="4 known voxels came with 1 kinds"):
        add_known(truth, voxels, np.zeros(1, np.uint8))


def test_wrong_corrections_are_refused(setting):
    truth, _ = setting
    with pytest.raises(SlagsegError, match="2 error voxels"):
        apply_corrections(truth, np.array([0, 1]), np.array([True]))
    with pytest.raises(SlagsegError, match="outside the volume"):
        apply_corrections(truth, np.array([np.prod(SHAPE)]), np.array([True]))


def test_a_whole_map_is_held_out(setting):
    truth, placed = setting
    training, validation = hold_out(truth, placed, held_out_map="high")
    assert set(training.zyx()[:, 0]) == {10}
    assert set(validation.zyx()[:, 0]) == {20}
    assert len(training) + len(validation) == len(truth)
    with pytest.raises(SlagsegError, match="low, high"):
        hold_out(truth, placed, held_out_map="other")


def test_a_side_of_every_map_is_held_out_and_no_particle_shared(setting):
    truth, placed = setting
    training, validation = hold_out(truth, placed, share=0.25, seed=3)
    assert not np.intersect1d(training.voxels, validation.voxels).size
    known = [set(part.particles[part.particles > 0]) for part in (training, validation)]
    assert known[1]
    assert not known[0] & known[1]
    for i in range(2):
        n = np.count_nonzero(truth.map_index == i)
        assert 0.1 < np.count_nonzero(validation.map_index == i) / n <= 0.25
        # the two sides lie apart: a straight line parts them
        sides = [part.zyx()[part.map_index == i][:, 1:] for part in (training, validation)]
        normal = sides[1].mean(axis=0) - sides[0].mean(axis=0)
        assert np.linalg.norm(normal) > 15
    lost = len(truth) - len(training) - len(validation)
    assert 0 < lost < 0.2 * len(truth)


def test_the_same_seed_holds_out_the_same_and_another_something_else(setting):
    truth, placed = setting
    first, again, other = (hold_out(truth, placed, seed=s)[1].voxels for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_painted_voxels_train_and_bring_no_phase_along(setting):
    truth, placed = setting
    painted = flat((20, 3, 3), (0, 0, 0))  # the first lies on the held-out map
    corrected = apply_corrections(truth, painted, np.array([True, True]))
    training, validation = hold_out(corrected, placed, held_out_map="high")
    of_paint = training.map_index < 0
    assert set(training.voxels[of_paint]) == set(painted)
    assert np.all(training.phases[of_paint] == -1)
    assert np.all(training.phase_weights[of_paint] == 0)
    assert np.all(training.particle_weights[of_paint] > 0)
    assert not np.isin(painted, validation.voxels).any()


def test_nothing_may_be_left_without_a_part(setting):
    truth, placed = setting
    one = truth.select(truth.map_index == 0)
    with pytest.raises(SlagsegError, match="everything"):
        hold_out(one, placed, held_out_map="low")
    with pytest.raises(SlagsegError, match="nothing"):
        hold_out(one, placed, held_out_map="high")
    with pytest.raises(SlagsegError, match="between 0 and 1"):
        hold_out(truth, placed, share=1.0)
    with pytest.raises(SlagsegError, match="'high'"):
        hold_out(truth, placed[:1])
    assert hold_out(replace(one, map_names=("low",)), placed)[1].map_names == ("low",)
