"""Going from suspect to suspect in a real viewer."""

import numpy as np
import pytest
from tests.workflow.proofreading.specimens import made, specimen

from napari_slagseg.widgets import layers
from napari_slagseg.widgets.proofreading.desk import desk_of
from napari_slagseg.widgets.proofreading.queue_panel import QueuePanel
from napari_slagseg.widgets.session import session_of
from napari_slagseg.workflow import STEPS, run_step

pytestmark = pytest.mark.gui

MERGER, SMALL = 1, 5


@pytest.fixture
def project(tmp_path):
    labels, phases = specimen()
    phases[1:5, 26:30, 2:8] = 1  # a box of a mineral without a particle
    return made(tmp_path, labels, phases)


@pytest.fixture
def opened(make_napari_viewer, project, qtbot):
    viewer = make_napari_viewer()
    session = session_of(viewer)
    session.open(project.folder)
    layers.show_project(viewer, session)
    desk = desk_of(viewer)
    desk.open()
    panel = QueuePanel(session, viewer, desk)
    qtbot.addWidget(panel)
    panel.least.setValue(0)
    qtbot.waitUntil(lambda: desk.proofreader is not None, timeout=60_000)
    qtbot.waitUntil(lambda: not desk.is_busy)
    yield panel
    panel.close_down()
    desk.close()
    session.close()


@pytest.fixture
def panel(opened, qtbot):
    run_step(opened.session.project, STEPS["suspects"])
    opened.session.results_changed.emit("suspects")
    qtbot.waitUntil(lambda: opened.model.rowCount() > 0, timeout=60_000)
    return opened


def settled(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.desk.is_busy and not panel.latest.busy, timeout=15_000)
    qtbot.wait(20)


def cell(panel, suspect, column):
    return panel.model.data(panel.model.index(panel.model.position(suspect), column))


def test_before_they_are_found(opened, qtbot):
    assert "not looked for" in opened.about.text()
    assert opened.model.rowCount() == 0
    assert not any(button.isEnabled() for button in opened.buttons.values())
    with qtbot.waitSignal(opened.run_asked) as asked:
        opened.find_button.click()
    assert asked.args == [[("suspects", None)]]


def test_every_button_says_what_it_does(opened):
    for button in (*opened.buttons.values(), opened.find_button):
        assert len(button.toolTip()) > 10
    assert "(N)" in opened.buttons["next"].toolTip()
    assert "(P)" in opened.buttons["previous"].toolTip()


def test_next_leads_the_viewer_to_the_worst(panel, qtbot):
    names = panel.model.names
    panel.buttons["next"].click()
    assert panel.queue.current == names[0]
    assert panel.table.currentIndex().row() == 0
    row = panel.queue.row(names[0])
    point = np.array(panel.viewer.dims.point) / 2.0
    # 2D shows the slice of the place; voxels are 2 um
    assert point[0] == pytest.approx(row.voxel[0], abs=0.51)
    assert set(panel.desk.chosen) == {n for n in (row.label, row.partner) if n and row.label}
    panel.buttons["next"].click()
    assert panel.queue.current == names[1]
    panel.buttons["previous"].click()
    assert panel.queue.current == names[0]
    assert row.reasons.split(";")[0] in panel.about.text()


def test_a_missed_particle_has_a_place_and_no_number(panel):
    (suspect,) = [n for n in panel.model.names if n[1] == "missed"]
    panel.desk.choose([MERGER])
    panel.table.selectRow(panel.model.position(suspect))
    assert panel.queue.current == suspect
    assert np.array(panel.viewer.dims.point)[0] == pytest.approx(2.5 * 2, abs=1)
    assert panel.desk.chosen == ()
    assert cell(panel, suspect, 2) == ""


def test_words_are_remembered_and_undone(panel, qtbot):
    n = panel.model.rowCount()
    assert (panel.bar.value(), panel.bar.maximum()) == (0, n)
    panel.go_next()
    first = panel.queue.current
    panel.buttons["accept"].click()
    assert panel.queue.current != first
    settled(panel, qtbot)
    assert cell(panel, first, 3) == "accepted"
    assert panel.bar.value() == 1
    second = panel.queue.current
    panel.buttons["fix"].click()
    settled(panel, qtbot)
    assert panel.queue.current == second  # to be worked on
    assert cell(panel, second, 3) == "to be fixed"
    assert panel.bar.value() == 2
    panel.desk.undo()
    panel.desk.undo()
    settled(panel, qtbot)
    assert cell(panel, first, 3) == ""
    assert panel.bar.value() == 0


def test_edits_change_the_rows(panel, qtbot):
    suspect = panel.queue.find(MERGER).suspect
    score = panel.queue.find(MERGER).score
    proofreader = panel.desk.proofreader
    panel.desk.do("split", lambda: proofreader.split(MERGER, [(7, 7, 8), (7, 7, 17)]))
    qtbot.waitUntil(lambda: panel.bar.value() == 1, timeout=60_000)  # edits are compiled first
    settled(panel, qtbot)
    assert panel.queue.find(MERGER).score < score
    panel.desk.do("delete", lambda: proofreader.delete([SMALL]))
    qtbot.waitUntil(lambda: SMALL not in [n[0] for n in panel.model.names], timeout=15_000)
    panel.desk.undo()
    panel.desk.undo()
    qtbot.waitUntil(lambda: panel.bar.value() == 0, timeout=15_000)
    settled(panel, qtbot)
    assert panel.queue.row(suspect).score == pytest.approx(score)


def test_a_particle_chosen_elsewhere_marks_its_row(panel):
    place = panel.viewer.dims.point
    panel.desk.choose([SMALL])
    at = panel.table.currentIndex().row()
    assert panel.model.names[at][0] == SMALL
    assert panel.viewer.dims.point == place  # it does not go there
    panel.session.particle_chosen.emit(MERGER, False)
    assert panel.model.names[panel.table.currentIndex().row()][0] == MERGER
    assert panel.queue.current[0] == MERGER


def test_filters(panel):
    panel.kind.setCurrentText("missed")
    assert [n[1] for n in panel.model.names] == ["missed"]
    assert panel.bar.maximum() == 1
    panel.kind.setCurrentText("all")
    scores = panel.queue.rows()["score"]
    panel.least.setValue(0.5)
    assert panel.model.rowCount() == (scores >= 0.5).sum()


def test_another_day(panel, qtbot, make_napari_viewer):
    panel.go_next()
    first = panel.queue.current
    panel.judge("skip")
    settled(panel, qtbot)
    panel.session.open(panel.session.project.folder)
    qtbot.waitUntil(
        lambda: panel.queue is not None and panel.model.position(first) is not None, timeout=15_000
    )
    settled(panel, qtbot)
    assert cell(panel, first, 3) == "skipped"
    assert panel.bar.value() == 1
