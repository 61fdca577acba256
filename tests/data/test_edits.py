import numpy as np
import pytest

from napari_slagseg.data import Action, Delta, SlagsegError, delta_between


def boxes():
    before = np.zeros((5, 6, 7), np.uint32)
    before[1:4, 1:5, 1:6] = 9
    after = before.copy()
    after[1:4, 1:5, 4:6] = 70_000
    return before, after


def test_a_delta_holds_the_changed_voxels_of_the_smallest_box():
    before, after = boxes()
    delta = delta_between("particles", (100, 20, 30), before, after)
    assert delta.start == (101, 21, 34)
    assert delta.shape == (3, 4, 2)
    assert delta.stop == (104, 25, 36)
    assert delta.places.tolist() == list(range(24))
    assert set(delta.old.tolist()) == {9}
    assert set(delta.new.tolist()) == {70_000}


def test_a_delta_and_its_inverse():
    before, after = boxes()
    delta = delta_between("particles", (0, 0, 0), before, after)
    whole = np.pad(before, 3)
    part = whole[3:-3, 3:-3, 3:-3][delta.box]  # a part of a larger array, in place
    delta.apply(part)
    assert np.array_equal(whole[3:-3, 3:-3, 3:-3], after)
    delta.inverse().apply(part)
    assert np.array_equal(whole, np.pad(before, 3))
    assert delta.inverse().inverse() == delta
    assert delta.inverse() != delta


def test_a_delta_refuses_what_it_does_not_fit():
    before, after = boxes()
    delta = delta_between("particles", (10, 0, 0), before, after)
    box = before[1:4, 1:5, 4:6].copy()
    box[2, 3, 1] = 8
    kept = box.copy()
    with pytest.raises(SlagsegError, match=r"voxel \(13, 4, 5\).* holds 8, where .* 9; 1 vox"):
        delta.apply(box)
    assert np.array_equal(box, kept)
    with pytest.raises(SlagsegError, match="does not go into"):
        delta.apply(box.astype(np.uint8))
    with pytest.raises(SlagsegError, match="does not go into"):
        delta.apply(before.copy())


def test_no_change_is_a_delta_without_places():
    before, _ = boxes()
    assert len(delta_between("particles", (0, 0, 0), before, before.copy())) == 0


@pytest.mark.parametrize(
    ("places", "old", "new"),
    [
        ([0, 1], [1], [2]),  # numbers of values
        ([1, 0], [1, 1], [2, 2]),  # order
        ([0, 0], [1, 1], [2, 2]),  # twice
        ([0, 8], [1, 1], [2, 2]),  # outside
        ([-1, 0], [1, 1], [2, 2]),
    ],
)
def test_a_delta_that_is_none(places, old, new):
    with pytest.raises(SlagsegError, match="edit"):
        Delta(
            "particles", (0, 0, 0), (2, 2, 2), np.array(places), np.array(old, np.uint32),
            np.array(new, np.uint32),
        )  # fmt: skip


def test_the_inverse_of_an_action_goes_backwards():
    before, after = boxes()
    one = delta_between("particles", (0, 0, 0), before, after)
    two = delta_between("particles", (0, 0, 0), after, before * 2)
    action = Action("split", {"points": [[1, 2, 3]]}, (one, two), (9,), (9, 70_000))
    back = action.inverse()
    assert back.deltas == (two.inverse(), one.inverse())
    assert (back.labels_before, back.labels_after) == ((9, 70_000), (9,))
    assert back.id == action.id
    assert action.voxels == 24 + 60
