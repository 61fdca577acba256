"""The particle table as a Qt model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QBrush, QColor

from napari_slagseg.data import ColumnDefinition

_CHOSEN = QColor(255, 79, 216, 90)
_POINTED_AT = QColor(86, 180, 233, 110)


class ParticleModel(QAbstractTableModel):
    """Read-only, sortable view of a particle table; some of its rows are marked."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = pd.DataFrame()
        self.definitions: dict[str, ColumnDefinition] = {}
        self._row_of: dict[int, int] = {}
        self._chosen: frozenset[int] = frozenset()
        self._pointed_at = 0
        self._order: tuple[str, bool] | None = None

    def set_table(self, frame: pd.DataFrame, definitions: dict[str, ColumnDefinition]) -> None:
        """Show another table, in the order that the last one was sorted in."""
        self.beginResetModel()
        self.frame, self.definitions = frame.reset_index(drop=True), definitions
        self._sort()
        self._number_rows()
        self.endResetModel()

    def _number_rows(self) -> None:
        labels = self.labels
        self._row_of = dict(zip(labels.tolist(), range(len(labels))))

    @property
    def labels(self) -> NDArray[np.int64]:
        """Particles in the order of the rows."""
        if "label" not in self.frame:
            return np.empty(0, np.int64)
        return self.frame["label"].to_numpy(np.int64)

    def row_of(self, label: int) -> int | None:
        """Row that shows a particle."""
        return self._row_of.get(label)

    def label_at(self, row: int) -> int:
        """Particle in a row."""
        return int(self.frame["label"].iat[row])

    def mark_chosen(self, labels: NDArray[np.int64]) -> None:
        """Mark the rows of the chosen particles."""
        self._chosen = frozenset(labels.tolist())
        self._repaint()

    def point_at(self, label: int) -> None:
        """Mark the row of the particle under the mouse, 0 for none."""
        if label != self._pointed_at:
            self._pointed_at = label
            self._repaint()

    def _repaint(self) -> None:
        if len(self.frame):
            last = self.index(len(self.frame) - 1, len(self.frame.columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last, [Qt.ItemDataRole.BackgroundRole])

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Number of particles."""
        return 0 if parent is not None and parent.isValid() else len(self.frame)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Number of columns."""
        return 0 if parent is not None and parent.isValid() else len(self.frame.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text of a cell, and the ground of marked rows."""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.BackgroundRole and (self._chosen or self._pointed_at):
            label = self.label_at(index.row())
            if label == self._pointed_at:
                return QBrush(_POINTED_AT)
            return QBrush(_CHOSEN) if label in self._chosen else None
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        value = self.frame.iat[index.row(), index.column()]
        if isinstance(value, (bool, np.bool_)):
            return "yes" if value else "no"
        if isinstance(value, (float, np.floating)):
            return "n/a" if np.isnan(value) else f"{value:.4g}"
        return str(value)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Column names; their definitions as tooltips."""
        if orientation != Qt.Orientation.Horizontal or section >= len(self.frame.columns):
            return None
        name = str(self.frame.columns[section])
        if role == Qt.ItemDataRole.DisplayRole:
            return name.replace("_", " ")
        if role == Qt.ItemDataRole.ToolTipRole and name in self.definitions:
            d = self.definitions[name]
            return f"{name} [{d.unit}]\n{d.meaning}\n{d.source}".strip()
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; equal values keep their order."""
        if not 0 <= column < len(self.frame.columns):
            return
        self.beginResetModel()
        self._order = str(self.frame.columns[column]), order == Qt.SortOrder.AscendingOrder
        self._sort()
        self._number_rows()
        self.endResetModel()

    def _sort(self) -> None:
        if self._order is not None and self._order[0] in self.frame:
            column, ascending = self._order
            self.frame = self.frame.sort_values(
                column, ascending=ascending, kind="stable"
            ).reset_index(drop=True)


__all__ = ["ParticleModel"]
