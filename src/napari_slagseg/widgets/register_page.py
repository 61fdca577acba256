"""Page 2: place the maps, look at them in the CT, accept and reject cutouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
)

from napari_slagseg.data import PlacedMap, SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.session import Session
from napari_slagseg.widgets.step_page import StepPage
from napari_slagseg.workflow import STEPS

if TYPE_CHECKING:
    import napari

_COLUMNS = ("cutout", "score", "off (voxels)", "state")


class RegisterPage(StepPage):
    """Placement of the maps, with the map in the CT and a table of its cutouts."""

    def __init__(self, session: Session, viewer: napari.Viewer) -> None:
        super().__init__(
            session,
            STEPS["register"],
            "Finds where each mineral map lies in the CT. No starting position is needed; "
            "a height window or an angle makes it faster.",
            basic=("mirror", "again"),
            button="Place the maps",
        )
        self.viewer = viewer
        self.maps = QComboBox()
        self.maps.currentTextChanged.connect(self._show_map)
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(60)
        self.opacity.setToolTip("how much of the CT shows through the map")
        self.opacity.valueChanged.connect(self._set_opacity)
        self.slice = QSlider(Qt.Orientation.Horizontal)
        self.slice.setToolTip("CT slice that is shown")
        self.slice.valueChanged.connect(self._set_slice)
        self.thickness = QSpinBox()
        self.thickness.setRange(1, 99)
        self.thickness.setValue(3)
        self.thickness.setToolTip(
            "how many slices thick the map is drawn: a tilted cut runs through many"
        )
        self.thickness.editingFinished.connect(self._redraw)
        go = QPushButton("Go to the map")
        go.clicked.connect(self._go)
        form = QFormLayout()
        form.addRow("Map", self.maps)
        form.addRow("", self.about)
        form.addRow("Opacity", self.opacity)
        form.addRow("CT slice", self.slice)
        row = QHBoxLayout()
        row.addWidget(self.thickness)
        row.addWidget(go)
        form.addRow("Drawn thickness", row)
        self.extra.addLayout(form)
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(_COLUMNS)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.verticalHeader().setVisible(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setMinimumHeight(170)
        self.extra.addWidget(self.table, 1)
        buttons = QHBoxLayout()
        for text, state, tip in (
            ("Accept", "accepted", "use the chosen cutouts"),
            ("Reject", "rejected", "leave the chosen cutouts out of the ground truth"),
            ("Lock", "locked", "accept, and keep so when the map is placed again"),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, state=state: self.set_states(state))
            buttons.addWidget(button)
        self.extra.addLayout(buttons)
        viewer.dims.events.current_step.connect(self._follow_slice)

    def refresh(self, project: Project) -> None:
        """Show the placements that the project holds."""
        super().refresh(project)
        chosen = self.maps.currentText()
        self.maps.blockSignals(True)
        self.maps.clear()
        self.maps.addItems(list(project.placed_maps()))
        self.maps.setCurrentIndex(max(0, self.maps.findText(chosen)))
        self.maps.blockSignals(False)
        self.slice.blockSignals(True)
        self.slice.setRange(0, project.description.ct.shape[0] - 1)
        self.slice.blockSignals(False)
        self._show_map(self.maps.currentText())

    def _placed(self) -> PlacedMap | None:
        project, name = self.session.project, self.maps.currentText()
        try:
            return project.placed_map(name) if project is not None and name else None
        except SlagsegError as error:
            self.failed.emit(str(error))
            return None

    def _show_map(self, _: str = "") -> None:
        placed = self._placed()
        cutouts = placed.cutouts if placed is not None else ()
        self.table.setRowCount(len(cutouts))
        for i, c in enumerate(cutouts):
            values = (str(i), f"{c.score:.3f}", f"{c.residual_voxels:.2f}", c.state)
            for j, text in enumerate(values):
                item = QTableWidgetItem(text)
                if j == len(values) - 1:
                    item.setForeground(QColor(layers.STATE_COLOURS[c.state]))
                self.table.setItem(i, j, item)
        if placed is None:
            self.about.setText("not placed yet")
            return
        state = "placed" if placed.placed else "<b>refused</b>"
        mirrored = ", mirrored" if placed.mirrored else ""
        self.about.setText(
            f"{state}{mirrored}, score {placed.score:.3f}, "
            f"{sum(c.accepted for c in cutouts)} of {len(cutouts)} cutouts accepted"
            + (f"<br>{placed.reason}" if placed.reason else "")
        )

    def _set_opacity(self, value: int) -> None:
        name = layers.map_layer_name(self.maps.currentText())
        if name in self.viewer.layers:
            self.viewer.layers[name].opacity = value / 100

    def _set_slice(self, value: int) -> None:
        if self.viewer.dims.ndim >= 3:
            self.viewer.dims.set_current_step(0, value)

    def _follow_slice(self, _: object = None) -> None:
        if self.viewer.dims.ndim >= 3:
            self.slice.blockSignals(True)
            self.slice.setValue(self.viewer.dims.current_step[0])
            self.slice.blockSignals(False)

    def _redraw(self) -> None:
        placed, project = self._placed(), self.session.project
        if placed is not None and project is not None:
            layers.add_map(self.viewer, project, placed, self.thickness.value())

    def _go(self) -> None:
        placed = self._placed()
        if placed is None or placed.surface is None:
            return
        self._redraw()
        for name in (
            layers.map_layer_name(placed.map_name),
            layers.cutout_layer_name(placed.map_name),
        ):
            if name in self.viewer.layers:
                self.viewer.layers[name].visible = True
        self.viewer.dims.ndisplay = 2
        self._set_slice(int(np.rint(np.median(placed.surface.zyx[..., 0]))))

    def set_states(self, state: str) -> None:
        """Give the chosen cutouts a state, and store it at once."""
        placed, project = self._placed(), self.session.project
        rows = sorted({index.row() for index in self.table.selectedIndexes()})
        if placed is None or project is None or not rows:
            self.failed.emit("Choose one or more cutouts in the table first.")
            return
        if not self.session.writable:
            self.failed.emit(self.session.read_only_reason)
            return
        changed = placed.with_states(dict.fromkeys(rows, state))
        try:
            with project.writing():
                project.save_placed(changed, event="cutouts changed")
        except SlagsegError as error:
            self.failed.emit(str(error))
            return
        layers.add_cutouts(self.viewer, changed)
        self._show_map()
        self.session.results_changed.emit("register")


__all__ = ["RegisterPage"]
