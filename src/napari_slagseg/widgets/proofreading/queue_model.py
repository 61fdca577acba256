"""The queue of suspects as a Qt model."""

from __future__ import annotations

from typing import Any

import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QBrush, QColor

from napari_slagseg.workflow.proofreading.standing import Suspect

COLUMNS = {
    "score": "how likely it is wrong, from 0 to 1; read it as an order",
    "kind": "merger: two in one; splitter: one in two; shape: holes or odd shape; doubt: the "
    "network is unsure; missed: mineral without a particle",
    "particle": "number of the particle, and of the other part of a splitter",
    "said": "what was said of it, or done",
    "reasons": "what speaks for it",
}
"""Columns and their tooltips."""

SAID = {"open": "", "accept": "accepted", "fix": "to be fixed", "skip": "skipped", "fixed": "fixed"}
"""Verdicts in words."""

_DONE = QColor(128, 128, 128)
_TO_FIX = QColor(213, 94, 0)


class SuspectModel(QAbstractTableModel):
    """Read-only view of the rows of a `SuspectQueue`, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = pd.DataFrame()
        self.names: list[Suspect] = []
        self._at: dict[Suspect, int] = {}

    def set_rows(self, rows: pd.DataFrame) -> bool:
        """Show other rows.

        Returns
        -------
        bool
            Whether rows came, went or moved; if only words on them changed, a view keeps its
            selection.
        """
        names = list(zip(rows["label"], rows["kind"], rows["partner"])) if len(rows) else []
        if names and names == self.names:
            self._rows = rows
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(COLUMNS) - 1))
            return False
        self.beginResetModel()
        self._rows, self.names = rows, names
        self._at = dict(zip(names, range(len(names))))
        self.endResetModel()
        return True

    def position(self, suspect: Suspect | None) -> int | None:
        """Row that shows a suspect."""
        return None if suspect is None else self._at.get(suspect)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Number of suspects."""
        return 0 if parent is not None and parent.isValid() else len(self.names)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Number of columns."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text of a cell; what was looked at is grey."""
        if not index.isValid():
            return None
        row = self._rows.iloc[index.row()]
        column = list(COLUMNS)[index.column()]
        if role == Qt.ItemDataRole.ForegroundRole:
            if row["verdict"] == "fix":
                return QBrush(_TO_FIX)
            return None if row["verdict"] == "open" else QBrush(_DONE)
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(row["reasons"])
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if column == "score":
            return f"{row['score']:.2f}"
        if column == "particle":
            return _numbers(row)
        return SAID[row["verdict"]] if column == "said" else str(row[column])

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Names of the columns, and what they mean."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(COLUMNS):
            return None
        name = list(COLUMNS)[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return name
        return COLUMNS[name] if role == Qt.ItemDataRole.ToolTipRole else None


def _numbers(row: pd.Series[Any]) -> str:
    """Particles of a row; one that was missed has no number."""
    if row["kind"] == "missed":
        return ""
    return f"{row['label']} + {row['partner']}" if row["partner"] else str(row["label"])


__all__ = ["COLUMNS", "SAID", "SuspectModel"]
