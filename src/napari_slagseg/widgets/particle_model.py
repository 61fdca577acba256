"""The particle table as a Qt model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

from napari_slagseg.data import ColumnDefinition


class ParticleModel(QAbstractTableModel):
    """Read-only, sortable view of a particle table."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = pd.DataFrame()
        self.definitions: dict[str, ColumnDefinition] = {}
        self._row_of: dict[int, int] = {}

    def set_table(self, frame: pd.DataFrame, definitions: dict[str, ColumnDefinition]) -> None:
        """Show another table."""
        self.beginResetModel()
        self.frame, self.definitions = frame.reset_index(drop=True), definitions
        self._number_rows()
        self.endResetModel()

    def _number_rows(self) -> None:
        labels = self.frame["label"].to_numpy() if "label" in self.frame else np.empty(0, int)
        self._row_of = {int(label): row for row, label in enumerate(labels)}

    def row_of(self, label: int) -> int | None:
        """Row that shows a particle."""
        return self._row_of.get(label)

    def label_at(self, row: int) -> int:
        """Particle in a row."""
        return int(self.frame["label"].iat[row])

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Number of particles."""
        return 0 if parent is not None and parent.isValid() else len(self.frame)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Number of columns."""
        return 0 if parent is not None and parent.isValid() else len(self.frame.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text of a cell."""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if not index.isValid() or role != Qt.ItemDataRole.DisplayRole:
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
        self.frame = self.frame.sort_values(
            self.frame.columns[column],
            ascending=order == Qt.SortOrder.AscendingOrder,
            kind="stable",
        ).reset_index(drop=True)
        self._number_rows()
        self.endResetModel()


__all__ = ["ParticleModel"]
