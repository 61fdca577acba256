import cc3d
import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits import split_by_stroke


def line(z, x, y_from, y_to):
    return [(z, y, x) for y in range(y_from, y_to)]


def test_a_stroke_through_the_neck_cuts_there_in_3d(balls):
    # centres an even number apart: the middle plane x = 20 is the stroke's
    inside = balls((25, 25, 41), ((12, 12, 12), 10), ((12, 12, 28), 10))
    labels = np.where(inside, 5, 0).astype(np.uint32)
    edited = split_by_stroke(labels, 5, line(12, 20, 0, 25), 0, 9)
    x = np.indices(inside.shape)[2]
    off = inside & (x != 20)
    assert np.array_equal(edited.labels[off], np.where(x < 20, 5, 9)[off])
    assert np.array_equal(edited.labels > 0, inside)
    assert not edited.notes


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_slice_will_do(balls, axis):
    # the merged balls lie along the axis after the slice's
    inside = balls((25, 41, 25), ((12, 12, 12), 10), ((12, 28, 12), 10))
    stroke = [(12, 20, x) for x in range(25)]
    turned = np.ascontiguousarray(np.moveaxis(inside, 0, axis))
    labels = turned.astype(np.uint32)
    points = [tuple(np.insert(p[1:], axis, p[0])) for p in stroke]
    found = split_by_stroke(labels, 1, points, axis, 2).labels
    back = np.moveaxis(found, axis, 0)
    assert set(np.unique(back[:, :20])) == {0, 1}
    assert set(np.unique(back[:, 21:])) == {0, 2}


def test_in_its_slice_the_border_is_the_stroke_even_off_the_neck(dumbbell):
    # a slanted stroke beside the neck
    z, shape = 12, dumbbell.shape
    stroke = [(z, y, 14 + y // 3) for y in range(25)]
    found = split_by_stroke(dumbbell, 5, stroke, 0, 9).labels
    y, x = np.indices(shape[1:])
    off = (dumbbell[z] == 5) & (x != 14 + y // 3)
    right = found[z, 12, 29]
    left = found[z, 12, 8]
    assert left != right
    assert np.array_equal(found[z][off], np.where(x < 14 + y // 3, left, right)[off])


def test_a_slice_that_grazes_one_part_still_gives_it_its_middle(balls):
    # the slice z = 4 passes far from both middles, and the neck is wide
    inside = balls((25, 25, 37), ((12, 12, 12), 10), ((12, 12, 24), 10.5))
    labels = inside.astype(np.uint32)
    found = split_by_stroke(labels, 1, line(4, 18, 0, 25), 0, 2).labels
    x = np.indices(inside.shape)[2]
    assert found[12, 12, 12] != found[12, 12, 24]
    off = inside & (abs(x - 18) > 1)
    assert np.mean((found == np.where(x < 18, 2, 1))[off]) > 0.99


def test_a_box_without_a_neck_is_cut_straight_through():
    labels = np.zeros((20, 20, 30), dtype=np.uint32)
    labels[2:18, 2:18, 2:28] = 1
    found = split_by_stroke(labels, 1, line(10, 12, 0, 20), 0, 2).labels
    x = np.indices(labels.shape)[2]
    near = slice(6, 15)
    wrong = (labels > 0) & (x != 12) & (found != np.where(x < 12, 2, 1))
    assert not wrong[near].any()
    assert wrong.sum() < 0.05 * (labels > 0).sum()


def test_a_stroke_that_ends_just_short_of_the_surface_divides(dumbbell):
    # the neck reaches from y = 7 to 17 at x = 20
    found = split_by_stroke(dumbbell, 5, line(12, 20, 9, 16), 0, 9).labels
    x = np.indices(dumbbell.shape)[2]
    assert np.mean((found == np.where(x <= 20, 5, 9))[dumbbell == 5]) > 0.97


def test_more_than_two_sides_are_told_of():
    labels = np.zeros((5, 12, 32), dtype=np.uint32)
    labels[1:4, 1:11, 1:31] = 1
    stroke = line(2, 10, 0, 12) + line(2, 20, 0, 12)
    edited = split_by_stroke(labels, 1, stroke, 0, 2)
    assert len(edited.notes) == 1
    assert "3 sides" in edited.notes[0]
    assert set(np.unique(edited.labels)) == {0, 1, 2}


@pytest.mark.parametrize(
    ("stroke", "axis", "message"),
    [
        ([], 0, "is empty"),
        (line(12, 20, 0, 10), 0, "does not divide"),
        (line(12, 0, 0, 10), 0, "does not touch particle 5"),
        ([*line(12, 20, 0, 10), (13, 11, 20)], 0, "over 2 slices across axis 0"),
        (line(12, 20, 0, 25), 3, "must be 0, 1 or 2"),
        ([(12, 12, 200)], 0, "does not lie in the box"),
    ],
)
def test_what_cannot_be_done_is_refused(dumbbell, stroke, axis, message):
    with pytest.raises(SlagsegError, match=message):
        split_by_stroke(dumbbell, 5, stroke, axis, 9)


@given(seed=st.integers(0, 10**6))
def test_whatever_the_particle_both_pieces_are_connected_and_nothing_else_changes(seed):
    rng = np.random.default_rng(seed)
    noise = rng.random((15, 20, 21))
    for axis in range(3):
        noise = noise + np.roll(noise, 1, axis)
    blobs = cc3d.connected_components(noise > np.quantile(noise, 0.5), connectivity=6)
    label = int(np.bincount(blobs.ravel())[1:].argmax()) + 1
    labels = blobs.astype(np.uint32)
    x = int(rng.integers(6, 15))
    try:
        found = split_by_stroke(labels, label, line(7, x, 0, 20), 0, 5000).labels
    except SlagsegError:
        reject()  # too many of them fail the test
    mine = (found == label) | (found == 5000)
    assert np.array_equal(mine, labels == label)
    assert np.array_equal(found[~mine], labels[~mine])
    for piece in (label, 5000):
        assert cc3d.connected_components(found == piece, connectivity=6, return_N=True)[1] == 1
