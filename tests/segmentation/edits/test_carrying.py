"""Settled particles over a new segmentation: known boxes, whose voxels can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits.carrying import (
    CarryingRules,
    Shared,
    lay_over,
    settle,
    shared_voxels,
)

SHAPE = (10, 12, 30)


def volume(*bars):
    """Labels with bars (label, first x, last x) of 10 x 10 voxels across."""
    labels = np.zeros(SHAPE, np.uint32)
    for label, first, stop in bars:
        labels[:, 1:11, first:stop] = label
    return labels


def settlement(old, new, deleted=(), rules=None):
    pieces = [
        shared_voxels(int(i), old == i, new, deleted=int(i) in deleted)
        for i in np.unique(old[old > 0])
    ]
    sizes = {int(i): int((new == i).sum()) for i in np.unique(new[new > 0])}
    return settle(pieces, sizes, rules)


def kinds(found):
    return [(c.kind, c.label, c.partner, c.voxels) for c in found.clashes]


def test_shared_voxels_are_counted_with_a_voxel_in_their_midst():
    old, new = volume((5, 2, 12)), volume((7, 2, 9), (8, 11, 20))
    shared = shared_voxels(5, old == 5, new, (100, 0, 0))
    assert shared.voxels == 1000
    assert shared.with_new == {7: 700, 8: 100, 0: 200}
    z, y, x = shared.places[7]
    assert x == 5
    assert 103 <= z <= 106
    assert 4 <= y <= 7
    assert shared.places[8][2] == 11


def test_a_particle_found_as_it_was_gives_way_without_a_word():
    found = settlement(volume((5, 2, 12)), volume((7, 2, 12)))
    assert found.absorbed == (7,)
    assert not found.rims
    assert not found.clashes


def test_a_thin_rim_becomes_background_and_a_thicker_one_is_told():
    old = volume((5, 2, 12))
    rim = settlement(old, volume((7, 2, 13)))  # 100 voxels of 1000
    assert rim.rims == {7: 5}
    assert not rim.clashes
    thick = settlement(old, volume((7, 2, 14)))
    assert not thick.rims
    assert kinds(thick) == [("remainder", 5, 7, 200)]
    assert not settlement(old, volume((7, 2, 14)), rules=CarryingRules(rim=0.2)).clashes


def test_a_neighbour_may_lose_a_few_voxels():
    old = volume((5, 2, 12))
    beside = settlement(old, volume((7, 2, 11), (8, 11, 21)))  # 100 of 1000
    assert beside.trimmed == (8,)
    assert beside.absorbed == (7,)
    assert not beside.clashes
    more = settlement(old, volume((7, 2, 10), (8, 10, 20)))
    assert kinds(more) == [("cut", 5, 8, 200)]
    assert not more.trimmed


def test_background_where_a_settled_particle_lies_is_told():
    old = volume((5, 2, 12))
    assert kinds(settlement(old, volume((7, 2, 6)))) == [("background", 5, 0, 600)]
    assert not settlement(old, volume((7, 2, 7))).clashes  # just half


def test_a_particle_cut_in_two_by_hand_and_joined_again_is_told():
    old = volume((5, 2, 12), (6, 12, 22))
    found = settlement(old, volume((7, 2, 22)))
    assert kinds(found) == [("joined", 5, 7, 2000)]
    assert found.absorbed == (7,)
    wider = settlement(old, volume((7, 1, 23)))  # a rim of 200 around 2000
    assert wider.rims == {7: 5}
    assert kinds(wider) == [("joined", 5, 7, 2200)]
    much = settlement(old, volume((7, 2, 25)))
    assert [c.kind for c in much.clashes] == ["joined", "remainder"]


def test_a_deleted_particle_found_again_is_told():
    old = volume((5, 2, 12))
    found = settlement(old, volume((7, 2, 12)), deleted=(5,))
    assert kinds(found) == [("found again", 5, 7, 1000)]
    assert found.absorbed == (7,)
    assert not settlement(old, volume(), deleted=(5,)).clashes
    swallowed = settlement(old, volume((7, 2, 30)), deleted=(5,))
    assert kinds(swallowed) == [("found again", 5, 7, 1000)]
    neighbour = settlement(old, volume((7, 11, 30)), deleted=(5,))  # 100 of 1900
    assert neighbour.trimmed == (7,)
    assert not neighbour.clashes


def test_sizes_must_be_of_the_same_segmentation():
    with pytest.raises(SlagsegError, match="new particle 7 is said to have 3 voxels"):
        settle([Shared(5, 10, {7: 10}, {7: (0, 0, 0)})], {7: 3})


def test_laying_over_takes_voxels_rims_and_phases():
    new, inside = volume((7, 2, 13), (8, 13, 20)), volume((1, 2, 12)) == 1
    phases = (new > 0).astype(np.uint8)
    phases[:, :, 2:4] = 0  # seen as background by the phase network
    old_phases = np.full(SHAPE, 2, np.uint8)
    relabelled = np.zeros(SHAPE, bool)
    relabelled[:, 1:11, 10:16] = True
    laid = lay_over(
        new, phases, inside, 30, old_phases=old_phases, relabelled=relabelled, erase=[7]
    )
    assert (laid.labels == 30).sum() == 1000
    assert not (laid.labels == 7).any()
    assert (laid.labels == 8).sum() == 700
    in_line = laid.phases[5, 5]
    assert in_line[2:4].tolist() == [2, 2]
    assert in_line[4:10].tolist() == [1] * 6
    assert in_line[10:12].tolist() == [2, 2]
    assert in_line[12] == 0
    assert in_line[13] == 1
    assert not laid.left
    assert (new == 7).sum() == 1100


def test_a_deleted_one_becomes_background_in_both():
    new = volume((7, 2, 12), (8, 12, 20))
    laid = lay_over(new, (new > 0).astype(np.uint8), volume((1, 2, 12)) == 1, 0)
    assert not (laid.labels == 7).any()
    assert (laid.labels == 8).sum() == 800
    assert np.array_equal(laid.phases > 0, laid.labels > 0)


def test_what_is_held_stays():
    new = volume((7, 2, 12), (8, 12, 20))
    laid = lay_over(
        new, (new > 0).astype(np.uint8), volume((1, 4, 15)) == 1, 30, erase=[7], held=[8]
    )
    assert laid.left == {8: 300}
    assert (laid.labels == 8).sum() == 800
    assert (laid.labels == 30).sum() == 800


@pytest.mark.parametrize("label", [7, -1, 2**32])
def test_numbers_in_use_are_refused(label):
    new = volume((7, 2, 12))
    with pytest.raises(SlagsegError, match=r"number"):
        lay_over(new, (new > 0).astype(np.uint8), new == 7, label)
