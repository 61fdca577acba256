"""The model that is steered: numbers, files on disk, and the history after reopening."""

from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.data import Landmarks
from napari_slagseg.project import Project
from napari_slagseg.registration.steering import Nudge
from napari_slagseg.widgets.session import Session

pytestmark = pytest.mark.gui


@pytest.fixture
def alignment(project):
    session = Session()
    session.open(project.folder)
    yield session.alignment
    session.close()


@pytest.fixture
def told(alignment):
    words = []
    alignment.failed.connect(words.append)
    return words


def stored(alignment):
    return Project(alignment.project.folder).placed_map("cut")


def test_the_first_map_is_looked_at(alignment):
    assert alignment.name == "cut"
    assert alignment.has_place
    assert alignment.locked_out == ""
    # the run that placed it can be undone
    assert alignment.steps_back() == (True, False)


@pytest.mark.parametrize(
    ("place", "cutout"), [((40, 10), 0), ((40, 46), 1), ((2, 94), 2), ((40, 36), 1)]
)
def test_a_place_belongs_to_the_cutout_whose_middle_is_nearest(alignment, place, cutout):
    # three cutouts of 48 columns, 24 apart
    assert alignment.cutout_at(*place) == cutout
    assert alignment.cutout_at(40, 200) is None


def test_a_nudge_of_one_cutout_moves_locks_and_stores_it(alignment):
    alignment.choose((1,))
    assert alignment.nudge(Nudge(right=0.5))
    assert alignment.placed.cutouts[1].centre_zyx == pytest.approx((10.0, 19.5, 24.0))
    assert alignment.pending
    assert stored(alignment).cutouts[1].state == "accepted"
    assert alignment.flush()
    found = stored(alignment)
    assert found.cutouts[1].centre_zyx == pytest.approx((10.0, 19.5, 24.0))
    assert [c.state for c in found.cutouts] == ["accepted", "locked", "accepted"]
    assert found.cutouts[0].centre_zyx == pytest.approx((10.0, 19.5, 11.5))
    at = found.surface.at(np.array(39.5), np.array(47.5))
    assert at == pytest.approx((10.0, 19.5, 24.0), abs=0.01)


def test_with_nothing_chosen_the_whole_map_moves(alignment):
    before = alignment.placed.surface.zyx
    alignment.nudge(Nudge(up=2))
    alignment.nudge(Nudge(up=1, down=0.5))
    alignment.flush()
    found = stored(alignment)
    assert found.surface.zyx - before == pytest.approx(
        np.broadcast_to([3, 0.5, 0], before.shape), abs=1e-9
    )
    assert [c.state for c in found.cutouts] == ["accepted"] * 3
    steps = alignment.project.alignment("cut").steps
    assert steps == ["placed", "nudge the map 0.5 voxels down, 3 slices to higher slices"]


def test_several_cutouts_move_each_by_the_nudge(alignment):
    alignment.choose((0, 2))
    alignment.nudge(Nudge(down=0.25, up=-1))
    alignment.flush()
    found = stored(alignment)
    assert found.cutouts[0].centre_zyx == pytest.approx((9.0, 19.75, 11.5))
    assert found.cutouts[2].centre_zyx == pytest.approx((9.0, 19.75, 35.5))
    assert found.cutouts[1].centre_zyx == pytest.approx((10.0, 19.5, 23.5))
    assert [c.state for c in found.cutouts] == ["locked", "accepted", "locked"]


def test_choosing_other_cutouts_stores_what_was_nudged_before(alignment):
    alignment.choose((0,))
    alignment.nudge(Nudge(right=1))
    alignment.choose((2,))
    assert not alignment.pending
    assert stored(alignment).cutouts[0].centre_zyx[2] == pytest.approx(12.5)


def test_closing_loses_nothing_and_undo_works_after_reopening(project):
    first = Session()
    first.open(project.folder)
    first.alignment.choose((0,))
    first.alignment.set_states("rejected")
    first.alignment.nudge(Nudge(right=2))
    first.close()
    second = Session()
    second.open(project.folder)
    a = second.alignment
    assert a.placed.cutouts[0].centre_zyx[2] == pytest.approx(13.5)
    assert a.placed.cutouts[0].state == "locked"
    assert a.undo() == "nudge cutout 0 2 voxels right"
    assert a.placed.cutouts[0].centre_zyx[2] == pytest.approx(11.5)
    assert a.placed.cutouts[0].state == "rejected"
    assert a.undo() == "reject cutout 0"
    assert [c.state for c in stored(a).cutouts] == ["accepted"] * 3
    assert a.undo() == "placed"
    assert a.placed is None
    assert a.undo() is None
    assert a.redo() == "placed"
    assert a.redo() == "reject cutout 0"
    assert [c.state for c in stored(a).cutouts] == ["rejected", "accepted", "accepted"]
    second.close()


def test_undo_stores_a_pending_nudge_and_takes_it_back(alignment):
    alignment.nudge(Nudge(right=1))
    assert alignment.steps_back() == (True, False)
    assert alignment.undo() == "nudge the map 1 voxels right"
    assert alignment.placed.cutouts[0].centre_zyx == pytest.approx((10.0, 19.5, 11.5))
    assert alignment.steps_back() == (True, True)
    assert alignment.redo() == "nudge the map 1 voxels right"
    assert alignment.placed.cutouts[0].centre_zyx == pytest.approx((10.0, 19.5, 12.5))


def test_states_need_a_choice(alignment, told):
    assert not alignment.set_states("locked")
    assert "Choose one or more cutouts" in told[-1]
    alignment.choose((0, 1, 2))
    assert alignment.set_states("locked")
    assert {c.state for c in stored(alignment).cutouts} == {"locked"}


@pytest.mark.parametrize("why", ["read only", "busy"])
def test_nothing_changes_while_it_may_not(alignment, told, why):
    before = alignment.project.placed_path("cut").read_bytes()
    if why == "busy":
        alignment.set_busy(True)
    else:
        alignment._session.read_only_reason = "Open elsewhere."
    alignment.choose((0,))
    assert not alignment.nudge(Nudge(right=1))
    assert not alignment.set_states("rejected")
    assert not alignment.add_pair((1, 1), (1, 1, 1))
    assert alignment.undo() is None
    assert alignment.steps_back() == (False, False)
    assert all(("running" if why == "busy" else "Open elsewhere") in text for text in told)
    assert len(told) == 4
    assert alignment.project.placed_path("cut").read_bytes() == before
    assert alignment.landmarks is None


def test_a_run_that_begins_finds_the_nudge_on_disk(alignment):
    alignment.nudge(Nudge(up=1))
    alignment.set_busy(True)
    assert stored(alignment).surface.zyx[0, 0, 0] == pytest.approx(11.0)


def test_a_map_without_a_place_cannot_be_nudged(project, told, alignment):
    with alignment.project.writing():
        alignment.project.save_placed(
            replace(alignment.placed, placed=False, surface=None, cutouts=(), reason="nothing fits")
        )
    alignment.reload()
    assert not alignment.nudge(Nudge(up=1))
    assert "no place yet" in told[-1]


PIXELS = np.array([[10.0, 10], [70, 20], [40, 85], [60, 60]])


def in_ct(pixels):
    return np.column_stack(
        [np.full(len(pixels), 10.0), (pixels[:, 0] + 0.5) / 2 - 0.5, (pixels[:, 1] + 0.5) / 2 - 0.5]
    )


def test_landmarks_are_stored_pair_by_pair_and_undone(alignment):
    for pixel, voxel in zip(PIXELS[:3], in_ct(PIXELS[:3])):
        assert alignment.by_landmarks() is None
        assert alignment.add_pair(pixel, voxel)
    found = Project(alignment.project.folder).landmarks("cut")
    assert found.pixels == pytest.approx(PIXELS[:3])
    assert found.voxels == pytest.approx(in_ct(PIXELS[:3]))
    place = alignment.by_landmarks()
    assert place.surface.at(np.array(39.5), np.array(47.5)) == pytest.approx((10, 19.5, 23.5))
    assert alignment.residuals() == pytest.approx(np.zeros(3), abs=1e-6)
    assert alignment.delete_pair(1)
    assert alignment.landmarks.pixels == pytest.approx(PIXELS[[0, 2]])
    assert np.isnan(alignment.residuals()).all()
    assert alignment.set_landmarks(None, "clear the landmarks")
    assert Project(alignment.project.folder).landmarks("cut") is None
    assert alignment.undo() == "clear the landmarks"
    assert alignment.undo() == "delete landmark 2"
    assert alignment.landmarks.pixels == pytest.approx(PIXELS[:3])
    # the placement was never touched
    assert stored(alignment).cutouts == alignment.placed.cutouts


def test_landmarks_in_a_line_are_told(alignment, told):
    pixels = np.array([[10.0, 10], [20, 20], [30, 30]])
    alignment.set_landmarks(Landmarks(pixels, in_ct(pixels)), "landmarks")
    assert alignment.by_landmarks() is None
    assert "line" in told[-1]


def test_scores_are_taken_only_for_the_placement_they_were_made_for(alignment):
    scored = replace(alignment.placed, score=0.5)
    alignment.take_scores(stored(alignment), scored)
    assert alignment.placed.score == 0.9
    alignment.take_scores(alignment.placed, scored)
    assert alignment.placed.score == 0.5
    assert stored(alignment).score == 0.9
