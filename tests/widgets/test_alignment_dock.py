"""The Alignment dock in a real viewer: every button and key does what it says."""

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Points, Surface
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_slagseg.project import Project
from napari_slagseg.widgets import landmark_clicks, layers, surface_layers
from napari_slagseg.widgets.launch import add_alignment_dock, add_workflow_dock, open_project
from napari_slagseg.workflow import STEPS, make_config

pytestmark = pytest.mark.gui

K, M = Qt.Key, Qt.KeyboardModifier


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    yield viewer
    add_workflow_dock(viewer).session.close()


@pytest.fixture
def dock(viewer, project, qtbot):
    open_project(viewer, project.folder)
    made = add_alignment_dock(viewer)
    idle(made, qtbot)
    yield made
    made.shut()


def idle(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.latest.busy, timeout=20_000)


def press(dock, key, held=M.NoModifier):
    QTest.keyClick(dock.view.native, key, held)


def stored(dock):
    return Project(dock.session.project.folder).placed_map("cut")


def picture_of(dock):
    return dock.view.model.layers["picture"].data


def test_the_ct_is_shown_on_the_maps_surface(dock, project):
    volume = project.volume().data
    # every other map pixel lies between voxels of slice 10: means of four of them
    ct = dock.look.ct
    assert ct.shape == (80, 96)
    rows, columns = np.arange(1, 79, 2), np.arange(1, 95, 2)
    expected = (
        volume[10, :-1, :-1].astype(float) * 9 + volume[10, 1:, :-1] * 3.0
        + volume[10, :-1, 1:] * 3.0 + volume[10, 1:, 1:]
    ) / 16  # fmt: skip
    assert np.allclose(ct[np.ix_(rows, columns)], expected, atol=0.01)
    for layer in dock.view.model.layers:
        assert {str(u) for u in layer.units} == {"micrometer"}
        assert tuple(layer.scale) == (1.0, 1.0)
        assert tuple(layer.axis_labels) == ("row", "column")
    # nothing of it is in the main viewer
    assert "picture" not in dock.viewer.layers


def test_views_and_their_sliders(dock, qtbot):
    dock.show_view("swipe")
    dock.amount.setValue(100)
    idle(dock, qtbot)
    assert np.ptp(picture_of(dock)[1:79, 1:95].astype(int), axis=-1).max() == 0
    dock.amount.setValue(0)
    idle(dock, qtbot)
    assert np.array_equal(picture_of(dock), dock.look.colours)
    dock.show_view("side")
    idle(dock, qtbot)
    assert picture_of(dock).shape[1] > 2 * 96
    dock.show_view("map edges")
    idle(dock, qtbot)
    assert not dock.amount.isEnabled()
    dock.show_view("swipe")
    assert dock.amount.value() == 0  # each view keeps its own


def test_the_expected_grey_values_are_those_of_the_ct(dock, qtbot):
    expected, classes, ct = dock.look.expected, dock.look.classes, dock.look.ct
    inside = np.isfinite(ct)
    for phase in (0, 1, 2):
        here = (classes == phase) & inside
        # the fit expects a CT that is blurred, and this one is not
        assert np.median(expected[here]) == pytest.approx(np.median(ct[here]), abs=20)


def test_a_click_chooses_a_cutout_here_and_in_the_table(dock, viewer):
    page = add_workflow_dock(viewer).register_page

    def rows():
        return {index.row() for index in page.table.selectedIndexes()}

    dock.click(40, 10)
    assert dock.alignment.chosen == (0,)
    assert rows() == {0}
    assert "Cutout 0" in dock.cutouts.about.text()
    assert "0.900" in dock.cutouts.about.text()
    assert "not judged" in dock.cutouts.about.text()
    assert len(dock.view._lines["chosen"].data) == 4
    dock.click(40, 90, shift=True)
    assert rows() == {0, 2}
    dock.click(40, 90, shift=True)
    assert rows() == {0}
    page.table.selectRow(1)
    assert dock.alignment.chosen == (1,)
    assert "Cutout 1" in dock.cutouts.about.text()
    dock.click(40, 47)  # once more: none is chosen
    assert dock.alignment.chosen == ()
    assert rows() == set()


def test_a_click_beside_counts_where_pictures_lie_side_by_side(dock, qtbot):
    dock.show_view("side")
    idle(dock, qtbot)
    clicked = []
    dock.view.clicked.connect(lambda *at: clicked.append(at))
    dock.view.click(40, dock.view._second + 10)
    assert clicked == [(40.0, 10.0, False)]
    assert dock.alignment.chosen == (0,)
    # outlines lie over both pictures
    assert len(dock.view._lines["chosen"].data) == 8


def test_keys_nudge_by_the_step_that_is_shown(dock, qtbot):
    dock.click(40, 47)
    dock.cutouts.step.setValue(0.5)
    dock.cutouts.angle.setValue(1.0)
    press(dock, K.Key_Right)
    assert stored(dock).cutouts[1].centre_zyx == pytest.approx((10, 19.5, 24.0))
    press(dock, K.Key_Down, M.ShiftModifier)
    press(dock, K.Key_Left, M.AltModifier)
    press(dock, K.Key_PageUp)
    assert stored(dock).cutouts[1].centre_zyx == pytest.approx((10.5, 22.0, 23.9))
    press(dock, K.Key_BracketRight)
    # a row now leads a degree away from y
    assert stored(dock).cutouts[1].column_step_zyx == pytest.approx(
        (0, 0.5 * np.sin(np.radians(1)), 0.5 * np.cos(np.radians(1))), abs=1e-6
    )
    assert len(dock.session.project.alignment("cut").steps) == 1 + 5
    press(dock, K.Key_Z, M.ControlModifier)
    press(dock, K.Key_Z, M.ControlModifier)
    assert stored(dock).cutouts[1].centre_zyx == pytest.approx((10, 22.0, 23.9))
    assert "Undone: nudge cutout 1 0.5 slices to higher slices" in dock.hint.text()
    press(dock, K.Key_Z, M.ControlModifier | M.ShiftModifier)
    assert stored(dock).cutouts[1].centre_zyx == pytest.approx((10.5, 22.0, 23.9))


def hold(dock, key, times):
    def send(kind, repeat):
        QApplication.sendEvent(dock.view.native, QKeyEvent(kind, key, M.NoModifier, "", repeat))

    send(QEvent.Type.KeyPress, False)
    for _ in range(times - 1):
        send(QEvent.Type.KeyRelease, True)
        send(QEvent.Type.KeyPress, True)
    return lambda: send(QEvent.Type.KeyRelease, False)


def test_a_held_key_is_one_step_when_it_is_let_go(dock):
    let_go = hold(dock, K.Key_Right, 10)
    assert dock.alignment.pending
    assert stored(dock).cutouts[0].centre_zyx[2] == pytest.approx(11.5)
    let_go()
    assert not dock.alignment.pending
    assert stored(dock).cutouts[0].centre_zyx[2] == pytest.approx(16.5)
    assert dock.session.project.alignment("cut").steps[1:] == ["nudge the map 5 voxels right"]


def test_a_held_key_is_stored_when_the_keys_rest_and_when_the_dock_goes(dock, qtbot):
    hold(dock, K.Key_Right, 2)
    qtbot.waitUntil(lambda: not dock.alignment.pending, timeout=3000)
    assert stored(dock).cutouts[0].centre_zyx[2] == pytest.approx(12.5)
    hold(dock, K.Key_Right, 2)
    dock.shut()
    assert stored(dock).cutouts[0].centre_zyx[2] == pytest.approx(13.5)


def test_the_window_that_closes_stores_first(dock):
    hold(dock, K.Key_Down, 2)
    dock._watched = dock.window()
    dock.eventFilter(dock._watched, QEvent(QEvent.Type.Close))
    assert stored(dock).cutouts[0].centre_zyx[1] == pytest.approx(20.5)


def test_picture_and_score_follow_a_nudge(dock, qtbot):
    dock.click(40, 47)
    before = dock.look.ct.copy()
    region = (slice(0, 80), slice(24, 72))
    dock.cutouts.step.setValue(2.0)
    was = dock.alignment.fit.cutout_score(dock.alignment.placed, 1)
    press(dock, K.Key_Right)
    qtbot.waitUntil(lambda: "cutout 1" in dock.score.text(), timeout=5000)
    now = dock.look.ct
    # two voxels are four pixels: what was seen four pixels to the right is seen now
    assert np.allclose(now[1:79, 26:66], before[1:79, 30:70], atol=0.01)
    outside = np.ones((80, 96), bool)
    outside[region] = False
    same = (now == before) | (np.isnan(now) & np.isnan(before))
    assert same[outside].all()
    score = dock.alignment.fit.cutout_score(dock.alignment.placed, 1)
    assert f"cutout 1: {score:.3f}" in dock.score.text()
    assert score < was - 0.02
    # at rest the whole picture is that of the new surface
    qtbot.waitUntil(lambda: dock.actions.resting and not dock.latest.busy, timeout=10_000)
    assert not np.array_equal(dock.look.ct[:, :24], before[:, :24], equal_nan=True)
    assert dock.alignment.placed.cutouts[0].score != 0.9  # all were scored


def test_nudging_keys_stay_in_the_dock(dock, viewer):
    step = viewer.dims.current_step
    press(dock, K.Key_Right)
    press(dock, K.Key_Up)
    assert viewer.dims.current_step == step
    assert len(dock.view.model.layers) == 6
    press(dock, K.Key_Delete, M.ControlModifier)  # napari deletes layers by it
    assert len(dock.view.model.layers) == 6


def test_states_by_button_and_key(dock, viewer, qtbot):
    press(dock, K.Key_A, M.ControlModifier)
    assert dock.alignment.chosen == (0, 1, 2)
    press(dock, K.Key_L)
    assert {c.state for c in stored(dock).cutouts} == {"locked"}
    assert len(dock.view._lines["locked"].data) == 12
    press(dock, K.Key_Escape)
    assert dock.alignment.chosen == ()
    assert not dock.cutouts.buttons["rejected"].isEnabled()
    dock.click(40, 10)
    dock.cutouts.buttons["rejected"].click()
    assert [c.state for c in stored(dock).cutouts] == ["rejected", "locked", "locked"]
    page = add_workflow_dock(viewer).register_page
    assert page.table.item(0, 5).text() == "rejected"

    def drawn():
        features = viewer.layers["cut cutouts"].features
        return set(features["state"][features["cutout"] == 0])

    qtbot.waitUntil(lambda: drawn() == {"rejected"}, timeout=5000)
    dock.undo.click()
    assert {c.state for c in stored(dock).cutouts} == {"locked"}


def test_the_sheet_in_the_main_viewer_follows(dock, viewer, qtbot):
    sheet = viewer.layers["cut in the CT"]
    before = np.asarray(sheet.data)
    dock.cutouts.step.setValue(4.0)
    dock.cutouts.pad["Page Up"].click()
    assert stored(dock).cutouts[0].centre_zyx[0] == pytest.approx(14.0)
    qtbot.waitUntil(lambda: not np.array_equal(sheet.data, before), timeout=5000)
    assert np.array_equal(sheet.data[14], before[10])


def asked(dock):
    found = []
    dock.fit_asked.disconnect()
    dock.fit_asked.connect(found.append)
    return found


def test_runs_from_here_of_cutouts_and_of_all_maps(dock):
    found = asked(dock)
    dock.fit_here.click()
    assert found[-1] == {"maps": ["cut"], "start": "here", "again": True}
    dock.click(40, 10)
    dock.click(40, 90, shift=True)
    assert dock.fit_here.text() == "Fit cutouts again"
    dock.fit_here.click()
    assert found[-1] == {"maps": ["cut"], "start": "here", "cutouts": [0, 2], "again": True}
    dock.click(40, 90, shift=True)
    press(dock, K.Key_Escape)
    dock.scope.setCurrentIndex(1)
    dock.fit_here.click()
    assert found[-1] == {"maps": [], "start": "here", "again": True}
    dock.search.click()
    assert found[-1] == {"maps": [], "start": "search", "again": True}
    for values in found:
        make_config(STEPS["register"], values)  # the step takes them


def test_a_run_is_given_the_pages_settings_and_gets_the_nudge(dock, viewer, monkeypatch):
    workflow = add_workflow_dock(viewer)
    started = []
    monkeypatch.setattr(
        workflow.runner, "start", lambda project, steps, *more: started.extend(steps)
    )
    workflow.register_page.form.set_values({"mirror": "no", "height_low": 3.0, "height_high": 15.0})
    hold(dock, K.Key_PageUp, 2)
    dock.search.click()
    ((name, config),) = started
    assert name == "register"
    assert config["mirror"] == "no"
    assert (config["height_low"], config["height_high"]) == (3.0, 15.0)
    assert config["maps"] == ["cut"]
    assert config["again"]
    assert stored(dock).surface.zyx[0, 0, 0] == pytest.approx(11.0)
    # while it runs nothing may be changed
    assert not dock.fit_here.isEnabled()
    assert not dock.cutouts.pad["↑"].isEnabled()
    workflow._set_busy(False)
    assert dock.fit_here.isEnabled()


def test_read_only_says_why(dock):
    dock.session.read_only_reason = "Open in another window."
    dock.alignment.set_busy(False)
    assert "Open in another window" in dock.hint.text()
    for button in (dock.fit_here, dock.search, dock.undo, dock.cutouts.pad["←"]):
        assert not button.isEnabled()
    before = dock.session.project.placed_path("cut").read_bytes()
    press(dock, K.Key_Right)
    dock.tabs.setCurrentIndex(1)
    dock.click(10, 10)
    assert dock.clicks.pixel is None
    assert dock.session.project.placed_path("cut").read_bytes() == before


def test_the_surface_in_3d_and_back(dock, viewer):
    shown = {x.name for x in viewer.layers if x.visible}
    dock.in_3d.click()
    layer = viewer.layers["cut in 3D"]
    assert isinstance(layer, Surface)
    assert viewer.dims.ndisplay == 3
    assert tuple(layer.scale) == (2.0, 2.0, 2.0)
    assert {str(u) for u in layer.units} == {"micrometer"}
    assert tuple(layer.axis_labels) == ("z", "y", "x")
    corners = layer.data[0][[0, -1]]
    assert corners == pytest.approx(np.array([[10, -0.25, -0.25], [10, 39.25, 47.25]]), abs=1e-4)
    assert not viewer.layers["cut in the CT"].visible
    assert dock.in_3d.text() == "Back to 2D"
    dock.in_3d.click()
    assert viewer.dims.ndisplay == 2
    assert dock.in_3d.text() == "Show in 3D"
    assert {x.name for x in viewer.layers if x.visible} == shown
    assert viewer.layers["CT"].opacity == 1.0


def test_hidden_frames_follow_too(dock, viewer, qtbot):
    viewer.layers["cut cutouts"].visible = False
    dock.outlined.setChecked(False)
    dock.alignment.choose((0,))
    for state, lines in (("rejected", 28 + 8), ("locked", 12), ("rejected", 36)):
        dock.alignment.set_states(state)
        qtbot.waitUntil(lambda n=lines: len(viewer.layers["cut cutouts"].data) == n, timeout=5000)
    assert not viewer.layers["cut cutouts"].visible
    assert not dock.view._lines["rejected"].visible
    dock.outlined.setChecked(True)
    assert len(dock.view._lines["rejected"].data) == 28
    assert len(dock.view._lines["accepted"].data) == 8


# -- landmarks ---------------------------------------------------------------

PIXELS = ((10.0, 10.0), (70.0, 20.0), (40.0, 85.0), (60.0, 60.0))


def partner(pixel, off=(0.0, 0.0, 0.0)):
    row, column = pixel
    return (10.0 + off[0], (row + 0.5) / 2 - 0.5 + off[1], (column + 0.5) / 2 - 0.5 + off[2])


def test_landmarks_by_turns_until_the_third_places_the_map(dock, viewer, qtbot):
    found = asked(dock)
    dock.begin_landmarks()
    assert dock.landmarks.at_third.isChecked()
    assert "Landmark 1: click a place in the <b>map</b>" in dock.hint.text()
    assert not dock.clicks.click_ct(partner(PIXELS[0]))  # out of turn
    for n, pixel in enumerate(PIXELS[:3]):
        assert not found
        assert surface_layers.FROM_ABOVE_LAYER not in viewer.layers
        dock.click(*pixel)
        assert f"Landmark {n + 1}" in dock.hint.text()
        assert "<b>CT</b>" in dock.hint.text()
        assert dock.clicks.click_ct(partner(pixel))
    assert found == [{"maps": ["cut"], "start": "search", "again": True}]
    kept = Project(dock.session.project.folder).landmarks("cut")
    assert kept.pixels.tolist() == [list(p) for p in PIXELS[:3]]
    # the same numbers and colours in both views
    there = viewer.layers[landmark_clicks.layer_name("cut")]
    here = dock.view.model.layers["landmarks"]
    assert isinstance(there, Points)
    assert tuple(there.scale) == (2.0, 2.0, 2.0)
    assert there.data[2] == pytest.approx(partner(PIXELS[2]))
    assert here.data[2] == pytest.approx(PIXELS[2])
    assert np.array_equal(here.face_color, there.face_color)
    assert list(here.features["number"]) == list(there.features["number"]) == ["1", "2", "3"]
    # and the map at once where they put it, in both
    qtbot.waitUntil(lambda: surface_layers.FROM_ABOVE_LAYER in viewer.layers, timeout=5000)
    above = viewer.layers[surface_layers.FROM_ABOVE_LAYER].data
    assert np.array_equal(above > 1, layers.sheet(dock.session.project, stored(dock), 1)[0][10] > 1)
    idle(dock, qtbot)
    assert dock.shown_place is dock.landmark_mode.place
    assert dock.landmarks.table.item(0, 3).text() == "0.0"
    dock.tabs.setCurrentIndex(0)
    assert landmark_clicks.layer_name("cut") not in viewer.layers
    assert surface_layers.FROM_ABOVE_LAYER not in viewer.layers
    assert not viewer.mouse_drag_callbacks or dock.clicks._drag not in viewer.mouse_drag_callbacks


def test_the_third_pair_waits_for_the_button_if_unticked(dock):
    found = asked(dock)
    dock.landmarks.at_third.setChecked(False)
    dock.begin_landmarks()
    for pixel in PIXELS[:3]:
        dock.click(*pixel)
        dock.clicks.click_ct(partner(pixel))
    assert not found
    dock.landmarks.fit.click()
    assert found == [{"maps": ["cut"], "start": "search", "again": True}]


def test_the_worst_pair_is_marked_and_pairs_are_deleted_cleared_and_brought_back(dock):
    asked(dock)
    dock.begin_landmarks()
    for n, pixel in enumerate(PIXELS):
        dock.click(*pixel)
        dock.clicks.click_ct(partner(pixel, (0, 8.0, 0) if n == 3 else (0, 0, 0)))
    cells = [dock.landmarks.table.item(i, 3).text() for i in range(4)]
    assert cells[3] == "8.0  worst"
    assert cells[:3] == ["0.0"] * 3
    here = dock.view.model.layers["landmarks"]
    assert here.border_color[3][:3] == pytest.approx((1, 0, 0))
    dock.landmarks.table.selectRow(3)
    dock.landmarks.delete.click()
    assert len(dock.alignment.landmarks) == 3
    dock.landmarks.clear.click()
    assert dock.alignment.landmarks is None
    assert not dock.landmarks.fit.isEnabled()
    dock.undo.click()
    dock.undo.click()
    assert len(Project(dock.session.project.folder).landmarks("cut")) == 4
    assert dock.landmarks.table.rowCount() == 4


def test_a_second_click_in_the_map_moves_the_half_pair_and_escape_forgets_it(dock):
    dock.begin_landmarks()
    dock.click(10, 10)
    dock.click(12, 14)
    assert dock.clicks.pixel == (12, 14)
    assert len(dock.view.model.layers["landmarks"].data) == 1
    press(dock, K.Key_Escape)
    assert dock.clicks.pixel is None
    dock.click(10, 300)
    assert dock.clicks.pixel is None
    assert "outside of the map" in dock.hint.text()


def test_the_slice_of_a_pair_is_shown_when_its_row_is_clicked(dock, viewer):
    asked(dock)
    dock.begin_landmarks()
    dock.click(10, 10)
    dock.clicks.click_ct(partner((10, 10), (4, 0, 0)))
    viewer.dims.set_current_step(0, 2)
    dock.landmarks.table.cellClicked.emit(0, 0)
    assert viewer.dims.current_step[0] == 14


def test_a_click_in_the_main_viewer_is_a_voxel(dock, viewer, mouse):
    dock.begin_landmarks()
    dock.click(10, 10)
    mouse(viewer, (20.0, 30.0, 44.0))  # micrometres, two a voxel
    kept = dock.alignment.landmarks
    assert kept.voxels.tolist() == [[10.0, 15.0, 22.0]]
    dock.click(20, 20)
    mouse(viewer, (20.0, 30.0, 44.0), moved=30)  # a pan is no click
    assert len(dock.alignment.landmarks) == 1


@pytest.fixture
def mouse():
    class Event:
        button, modifiers, type = 1, (), "mouse_press"

        def __init__(self, position):
            self.position, self.pos = position, np.array([100.0, 100.0])

    def click(viewer, position, moved=0):
        for callback in list(viewer.mouse_drag_callbacks):
            event = Event(position)
            steps = callback(viewer, event)
            next(steps, None)
            if moved:
                event.type, event.pos = "mouse_move", np.array([100.0 + moved, 100.0])
                next(steps, None)
            event.type = "mouse_release"
            next(steps, None)

    return click


# -- a map that was refused --------------------------------------------------


@pytest.fixture
def refused(dock, viewer):
    placed = replace(
        dock.alignment.placed,
        placed=False,
        score=0.3,
        reason="the correlation is 0.30",
        details={
            "refused_because": [
                {"kind": "correlation", "text": "the correlation is 0.30, 0.53 is needed."},
                {"kind": "second_place", "text": "another place reaches 0.29"},
            ]
        },
    )
    with dock.session.project.writing():
        dock.session.project.save_placed(placed)
    dock.alignment.reload()
    return add_workflow_dock(viewer).register_page


def test_a_refusal_says_why_in_plain_words(refused, dock):
    assert not refused.help.isHidden()
    text = refused.help.why.text()
    assert "map and CT still look too little alike" in text
    assert "0.53 is needed" in refused.help.why.toolTip()
    assert "Two different places fit nearly equally well" in text
    assert refused.table.isHidden()
    # its cutouts are not judged
    assert "used for nothing" in dock.cutouts.about.text()


def test_without_kinds_the_reason_is_given(refused, dock):
    placed = replace(dock.alignment.placed, details={})
    with dock.session.project.writing():
        dock.session.project.save_placed(placed)
    dock.alignment.reload()
    assert "the correlation is 0.30" in refused.help.why.text()


def test_what_helps_leads_to_it(refused, dock, viewer, monkeypatch):
    viewer.dims.set_current_step(0, 12)
    refused.help.height.click()
    assert refused.form.values()["height_low"] == "0"
    assert refused.form.values()["height_high"] == "19"
    assert "slices 0 to 19" in refused.help.done.text()
    refused.help.mirror.menu().actions()[0].trigger()
    assert refused.form.values()["mirror"] == "yes"
    started = []
    workflow = add_workflow_dock(viewer)
    monkeypatch.setattr(
        workflow.runner, "start", lambda project, steps, *more: started.extend(steps)
    )
    refused.help.search.click()
    ((_, config),) = started
    assert config["maps"] == ["cut"]
    assert (config["height_low"], config["height_high"], config["mirror"]) == (0, 19, "yes")
    workflow._set_busy(False)
    refused.help.landmarks.click()
    assert dock.tabs.currentWidget() is dock.landmarks
    assert dock.views.currentData() == "map"  # what lies under it is not to be trusted
    dialog = refused.help.explain()
    assert (
        "height window" in dialog.findChild(type(dialog.layout().itemAt(0).widget())).toPlainText()
    )
    dialog.close()


def test_another_project_is_looked_at_when_it_is_opened(dock, viewer, project, tmp_path, qtbot):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(project.folder, other)
    Project(other).placed_path("cut").unlink()
    add_workflow_dock(viewer).open_project(str(other))
    idle(dock, qtbot)
    assert dock.alignment.placed is None
    assert dock.look.ct is None
    assert np.array_equal(picture_of(dock), dock.look.colours)
    assert dock.score.text() == "not placed yet"
    assert not dock.fit_here.isEnabled()


def test_a_dock_that_was_closed_lets_go_and_can_be_opened_again(dock, viewer, qtbot):
    hold(dock, K.Key_Right, 2)
    dock._watched = dock.window()
    viewer.window.remove_dock_widget(dock)
    assert stored(dock).cutouts[0].centre_zyx[2] == pytest.approx(12.5)
    again = add_alignment_dock(viewer)
    idle(again, qtbot)
    assert again is not dock
    found, old = asked(again), asked(dock)
    again.begin_landmarks()
    for pixel in PIXELS[:3]:
        again.click(*pixel)
        again.clicks.click_ct(partner(pixel))
    assert len(found) == 1
    assert not old
    again.shut()


def marked(viewer):
    """What the landmarks put into the main viewer."""
    names = (landmark_clicks.layer_name("cut"), surface_layers.FROM_ABOVE_LAYER)
    return [name for name in names if name in viewer.layers]


@pytest.mark.parametrize("way", ["close", "hide"])
def test_a_dock_closed_while_landmarks_are_set_leaves_the_main_viewer(dock, viewer, way, qtbot):
    asked(dock)
    viewer.layers["cut in the CT"].visible = True
    shown = {x.name for x in viewer.layers if x.visible}
    dock.begin_landmarks()
    assert not viewer.layers["cut in the CT"].visible  # it would hide what is to be clicked
    for pixel in PIXELS[:3]:
        dock.click(*pixel)
        dock.clicks.click_ct(partner(pixel))
    idle(dock, qtbot)
    assert len(marked(viewer)) == 2
    if way == "close":
        dock._watched = dock.window()
        viewer.window.remove_dock_widget(dock)
    else:
        dock.parentWidget().hide()
        dock.follow_closing()
    assert marked(viewer) == []
    assert {x.name for x in viewer.layers if x.visible} == shown
    assert dock.clicks._drag not in viewer.mouse_drag_callbacks
    assert len(Project(dock.session.project.folder).landmarks("cut")) == 3
    if way == "hide":  # and they come back with it
        dock.parentWidget().show()
        dock.follow_closing()
        idle(dock, qtbot)
        assert len(marked(viewer)) == 2
        assert dock.clicks._drag in viewer.mouse_drag_callbacks


def test_a_click_for_a_landmark_paints_nothing(dock, viewer):
    layer = viewer.layers["particles"]
    viewer.layers.selection.active = layer
    layer.mode = "paint"
    dock.begin_landmarks()
    assert layer.mode == "pan_zoom"


def test_that_a_step_runs_is_said_until_it_ends(dock):
    dock.alignment.set_busy(True)
    assert "A step is running" in dock.hint.text()
    dock.alignment.set_busy(False)
    assert dock.hint.text() == ""
    dock.begin_landmarks()
    dock.alignment.set_busy(True)
    dock.alignment.set_busy(False)
    assert "Landmark 1" in dock.hint.text()


def test_chosen_cutouts_stay_chosen_when_a_run_numbers_them_otherwise(dock):
    dock.alignment.choose((0, 2))
    first, second, third = dock.alignment.placed.cutouts
    with dock.session.project.writing():
        dock.session.project.save_placed(
            replace(dock.alignment.placed, cutouts=(third, first, second))
        )
    dock.alignment.reload()
    assert dock.alignment.chosen == (0, 1)
    with dock.session.project.writing():
        dock.session.project.save_placed(replace(dock.alignment.placed, cutouts=(second, first)))
    dock.alignment.reload()
    assert dock.alignment.chosen == (1,)


def test_a_click_on_the_canvas_lies_where_it_looks(make_napari_viewer, project, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 900)
    open_project(viewer, project.folder)
    dock = add_alignment_dock(viewer)
    idle(dock, qtbot)
    qtbot.wait(200)
    clicked = []
    dock.view.clicked.connect(lambda *at: clicked.append(at))
    native = dock.view.native
    # the picture is centred: the canvas' middle is the map's
    QTest.mouseClick(
        native,
        Qt.MouseButton.LeftButton,
        M.NoModifier,
        QPoint(native.width() // 2, native.height() // 2),
    )
    assert clicked[0][:2] == pytest.approx((39.5, 47.5), abs=1.0)
    dock.shut()
    dock.session.close()


def test_a_complaint_goes_once_something_could_be_done(dock):
    press(dock, K.Key_A)  # nothing is chosen
    assert "Choose one or more cutouts first" in dock.hint.text()
    press(dock, K.Key_Right)
    assert dock.hint.text() == ""
    press(dock, K.Key_A)
    dock.click(40, 10)
    assert dock.hint.text() == ""


def test_landmarks_in_a_line_say_so_until_they_do_not(dock):
    found = asked(dock)
    dock.begin_landmarks()
    for pixel in ((10.0, 10.0), (30.0, 30.0), (50.0, 50.0)):
        dock.click(*pixel)
        dock.clicks.click_ct(partner(pixel))
    assert not found
    assert "lie in one line" in dock.hint.text()
    assert "Landmark 4" in dock.hint.text()
    dock.click(70, 10)
    dock.clicks.click_ct(partner((70.0, 10.0)))
    assert "lie in one line" not in dock.hint.text()
    assert "Landmark 5" in dock.hint.text()


def test_a_run_tells_of_maps_in_a_line_each(refused, dock):
    from napari_slagseg.project import StepRecord

    record = StepRecord.model_construct(
        summary={"warnings": ["cut was refused: a long story", "cut: look at it", "Something else"]}
    )
    assert refused.warnings_of(record) == [
        "Refused: cut. Choose it below to see why and what helps.",
        "Look at cut before you go on.",
        "Something else",
    ]
