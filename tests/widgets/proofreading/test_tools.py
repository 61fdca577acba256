"""The tools in a real window: keys and clicks on the canvas, wrong ones too."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_slagseg.widgets import layers
from napari_slagseg.widgets.proofreading.placed_layer import PLACED_LAYER
from napari_slagseg.widgets.proofreading.tools import CHOOSING

pytestmark = pytest.mark.gui

K = Qt.Key
SHIFT = Qt.KeyboardModifier.ShiftModifier
LEFT, RIGHT = (12, 14, 12), (12, 14, 29)
"""In the two balls of particle 1."""
NOTHING = (12, 30, 45)


def test_a_click_chooses_a_particle_and_shift_click_one_more(hands):
    hands.click(LEFT)
    assert hands.desk.chosen == (1,)
    assert "Particle 1" in hands.dock.chosen.text()
    # the box is 17 x 17 x 30 voxels of 2 um
    assert "34 × 34 × 60 µm" in hands.dock.chosen.text()
    hands.click((12, 44, 15), SHIFT)
    assert hands.desk.chosen == (1, 2)
    hands.click((12, 44, 15), SHIFT)
    assert hands.desk.chosen == (1,)
    hands.click((12, 44, 25))
    assert hands.desk.chosen == (3,)


def test_a_click_on_background_says_so_and_keeps_the_choice(hands):
    hands.click(LEFT)
    hands.click(NOTHING)
    assert hands.desk.chosen == (1,)
    assert "background" in hands.told[-1]
    assert "background" in hands.dock.next.text()


def test_split_by_points_in_different_slices(hands):
    before = hands.particles
    hands.key(K.Key_D)
    assert hands.dock.bar.buttons["split"].isChecked()
    hands.slice(10)
    hands.click((10, 14, 12))
    assert hands.desk.chosen == (1,)
    hands.slice(14)
    hands.click((14, 14, 29))
    assert len(hands.viewer.layers[PLACED_LAYER].data) == 2
    hands.key(K.Key_Return)
    hands.settle()
    after = hands.particles
    first, second = after[LEFT], after[RIGHT]
    assert {first, second} == {1, 5}
    # the border lies in the plane between the balls, 20.5
    assert (after[:, :, :20][before[:, :, :20] == 1] == first).all()
    assert (after[:, :, 22:30][before[:, :, 22:30] == 1] == second).all()
    assert PLACED_LAYER not in hands.viewer.layers
    assert hands.desk.chosen == (1, 5)
    assert hands.dock.next.text() == CHOOSING
    hands.undo()
    np.testing.assert_array_equal(hands.particles, before)
    hands.redo()
    np.testing.assert_array_equal(hands.particles, after)


def test_one_point_is_not_enough_and_can_be_taken_back(hands):
    hands.click(LEFT)
    hands.key(K.Key_D)
    hands.click(LEFT)
    hands.key(K.Key_Return)
    assert "two or more" in hands.told[-1]
    assert hands.dock.hand.placed == [LEFT]
    hands.undo()
    assert hands.dock.hand.placed == []
    assert len(hands.desk.proofreader.history.done) == 0


def test_points_beside_the_particle_are_refused(hands):
    hands.click(LEFT)
    hands.key(K.Key_D)
    hands.click(NOTHING)
    assert "background" in hands.told[-1]
    hands.click((12, 44, 15))
    assert "particle 2, not 1" in hands.told[-1]
    assert hands.dock.hand.placed == []
    assert hands.desk.chosen == (1,)


def test_escape_gives_up_the_tool_and_then_the_choice(hands):
    hands.click(LEFT)
    hands.key(K.Key_D)
    hands.click(LEFT)
    hands.key(K.Key_Escape)
    assert hands.dock.hand.tool is None
    assert PLACED_LAYER not in hands.viewer.layers
    assert hands.desk.chosen == (1,)
    hands.key(K.Key_Escape)
    assert hands.desk.chosen == ()


@pytest.mark.parametrize("choose_first", [True, False])
def test_a_stroke_cuts_a_particle(hands, choose_first):
    centre = hands.viewer.scene.camera.center
    if choose_first:
        hands.click(LEFT)
    hands.key(K.Key_D, SHIFT)
    hands.drag([(12, y, 20) for y in range(3, 26, 2)])
    hands.settle()
    assert hands.failed == []
    after = hands.particles
    assert sorted(np.unique(after[:, :28][:, :, :40])) == [0, 1, 5]
    assert after[LEFT] != after[RIGHT]
    # drawing did not move the view, and afterwards it can be moved again
    np.testing.assert_allclose(hands.viewer.scene.camera.center, centre)
    assert hands.viewer.scene.camera.mouse_pan


def test_a_stroke_through_nothing_is_refused(hands):
    hands.key(K.Key_D, SHIFT)
    hands.drag([(12, y, 45) for y in range(26, 34)])
    hands.settle()
    assert "background" in hands.dock.next.text()
    assert len(hands.desk.proofreader.history.done) == 0


def test_merge_chosen_particles_at_once(hands):
    hands.click((12, 44, 15))
    hands.click((12, 44, 25), SHIFT)
    hands.key(K.Key_J)
    hands.settle()
    assert not (hands.particles == 3).any()
    assert hands.desk.chosen == (2,)


def test_merge_by_clicks_then_enter(hands):
    hands.key(K.Key_J)
    hands.click((12, 44, 15))
    hands.key(K.Key_Return)
    assert "two particles or more" in hands.told[-1]
    hands.click((12, 44, 25))
    hands.key(K.Key_Return)
    hands.settle()
    assert not (hands.particles == 3).any()


def test_particles_that_do_not_touch_are_not_merged_unless_asked(hands):
    hands.click(LEFT)
    hands.click((12, 44, 15), SHIFT)
    hands.key(K.Key_J)
    hands.settle()
    assert len(hands.failed) == 1
    assert "touch" in hands.failed[0]
    assert (hands.particles == 2).any()
    hands.dock.options.field("merge", "apart").setChecked(True)
    hands.key(K.Key_J)
    hands.settle()
    assert not (hands.particles == 2).any()


def test_delete_smooth_fill_and_lock_need_a_choice(hands):
    for name in ("delete", "smooth", "fill", "lock"):
        hands.dock.bar.buttons[name].click()
        hands.settle()
        assert "No particle is chosen" in hands.dock.next.text()
    assert len(hands.desk.proofreader.history.done) == 0


def test_delete_takes_all_chosen_in_one_step(hands):
    before = hands.particles
    hands.click(LEFT)
    hands.click((12, 44, 15), SHIFT)
    hands.key(K.Key_Delete)
    hands.settle()
    assert set(np.unique(hands.particles)) == {0, 3, 4}
    assert hands.desk.chosen == ()
    hands.undo()
    np.testing.assert_array_equal(hands.particles, before)


def test_fill_holes_of_several_is_undone_at_once(hands):
    before = hands.particles
    hands.click((12, 14, 66))
    hands.click(LEFT, SHIFT)  # without a hole, which does not keep the other from being filled
    hands.key(K.Key_H)
    hands.settle()
    assert hands.particles[12, 14, 60] == 4
    assert hands.failed == []
    hands.undo()
    np.testing.assert_array_equal(hands.particles, before)


def test_lock_and_unlock(hands):
    hands.click(LEFT)
    hands.key(K.Key_K)
    hands.settle()
    assert hands.desk.proofreader.locked() == {1}
    assert "locked" in hands.dock.chosen.text()
    hands.key(K.Key_K)
    hands.settle()
    assert hands.desk.proofreader.locked() == frozenset()


def test_a_particle_grows_where_one_is_missing(hands):
    hands.dock.options.field("grow", "phase").setCurrentIndex(1)
    hands.key(K.Key_G)
    hands.click(LEFT)
    assert "This is particle 1" in hands.told[-1]
    hands.click((12, 44, 60))
    hands.settle()
    assert hands.failed == []
    assert hands.desk.chosen == (5,)
    grown = hands.particles == 5
    # a ball of radius 7 has 1419 voxels
    assert abs(int(grown.sum()) - 1419) < 150
    assert set(np.unique(hands.phases[grown])) == {1}


def test_a_grain_gets_another_phase(hands):
    hands.dock.options.field("relabel_region", "phase").setCurrentIndex(1)  # gangue
    hands.key(K.Key_R)
    hands.slice(9)
    hands.click((9, 14, 12))
    hands.settle()
    assert hands.failed == []
    assert set(np.unique(hands.phases[hands.particles == 1])) == {2}


def test_a_new_particle_is_painted(hands):
    before = hands.particles
    hands.viewer.dims.set_point(hands.viewer.dims.ndim - 3, 24)
    hands.key(K.Key_G, SHIFT)
    layer = hands.dock.mask.layer
    assert layer is hands.viewer.layers.selection.active
    hands.key(K.Key_Return)
    assert "Nothing is painted" in hands.dock.next.text()
    hands.drag([(12, 44, 58), (12, 44, 62)])
    painted = np.argwhere(layer.data) + [s.start for s in hands.dock.mask.box]
    assert len(painted)
    hands.key(K.Key_Return)
    hands.settle()
    assert hands.failed == []
    after = hands.particles
    np.testing.assert_array_equal(np.argwhere(after == 5), painted)
    np.testing.assert_array_equal(np.where(after == 5, 0, after), before)
    assert hands.dock.mask.layer is None
    assert hands.viewer.layers.selection.active.name == layers.PARTICLES_LAYER


def test_what_is_painted_gets_another_phase(hands):
    hands.dock.options.field("relabel", "phase").setCurrentIndex(0)  # ore
    hands.key(K.Key_R, SHIFT)
    hands.drag([(12, 14, 10), (12, 14, 32)])
    mask = hands.dock.mask
    where = np.zeros(hands.particles.shape, bool)
    where[mask.box] = mask.layer.data != 0
    hands.key(K.Key_Return)
    hands.settle()
    assert (hands.phases[where & (hands.particles > 0)] == 1).all()
    assert (hands.phases[12, 44] != 1).all()


def test_in_3d_points_land_on_the_particle_that_is_split(hands):
    hands.click(LEFT)
    hands.viewer.dims.ndisplay = 3
    hands.viewer.scene.camera.angles = (0, 0, 0)  # along z, as in the slices
    hands.key(K.Key_D)
    hands.click(LEFT)
    hands.click(RIGHT)
    placed = hands.dock.hand.placed
    assert len(placed) == 2, hands.told
    assert all(hands.particles[p] == 1 for p in placed)
    hands.key(K.Key_Return)
    hands.settle()
    assert hands.particles[LEFT] != hands.particles[RIGHT]
    hands.key(K.Key_D, SHIFT)
    hands.drag([LEFT, RIGHT])
    assert "slice" in hands.told[-1]


def test_others_are_dimmed_while_one_is_chosen(hands):
    particles = hands.viewer.layers[layers.PARTICLES_LAYER]
    ordinary = particles.opacity
    hands.click(LEFT)
    assert particles.opacity == pytest.approx(0.3 * ordinary)
    hands.dock.dim.setChecked(False)
    assert particles.opacity == pytest.approx(ordinary)
    hands.dock.dim.setChecked(True)
    hands.key(K.Key_Escape)
    assert particles.opacity == pytest.approx(ordinary)


def test_the_history_lists_edits_and_goes_back_to_one(hands):
    before = hands.particles
    for at in (LEFT, (12, 44, 15), (12, 44, 25)):
        hands.click(at)
        hands.key(K.Key_Delete)
        hands.settle()
    rows = [hands.dock.history.item(i).text() for i in range(hands.dock.history.count())]
    voxels = [int((before == n).sum()) for n in (3, 2, 1)]
    assert [r.split(",")[0] for r in rows] == ["deleted 3", "deleted 2", "deleted 1"]
    assert f"{2 * voxels[2]:,} voxels" in rows[2]  # particles and phases
    first = hands.desk.proofreader.history.done[0].id
    hands.dock.history.go_to(first)
    hands.settle()
    assert set(np.unique(hands.particles)) == {0, 2, 3, 4}
    assert hands.dock.history.item(0).text().startswith("undone: ")
    hands.dock.history.go_to(hands.desk.proofreader.history.undone[0].id)
    hands.settle()
    assert set(np.unique(hands.particles)) == {0, 4}


def test_while_a_step_runs_the_tools_say_why_not(hands):
    hands.click(LEFT)
    hands.desk.session.set_running(["measure"])
    assert "measure" in hands.dock.next.text()
    assert not hands.dock.bar.buttons["split"].isEnabled()
    hands.key(K.Key_Delete)
    hands.settle()
    assert (hands.particles == 1).any()
    hands.desk.session.set_running([])
    assert hands.dock.bar.buttons["split"].isEnabled()
    hands.key(K.Key_Delete)
    hands.settle()
    assert not (hands.particles == 1).any()
