"""A project with particles to correct, its dock in a real window, and a user's hands."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_slagseg import io
from napari_slagseg.data import MineralMap
from napari_slagseg.project import Project
from napari_slagseg.widgets.launch import PROOFREAD_TITLE, add_proofread_dock, open_project

SHAPE = (24, 60, 84)
SPACING = 2.0


def ball(centre, radius):
    z, y, x = np.indices(SHAPE)
    return (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= radius**2


def dumbbell():
    """1: two balls that meet; 2 and 3: halves of a ball; 4: a ball with a hole; the CT shows 5."""
    particles = np.zeros(SHAPE, np.uint32)
    particles[ball((12, 14, 14), 8) | ball((12, 14, 27), 8)] = 1
    whole = ball((12, 44, 20), 9)
    x = np.indices(SHAPE)[2]
    particles[whole & (x < 20)] = 2
    particles[whole & (x >= 20)] = 3
    particles[ball((12, 14, 60), 8) & ~ball((12, 14, 60), 2)] = 4
    phases = np.where(particles > 0, np.where(np.indices(SHAPE)[0] < 12, 1, 2), 0).astype(np.uint8)
    missing = ball((12, 44, 60), 7)
    return particles, phases, missing


@pytest.fixture
def slag(tmp_path, table):
    particles, phases, missing = dumbbell()
    rng = np.random.default_rng(0)
    bright = (particles > 0) | missing
    grey = (bright * 160.0 + rng.normal(30, 3, SHAPE)).clip(0, 255).astype(np.uint8)
    io.write_volume(tmp_path / "ct.tif", grey, (SPACING,) * 3)
    io.write_legend(table, tmp_path / "legend.csv")
    cut = phases[10].astype(np.int16)
    io.write_false_colour(MineralMap(cut, SPACING, table, "cut"), tmp_path / "cut.png")
    project = Project.create(
        tmp_path / "project",
        ct=tmp_path / "ct.tif",
        maps=[tmp_path / "cut.png"],
        legend=tmp_path / "legend.csv",
        pixel_size_um=SPACING,
        target="ore",
    )
    io.write_zarr_arrays(
        project.segmentation_path,
        {
            "phases": phases,
            "particles": particles,
            "particle_probability": (bright * 250).astype(np.uint8),
        },
        voxel_size_um=(SPACING,) * 3,
        attributes={"phase_table": {"target": "ore", "phases": [dict(vars(p)) for p in table]}},
    )
    return project


class Hands:
    """Clicks, strokes and keys on the canvas, at voxels of the slice that is shown."""

    def __init__(self, dock, qtbot):
        self.dock, self.desk, self.viewer, self.qtbot = dock, dock.desk, dock.viewer, qtbot
        self.canvas = dock.viewer.window._qt_viewer.canvas
        self.told, self.failed = [], []
        self.desk.failed.connect(self.failed.append)
        dock.hand.told.connect(self.told.append)

    def at(self, voxel):
        """Pixel of the canvas that shows a voxel."""
        scene = self.viewer.scene
        shown = list(self.viewer.dims.displayed)[-2:]
        world = np.array(voxel, float)[[a - self.viewer.dims.ndim for a in shown]] * SPACING
        centre = np.array(scene.camera.center)[-2:]
        height, width = self.viewer.canvas.size
        y, x = (world - centre) * scene.camera.zoom + np.array([height, width]) / 2
        return QPoint(round(x), round(y))

    def _send(self, kind, point, button, held=Qt.KeyboardModifier.NoModifier):
        native = self.canvas.native
        down = Qt.MouseButton.NoButton if kind == QMouseEvent.Type.MouseButtonRelease else button
        event = QMouseEvent(
            kind, QPointF(point), QPointF(native.mapToGlobal(point)), button, down, held
        )
        QApplication.sendEvent(native, event)
        QApplication.processEvents()

    def drag(self, voxels, held=Qt.KeyboardModifier.NoModifier):
        left, points = Qt.MouseButton.LeftButton, [self.at(v) for v in voxels]
        self._send(QMouseEvent.Type.MouseMove, points[0], Qt.MouseButton.NoButton, held)
        self._send(QMouseEvent.Type.MouseButtonPress, points[0], left, held)
        for point in points[1:]:
            self._send(QMouseEvent.Type.MouseMove, point, left, held)
        self._send(QMouseEvent.Type.MouseButtonRelease, points[-1], left, held)

    def click(self, voxel, held=Qt.KeyboardModifier.NoModifier):
        self.drag([voxel], held)

    def key(self, key, held=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(self.canvas.native, key, held)
        QApplication.processEvents()

    def undo(self):
        self.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        self.settle()

    def redo(self):
        both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        self.key(Qt.Key.Key_Z, both)
        self.settle()

    def settle(self):
        """Until all edits are done and shown."""
        self.qtbot.waitUntil(lambda: not self.desk.is_busy, timeout=60_000)
        QApplication.processEvents()

    def slice(self, z):
        self.viewer.dims.set_point(self.viewer.dims.ndim - 3, z * SPACING)
        QApplication.processEvents()

    @property
    def particles(self):
        return np.asarray(self.desk.proofreader.particles)

    @property
    def phases(self):
        return np.asarray(self.desk.proofreader.phases)


def hands_on(viewer, folder, qtbot):
    open_project(viewer, folder)
    viewer.window.resize(1400, 900)
    dock = add_proofread_dock(viewer)
    qtbot.waitUntil(lambda: dock.desk.proofreader is not None, timeout=60_000)
    viewer.reset_view()
    hands = Hands(dock, qtbot)
    hands.settle()
    hands.slice(12)
    return hands


@pytest.fixture
def hands(make_napari_viewer, slag, qtbot):
    viewer = make_napari_viewer(show=True)
    hands = hands_on(viewer, slag.folder, qtbot)
    assert PROOFREAD_TITLE in viewer.window.dock_widgets
    yield hands
    hands.dock.shut()
    hands.desk.close()
    hands.desk.session.close()
