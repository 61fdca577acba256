import cc3d
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits import merge, split


def pieces_of(mask):
    return cc3d.connected_components(np.ascontiguousarray(mask), connectivity=6, return_N=True)[1]


def test_two_balls_are_cut_exactly_at_the_plane_of_symmetry(dumbbell):
    before = dumbbell.copy()
    edited = split(dumbbell, 5, [(12, 12, 12), (12, 12, 29)], [9])
    assert np.array_equal(dumbbell, before)
    assert edited.labels.dtype == np.uint32
    assert not edited.notes
    inside = before == 5
    x = np.indices(inside.shape)[2]
    # equal pieces: the first keeps the number
    assert np.array_equal(edited.labels, np.where(inside, np.where(x <= 20, 5, 9), 0))


@pytest.mark.parametrize("second", [(12, 12, 37), (3, 12, 29), (12, 21, 30), (7, 7, 25)])
def test_points_off_the_middle_give_nearly_the_same_border(dumbbell, second):
    assert dumbbell[second] == 5
    labels = split(dumbbell, 5, [(12, 12, 5), second], [9]).labels
    x = np.indices(labels.shape)[2]
    true = np.where(x <= 20, 5, 9)
    assert labels[12, 12, 5] != labels[second]
    assert np.mean((labels == true)[dumbbell == 5]) > 0.995


def test_merging_the_pieces_again_gives_the_particle_back(dumbbell):
    edited = split(dumbbell, 5, [(12, 12, 29), (12, 12, 12)], [9])
    assert np.array_equal(merge(edited.labels, [5, 9]).labels, dumbbell)


def test_three_balls_by_three_points(balls):
    shape = (25, 25, 59)
    centres = [(12, 12, 12), (12, 12, 29), (12, 12, 46)]
    inside = balls(shape, *((c, 10) for c in centres))
    labels = np.where(inside, 3, 0).astype(np.uint32)
    edited = split(labels, 3, centres, [7, 8])
    x = np.indices(shape)[2]
    # the outer ones have lost one cap, the middle one two: the first of the largest keeps 3
    true = np.select([x <= 20, x <= 37], [3, 7], 8)
    assert np.array_equal(edited.labels, np.where(inside, true, 0))


def test_a_small_ball_on_a_large_one_is_cut_at_their_circle_of_contact(balls):
    # spheres of radius 20 and 8, 24 apart, meet in the plane (24^2 + 20^2 - 8^2) / 48 = 19
    large, small = (24, 24, 22), (24, 24, 46)
    inside = balls((49, 49, 60), (large, 20), (small, 8))
    labels = np.where(inside, 1, 0).astype(np.uint32)
    found = split(labels, 1, [small, large], [2]).labels
    x = np.indices(inside.shape)[2]
    assert found[large] == 1
    # the plane itself may go to either
    off = inside & (x != 22 + 19)
    true = np.where(x < 22 + 19, 1, 2)
    assert np.count_nonzero((found != true) & off) < 0.01 * np.count_nonzero(found == 2)


def test_without_a_neck_the_cut_is_halfway_between_the_points():
    labels = np.zeros((14, 14, 40), dtype=np.uint32)
    labels[2:12, 2:12, 2:38] = 4
    labels[2:12, 2:12, 19] = 4
    found = split(labels, 4, [(6, 6, 8), (6, 6, 21)], [5]).labels
    # 14.5 is halfway; the right piece is the larger one
    assert np.array_equal(np.unique(found[..., 2:15]), [0, 5])
    assert np.array_equal(np.unique(found[..., 15:38]), [0, 4])


def test_points_side_by_side_in_a_ball_halve_it(balls):
    inside = balls((31, 31, 31), ((15, 15, 15), 12))
    labels = inside.astype(np.uint32)
    found = split(labels, 1, [(15, 15, 13), (15, 15, 18)], [2]).labels
    x = np.indices(inside.shape)[2]
    assert np.array_equal(found == 2, inside & (x <= 15)) or np.array_equal(
        found == 2, inside & (x >= 16)
    )


def test_loose_voxels_keep_the_number_and_are_told_of(dumbbell):
    dumbbell[0, 0, 0] = 5
    edited = split(dumbbell, 5, [(12, 12, 12), (12, 12, 29)], [9])
    assert edited.labels[0, 0, 0] == 5
    assert edited.notes == (
        "Particle 5 was not connected: 1 voxels apart from the pieces keep its number.",
    )


def test_a_particle_that_fills_its_box():
    labels = np.ones((4, 4, 8), dtype=np.uint32)
    found = split(labels, 1, [(1, 1, 1), (1, 1, 6)], [2]).labels
    assert np.array_equal(found[0, 0], [1, 1, 1, 1, 2, 2, 2, 2])


@pytest.mark.parametrize(
    ("points", "new", "message"),
    [
        ([(12, 12, 12)], [], "two or more"),
        ([(12, 12, 12), (12, 12, 12)], [9], "Points 1 and 2 are the same voxel"),
        ([(12, 12, 12), (0, 0, 0)], [9], "Point 2 at .* in the background"),
        ([(1, 1, 1), (12, 12, 12)], [9], "Point 1 at .* in particle 6"),
        ([(12, 12, 12), (12, 12, 99)], [9], "does not lie in the box"),
        ([(12, 12, 12), (12, 12, 29)], [], "1 new particles need 1 different"),
        ([(12, 12, 12), (12, 12, 29)], [6], "6 belongs to another particle"),
        ([(12, 12, 12), (12, 12, 29)], [0], "cannot have the number 0"),
    ],
)
def test_what_cannot_be_done_is_refused(dumbbell, points, new, message):
    dumbbell[1, 1, 1] = 6
    with pytest.raises(SlagsegError, match=message):
        split(dumbbell, 5, points, new)


def test_a_particle_that_is_not_there_is_refused(dumbbell):
    with pytest.raises(SlagsegError, match="Particle 8 does not lie in the box"):
        split(dumbbell, 8, [(12, 12, 12), (12, 12, 29)], [9])
    with pytest.raises(SlagsegError, match="uint32"):
        split(dumbbell.astype(np.int64), 5, [(12, 12, 12), (12, 12, 29)], [9])


@given(seed=st.integers(0, 10**6), n=st.integers(2, 5))
def test_whatever_the_particle_every_piece_is_connected_and_nothing_else_changes(seed, n):
    rng = np.random.default_rng(seed)
    noise = rng.random((16, 17, 18))
    for axis in range(3):
        noise = noise + np.roll(noise, 1, axis)
    blobs = cc3d.connected_components(noise > np.quantile(noise, 0.55), connectivity=6)
    counts = np.bincount(blobs.ravel())
    label = int(counts[1:].argmax()) + 1
    labels = blobs.astype(np.uint32)
    voxels = np.argwhere(labels == label)
    points = voxels[rng.choice(len(voxels), size=n, replace=False)].tolist()
    new = list(range(1000, 1000 + n - 1))
    found = split(labels, label, points, new).labels
    mine = np.isin(found, [label, *new])
    assert np.array_equal(mine, labels == label)
    assert np.array_equal(found[~mine], labels[~mine])
    assert len({int(found[tuple(p)]) for p in points}) == n
    assert all(pieces_of(found == piece) == 1 for piece in (label, *new))
