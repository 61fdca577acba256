"""Large projects in real viewers: nothing is read whole, and every level is the same volume."""

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_slagseg import io
from napari_slagseg.data import CancelledError
from napari_slagseg.project import Project
from napari_slagseg.widgets import layers, regions
from napari_slagseg.widgets.launch import add_measure_dock, add_workflow_dock, open_project
from napari_slagseg.widgets.levels import layer_data, levels_of
from napari_slagseg.widgets.measure_dock import MeasureDock
from napari_slagseg.widgets.measuring.table_view import ROWS_FOR_WIDTHS
from napari_slagseg.widgets.particle_model import ParticleModel
from napari_slagseg.widgets.picking import label_at
from napari_slagseg.workflow import viewing

from .test_lazy_array import Counting

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    yield viewer
    add_workflow_dock(viewer).session.close()


class Event:
    """A mouse over a place of the world."""

    def __init__(self, position, dims_displayed=(1, 2)):
        self.position, self.dims_displayed = position, list(dims_displayed)
        self.view_direction = None


def test_opening_a_large_ct_reads_little_of_it(viewer):
    z = 100 * np.arange(512, dtype=np.uint16)
    source = Counting(np.broadcast_to(z[:, None, None], (512, 512, 512)))
    session = add_workflow_dock(viewer).session

    class Opened:
        voxel_size_um = (2.0, 2.0, 2.0)
        data = source

    session.volume = Opened
    session.ct_levels = lambda: [source]
    layers.add_ct(viewer, session)
    layer = viewer.layers[layers.CT_LAYER]
    assert layer.multiscale
    assert source.read < 0.02 * 512**3
    assert np.allclose(layer.extent.world, [[0, 0, 0], [1022, 1022, 1022]])
    low, high = layer.contrast_limits
    assert 0 <= low < 10_000
    assert 41_000 < high <= 51_100
    before = source.read
    viewer.dims.set_point(0, 300 * 2.0)
    # the slice and, for the thumbnail, the same of the coarse level, which is not stored
    assert source.read - before <= 2 * 512**2
    assert layer.get_value((600.0, 500.0, 500.0), world=True)[1] == 30_000


def test_levels_lie_over_each_other(viewer):
    shape = (301, 515, 517)
    labels = np.zeros(shape, np.uint32)
    labels[100:160, 200:304, 216:320] = 70001
    levels = levels_of([labels])
    layer = viewer.add_labels(
        layer_data(levels), name="particles", **layers.placement((2.0, 3.0, 4.0))
    )
    assert [level.shape for level in layer.data] == [
        (301, 515, 517),
        (151, 258, 259),
        (76, 129, 130),
    ]
    viewer.dims.set_point(0, 120 * 2.0)
    for level in range(3):
        layer.locked_data_level = level
        f = 2**level
        # a voxel of the level away from each edge, inside and out
        for y, x in ((200 + f, 216 + f), (303 - f, 319 - f)):
            assert layer.get_value((240.0, y * 3.0, x * 4.0), world=True) == (level, 70001)
        for y, x in ((200 - f, 260), (303 + f, 260), (250, 216 - f), (250, 319 + f)):
            assert layer.get_value((240.0, y * 3.0, x * 4.0), world=True) == (level, 0)
        assert np.allclose(layer.extent.world, [[0, 0, 0], [600, 1542, 2064]])
    # a click is exact on every level
    for place, expected in (
        ((250, 216), 70001),
        ((250, 215), 0),
        ((303, 319), 70001),
        ((304, 319), 0),
    ):
        world = (240.0, place[0] * 3.0, place[1] * 4.0)
        assert label_at(layer, Event(world)) == expected
    assert label_at(layer, Event((240.0, -9.0, 10.0))) == 0
    colours = []
    for level in range(3):
        layer.locked_data_level = level
        view = layer._slice.image.view
        raw = layer._slice.image.raw
        colours.append(set(np.unique(view[raw == 70001]).tolist()))
    assert colours[0] == colours[1] == colours[2]
    assert len(colours[0]) == 1


def test_choosing_a_particle_marks_its_row_and_can_hide_the_others(viewer, project, qtbot):
    dock, _ = open_project(viewer, project.folder)
    with qtbot.waitSignal(dock.runner.idle, timeout=120_000):
        dock.run([("measure", {"sections": 4})])
    measure = add_measure_dock(viewer)
    qtbot.waitUntil(lambda: measure.model.rowCount() == 2, timeout=20_000)
    layer = viewer.layers[layers.PARTICLES_LAYER]
    layer.visible = True
    assert not layer.editable
    told = []
    measure.session.particle_chosen.connect(lambda *values: told.append(values))
    before = viewer.scene.camera.center

    class Click(Event):
        type, pos, button = "mouse_press", np.array([10, 10]), 1

    viewer.dims.set_point(0, 18.0)
    viewer.layers.selection.active = layer
    click = Click((18.0, 2.0 * 28, 2.0 * 34))
    steps = measure.link.click(viewer, click)
    next(steps)
    click.type = "mouse_release"
    assert list(steps) == []
    assert told == [(2, False)]
    assert measure.chosen_label() == 2
    assert layer.selected_label == 2
    assert viewer.scene.camera.center == before
    measure.only.setChecked(True)
    assert layer.show_selected_label
    assert set(layer.features.columns) >= {"index", "sphericity"}
    # a drag chooses nothing
    steps = measure.link.click(viewer, click)
    next(steps)
    click.pos = np.array([90, 10])
    assert list(steps) == []
    assert len(told) == 1


def test_a_table_of_many_particles_is_not_walked_through(viewer, monkeypatch):
    count = 20_000
    labels = np.arange(1, count + 1)
    frame = pd.DataFrame({"label": labels, "equivalent_diameter_um": labels / 7})
    rows = []
    asked = ParticleModel.data

    def noting(self, index, role=Qt.ItemDataRole.DisplayRole):
        rows.append(index.row())
        return asked(self, index, role)

    monkeypatch.setattr(ParticleModel, "data", noting)
    dock = MeasureDock(viewer)
    dock.model.set_table(frame, {})
    dock.view.resizeColumnsToContents()  # not laid out yet
    assert rows
    assert len(set(rows)) <= ROWS_FOR_WIDTHS
    dock.close()


def test_a_large_volume_is_painted_on_in_regions(viewer, project, monkeypatch):
    monkeypatch.setattr(regions, "EDGE", 16)
    dock, _ = open_project(viewer, project.folder)
    shape = project.description.ct.shape  # 20 x 40 x 48 voxels of 2 um
    viewer.dims.set_point(0, 2.0 * 10)
    viewer.scene.camera.center = (20, 2.0 * 12, 2.0 * 14)
    # the default of an argument is taken when a function is made
    monkeypatch.setattr(regions.region_around, "__defaults__", (16,))
    dock.correct_page.paint()
    (first,) = regions.error_layers(viewer)
    assert first.data.shape == (16, 16, 16)
    assert np.allclose(first.translate, [2.0 * 2, 2.0 * 4, 2.0 * 6])
    assert first.bounding_box.visible
    first.data[8, 8, 6] = 1  # voxel (10, 12, 12), inside particle 1
    dock.correct_page.paint()  # looking at the same place
    assert regions.error_layers(viewer) == [first]
    viewer.scene.camera.center = (20, 2.0 * 39, 2.0 * 47)
    dock.correct_page.paint()
    second = regions.error_layers(viewer)[1]
    assert np.allclose(second.translate, [2.0 * 2, 2.0 * 24, 2.0 * 32])
    second.data[0, 15, 15] = 1  # voxel (2, 39, 47), outside all particles
    assert dock.correct_page.add()
    (stored,) = Project(project.folder).corrections()
    expected = np.ravel_multi_index(([2, 10], [39, 12], [47, 12]), shape)
    assert stored.voxels.tolist() == sorted(expected.tolist())
    assert stored.predicted_foreground.tolist() == [False, True]
    assert not regions.error_layers(viewer)


def test_empty_regions_go_when_another_is_begun(viewer, project, monkeypatch):
    monkeypatch.setattr(regions.region_around, "__defaults__", (8,))
    open_project(viewer, project.folder)
    for x in (0, 24, 47):
        viewer.scene.camera.center = (0, 40, 2.0 * x)
        regions.error_layer(viewer, project)
    assert len(regions.error_layers(viewer)) == 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_place_looked_at_is_found_in_every_orientation(viewer, project, axis):
    open_project(viewer, project.folder)
    viewer.dims.order = (axis, *(i for i in range(3) if i != axis))
    wanted = np.array([7.0, 21.0, 30.0])
    viewer.dims.set_point(axis, 2.0 * wanted[axis])
    viewer.scene.camera.center = tuple(2.0 * wanted[list(viewer.dims.order)])
    found = regions.place_looked_at(viewer, (2.0, 2.0, 2.0))
    # the slider has steps of its own
    assert np.allclose(found, wanted, atol=0.5)


def test_regions_stay_inside():
    box = regions.region_around(np.array([-5.0, 500.0, 999.4]), (100, 1000, 1000))
    assert box == (slice(0, 100), slice(372, 628), slice(744, 1000))


def test_coarse_copies_are_made_beside_and_taken_over(viewer, project, qtbot, monkeypatch):
    monkeypatch.setattr(viewing, "LARGE", 1000)
    monkeypatch.setattr("napari_slagseg.io.pyramids.COARSEST", 16)
    monkeypatch.setattr("napari_slagseg.widgets.levels.COARSEST", 16)
    dock = add_workflow_dock(viewer)
    with qtbot.waitSignal(dock.coarse_copies.finished, timeout=20_000):
        dock.open_project(str(project.folder))
        layer = viewer.layers[layers.CT_LAYER]
        layer.contrast_limits = (3, 77)
        zoom = viewer.scene.camera.zoom = 1.5
        rough = np.asarray(layer.data[1])
        ct = np.asarray(dock.session.volume().data)
        assert np.array_equal(rough, ct[::2, ::2, ::2])
    assert viewer.layers[layers.CT_LAYER] is layer
    cubes = ct.reshape(10, 2, 20, 2, 24, 2).mean(axis=(1, 3, 5))
    assert np.array_equal(np.asarray(layer.data[1]), np.floor(cubes + 0.5))
    assert np.array_equal(np.asarray(layer.data[0]), ct)
    assert tuple(layer.contrast_limits) == (3, 77)
    assert viewer.scene.camera.zoom == zoom
    assert dock.coarse_copies.isHidden()
    # they are there when the project is opened again, and not when the CT is another
    volume = project.volume()
    assert not viewing.wants_pyramid(project, volume)
    io.write_volume(project.ct_path, ct[::-1].copy(), (2.0, 2.0, 2.0))
    assert viewing.wants_pyramid(project, volume)


def test_coarse_copies_that_are_stopped_are_gone_on_with(project, monkeypatch):
    monkeypatch.setattr(viewing, "LARGE", 1000)
    monkeypatch.setattr("napari_slagseg.io.pyramids.COARSEST", 16)

    class Soon:
        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 1

    volume = project.volume()
    with pytest.raises(CancelledError):
        viewing.make_pyramid(project, volume, cancel=Soon())
    assert viewing.wants_pyramid(project, volume)
    shapes = [level.shape for level in viewing.make_pyramid(project, volume)]
    assert shapes == [(20, 40, 48), (10, 20, 24), (5, 10, 12)]
    assert not viewing.wants_pyramid(project, volume)
