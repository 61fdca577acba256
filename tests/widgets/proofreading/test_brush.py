"""napari's brushes: every stroke one edit, undone by our history and never by napari's."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_slagseg.project import Project
from napari_slagseg.widgets import layers

pytestmark = pytest.mark.gui

K = Qt.Key
LEFT, RIGHT = (12, 14, 12), (12, 14, 29)


def open_brush(hands, array="particles"):
    options = hands.dock.options.field("brush", "array")
    options.setCurrentIndex(options.findData(array))
    hands.key(K.Key_I)
    layer = hands.dock.brush.layer
    assert layer is not None
    assert hands.viewer.layers.selection.active is layer
    layer.brush_size = 1
    return layer


def stroke(layer, voxel, label):
    """A stroke of one voxel, as it ends for napari."""
    layer.paint(voxel, label)
    QApplication.processEvents()


def same(hands):
    """Whether the layer that is painted on is what is stored, voxel for voxel."""
    brush = hands.dock.brush
    volume = hands.particles if brush.array == "particles" else hands.phases
    np.testing.assert_array_equal(brush.layer.data, volume[brush.box])


def test_a_stroke_with_the_mouse_is_one_edit(hands):
    before = hands.particles
    hands.click(LEFT)
    layer = open_brush(hands)
    assert layer.selected_label == 1  # that of the chosen particle
    hands.drag([(12, 30, x) for x in (40, 44, 50, 52)])
    hands.settle()
    history = hands.desk.proofreader.history
    assert [e.kind for e in history.done] == ["paint"]
    after = hands.particles
    assert (after != before).sum() == 13
    assert (after[12, 30, 40:53] == 1).all()
    assert len(layer._undo_history) == 0
    same(hands)
    hands.undo()
    np.testing.assert_array_equal(hands.particles, before)
    same(hands)
    hands.redo()
    np.testing.assert_array_equal(hands.particles, after)
    same(hands)


def test_undo_never_writes_stale_pixels(hands):
    """Paint, split elsewhere in the region, undo: all voxels are those of the moment before."""
    states = [hands.particles]
    layer = open_brush(hands)
    layer.selected_label = 4
    stroke(layer, (12, 30, 45), 4)
    hands.settle()
    states.append(hands.particles)
    hands.desk.do("split", lambda: hands.desk.proofreader.split(1, [LEFT, RIGHT]))
    hands.settle()
    states.append(hands.particles)
    assert len(np.unique(layer.data)) == 6
    stroke(layer, (12, 14, 20), 0)  # erases on the border between the two
    hands.settle()
    states.append(hands.particles)
    same(hands)
    for state in states[-2::-1]:
        hands.undo()
        np.testing.assert_array_equal(hands.particles, state)
        same(hands)
    hands.undo()
    np.testing.assert_array_equal(hands.particles, states[0])
    for state in states[1:]:
        hands.redo()
        np.testing.assert_array_equal(hands.particles, state)
        same(hands)


def test_strokes_asked_while_others_are_being_stored_keep_their_order(hands):
    layer = open_brush(hands)
    for label in (2, 3, 4):
        stroke(layer, (12, 30, 45), label)
        stroke(layer, (12, 30, 45 + label), label)
    hands.desk.undo()
    hands.settle()
    assert len(hands.desk.proofreader.history.done) == 5
    assert hands.particles[12, 30, 45] == 4
    assert hands.particles[12, 30, 47] == 2
    assert hands.particles[12, 30, 49] == 0
    same(hands)


def test_a_stroke_over_what_an_edit_before_it_changed(hands):
    """The edit is not done yet when the stroke is painted on what it will change."""
    layer = open_brush(hands)
    hands.desk.do("delete", lambda: hands.desk.proofreader.delete([2]))
    stroke(layer, (12, 44, 15), 3)  # in particle 2, as it is still shown
    hands.settle()
    assert hands.failed == []
    assert hands.particles[12, 44, 15] == 3
    assert not (hands.particles == 2).any()
    same(hands)


def test_fill_and_erase_and_a_new_number(hands):
    layer = open_brush(hands)
    hands.key(K.Key_M)
    assert layer.selected_label == 5
    layer.fill((12, 44, 15), 5)
    QApplication.processEvents()
    hands.settle()
    assert (hands.particles[12] == 2).sum() == 0
    assert (hands.particles[12] == 5).sum() > 50
    same(hands)
    hands.key(K.Key_M)
    assert layer.selected_label == 6


def test_a_new_number_is_never_that_of_another_new_particle(hands):
    layer = open_brush(hands)
    hands.key(K.Key_M)
    hands.desk.do("split", lambda: hands.desk.proofreader.split(1, [LEFT, RIGHT]))
    hands.settle()
    assert layer.selected_label == 6  # the split has taken 5


def test_the_picker_chooses_the_particle(hands):
    layer = open_brush(hands)
    layer.mode = "pick"
    hands.click((12, 44, 25))
    assert layer.selected_label == 3
    assert hands.desk.chosen == (3,)


def test_phases_are_painted(hands):
    before = hands.particles
    layer = open_brush(hands, "phases")
    stroke(layer, (12, 44, 15), 1)
    hands.settle()
    assert hands.phases[12, 44, 15] == 1
    np.testing.assert_array_equal(hands.particles, before)
    same(hands)
    hands.undo()
    assert hands.phases[12, 44, 15] == 2
    same(hands)


def test_taking_the_layer_away_loses_nothing(hands):
    layer = open_brush(hands)
    layer.paint((12, 30, 45), 4)
    hands.viewer.layers.remove(layer)
    hands.settle()
    assert hands.dock.brush.layer is None
    assert hands.particles[12, 30, 45] == 4
    shown = hands.viewer.layers[layers.PARTICLES_LAYER].data
    assert np.asarray(shown)[12, 30, 45] == 4


def test_a_refused_stroke_vanishes(hands):
    layer = open_brush(hands)
    hands.desk.session.set_running(["measure"])
    stroke(layer, (12, 30, 45), 4)
    assert len(hands.failed) == 1
    assert "measure" in hands.failed[0]
    assert layer.data[12, 30, 45] == 0
    hands.desk.session.set_running([])
    stroke(layer, (12, 30, 46), 4)
    hands.settle()
    same(hands)
    assert hands.particles[12, 30, 46] == 4


def test_painting_outside_of_particles_changes_no_phase(hands):
    layer = open_brush(hands, "phases")
    stroke(layer, (12, 30, 45), 1)
    hands.settle()
    assert len(hands.failed) == 1
    assert layer.data[12, 30, 45] == 0


def test_undo_and_redo_after_closing_and_opening(hands, slag):
    states = [hands.particles]
    layer = open_brush(hands)
    stroke(layer, (12, 30, 45), 4)
    hands.settle()
    states.append(hands.particles)
    hands.desk.do("delete", lambda: hands.desk.proofreader.delete([2]))
    hands.settle()
    states.append(hands.particles)
    hands.desk.session.close()
    assert Project(slag.folder).edits().can_undo
    hands.desk.session.open(slag.folder)
    hands.qtbot.waitUntil(lambda: hands.desk.proofreader is not None, timeout=60_000)
    assert hands.dock.brush.layer is None
    for state in states[-2::-1]:
        hands.undo()
        np.testing.assert_array_equal(hands.particles, state)
    hands.redo()
    hands.redo()
    np.testing.assert_array_equal(hands.particles, states[-1])
