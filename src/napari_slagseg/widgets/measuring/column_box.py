"""A list of the table's columns to choose one from."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget


def numeric_columns(frame: pd.DataFrame) -> list[str]:
    """Columns that hold numbers."""
    return [str(c) for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])]


class ColumnBox(QComboBox):
    """Chooses a column; the choice is kept when the table changes, where it still has it.

    Parameters
    ----------
    preferred : str
        Column that is chosen at first, if it is there.

    Signals
    -------
    chosen : (str)
        The user took another column.
    """

    chosen = Signal(str)

    def __init__(self, preferred: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.preferred = preferred
        self.setMinimumContentsLength(10)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.activated.connect(lambda _: self.chosen.emit(self.column))

    @property
    def column(self) -> str:
        """Name of the chosen column; empty where there are none."""
        return str(self.currentData() or "")

    def choose(self, column: str) -> None:
        """Take a column, as the user would."""
        at = self.findData(column)
        if at >= 0:
            self.setCurrentIndex(at)
            self.chosen.emit(column)

    def set_columns(self, columns: Sequence[str]) -> None:
        """Offer other columns."""
        kept = self.column or self.preferred
        if [self.itemData(i) for i in range(self.count())] == list(columns):
            return
        blocked = self.blockSignals(True)
        self.clear()
        for column in columns:
            self.addItem(column.replace("_", " "), column)
        at = max(self.findData(kept), self.findData(self.preferred), 0)
        at = self.findData(kept) if self.findData(kept) >= 0 else at
        self.setCurrentIndex(at if columns else -1)
        # the list is as wide as its words, however narrow the box
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + 24)
        self.blockSignals(blocked)


__all__ = ["ColumnBox", "numeric_columns"]
