"""What was settled by hand, on top of another segmentation: in histories of known boxes."""

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.data import Action, CancelledError, EditedVolume, SlagsegError, delta_between
from napari_slagseg.project.edits import EditJournal, History
from napari_slagseg.workflow.proofreading.carry_over import carry_over
from napari_slagseg.workflow.proofreading.conflicts import read_conflicts, write_conflicts
from napari_slagseg.workflow.proofreading.settled import deleted_pieces
from napari_slagseg.workflow.proofreading.standing import Standing

SHAPE = (10, 12, 40)
UM = (2.0, 2.0, 2.0)


def bars(*parts):
    """Labels with bars (label, first x, last x) of 10 x 10 voxels across."""
    labels = np.zeros(SHAPE, np.uint32)
    for label, first, stop in parts:
        labels[:, 1:11, first:stop] = label
    return labels


def history(path, labels, phases=None):
    phases = (labels > 0).astype(np.uint8) if phases is None else phases
    volumes = {
        "particles": EditedVolume(labels, "particles"),
        "phases": EditedVolume(phases, "phases"),
    }
    return History(
        EditJournal(path / "journal.slg"),
        volumes,
        require_lock=lambda: None,
        largest_label=int(labels.max()),
    )


def edit(of, after, kind="split", phases=None, labels=()):
    """Make the particles of a history those of an array, and its phases to fit."""
    before, was = of.volumes["particles"][...], of.volumes["phases"][...]
    if phases is None:
        phases = np.where(after > 0, np.maximum(was, 1), 0).astype(np.uint8)
    of.do(
        Action(
            kind,
            {},
            (
                delta_between("particles", (0, 0, 0), before, after),
                delta_between("phases", (0, 0, 0), was, phases),
            ),
            labels_after=labels,
        )
    )


@pytest.fixture
def old(tmp_path):
    """A merger 1 cut into 1 and 3 by hand, 2 untouched, 4 deleted."""
    made = history(tmp_path / "old", bars((1, 2, 12), (2, 14, 20), (4, 30, 36)))
    edit(made, bars((1, 2, 7), (3, 7, 12), (2, 14, 20), (4, 30, 36)), labels=(1, 3))
    edit(made, bars((1, 2, 7), (3, 7, 12), (2, 14, 20)), kind="delete")
    return made


def test_edited_particles_replace_the_new_ones_and_others_stay(old, tmp_path):
    new = history(tmp_path / "new", bars((1, 2, 12), (2, 14, 21)))
    found = carry_over(old, new, UM, came_from="abc")
    now = new.volumes["particles"][5, 5]
    one, three = found.labels[1], found.labels[3]
    assert sorted(found.labels) == [1, 3]
    assert now[2:7].tolist() == [one] * 5
    assert now[7:12].tolist() == [three] * 5
    assert now[14:21].tolist() == [2] * 7  # as the new network has it
    assert (found.particles, found.deletions, found.absorbed) == (2, 1, 1)
    (conflict,) = found.conflicts
    assert (conflict.kind, conflict.label, conflict.partner) == ("joined", 1, 1)
    assert conflict.place_um == tuple((p + 0.5) * 2 for p in conflict.place)


def test_each_particle_is_an_action_that_can_be_undone_and_survives(old, tmp_path):
    labels = bars((1, 2, 12), (2, 14, 21))
    new = history(tmp_path / "new", labels)
    carry_over(old, new, UM, came_from="abc")
    assert [entry.kind for entry in new.done] == ["carry"] * 3
    whole = new.volumes["particles"][...]
    again = history(tmp_path / "new", labels)
    assert np.array_equal(again.volumes["particles"][...], whole)
    kept = Standing(again, lambda label: bool((whole == label).any())).kept()
    assert kept == set(np.unique(whole[whole > 0])) - {2}
    while again.undo():
        pass
    assert np.array_equal(again.volumes["particles"][...], labels)


def test_a_deleted_particle_stays_deleted_also_the_second_time(old, tmp_path):
    found_again = history(tmp_path / "new", bars((9, 30, 36)))
    first = carry_over(old, found_again, UM)
    assert [c.kind for c in first.conflicts if c.label == 4] == ["found again"]
    assert not found_again.volumes["particles"][..., 30:36].any()
    assert not found_again.volumes["phases"][..., 30:36].any()
    # a segmentation that never had it hands the deletion on
    without = history(tmp_path / "without", bars())
    carry_over(old, without, UM)
    third = history(tmp_path / "third", bars((7, 30, 36)))
    second = carry_over(without, third, UM)
    assert ("found again", 4, 7) in [(c.kind, c.label, c.partner) for c in second.conflicts]
    assert not third.volumes["particles"][..., 30:36].any()


def test_what_was_painted_where_something_was_deleted_is_no_deletion(old):
    assert [p.label for p in deleted_pieces(old)] == [4]
    edit(old, bars((1, 2, 7), (3, 7, 12), (2, 14, 20), (8, 30, 33)), "paint", labels=(8,))
    (left,) = deleted_pieces(old)
    assert left.inside().sum() == 300


def test_phases_chosen_by_hand_stay_and_others_are_the_new_ones(tmp_path):
    labels = bars((1, 2, 12))
    old = history(tmp_path / "old", labels)
    phases = (labels > 0).astype(np.uint8)
    phases[:, 1:11, 2:5] = 3
    edit(old, labels, "relabel", phases, labels=(1,))
    seen = np.where(labels > 0, 2, 0).astype(np.uint8)
    seen[:, :, 11] = 0
    new_labels = bars((1, 2, 11))
    new = history(tmp_path / "new", new_labels, seen)
    carry_over(old, new, UM)
    assert new.volumes["phases"][5, 5, 2:12].tolist() == [3, 3, 3, 2, 2, 2, 2, 2, 2, 1]


def test_locks_go_along(tmp_path):
    old = history(tmp_path / "old", bars((1, 2, 12), (2, 14, 20)))
    old.do(Action("lock", {"labels": [2], "on": True}, (), (2,), (2,)))
    new = history(tmp_path / "new", bars((1, 2, 12), (2, 14, 20)))
    found = carry_over(old, new, UM)
    there = Standing(new, lambda label: True)
    assert there.locked() == {found.labels[2]}
    assert sorted(found.labels) == [2]


def test_what_is_settled_in_the_new_one_already_stays(old, tmp_path):
    new = history(tmp_path / "new", bars((1, 5, 25)))
    edit(new, bars((1, 5, 10), (6, 10, 25)), labels=(1, 6))
    found = carry_over(old, new, UM)
    overlaps = [c for c in found.conflicts if c.kind == "overlap"]
    assert [(c.label, c.partner, c.voxels) for c in overlaps] == [
        (1, 1, 200), (3, 1, 300), (3, 6, 200),
    ]  # fmt: skip
    assert (new.volumes["particles"][...] == 6).sum() == 1500


def test_a_rim_goes_with_the_particle_that_it_is_of(tmp_path):
    old = history(tmp_path / "old", bars((1, 3, 13)))
    old.do(Action("lock", {"labels": [1], "on": True}, (), (1,), (1,)))
    new = history(tmp_path / "new", bars((5, 3, 14)))
    found = carry_over(old, new, UM)
    assert (found.rims, found.conflicts) == (1, ())
    assert (new.volumes["particles"][...] > 0).sum() == 1000
    assert (new.volumes["phases"][...] > 0).sum() == 1000


def test_conflicts_can_be_read_again(old, tmp_path):
    new = history(tmp_path / "new", bars((1, 2, 12), (9, 30, 36)))
    found = carry_over(old, new, UM)
    write_conflicts(tmp_path, found.conflicts)
    assert read_conflicts(tmp_path) == found.conflicts
    frame = pd.read_csv(tmp_path / "conflicts.csv")
    assert frame["sentence"].tolist() == [c.sentence for c in found.conflicts]
    assert frame[["z_voxel", "y_voxel", "x_voxel"]].to_numpy().tolist() == [
        list(c.place) for c in found.conflicts
    ]
    write_conflicts(tmp_path, ())
    assert read_conflicts(tmp_path) == ()


def test_another_volume_and_a_cancel(old, tmp_path):
    other = history(tmp_path / "new", np.zeros((5, 5, 5), np.uint32))
    with pytest.raises(SlagsegError, match="another CT"):
        carry_over(old, other, UM)

    class Set:
        def is_set(self):
            return True

    with pytest.raises(CancelledError):
        carry_over(old, history(tmp_path / "n", bars()), UM, cancel=Set())
