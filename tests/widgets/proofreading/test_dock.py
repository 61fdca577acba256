"""The dock as a whole: opening it, suspects by keys, projects that cannot be written to."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_slagseg.project import Project
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.launch import (
    PROOFREAD_TITLE,
    add_proofread_dock,
    add_workflow_dock,
    open_project,
)
from napari_slagseg.widgets.proofreading.keys import shown_for
from napari_slagseg.widgets.proofreading.queue_panel import BUTTONS
from napari_slagseg.workflow import STEPS, run_step

pytestmark = pytest.mark.gui

K = Qt.Key


def test_the_page_correct_opens_it_once(hands):
    workflow = add_workflow_dock(hands.viewer)
    hands.dock.parent().hide()
    workflow.correct_page.proofread_button.click()
    assert hands.viewer.window.dock_widgets[PROOFREAD_TITLE] is hands.dock
    assert not hands.dock.parent().isHidden()
    assert "4 particles" in hands.dock.about.text()


def test_every_tool_has_a_tooltip_that_names_its_key(hands):
    for name, button in hands.dock.bar.buttons.items():
        assert f"({shown_for(name)})" in button.toolTip()
        assert not button.icon().isNull()
    for name, (_, tip) in BUTTONS.items():
        assert f"({shown_for(name).split(' or ')[0]})" in tip
    hands.dock.help.click()
    assert hands.dock._help.isVisible()


def test_suspects_by_keys(hands):
    hands.key(K.Key_N)
    assert "not looked for" in hands.dock.next.text()
    run_step(hands.desk.session.project, STEPS["suspects"])
    hands.desk.session.results_changed.emit("suspects")
    panel = hands.dock.panels.suspects
    panel.least.setValue(0)
    hands.qtbot.waitUntil(lambda: panel.model.rowCount() > 1, timeout=60_000)
    seen = []
    for _ in range(2):
        hands.key(K.Key_N)
        seen.append(panel.queue.current)
    assert seen[0] != seen[1]
    hands.key(K.Key_P)
    assert panel.queue.current == seen[0]
    hands.key(K.Key_A)
    hands.settle()
    assert hands.desk.proofreader.judgements() == {tuple(seen[0]): "accept"}
    assert panel.queue.current == seen[1]
    hands.key(K.Key_T)
    hands.settle()
    assert hands.desk.proofreader.judgements()[tuple(seen[1])] == "fix"
    assert panel.bar.value() == 2
    hands.undo()
    hands.undo()
    assert hands.desk.proofreader.judgements() == {}


def test_a_project_that_is_open_elsewhere_is_looked_at_only(make_napari_viewer, slag, qtbot):
    with Project(slag.folder).writing():
        viewer = make_napari_viewer(show=True)
        open_project(viewer, slag.folder)
        dock = add_proofread_dock(viewer)
        qtbot.waitUntil(lambda: dock.desk.proofreader is not None, timeout=60_000)
        reason = dock.session.read_only_reason
        assert reason
        assert not dock.bar.buttons["delete"].isEnabled()
        assert reason in dock.bar.buttons["delete"].toolTip()
        assert dock.bar.buttons["frame"].isEnabled()
        failed = []
        dock.desk.failed.connect(failed.append)
        dock.desk.choose([1])
        dock.act("delete")
        dock.act("brush")
        assert dock.brush.layer is None
        assert "open for writing elsewhere" in dock.next.text()
        assert (np.asarray(dock.desk.proofreader.particles) == 1).any()
        dock.act("frame")
        dock.shut()
        dock.desk.close()
        dock.session.close()


def test_another_project_and_the_same_again(hands, slag):
    hands.click((12, 14, 12))
    hands.key(K.Key_Delete)
    hands.settle()
    hands.click((12, 44, 15))
    hands.key(K.Key_D)
    hands.desk.session.open(slag.folder)
    assert hands.desk.chosen == ()
    assert hands.dock.hand.tool is None
    hands.qtbot.waitUntil(lambda: hands.desk.proofreader is not None, timeout=60_000)
    hands.settle()
    assert "3 particles" in hands.dock.about.text()
    assert hands.dock.history.count() == 1
    shown = np.asarray(hands.viewer.layers[layers.PARTICLES_LAYER].data)
    assert not (shown == 1).any()
    hands.viewer.reset_view()
    hands.slice(12)
    hands.undo()
    QApplication.processEvents()
    assert (np.asarray(hands.viewer.layers[layers.PARTICLES_LAYER].data) == 1).any()
    hands.click((12, 14, 12))
    assert hands.desk.chosen == (1,)


def test_closing_the_dock_keeps_the_edits_and_opens_again(hands):
    hands.click((12, 14, 12))
    hands.key(K.Key_Delete)
    hands.viewer.window.remove_dock_widget(hands.dock)
    hands.dock.close()
    hands.settle()
    assert not hands.desk.session.clicks_choose
    again = add_proofread_dock(hands.viewer)
    assert again is not hands.dock
    assert again.history.count() == 1
    again.act("undo")
    hands.settle()
    assert (hands.particles == 1).any()
    again.shut()
