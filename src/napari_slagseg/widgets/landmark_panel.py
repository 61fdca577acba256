"""The list of landmarks, with what each pair is off."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg.data import Landmarks
from napari_slagseg.widgets.landmark_colours import landmark_colours

_COLUMNS = ("pair", "map", "CT", "off")
_TIPS = (
    "click a row: the main viewer goes to its slice",
    "row, column in map pixels",
    "z, y, x in voxels",
    "distance in voxels from where all pairs together put the map",
)
_WORST = "#d55e00"


class LandmarkPanel(QWidget):
    """Pairs of map and CT, and what to do with them.

    Signals
    -------
    delete_asked, go_asked : (int)
        Position of the pair.
    clear_asked, fit_asked : ()
    """

    delete_asked = Signal(int)
    go_asked = Signal(int)
    clear_asked = Signal()
    fit_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(_COLUMNS)
        for j, tip in enumerate(_TIPS):
            self.table.horizontalHeaderItem(j).setToolTip(tip)
        self.table.cellClicked.connect(lambda row, _: self.go_asked.emit(row))
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.table.verticalHeader().setVisible(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.setMinimumHeight(96)
        self.delete = QPushButton("Delete pair")
        self.delete.setToolTip("takes the chosen pair away, else the last")
        self.delete.clicked.connect(self._delete)
        self.clear = QPushButton("Clear")
        self.clear.setToolTip("takes all pairs away; Undo brings them back")
        self.clear.clicked.connect(self.clear_asked)
        self.at_third = QCheckBox("place at the third pair")
        self.at_third.setToolTip("begin the fit by itself as soon as there are three pairs")
        self.at_third.setChecked(True)
        self.fit = QPushButton("Fit with these landmarks")
        self.fit.setToolTip("search this map anew near where the landmarks put it")
        self.fit.clicked.connect(self.fit_asked)
        row = QHBoxLayout()
        row.addWidget(self.delete)
        row.addWidget(self.clear)
        row.addWidget(self.at_third, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.table, 1)
        layout.addLayout(row)
        layout.addWidget(self.fit)

    def _delete(self) -> None:
        rows = self.table.selectionModel().selectedRows()
        last = self.table.rowCount() - 1
        if last >= 0:
            self.delete_asked.emit(rows[0].row() if rows else last)

    def show_landmarks(
        self,
        landmarks: Landmarks | None,
        residuals: np.ndarray | None,
        worst: int | None,
        why_not: str,
    ) -> None:
        """List the pairs; the worst is marked."""
        n = 0 if landmarks is None else len(landmarks)
        self.table.setRowCount(n)
        for i, colour in enumerate(landmark_colours(n)):
            off = float("nan") if residuals is None else float(residuals[i])
            values = (
                f"● {i + 1}",
                ", ".join(f"{v:.0f}" for v in landmarks.pixels[i]),
                ", ".join(f"{v:.0f}" for v in landmarks.voxels[i]),
                "" if not np.isfinite(off) else f"{off:.1f}" + ("  worst" if i == worst else ""),
            )
            for j, text in enumerate(values):
                item = QTableWidgetItem(text)
                if j == 0:
                    item.setForeground(QColor(colour))
                elif i == worst:
                    item.setForeground(QColor(_WORST))
                self.table.setItem(i, j, item)
        allowed = not why_not
        self.delete.setEnabled(allowed and n > 0)
        self.clear.setEnabled(allowed and n > 0)
        self.fit.setEnabled(allowed and n >= 3)


__all__ = ["LandmarkPanel"]
