"""A tab of plots: two side by side, each chosen from a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QStackedLayout, QVBoxLayout, QWidget

from napari_slagseg.widgets.measuring.saving import Saved, save_button
from napari_slagseg.widgets.plots import PlotCanvas

Draw = Callable[[Any], None]

SIDE_BY_SIDE = 2


class PlotPane(QWidget):
    """One plot, chosen by its name.

    Parameters
    ----------
    first : int
        Which of the plots is shown at first.
    """

    def __init__(self, first: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.first = first
        self.plots: dict[str, Draw] = {}
        self.frames: dict[str, pd.DataFrame] = {}
        self.names = QComboBox()
        self.names.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.canvas = PlotCanvas(height=150)
        bar = QHBoxLayout()
        bar.addWidget(self.names)
        bar.addStretch(1)
        bar.addWidget(save_button(self, self.saved))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(bar)
        layout.addWidget(self.canvas, 1)
        self.names.currentIndexChanged.connect(self._show)

    @property
    def name(self) -> str:
        """Name of the plot that is shown; empty where there is none."""
        return str(self.names.currentData() or "")

    def set_plots(self, plots: dict[str, Draw], frames: dict[str, pd.DataFrame]) -> None:
        """Take other plots, and stay with the one that was chosen, if it is there."""
        kept = self.name
        self.plots, self.frames = plots, frames
        names = list(plots)
        if names != [self.names.itemData(i) for i in range(self.names.count())]:
            blocked = self.names.blockSignals(True)
            self.names.clear()
            for name in names:
                self.names.addItem(name.replace("_", " "), name)
            at = names.index(kept) if kept in names else self.first
            self.names.setCurrentIndex(min(at, len(names) - 1))
            self.names.blockSignals(blocked)
        self.setVisible(self.first < len(names))
        self._show()

    def _show(self, *_: object) -> None:
        if self.name in self.plots:
            self.canvas.show_plot(self.plots[self.name])

    def saved(self) -> Saved | None:
        """What is shown, to be saved."""
        if self.name not in self.plots:
            return None
        return self.name, self.plots[self.name], self.frames.get(self.name)


class PlotTab(QWidget):
    """Plots of one kind, or a sentence where there are none."""

    def __init__(self, words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = QLabel(words)
        self.words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.words.setWordWrap(True)
        self.panes = [PlotPane(i) for i in range(SIDE_BY_SIDE)]
        plots = QWidget()
        row = QHBoxLayout(plots)
        row.setContentsMargins(2, 2, 2, 2)
        for pane in self.panes:
            row.addWidget(pane, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.words)
        self._stack.addWidget(plots)

    @property
    def plots(self) -> dict[str, Draw]:
        """Plots to choose from."""
        return self.panes[0].plots

    def say(self, words: str) -> None:
        """Show a sentence instead of plots."""
        for pane in self.panes:
            pane.set_plots({}, {})
        self.words.setText(words)
        self._stack.setCurrentIndex(0)

    def set_plots(self, plots: Mapping[str, Draw], frames: Mapping[str, pd.DataFrame]) -> None:
        """Show plots; `frames` has the data of each by its name."""
        for pane in self.panes:
            pane.set_plots(dict(plots), dict(frames))
        self._stack.setCurrentIndex(1)


__all__ = ["PlotPane", "PlotTab"]
