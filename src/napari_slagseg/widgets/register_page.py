"""Page 2: place the maps, look at them in the CT, accept and reject cutouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QItemSelection, QItemSelectionModel, Qt, QTimer, Signal
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
    QWidget,
)

from napari_slagseg.data import Cutout, PlacedMap, SlagsegError
from napari_slagseg.project import Project, StepRecord
from napari_slagseg.widgets import layers, outlines
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.cutout_panel import shown_probability
from napari_slagseg.widgets.refusal_help import WINDOW_SLICES, RefusalHelp
from napari_slagseg.widgets.session import Session
from napari_slagseg.widgets.step_page import StepPage
from napari_slagseg.workflow import STEPS, make_config

if TYPE_CHECKING:
    import napari

_COLUMNS = ("#", "probability", "score", "off", "step", "state")
_TIPS = (
    "its number; in the Alignment dock it is chosen, too",
    "that the map lies within two voxels of the truth all over the cutout",
    "correlation of map and CT there",
    "distance from the common surface in voxels",
    "largest step inside the cutout in voxels: large across a crack",
    "accepted and locked cutouts go into the ground truth",
)
_REDRAW_MS = 400
_OF_ONE_RUN = ("maps", "start", "cutouts", "again")
"""Settings that the Alignment dock and its buttons give to a single run."""


class RegisterPage(StepPage):
    """Placement of the maps, with the map in the CT and a table of its cutouts.

    Signals
    -------
    look_asked : (bool)
        Open the Alignment dock, with the landmarks if true.
    """

    look_asked = Signal(bool)

    def __init__(self, session: Session, viewer: napari.Viewer) -> None:
        super().__init__(
            session,
            STEPS["register"],
            "Finds where each mineral map lies in the CT. No starting position is needed; "
            "a height window or an angle makes it faster.",
            basic=("mirror", "again"),
            hidden=("start", "cutouts"),
            button="Place the maps",
        )
        self.viewer = viewer
        self.alignment = session.alignment
        self.latest = Latest(self)
        self.maps = QComboBox()
        # a long name must not push the buttons out of the dock
        self.maps.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.maps.setMinimumContentsLength(4)
        self.maps.currentTextChanged.connect(self._choose_map)
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.look = QPushButton("Look at the fit")
        self.look.setProperty("reads_only", True)
        self.look.setToolTip(
            "opens the Alignment dock: map and CT on the map's surface, cutouts, nudging, landmarks"
        )
        self.look.clicked.connect(lambda: self.look_asked.emit(False))
        self.help = RefusalHelp()
        self.help.height_asked.connect(self.height_from_viewer)
        self.help.landmarks_asked.connect(lambda: self.look_asked.emit(True))
        self.help.mirror_asked.connect(self.set_mirror)
        self.help.search_asked.connect(
            lambda: self.run_with({"maps": [self.alignment.name], "again": True})
        )
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
        go.setProperty("reads_only", True)
        go.clicked.connect(self._go)
        form = QFormLayout()
        row = QHBoxLayout()
        row.addWidget(self.maps, 1)
        row.addWidget(self.look)
        form.addRow("Map", row)
        form.addRow(self.about)
        form.addRow(self.help)
        form.addRow("Opacity", self.opacity)
        form.addRow("CT slice", self.slice)
        row = QHBoxLayout()
        row.addWidget(self.thickness)
        row.addWidget(go)
        form.addRow("Drawn thickness", row)
        self.extra.addLayout(form)
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(_COLUMNS)
        for j, tip in enumerate(_TIPS):
            self.table.horizontalHeaderItem(j).setToolTip(tip)
        header = self.table.horizontalHeader()
        # sections that follow their contents by themselves measure all rows at every cell
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        self.table.verticalHeader().setVisible(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setMinimumHeight(110)
        self.table.itemSelectionChanged.connect(self._rows_chosen)
        self.extra.addWidget(self.table, 1)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(0, 0, 0, 0)
        self.states = QWidget()
        self.states.setLayout(buttons)
        for text, state, tip in (
            ("Accept", "accepted", "use the chosen cutouts"),
            ("Reject", "rejected", "leave the chosen cutouts out of the ground truth"),
            ("Lock", "locked", "accept, and keep so when the map is placed again"),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, state=state: self.set_states(state))
            buttons.addWidget(button)
        self.extra.addWidget(self.states)
        viewer.dims.events.current_step.connect(self._follow_slice)
        self._redraw_soon = QTimer(self)
        self._redraw_soon.setSingleShot(True)
        self._redraw_soon.setInterval(_REDRAW_MS)
        self._redraw_soon.timeout.connect(self._redraw_beside)
        self.latest.done.connect(self._drawn)
        self.latest.failed.connect(self.failed)
        self.alignment.map_changed.connect(self._show_map)
        self.alignment.stored.connect(self._stored)
        self.alignment.scored.connect(self._show_map)
        self.alignment.moved.connect(self._moved)
        self.alignment.chosen_changed.connect(self._choose_rows)
        self.alignment.failed.connect(self.failed.emit)

    def refresh(self, project: Project) -> None:
        """Show the placements that the project holds."""
        super().refresh(project)
        # a run for one map, or from here, is no setting for the next one
        usual = self.step.config().model_dump()
        self.form.set_values({name: usual[name] for name in _OF_ONE_RUN if name in usual})
        self.slice.blockSignals(True)
        self.slice.setRange(0, project.description.ct.shape[0] - 1)
        self.slice.blockSignals(False)
        self._show_map()

    def warnings_of(self, record: StepRecord) -> list[str]:
        """What is uncertain about a map is told with that map; there is no room for all."""
        told = super().warnings_of(record)
        names = self.session.project.map_names() if self.session.project is not None else ()
        lines = []
        for said, words in (
            ("{} was refused: ", "Refused: {}. Choose it below to see why and what helps."),
            ("{}: ", "Look at {} before you go on."),
        ):
            found = [n for n in names if any(w.startswith(said.format(n)) for w in told)]
            told = [w for w in told if not any(w.startswith(said.format(n)) for n in found)]
            if found:
                lines.append(words.format(", ".join(found)))
        return [*lines, *told]

    def _choose_map(self, name: str) -> None:
        if name:
            self.alignment.look_at(name)

    def _show_map(self, _: str = "") -> None:
        """Show what the model looks at."""
        project, placed = self.session.project, self.alignment.placed
        names = list(project.map_names()) if project is not None else []
        self.maps.blockSignals(True)
        if [self.maps.itemText(i) for i in range(self.maps.count())] != names:
            self.maps.clear()
            self.maps.addItems(names)
        self.maps.setCurrentIndex(self.maps.findText(self.alignment.name))
        self.maps.blockSignals(False)
        self._fill_table()
        self.help.show_map(placed)
        refused = placed is not None and not placed.placed
        # its cutouts are used for nothing; the room is for what helps
        self.table.setVisible(not refused)
        self.states.setVisible(not refused)
        if placed is None:
            self.about.setText("not placed yet")
            return
        state = "placed" if placed.placed else "<b>refused</b>"
        mirrored = ", mirrored" if placed.mirrored else ""
        sure = "" if placed.probability is None else f", probability {placed.probability:.2f}"
        used = sum(c.accepted for c in placed.cutouts)
        counts = "" if refused else f", {used} of {len(placed.cutouts)} cutouts accepted"
        self.about.setText(
            f"{state}{mirrored}, score {placed.score:.3f}{sure}{counts}"
            + (f"<br>{placed.reason}" if placed.reason and placed.placed else "")
        )

    def _fill_table(self) -> None:
        placed = self.alignment.placed
        cutouts = placed.cutouts if placed is not None else ()
        self.table.blockSignals(True)
        self.table.setRowCount(len(cutouts))
        for i, c in enumerate(cutouts):
            colour = QColor(outlines.text_colour_of(c))
            for j, text in enumerate(_row(i, c)):
                item = self.table.item(i, j)
                if item is None:
                    item = QTableWidgetItem()
                    self.table.setItem(i, j, item)
                if item.text() != text:
                    item.setText(text)
                if j in (1, len(_COLUMNS) - 1):
                    item.setForeground(colour)
        self.table.blockSignals(False)
        self.table.resizeColumnsToContents()
        self._choose_rows()

    def _rows_chosen(self) -> None:
        self.alignment.choose({index.row() for index in self.table.selectedIndexes()})

    def _choose_rows(self) -> None:
        """Mark the rows of the cutouts that were chosen elsewhere."""
        rows = {index.row() for index in self.table.selectedIndexes()}
        chosen = self.alignment.chosen
        if rows == set(chosen):
            return
        model = self.table.model()
        wanted = QItemSelection()
        for i in chosen:
            wanted.select(model.index(i, 0), model.index(i, len(_COLUMNS) - 1))
        self.table.blockSignals(True)
        self.table.selectionModel().select(wanted, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        if chosen:
            self.table.scrollTo(model.index(chosen[0], 0))
        self.table.blockSignals(False)

    # -- steering ----------------------------------------------------------

    def _moved(self) -> None:
        """Follow a nudge in the rows of the cutouts that it moves."""
        placed = self.alignment.placed
        for i in self.alignment.chosen:
            for j, text in enumerate(_row(i, placed.cutouts[i])):
                self.table.item(i, j).setText(text)

    def _stored(self) -> None:
        self._show_map()
        self._redraw_soon.start()

    def _redraw_beside(self) -> None:
        """Draw the map into the CT again, off the window's thread; say what is out of date."""
        self.session.results_changed.emit("placement")
        placed, project = self.alignment.placed, self.session.project
        if placed is None or project is None or not placed.placed or placed.surface is None:
            return
        layers.add_cutouts(self.viewer, placed)
        if layers.map_layer_name(placed.map_name) in self.viewer.layers:
            self.draw_beside(project, placed)

    def draw_beside(self, project: Project, placed: PlacedMap) -> None:
        """Draw a map into the CT off the window's thread."""
        thickness = self.thickness.value()
        self.latest.ask(
            f"sheet of {placed.map_name}",
            lambda: (project, placed, layers.sheet(project, placed, thickness)),
        )

    def _drawn(self, _: str, result: object) -> None:
        project, placed, data = result
        if project is self.session.project:
            visible = not project.segmentation_path.exists()
            layers.show_sheet(self.viewer, project, placed, data, visible)

    def set_states(self, state: str) -> None:
        """Give the chosen cutouts a state, and store it at once."""
        self.alignment.set_states(state)

    def run_with(self, values: dict[str, object]) -> None:
        """Run the step with some settings other than the page's."""
        try:
            config = make_config(self.step, {**self.form.values(), **values})
        except SlagsegError as error:
            self.failed.emit(str(error))
            return
        self.run_asked.emit([(self.step.name, config.model_dump(mode="json"))])

    # -- what helps a refused map ------------------------------------------

    def height_from_viewer(self) -> None:
        """Take the height window from the slice that the main viewer shows."""
        project = self.session.project
        if project is None or self.viewer.dims.ndim < 3:
            return
        at, last = int(self.viewer.dims.current_step[0]), project.description.ct.shape[0] - 1
        low, high = max(0, at - WINDOW_SLICES), min(last, at + WINDOW_SLICES)
        self.form.set_values({"height_low": float(low), "height_high": float(high)})
        self.help.say(f"Height window set: slices {low} to {high}.")

    def set_mirror(self, value: str) -> None:
        """Set the mirror state."""
        self.form.set_values({"mirror": value})
        words = {"yes": "mirrored", "no": "not mirrored", "auto": "tried both ways"}[value]
        self.help.say(f"Mirror state set: {words}.")

    # -- the main viewer ---------------------------------------------------

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
        placed, project = self.alignment.placed, self.session.project
        if placed is not None and project is not None:
            layers.add_map(self.viewer, project, placed, self.thickness.value())

    def _go(self) -> None:
        placed = self.alignment.placed
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


def _row(index: int, cutout: Cutout) -> tuple[str, ...]:
    """Cells of a cutout."""
    return (
        str(index),
        "" if cutout.probability is None else shown_probability(cutout.probability),
        f"{cutout.score:.3f}",
        f"{cutout.residual_voxels:.2f}",
        "" if cutout.step_voxels is None else f"{cutout.step_voxels:.2f}",
        cutout.state,
    )


__all__ = ["RegisterPage"]
