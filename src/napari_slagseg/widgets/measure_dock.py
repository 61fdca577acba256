"""The measure dock: the particle table, and curves of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QTableView,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg import io
from napari_slagseg.data import ParticleTable, SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.particle_model import ParticleModel
from napari_slagseg.widgets.picking import label_at, label_in_sight
from napari_slagseg.widgets.plots import PlotCanvas
from napari_slagseg.widgets.session import session_of
from napari_slagseg.workflow import STEPS, ReportConfig, last_config
from napari_slagseg.workflow.report import results_of

if TYPE_CHECKING:
    import napari

_CLICK_PIXELS = 3
"""Further than this, the mouse was dragged."""

ROWS_FOR_WIDTHS = 50
"""Rows that the widths of the table's columns are made for."""

SHOWN_ON_HOVER = ("equivalent_diameter_um", "sphericity", "volume_liberation", "surface_liberation")

_SHORT_TITLES = {
    "volume_liberation": "volume",
    "surface_liberation": "surface",
    "surface_liberation_eroded": "surface, eroded",
    "size_by_liberation": "by size",
    "size_distribution": "sizes",
    "volume_and_surface": "scatter",
}


class MeasureDock(QWidget):
    """Particle table and plots, linked with the viewer.

    Clicking a row takes the viewer to the particle; pointing at a particle in the
    viewer marks its row, clicking on it chooses it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session = session_of(napari_viewer)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.table: ParticleTable | None = None
        self._about = ""
        self.latest = Latest(self)
        self.latest.done.connect(self._state_found)
        self.model = ParticleModel()
        self.view = QTableView()
        self.view.setModel(self.model)
        self.view.setSortingEnabled(True)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.verticalHeader().setVisible(False)
        # a number of rows, not those in sight: before the dock is laid out, Qt takes all of them
        # to be in sight, and 150,000 particles would hold the window for minutes
        self.view.horizontalHeader().setResizeContentsPrecision(ROWS_FOR_WIDTHS)
        self.view.clicked.connect(lambda index: self.go_to(self.model.label_at(index.row())))
        self.about = QLabel("Measure a project to see its particles here.")
        self.about.setWordWrap(True)
        self.tabs = QTabWidget()
        self.tabs.setMinimumWidth(400)
        self.plots: dict[str, PlotCanvas] = {}
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self.view)
        splitter.addWidget(self.tabs)
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 1)
        self.only = QCheckBox("Only the chosen")
        self.only.setToolTip("hide all other particles in the viewer")
        self.only.toggled.connect(self._show_only)
        save_table, save_plot = QPushButton("Save table…"), QPushButton("Save plot…")
        save_table.setToolTip("a copy of the CSV and of its definitions")
        save_plot.setToolTip("the shown plot as PNG, SVG or PDF")
        save_table.clicked.connect(self._save_table)
        save_plot.clicked.connect(self._save_plot)
        top = QHBoxLayout()
        top.addWidget(self.about, 1)
        top.addWidget(self.only)
        top.addWidget(save_table)
        top.addWidget(save_plot)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(splitter, 1)
        self.viewer.mouse_move_callbacks.append(self._hover)
        self.viewer.mouse_drag_callbacks.append(self._click)
        self.session.project_changed.connect(lambda _: self.refresh())
        self.session.results_changed.connect(self._results_changed)
        self.refresh()

    def _results_changed(self, step: str) -> None:
        if step in ("measure", "report", "run"):
            self.refresh()
        else:
            self._say_what_it_is()
            self._name_particles()

    def refresh(self) -> None:
        """Show the table and curves of the open project."""
        project = self.session.project
        if project is None or not (project.tables / "particles.csv").exists():
            return
        try:
            self.table = io.read_particle_table(project.tables / "particles.csv")
            config = last_config(project, STEPS["report"])
            results = results_of(project, config if isinstance(config, ReportConfig) else None)
        except SlagsegError as error:
            show_error(str(error))
            return
        frame = self.table.frame
        self.model.set_table(frame, dict(self.table.definitions))
        self.view.resizeColumnsToContents()
        self._say_what_it_is()
        self._name_particles()
        for name, draw in results.plots().items():
            if name not in self.plots:
                self.plots[name] = PlotCanvas()
                words = name.replace("_", " ")
                tab = self.tabs.addTab(self.plots[name], _SHORT_TITLES.get(name, words))
                self.tabs.setTabToolTip(tab, words)
            draw(self.plots[name].fresh_axes())
            self.plots[name].finish()

    def _say_what_it_is(self) -> None:
        project = self.session.project
        if project is None or self.table is None:
            return
        frame = self.table.frame
        self._about = (
            f"<b>{len(frame):,} particles</b>, {int(frame['touches_border'].sum()):,} touch the "
            f"border. Target: {self.table.table.target}."
        )
        self.about.setText(self._about)
        # beside the window: the whole segmentation may be looked through for it
        self.latest.ask("state", lambda: (project, _is_stale(project)))

    def _state_found(self, _: str, result: object) -> None:
        project, stale = result
        if project is self.session.project and stale:
            self.about.setText(
                f"{self._about} <span style='color:#d55e00'>Out of date: measure again.</span>"
            )

    def _name_particles(self) -> None:
        """Let the layer show a particle's numbers under the cursor."""
        if self.table is None or layers.PARTICLES_LAYER not in self.viewer.layers:
            return
        frame = self.table.frame
        named = [c for c in ("label", *SHOWN_ON_HOVER) if c in frame]
        shown = frame[named].rename(columns={"label": "index"})
        layer = self.viewer.layers[layers.PARTICLES_LAYER]
        layer.features = shown
        layer.show_selected_label = self.only.isChecked()

    def go_to(self, label: int) -> None:
        """Take the viewer to a particle and mark it."""
        if self.table is None:
            return
        frame = self.table.frame
        row = frame[frame["label"] == label]
        if row.empty:
            return
        centre = row[["centroid_z_um", "centroid_y_um", "centroid_x_um"]].to_numpy()[0]
        diameter = float(row["equivalent_diameter_um"].iat[0])
        dims = self.viewer.dims
        for axis in range(3):
            dims.set_point(dims.ndim - 3 + axis, float(centre[axis]))
        self.viewer.scene.camera.center = tuple(map(float, centre))
        # the particle takes a quarter of the canvas's smaller side
        shorter = min(self.viewer.canvas.size)
        self.viewer.scene.camera.zoom = 0.25 * shorter / max(diameter, 1e-6)
        if layers.PARTICLES_LAYER in self.viewer.layers:
            layer = self.viewer.layers[layers.PARTICLES_LAYER]
            layer.visible = True
            layer.selected_label = label
            self.viewer.layers.selection.active = layer
        self.session.particle_chosen.emit(label, True)

    def _hover(self, viewer: napari.Viewer, event: object) -> None:
        if self.table is None or layers.PARTICLES_LAYER not in viewer.layers:
            return
        label = label_in_sight(viewer.layers[layers.PARTICLES_LAYER], event)
        if label:
            self.mark_row(label)

    def _click(self, viewer: napari.Viewer, event: object) -> Iterator[None]:
        """Choose the particle that is clicked on; dragging moves the view as ever."""
        pressed = event.pos
        yield
        while event.type == "mouse_move":
            yield
        active = viewer.layers.selection.active
        mode = str(getattr(active, "mode", "pan_zoom"))
        moved = np.abs(np.subtract(event.pos, pressed)).max() > _CLICK_PIXELS
        if moved or event.button != 1 or mode != "pan_zoom":
            return
        if self.table is None or layers.PARTICLES_LAYER not in viewer.layers:
            return
        layer = viewer.layers[layers.PARTICLES_LAYER]
        label = label_at(layer, event) if layer.visible else 0
        if label:
            self.choose(label)

    def choose(self, label: int) -> None:
        """Mark a particle in the table and in the viewer, which stays where it is."""
        self.mark_row(label)
        if layers.PARTICLES_LAYER in self.viewer.layers:
            self.viewer.layers[layers.PARTICLES_LAYER].selected_label = label
        self.session.particle_chosen.emit(label, False)

    def _show_only(self, only: bool) -> None:
        if layers.PARTICLES_LAYER in self.viewer.layers:
            self.viewer.layers[layers.PARTICLES_LAYER].show_selected_label = only

    def mark_row(self, label: int) -> None:
        """Mark the row of a particle without moving the viewer."""
        row = self.model.row_of(label)
        if row is None:
            return
        index = self.model.index(row, 0)
        flags = (
            QItemSelectionModel.SelectionFlag.ClearAndSelect
            | QItemSelectionModel.SelectionFlag.Rows
        )
        self.view.selectionModel().setCurrentIndex(index, flags)
        self.view.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)

    def chosen_label(self) -> int | None:
        """Particle whose row is marked."""
        rows = self.view.selectionModel().selectedRows()
        return self.model.label_at(rows[0].row()) if rows else None

    def _save_table(self) -> None:
        project = self.session.project
        if project is None or self.table is None:
            show_error("There is no table yet: measure first.")
            return
        path, _ = QFileDialog.getSaveFileName(self, "Save table", "particles.csv", "CSV (*.csv)")
        if not path:
            return
        source = project.tables / "particles.csv"
        try:
            shutil.copyfile(source, path)
            shutil.copyfile(source.with_suffix(".json"), Path(path).with_suffix(".json"))
        except OSError as error:
            show_error(f"{path} could not be written: {error.strerror}.")
            return
        show_info(f"Saved {path} and its definitions.")

    def _save_plot(self) -> None:
        canvas = self.tabs.currentWidget()
        if not isinstance(canvas, PlotCanvas):
            show_error("There is no plot yet: measure first.")
            return
        path, _ = QFileDialog.getSaveFileName(
            self, "Save plot", "plot.png", "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"
        )
        if path:
            try:
                io.write_figure(canvas.figure, path)
            except (SlagsegError, ValueError) as error:
                show_error(str(error))

    def closeEvent(self, event: object) -> None:
        """Stop listening to the viewer."""
        if self._hover in self.viewer.mouse_move_callbacks:
            self.viewer.mouse_move_callbacks.remove(self._hover)
            self.viewer.mouse_drag_callbacks.remove(self._click)
        self.latest.close()
        super().closeEvent(event)


def _is_stale(project: Project) -> bool:
    try:
        return STEPS["measure"].state(project) != "done"
    except SlagsegError:  # a part is damaged, which the workflow dock tells
        return True


__all__ = ["MeasureDock"]
