"""The table of particles, linked with the choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QItemSelectionModel, QModelIndex, Signal
from qtpy.QtWidgets import QAbstractItemView, QApplication, QTableView, QWidget

from napari_slagseg.widgets.particle_model import ParticleModel

if TYPE_CHECKING:
    from napari_slagseg.widgets.measuring.choice import Choice

ROWS_FOR_WIDTHS = 50
"""Rows that the widths of the table's columns are made for."""


class ParticleTableView(QTableView):
    """Rows of particles; those of the chosen ones are marked.

    Selecting rows (with Ctrl and Shift: several) chooses their particles; a click on
    one alone asks to go there.

    Signals
    -------
    asked_for : (int)
        Label of the particle to go to.
    """

    asked_for = Signal(int)

    def __init__(self, choice: Choice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.particles = ParticleModel()
        self.choice = choice
        self.setModel(self.particles)
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(22)
        # a number of rows, not those in sight: before the dock is laid out, Qt takes all of them
        # to be in sight, and 150,000 particles would hold the window for minutes
        self.horizontalHeader().setResizeContentsPrecision(ROWS_FOR_WIDTHS)
        self.setMinimumWidth(220)
        self.clicked.connect(self._clicked)
        self.selectionModel().selectionChanged.connect(self._selected)
        choice.changed.connect(self._chosen)

    def selected_labels(self) -> NDArray[np.int64]:
        """Particles of the selected rows."""
        labels = self.particles.labels
        # by ranges: one index for each of 150,000 rows would take its time
        parts = [labels[r.top() : r.bottom() + 1] for r in self.selectionModel().selection()]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def show_row(self, label: int) -> None:
        """Scroll to a particle."""
        row = self.particles.row_of(label)
        if row is not None:
            self.scrollTo(self.particles.index(row, 0), self.ScrollHint.EnsureVisible)

    def _clicked(self, index: QModelIndex) -> None:
        if not QApplication.keyboardModifiers() and len(self.choice) == 1:
            self.asked_for.emit(self.particles.label_at(index.row()))

    def _selected(self, *_: object) -> None:
        self.choice.set(self.selected_labels(), by=self)

    def _chosen(self, by: object) -> None:
        self.particles.mark_chosen(self.choice.labels)
        if by is self:
            return
        # the selection is what was picked here; a choice from elsewhere takes its place
        selection = self.selectionModel()
        blocked = selection.blockSignals(True)
        selection.clearSelection()
        selection.blockSignals(blocked)
        rows = [r for r in map(self.particles.row_of, self.choice.labels.tolist()) if r is not None]
        if rows:
            first = self.particles.index(min(rows), 0)
            selection.setCurrentIndex(first, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.scrollTo(first, self.ScrollHint.EnsureVisible)
        self.viewport().update()


__all__ = ["ROWS_FOR_WIDTHS", "ParticleTableView"]
