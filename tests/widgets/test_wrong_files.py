"""Wrong files and values in the window: words where they were given, never a traceback."""

import errno

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QLabel

from napari_slagseg import io
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.launch import add_measure_dock, add_workflow_dock, open_project
from napari_slagseg.widgets.project_page import NewProjectDialog
from napari_slagseg.workflow import STEPS, run_step

pytestmark = pytest.mark.gui

GARBAGE = bytes(range(256)) * 20
GREY = np.random.default_rng(5).integers(100, 60000, (20, 30, 30)).astype(np.uint16)


@pytest.fixture
def dialog(qtbot, project, tmp_path, monkeypatch):
    """A dialog that is filled in well; an exception in a slot fails the test."""
    made = NewProjectDialog()
    qtbot.addWidget(made)
    made.ct.set_text(str(tmp_path / "ct.tif"))
    made.maps.addItem(str(tmp_path / "cut.png"))
    made.pixel_size.setText("1")
    made.legend.set_text(str(tmp_path / "legend.csv"))
    made.target.setCurrentText("ore")
    made.folder.set_text(str(tmp_path / "new"))
    return made


def press(dialog):
    dialog._make()


def test_a_well_filled_dialog_makes_the_project(dialog, tmp_path):
    assert dialog.voxel_size.text() == "2"
    press(dialog)
    assert dialog.message.text() == ""
    assert dialog.project.folder == tmp_path / "new"


def array_file(path, kind):
    if kind == "garbage":
        path.write_bytes(GARBAGE)
    elif kind == "short":
        tifffile.imwrite(path, GREY, compression="zlib")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "two axes":
        tifffile.imwrite(path, GREY[0])
    elif kind == "colour":
        tifffile.imwrite(path, np.full((5, 16, 16, 3), 7, np.uint8), photometric="rgb")
    elif kind == "nan":
        grey = GREY.astype(np.float32)
        grey[1, 2, 3] = np.nan
        tifffile.imwrite(path, grey)
    elif kind == "constant":
        tifffile.imwrite(path, np.full_like(GREY, 9))
    return path


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("missing", "does not exist"),
        ("garbage", "not a TIFF file"),
        ("short", "cut short"),
        ("two axes", "three axes"),
        ("colour", "colour"),
        ("nan", "NaN"),
        ("constant", "constant"),
    ],
)
def test_an_unusable_ct(dialog, tmp_path, kind, word):
    path = array_file(tmp_path / "wrong.tif", kind)
    dialog.ct.set_text(str(path))
    dialog.voxel_size.setText("2")
    press(dialog)
    assert "wrong.tif" in dialog.message.text()
    assert word in dialog.message.text()
    assert dialog.project is None
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("field", "text", "word"),
    [
        ("pixel_size", "", "Give the pixel size"),
        ("pixel_size", ",", "one number"),
        ("pixel_size", "one", "not a number"),
        ("pixel_size", "0", "above 0"),
        ("pixel_size", "nan", "above 0"),
        ("voxel_size", "0", "above 0"),
        ("voxel_size", "-2", "above 0"),
        ("voxel_size", "1, 2", "three"),
        ("voxel_size", "five", "not a number"),
        ("folder", "", "Give the project folder"),
    ],
)
def test_an_unusable_number(dialog, tmp_path, field, text, word):
    control = getattr(dialog, field)
    (control.setText if hasattr(control, "setText") else control.set_text)(text)
    press(dialog)
    assert word in dialog.message.text()
    assert dialog.project is None
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("shape", ["", "20, 30", "20, 30, nan", "20, 30, 30.5", "0, 1, 1", "a"])
def test_an_unusable_raw_shape(dialog, tmp_path, shape):
    GREY.tofile(tmp_path / "ct.raw")
    dialog.ct.set_text(str(tmp_path / "ct.raw"))
    dialog.raw_shape.setText(shape)
    press(dialog)
    assert "raw shape" in dialog.message.text() or "raw file" in dialog.message.text()
    assert dialog.project is None


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_an_unusable_legend_is_told_when_it_is_chosen(dialog, tmp_path, suffix):
    (tmp_path / f"wrong{suffix}").write_bytes(GARBAGE)
    dialog.legend.set_text(str(tmp_path / f"wrong{suffix}"))
    assert f"wrong{suffix}" in dialog.message.text()
    press(dialog)
    assert "Give the target phase" in dialog.message.text()


@pytest.mark.parametrize("name", ["wrong.png", "wrong.tif", "wrong.npy", "nothing.png"])
def test_an_unusable_map(dialog, tmp_path, name):
    if name.startswith("wrong"):
        (tmp_path / name).write_bytes(GARBAGE)
    dialog.maps.addItem(str(tmp_path / name))
    press(dialog)
    assert name in dialog.message.text()
    assert not (tmp_path / "new").exists()


def test_words_of_a_library_are_shown_as_they_are(make_napari_viewer, dialog, monkeypatch):
    """A decoder's <TiffPages @8> is no markup: as such it would vanish."""
    words = "x.tif cannot be read (<tifffile.TiffPages @8> invalid)"
    viewer = make_napari_viewer()
    dock = add_workflow_dock(viewer)
    monkeypatch.setattr("napari_slagseg.widgets.workflow_dock.show_error", lambda text: None)
    dock.say_error(words)
    assert "&lt;tifffile.TiffPages @8&gt;" in dock.stage.text()
    dialog.message.setText(words)
    assert dialog.message.textFormat().name == "PlainText"


def test_a_damaged_project_leaves_the_open_one(make_napari_viewer, project, tmp_path):
    viewer = make_napari_viewer()
    dock, _ = open_project(viewer, project.folder)
    shown = []
    dock.say_error = shown.append
    (tmp_path / "bad").mkdir()
    for content, word in (
        ("{", "JSON"),
        ("[]", "no JSON object"),
        ('{"schema_version": 99}', "99"),
    ):
        (tmp_path / "bad" / "project.json").write_text(content)
        assert not dock.open_project(str(tmp_path / "bad"))
        assert word in shown[-1]
    assert dock.session.project.folder == project.folder
    dock.session.close()


@pytest.mark.parametrize(
    "name",
    ["placed/cut.json", "steps/measure.json", "tables/particles.csv", "tables/particles.json"],
)
def test_damaged_parts_are_told_in_the_dock_and_the_rest_is_shown(
    make_napari_viewer, project, monkeypatch, name, qtbot
):
    run_step(project, STEPS["measure"])
    (project.folder / name).write_bytes(GARBAGE)
    shown = []
    for module in ("workflow_dock", "measure_dock"):
        monkeypatch.setattr(f"napari_slagseg.widgets.{module}.show_error", shown.append)
    viewer = make_napari_viewer()
    dock, _ = open_project(viewer, project.folder)
    qtbot.waitUntil(lambda: any(name.partition("/")[2] in text for text in shown), timeout=20_000)
    assert layers.PARTICLES_LAYER in viewer.layers or name.startswith("placed")
    assert "ore (target)" in [label.text() for label in dock.legend.findChildren(QLabel)]
    assert dock.session.writable
    dock.session.close()


def test_what_cannot_be_stored_is_told_in_the_dock(make_napari_viewer, project, monkeypatch):
    viewer = make_napari_viewer()
    dock, _ = open_project(viewer, project.folder)
    shown = []
    monkeypatch.setattr("napari_slagseg.widgets.workflow_dock.show_error", shown.append)
    dock.register_page.table.selectRow(1)

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("napari_slagseg.io.atomic._sync", full)
        dock.register_page.set_states("rejected")
    assert "disk is full" in shown[-1]
    assert "disk is full" in dock.stage.text()
    assert [c.state for c in project.placed_map("cut").cutouts] == ["accepted"] * 3
    project.placed_path("cut").write_text("{")
    dock.session.alignment.reload()
    assert any("run 'register' again" in text.lower() for text in shown)
    dock.session.close()


@pytest.mark.parametrize("page", ["Register", "Train"])
def test_both_docks_leave_a_page_its_room(make_napari_viewer, project, qtbot, page):
    """At 1600 x 1000 no page scrolls, and the measure dock does not lie below the steps."""
    run_step(project, STEPS["measure"])
    viewer = make_napari_viewer(show=True)
    dock, measure = open_project(viewer, project.folder)
    viewer.window.resize(1600, 1000)
    dock.show_page(page)
    area = dock.toolbox.currentWidget()
    qtbot.waitUntil(lambda: area.viewport().height() > 300, timeout=5000)
    assert area.verticalScrollBar().maximum() == 0
    steps_right = dock.mapTo(dock.window(), QPoint(0, 0)).x()
    table_end = measure.mapTo(dock.window(), QPoint(measure.width(), 0)).x()
    assert table_end <= steps_right
    tabs = add_measure_dock(viewer).tabs.tabBar()
    assert sum(tabs.tabRect(i).width() for i in range(tabs.count())) <= tabs.width()
    dock.session.close()
    assert io.read_particle_table(project.tables / "particles.csv").dimension == 3


def test_a_project_that_cannot_be_written_to_is_opened_for_looking(
    make_napari_viewer, project, monkeypatch
):
    def refused(*args, **kwargs):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    shown = []
    monkeypatch.setattr("napari_slagseg.widgets.workflow_dock.show_warning", shown.append)
    monkeypatch.setattr("filelock.FileLock.acquire", refused)
    viewer = make_napari_viewer()
    before = project.placed_path("cut").read_bytes()
    dock, _ = open_project(viewer, project.folder)
    assert "Operation not permitted" in shown[0]
    assert "make the folder writable" in shown[0]
    assert layers.CT_LAYER in viewer.layers
    assert not dock.session.writable
    assert not dock.register_page.run_button.isEnabled()
    alignment = dock.session.alignment
    alignment.choose((0,))
    assert not alignment.set_states("rejected")
    assert alignment.placed.cutouts[0].state == "accepted"
    assert project.placed_path("cut").read_bytes() == before
    dock.session.close()
