"""The particle gallery: line-ups sorted by any column, read page by page beside the window."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg import io
from napari_slagseg.data import PhaseTable, SlagsegError
from napari_slagseg.liberation.line_ups import ParticlePicture, draw_line_up
from napari_slagseg.project import Project
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.measuring.column_box import ColumnBox, numeric_columns
from napari_slagseg.widgets.measuring.gallery_legend import GalleryLegend
from napari_slagseg.widgets.measuring.gallery_sheet import GallerySheet, Place
from napari_slagseg.workflow.line_ups import (
    ParticleVolumes,
    line_up_legend,
    particle_pictures,
    particle_volumes,
    phase_rgb,
)

if TYPE_CHECKING:
    from napari_slagseg.widgets.measuring.choice import Choice

COLUMNS, ROWS = 8, 6
PAGE = COLUMNS * ROWS
"""Particles of a page."""

CACHE_BYTES = 64 << 20
"""Pictures that are kept."""

_SHARES = ("fraction_", "surface_fraction_", "accessible_fraction_", "volume_liberation")


def value_in_words(column: str, value: float) -> str:
    """Value of a column, shares in per cent."""
    if not np.isfinite(value):
        return "n/a"
    if column.startswith((*_SHARES, "surface_liberation")):
        return f"{value:.0%}"
    return f"{value:.3g}"


class ParticleGallery(QWidget):
    """Pages of particles.

    Signals
    -------
    asked_for : (int)
        Label of the particle that the viewer is to go to.
    """

    asked_for = Signal(int)
    _came = Signal(int, int, object)

    def __init__(self, choice: Choice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = choice
        self.project: Project | None = None
        self.table: PhaseTable | None = None
        self.frame = pd.DataFrame()
        self._volumes: ParticleVolumes | None = None
        self._kept: OrderedDict[int, ParticlePicture] = OrderedDict()
        self._turn = 0
        self._due = False
        self.latest = Latest(self)
        self.latest.done.connect(self._page_done)
        self.latest.failed.connect(self._failed)
        self._came.connect(self._put)
        self.sheet = GallerySheet(choice)
        self.sheet.clicked.connect(self._clicked)
        self.column = ColumnBox("volume_liberation")
        self.falling = QPushButton()
        self.falling.setCheckable(True)
        self.falling.setText("▲")
        self.falling.setToolTip("▲: the smallest first; ▼: the largest first")
        self.only_chosen = False
        self.one_scale = QCheckBox("One scale")
        self.one_scale.setToolTip("all particles at one scale; off: all of them equally large")
        self.one_scale.setChecked(True)
        self.page = QSpinBox()
        self.page.setRange(1, 1)
        self.page.setPrefix("page ")
        self.page.setKeyboardTracking(False)
        self.page.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.back, self.on = QPushButton(), QPushButton()
        self.back.setText("◀")
        self.on.setText("▶")
        for button in (self.falling, self.back, self.on):
            button.setFixedWidth(30)
        self.save = QPushButton("Save…")
        self.save.setToolTip("this page as PNG, SVG or PDF, with its rows as CSV beside it")
        self.palette_box = QComboBox()
        self.palette_box.addItem("legend's colours", "vendor")
        self.palette_box.addItem("colour-blind-safe", "safe")
        self.palette_box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.palette_box.setMinimumContentsLength(9)
        self.palette_box.setToolTip("colours of the phases, here and in the viewer")
        self.legend = GalleryLegend()
        self._lay_out()
        self.column.chosen.connect(lambda _: self.go_to_page(1))
        self.falling.toggled.connect(self._turned)
        self.one_scale.toggled.connect(self._scaled)
        self.page.valueChanged.connect(lambda _: self.refresh())
        self.back.clicked.connect(lambda: self.page.setValue(self.page.value() - 1))
        self.on.clicked.connect(lambda: self.page.setValue(self.page.value() + 1))
        self.save.clicked.connect(self._save)
        choice.changed.connect(self._choice_changed)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(QLabel("Sorted by"))
        bar.addWidget(self.column)
        for widget in (
            self.falling, self.one_scale, self.back, self.page, self.on,
        ):  # fmt: skip
            bar.addWidget(widget)
        bar.addWidget(self.legend, 1)
        bar.addWidget(self.palette_box)
        bar.addWidget(self.save)
        area = QScrollArea()
        area.setWidget(self.sheet)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addLayout(bar)
        layout.addWidget(area, 1)

    def set_project(self, project: Project | None) -> None:
        """Cut particles from another project, or from the same whose segmentation has changed."""
        self.project, self._volumes = project, None
        self._kept.clear()
        self.refresh()

    def set_table(self, frame: pd.DataFrame, table: PhaseTable) -> None:
        """Show other particles, or the same in other colours."""
        if self.table is None or phase_rgb(table) != phase_rgb(self.table):
            self._kept.clear()
        self.frame, self.table = frame, table
        self.legend.set_phases(line_up_legend(table))
        self.column.set_columns([c for c in numeric_columns(frame) if c != "label"])
        self.refresh()

    def show_only_chosen(self, only: bool) -> None:
        """Leave all particles out that are not chosen, or show all."""
        self.only_chosen = only
        self.go_to_page(1)

    def sorted_rows(self) -> pd.DataFrame:
        """All rows in the order of the pages; those without a value come last."""
        frame = self.frame
        if self.only_chosen and len(frame):
            frame = frame[np.isin(frame["label"].to_numpy(np.int64), self.choice.labels)]
        if self.column.column not in frame:
            return frame
        return frame.sort_values(
            self.column.column,
            ascending=not self.falling.isChecked(),
            kind="stable",
            na_position="last",
        )

    def page_rows(self) -> pd.DataFrame:
        """Rows of the page that is shown."""
        first = (self.page.value() - 1) * PAGE
        return self.sorted_rows().iloc[first : first + PAGE]

    def go_to_page(self, page: int) -> None:
        """Turn to a page and make it."""
        blocked = self.page.blockSignals(True)
        self.page.setValue(page)
        self.page.blockSignals(blocked)
        self.refresh()

    def refresh(self) -> None:
        """Make the page anew; if it is not looked at, when it is."""
        self._turn += 1
        self._due = True
        if self.isVisible():
            self._make()

    def showEvent(self, event: QShowEvent) -> None:
        """Make the page that is due."""
        super().showEvent(event)
        if self._due:
            self._make()

    def _make(self) -> None:
        self._due = False
        pages = max(1, -(-len(self.sorted_rows()) // PAGE))
        blocked = self.page.blockSignals(True)
        self.page.setRange(1, pages)
        self.page.setSuffix(f" of {pages:,}")
        self.page.blockSignals(blocked)
        self.back.setEnabled(self.page.value() > 1)
        self.on.setEnabled(self.page.value() < pages)
        rows = self.page_rows() if "label" in self.frame else pd.DataFrame()
        chosen = "chosen " if self.only_chosen else ""
        self.sheet.words = f"There are no {chosen}particles."
        self.sheet.set_places([self._place(row) for row in rows.to_dict("records")])
        self._say_scale()
        if self.project is None or self.table is None or rows.empty:
            return
        turn, colours = self._turn, phase_rgb(self.table)
        wanted = []
        for at, label in enumerate(rows["label"].tolist()):
            picture = self._kept.get(int(label))
            if picture is None:
                wanted.append(at)
            else:
                self._kept.move_to_end(int(label))
                self.sheet.put(at, picture)
        self.latest.ask("gallery", lambda: self._cut(turn, rows.iloc[wanted], wanted, colours))

    def _cut(
        self, turn: int, rows: pd.DataFrame, places: list[int], colours: dict[int, Any]
    ) -> int:
        """Make pictures, in another thread; a page that was turned is left."""
        volumes, project = self._volumes, self.project
        if volumes is None and project is not None and len(rows):
            volumes = particle_volumes(project)
            if turn == self._turn:
                self._volumes = volumes
        if volumes is not None:
            pictures = particle_pictures(
                volumes, rows, colours, cancelled=lambda: turn != self._turn
            )
            for at, picture in zip(places, pictures):
                if turn == self._turn:
                    self._came.emit(turn, at, picture)
        return turn

    def _put(self, turn: int, at: int, picture: ParticlePicture | None) -> None:
        if turn != self._turn:
            return
        self.sheet.put(at, picture)
        if picture is not None:
            self._kept[picture.label] = picture
            while sum(p.rgba.nbytes for p in self._kept.values()) > CACHE_BYTES:
                self._kept.popitem(last=False)

    def _page_done(self, _: str, turn: object) -> None:
        if turn == self._turn:
            self.sheet.settle()
            self._say_scale()

    def _failed(self, problem: str) -> None:
        self.sheet.words = problem
        self.sheet.set_places([])

    def _place(self, row: dict[str, Any]) -> Place:
        column, label = self.column.column, int(row["label"])
        size = row.get("equivalent_diameter_um", 1.0)
        height = row.get("extent_y_um", size)
        width = row.get("extent_x_um", size)
        told = dict.fromkeys(
            ("equivalent_diameter_um", "volume_liberation", "surface_liberation", column)
        )
        fractions = [c for c in row if c.startswith("fraction_") and row[c] > 0]
        lines = [f"particle {label}"] + [
            f"{name.replace('_', ' ')}: {value_in_words(name, row[name])}"
            for name in (*told, *fractions)
            if name in row
        ]
        caption = value_in_words(column, row[column]) if column in row else ""
        return Place(label, f"{label}: {caption}", "\n".join(lines), (height, width))

    def _say_scale(self) -> None:
        self.legend.set_scale(self.sheet.pixels_per_um if self.one_scale.isChecked() else 0.0)

    def _scaled(self, one: bool) -> None:
        self.sheet.one_scale = one
        self.sheet.lay_out()
        self._say_scale()

    def _turned(self, falling: bool) -> None:
        self.falling.setText("▼" if falling else "▲")
        self.go_to_page(1)

    def _choice_changed(self, by: object) -> None:
        if self.only_chosen and by is not self:
            self.go_to_page(1)

    def _clicked(self, label: int, add: bool) -> None:
        if add:
            self.choice.toggle(label, by=self)
        else:
            self.choice.set([label], by=self)
            self.asked_for.emit(label)

    def save_page(self, path: str | Path) -> None:
        """Write the page as a sheet at one scale, and its rows as CSV beside it.

        Raises
        ------
        SlagsegError
            If pictures are still missing, or the disk does not take the files.
        """
        path = Path(path)
        if path.suffix[1:].lower() not in ("png", "svg", "pdf"):
            raise SlagsegError(
                f"{path.name} is no name for a sheet; let it end with .png, .svg or .pdf."
            )
        if self.latest.busy:
            raise SlagsegError("The page is still being made. Save it when it is whole.")
        pictures = [
            ParticlePicture(p.label, p.picture.rgba, p.picture.pixel_um, p.caption)
            for p in self.sheet.places
            if p.picture is not None
        ]
        if not pictures or self.table is None:
            raise SlagsegError("There are no particles on this page.")
        figure = Figure(figsize=(11.0, 8.5))
        draw_line_up(
            figure,
            pictures,
            columns=COLUMNS,
            legend=line_up_legend(self.table),
            title=f"sorted by {self.column.column.replace('_', ' ')}, {self.page.text()}",
        )
        try:
            io.write_figure(figure, path)
            io.write_frame(path.with_suffix(".csv"), self.page_rows())
        except OSError as error:
            raise SlagsegError(
                f"{path} could not be written: {error.strerror or error}."
            ) from error

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save page", "particles.png", "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"
        )
        if not path:
            return
        try:
            self.save_page(path)
        except SlagsegError as error:
            show_error(str(error))
            return
        show_info(f"Saved {path} and its rows.")

    def close_down(self) -> None:
        """Stop what runs."""
        self._turn += 1
        self.latest.close()


__all__ = ["PAGE", "ParticleGallery", "value_in_words"]
