"""The measure dock in real windows: filters, links between table, plots, gallery and viewer."""

import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backend_bases import MouseButton, MouseEvent
from qtpy.QtCore import QItemSelectionModel, QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_slagseg import io
from napari_slagseg.data import ParticleTable, SlagsegError
from napari_slagseg.data.particle_table import PARTICLE_COLUMNS, SECTION_COLUMNS
from napari_slagseg.liberation.samples import sample_of
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.launch import add_measure_dock, open_project
from napari_slagseg.widgets.measure_dock import MeasureDock
from napari_slagseg.widgets.measuring import sampling
from napari_slagseg.widgets.measuring.particle_views import (
    CHOSEN_LAYER,
    COLOURED_LAYER,
    STEPS,
    step_colours,
)
from napari_slagseg.widgets.measuring.saving import save_plot
from napari_slagseg.workflow import STEPS as WORKFLOW
from napari_slagseg.workflow import run_step
from napari_slagseg.workflow.configs import MeasureConfig

pytestmark = pytest.mark.gui

SHAPE = (24, 48, 60)
SPACING = 2.0


def cubes():
    """Six cubes of 8 voxels, k = 0 to 5, the first k * 8 / 5 planes across x of them ore.

    Those with k = 0 and 5 are all gangue and all ore. A seventh, larger, touches the border.
    """
    particles = np.zeros(SHAPE, np.uint32)
    phases = np.zeros(SHAPE, np.uint8)
    for k in range(6):
        y, x = 4 + 22 * (k // 3), 4 + 18 * (k % 3)
        particles[8:16, y : y + 8, x : x + 8] = k + 1
        phases[8:16, y : y + 8, x : x + 8] = 2
        phases[8:16, y : y + 8, x : x + round(8 * k / 5)] = 1
    particles[0:5, 14:25, 0:20] = 7
    phases[0:5, 14:25, 0:20] = 1
    return particles, phases


@pytest.fixture
def measured(project, table):
    """The project of these tests with seven cubes for its segmentation, measured."""
    particles, phases = cubes()
    io.write_zarr_arrays(
        project.segmentation_path,
        {
            "phases": phases,
            "particles": particles,
            "particle_probability": ((particles > 0) * 250).astype(np.uint8),
        },
        voxel_size_um=(SPACING,) * 3,
        attributes={"phase_table": {"target": "ore", "phases": [dict(vars(p)) for p in table]}},
    )
    run_step(project, WORKFLOW["measure"], MeasureConfig(sections=3))
    return project


def as_measured_before(project):
    """Leave of the tables what versions before contacts and extents wrote."""
    for name in ("particles", "sections", "map_sections"):
        path = project.tables / f"{name}.csv"
        if not path.exists():
            continue
        found = io.read_particle_table(path)
        first = PARTICLE_COLUMNS if found.dimension == 3 else SECTION_COLUMNS
        at = [c for c in first if c in found.frame]
        at = at[: at.index("border_weight")] if "border_weight" in at else at
        kept = [*at, *(c for c in found.frame if c.startswith("fraction_"))]
        for part in ("contacts", "grains"):
            path.with_name(f"{name}_{part}.csv").unlink(missing_ok=True)
        io.write_particle_table(
            ParticleTable(
                found.frame[kept],
                {c: d for c, d in found.definitions.items() if c in kept},
                found.voxel_size_um,
                found.table,
                found.dimension,
            ),
            path,
        )


def wait(dock, qtbot):
    """Until nothing is computed any more and all of it has arrived."""
    qtbot.waitUntil(
        lambda: not (dock.latest.busy or dock.statistics.busy or dock.gallery.latest.busy),
        timeout=60_000,
    )
    QApplication.processEvents()


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Intervals of few resamples: these tests look at the window, not at the intervals."""

    def read(project):
        tables = sampling.read_tables(project)
        return replace(tables, settings=replace(tables.settings, resamples=20))

    monkeypatch.setattr("napari_slagseg.widgets.measure_dock.read_tables", read)


@pytest.fixture
def dock(make_napari_viewer, measured, qtbot):
    viewer = make_napari_viewer(show=True)
    workflow, dock = open_project(viewer, measured.folder)
    viewer.window.resize(1500, 1000)
    wait(dock, qtbot)
    yield dock
    dock.shut()
    workflow.session.close()


def labels(dock):
    return sorted(dock.model.labels.tolist())


def test_filters_change_the_table_and_the_results(dock, qtbot):
    assert labels(dock) == [1, 2, 3, 4, 5, 6]  # 7 touches the border
    assert "6 of 7 particles" in dock.about.text()
    tab = dock.plot_tabs["liberation"]
    assert dock.plot_tabs["stereology"].plots
    before = tab.panes[0].frames["volume_liberation"]
    dock.filters.border.setCurrentIndex(dock.filters.border.findData("include"))
    wait(dock, qtbot)
    assert labels(dock) == [1, 2, 3, 4, 5, 6, 7]
    after = tab.panes[0].frames["volume_liberation"]
    assert not before.equals(after)
    # of 8**3 * (0 + 2 + 3 + 5 + 6 + 8) / 8 voxels of ore, a third is in the particle of ore alone
    whole = before[(before["sample"] == "3D particles") & (before["by"] == "volume_liberation")]
    at = whole[np.isclose(whole["threshold"], 1.0)]
    assert at["value"].iat[0] == pytest.approx(8 / (2 + 3 + 5 + 6 + 8))
    # a cube of 16 um has an equivalent diameter of 19.85 um, the box at the border 25.7 um
    dock.filters.smallest.setValue(22.0)
    wait(dock, qtbot)
    assert labels(dock) == [7]
    dock.filters.smallest.setValue(0)
    dock.filters.largest.setValue(22.0)
    wait(dock, qtbot)
    assert labels(dock) == [1, 2, 3, 4, 5, 6]
    dock.filters.locked.setCurrentIndex(dock.filters.locked.findData("only"))
    wait(dock, qtbot)
    assert labels(dock) == []
    assert any("no particle" in notice for notice in dock.notices.notices)


def test_sizes_that_exclude_each_other_are_told(dock, qtbot):
    dock.filters.largest.setValue(5.0)
    dock.filters.smallest.setValue(9.0)
    assert "hold no particle" in dock.notices.text()
    dock.filters.smallest.setValue(0)
    wait(dock, qtbot)
    assert "hold no particle" not in dock.notices.text()


def test_another_target_and_a_group_change_the_liberation(dock, qtbot):
    ore = dict(zip(dock.table.frame["label"], dock.table.frame["volume_liberation"]))
    assert [ore[k] for k in range(1, 7)] == pytest.approx([0, 2 / 8, 3 / 8, 5 / 8, 6 / 8, 1])
    dock.filters.target.tick(["gangue"])
    assert dock.filters.target.names == ("gangue",)
    wait(dock, qtbot)
    gangue = dict(zip(dock.table.frame["label"], dock.table.frame["volume_liberation"]))
    assert [gangue[k] for k in range(1, 7)] == pytest.approx([1 - ore[k] for k in range(1, 7)])
    assert dock.table.targets == ("gangue",)
    dock.filters.target.tick(["ore", "gangue"])
    wait(dock, qtbot)
    assert dock.table.frame["volume_liberation"].tolist() == [1.0] * 6
    # the last one cannot be unticked
    dock.filters.target.tick([])
    assert len(dock.filters.target.names) == 1


def test_the_last_request_wins(dock, qtbot, monkeypatch):
    gate, begun = threading.Event(), []

    def slowly(tables, request, inner=sampling.samples_for):
        begun.append(request.filters.max_size_um)
        gate.wait(10)
        return inner(tables, request)

    monkeypatch.setattr("napari_slagseg.widgets.measure_dock.samples_for", slowly)
    for size in (1.0, 2.0, 3.0, 30.0):
        dock.filters.largest.setValue(size)
    qtbot.waitUntil(lambda: bool(begun), timeout=5000)
    assert dock.busy.isVisible()
    gate.set()
    wait(dock, qtbot)
    assert begun == [1.0, 30.0]
    assert labels(dock) == [1, 2, 3, 4, 5, 6]
    assert not dock.busy.isVisible()


def test_the_lasso_chooses_points_and_the_table_marks_them(dock, qtbot):
    viewer = dock.viewer
    dock.tabs.setCurrentWidget(dock.splitter)
    qtbot.waitUntil(lambda: bool(dock.scatter.canvas.figure.axes), timeout=5000)
    dock.scatter.x.choose("volume_liberation")
    dock.scatter.y.choose("equivalent_diameter_um")
    dock.scatter.canvas.draw()
    axes = dock.scatter.canvas.figure.axes[0]
    lasso_drag(dock, axes, [(0.5, 0), (1.1, 0), (1.1, 99), (0.5, 99)])
    assert dock.choice.labels.tolist() == [4, 5, 6]
    assert dock.chosen.text() == "3 chosen"
    rows = range(dock.model.rowCount())
    marked = [
        dock.model.label_at(r)
        for r in rows
        if dock.model.data(dock.model.index(r, 0), Qt.ItemDataRole.BackgroundRole) is not None
    ]
    assert sorted(marked) == [4, 5, 6]
    shown = viewer.layers[CHOSEN_LAYER]
    plane = np.asarray(shown.data[12])
    particles, _ = cubes()
    assert np.array_equal(plane > 0, np.isin(particles[12], [4, 5, 6]))
    # the other way round: rows of the table are marked in the plot
    selection = dock.view.selectionModel()
    flags = QItemSelectionModel.SelectionFlag
    for label in (2, 3):
        index = dock.model.index(dock.model.row_of(label), 0)
        selection.select(index, flags.Select | flags.Rows)
    assert dock.choice.labels.tolist() == [2, 3]
    found = dock.scatter._marked.get_xdata()
    assert sorted(found) == pytest.approx([2 / 8, 3 / 8])
    dock.forget.click()
    assert CHOSEN_LAYER not in viewer.layers
    assert not len(dock.scatter._marked.get_xdata())
    assert not dock.view.selected_labels().size


def lasso_drag(dock, axes, corners):
    """Draw around points with the mouse, as matplotlib hears of it."""
    canvas = dock.scatter.canvas
    at = axes.transData.transform(corners)
    # outside the axes the lasso takes no points
    box = axes.get_window_extent()
    at = np.clip(at, [box.x0 + 1, box.y0 + 1], [box.x1 - 1, box.y1 - 1])

    def send(name, x, y):
        held = [MouseButton.LEFT] if name == "motion_notify_event" else None
        event = MouseEvent(name, canvas, x, y, MouseButton.LEFT, buttons=held)
        canvas.callbacks.process(name, event)

    send("button_press_event", *at[0])
    for x, y in at[1:]:
        send("motion_notify_event", x, y)
    send("button_release_event", *at[-1])


def test_a_click_in_the_plot_goes_to_the_particle(dock, qtbot):
    qtbot.waitUntil(lambda: bool(dock.scatter.canvas.figure.axes), timeout=5000)
    dock.scatter.x.choose("volume_liberation")
    dock.scatter.y.choose("volume_liberation")
    dock.scatter.canvas.draw()
    axes = dock.scatter.canvas.figure.axes[0]
    lasso_drag(dock, axes, [(6 / 8, 6 / 8)] * 2)
    assert dock.choice.labels.tolist() == [5]
    assert dock.viewer.scene.camera.center[1:] == pytest.approx((59, 51))


def test_colouring_by_a_column_and_back(dock, qtbot):
    viewer = dock.viewer
    dock.colours.column.choose("volume_liberation")
    assert dock.colours.on.isChecked()
    layer = viewer.layers[COLOURED_LAYER]
    assert not viewer.layers[layers.PARTICLES_LAYER].visible
    plane = np.asarray(layer.data[12])
    particles, _ = cubes()
    low, high = dock.colours.legend.scale
    for label, value in ((1, 0.0), (3, 3 / 8), (6, 1.0)):
        (step,) = np.unique(plane[particles[12] == label])
        expected = np.clip((value - low) / (high - low) * STEPS, 0.5, STEPS - 0.5)
        assert abs(step - 0.5 - expected) <= 1
        colour = np.asarray(layer.colormap.map(int(step)))
        assert colour == pytest.approx(step_colours()[step - 1], abs=0.01)
    assert not plane[particles[12] == 0].any()
    # particles that a filter leaves out lose their colour
    dock.filters.largest.setValue(5.0)
    wait(dock, qtbot)
    assert not np.asarray(layer.data[12]).any()
    dock.colours.on.setChecked(False)
    assert COLOURED_LAYER not in viewer.layers
    assert viewer.layers[layers.PARTICLES_LAYER].visible


def test_the_gallery_is_sorted_and_leads_to_the_particle(dock, qtbot, tmp_path):
    viewer, gallery = dock.viewer, dock.gallery
    dock.tabs.setCurrentWidget(gallery)
    wait(dock, qtbot)
    qtbot.waitUntil(lambda: all(p.picture for p in gallery.sheet.places), timeout=20_000)
    assert [p.label for p in gallery.sheet.places] == [1, 2, 3, 4, 5, 6]
    assert gallery.sheet.places[2].caption == "3: 38%"
    assert "volume liberation: 38%" in gallery.sheet.places[2].words
    # cubes of 16 um: drawn as long as their scale says
    assert gallery.sheet.places[0].picture.size_um == pytest.approx((16.0, 16.0))
    gallery.falling.setChecked(True)
    wait(dock, qtbot)
    qtbot.waitUntil(lambda: all(p.picture for p in gallery.sheet.places), timeout=20_000)
    assert [p.label for p in gallery.sheet.places] == [6, 5, 4, 3, 2, 1]
    place = gallery.sheet.places[1].rect.center()
    qtbot.mouseClick(
        gallery.sheet, Qt.MouseButton.LeftButton, pos=QPoint(round(place.x()), round(place.y()))
    )
    assert dock.choice.labels.tolist() == [5]
    assert viewer.dims.point[0] == pytest.approx(2 * 11.5, abs=1.1)
    # the middle of 26..33 and 22..29 is 29.5 and 25.5
    assert viewer.scene.camera.center[1:] == pytest.approx((59, 51))
    other = gallery.sheet.places[0].rect.center()
    qtbot.mouseClick(
        gallery.sheet,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.ControlModifier,
        QPoint(round(other.x()), round(other.y())),
    )
    assert dock.choice.labels.tolist() == [5, 6]
    dock.only.setChecked(True)
    wait(dock, qtbot)
    assert [p.label for p in gallery.sheet.places] == [6, 5]
    gallery.save_page(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert pd.read_csv(tmp_path / "page.csv")["label"].tolist() == [6, 5]
    with pytest.raises(SlagsegError, match=r"\.png, \.svg or \.pdf"):
        gallery.save_page(tmp_path / "page.xyz")


def test_phases_change_their_colours_in_the_gallery_and_in_the_viewer(dock, qtbot):
    dock.tabs.setCurrentWidget(dock.gallery)
    wait(dock, qtbot)
    qtbot.waitUntil(lambda: bool(dock.gallery.sheet.places[5].picture), timeout=20_000)
    red = dock.gallery.sheet.places[5].picture.rgba
    dock.gallery.palette_box.setCurrentIndex(dock.gallery.palette_box.findData("safe"))
    wait(dock, qtbot)
    qtbot.waitUntil(lambda: bool(dock.gallery.sheet.places[5].picture), timeout=20_000)
    orange = dock.gallery.sheet.places[5].picture.rgba
    at = np.nonzero(red[..., 3])
    # #d55e00 of the legend, #e69f00 of Okabe and Ito
    for picture, ratio in ((red, 0x5E / 0xD5), (orange, 0x9F / 0xE6)):
        shown = picture[at].astype(float)
        assert np.median(shown[:, 1] / shown[:, 0]) == pytest.approx(ratio, abs=0.02)
    colour = dock.viewer.layers[layers.PHASES_LAYER].colormap.map(1)
    assert colour[:3] == pytest.approx([0xE6 / 255, 0x9F / 255, 0], abs=0.01)


def test_plots_are_saved_with_their_data(dock, tmp_path):
    pane = dock.plot_tabs["liberation"].panes[0]
    name, draw, data = pane.saved()
    assert name == "volume_liberation"
    for kind in ("png", "svg", "pdf"):
        picture, numbers = save_plot(tmp_path / f"plot.{kind}", draw, data)
        assert picture.stat().st_size > 1000
        assert {"value", "low", "high"} <= set(pd.read_csv(numbers).columns)
    with pytest.raises(SlagsegError, match="png"):
        save_plot(tmp_path / "plot.gif", draw, data)
    _, draw, data = dock.scatter._saved()
    _, numbers = save_plot(tmp_path / "scatter.png", draw, data)
    assert pd.read_csv(numbers)["label"].tolist() == [1, 2, 3, 4, 5, 6]


def test_closing_while_work_runs_is_clean(make_napari_viewer, measured, qtbot, monkeypatch):
    begun, ended = threading.Event(), threading.Event()

    def slowly(tables, samples, inner=sampling.statistics_of):
        begun.set()
        time.sleep(0.5)
        found = inner(tables, samples)
        ended.set()
        return found

    monkeypatch.setattr("napari_slagseg.widgets.measure_dock.statistics_of", slowly)
    viewer = make_napari_viewer()
    workflow, dock = open_project(viewer, measured.folder)
    qtbot.waitUntil(begun.is_set, timeout=20_000)
    dock.shut()
    assert ended.is_set()  # its thread was waited for
    dock.shut()
    assert dock.plot_tabs["liberation"].plots == {}
    assert not viewer.mouse_move_callbacks
    workflow.session.close()


def test_a_table_without_contacts_says_measure_again(make_napari_viewer, measured, qtbot):
    as_measured_before(measured)
    viewer = make_napari_viewer()
    workflow, dock = open_project(viewer, measured.folder)
    wait(dock, qtbot)
    assert dock.model.rowCount() == 6
    assert dock.plot_tabs["liberation"].plots
    dock.filters.target.tick(["gangue"])
    wait(dock, qtbot)
    assert "easure" in dock.notices.text()
    assert dock.model.rowCount() == 7
    dock.filters.target.tick(["ore"])
    wait(dock, qtbot)
    assert dock.model.rowCount() == 6
    dock.filters.border.setCurrentIndex(dock.filters.border.findData("weighted"))
    wait(dock, qtbot)
    assert "border weights" in dock.notices.text()
    # pictures are cut by the axes, as there are no extents
    dock.gallery._make()
    wait(dock, qtbot)
    assert all(place.picture is not None for place in dock.gallery.sheet.places)
    dock.shut()
    workflow.session.close()


def test_a_window_without_a_project_or_particles_stays_up(make_napari_viewer, measured, qtbot):
    viewer = make_napari_viewer()
    dock = add_measure_dock(viewer)
    dock.recompute()
    dock.go_to(3)
    dock.colours.on.setChecked(True)
    dock.colours.on.setChecked(False)
    with pytest.raises(SlagsegError, match="no particles"):
        dock.gallery.save_page("page.png")
    whole = io.read_particle_table(measured.tables / "particles.csv")
    empty = sample_of(whole).table.frame.iloc[:0]
    io.write_frame(measured.tables / "particles.csv", empty)
    workflow, _ = open_project(viewer, measured.folder)
    wait(dock, qtbot)
    assert dock.model.rowCount() == 0
    for i in range(dock.tabs.count()):
        dock.tabs.setCurrentIndex(i)
        QApplication.processEvents()
    assert "0 particles" in dock.about.text() or "0 of" in dock.about.text()
    assert dock.notices.notices
    dock.shut()
    workflow.session.close()


def test_many_rows_are_marked_at_once(make_napari_viewer):
    viewer = make_napari_viewer()
    dock = MeasureDock(viewer)
    count = 20_000
    frame = pd.DataFrame(
        {"label": np.arange(1, count + 1), "volume_liberation": np.linspace(0, 1, count)}
    )
    dock.model.set_table(frame, {})
    dock.view.selectAll()
    assert len(dock.choice) == count
    dock.choice.set(np.arange(1, count, 2))
    assert not len(dock.view.selected_labels())
    dock.model.sort(1, Qt.SortOrder.DescendingOrder)
    assert dock.model.label_at(0) == count
    dock.close()
