"""A scatter plot of two columns, in which particles are chosen with a lasso."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.path import Path
from matplotlib.widgets import LassoSelector
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QApplication, QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_slagseg.liberation.figures import OKABE_ITO
from napari_slagseg.widgets.measuring.choice import CHOSEN_COLOUR
from napari_slagseg.widgets.measuring.column_box import ColumnBox, numeric_columns
from napari_slagseg.widgets.measuring.saving import save_button
from napari_slagseg.widgets.plots import PlotCanvas, theme_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from napari_slagseg.data import ColumnDefinition
    from napari_slagseg.widgets.measuring.choice import Choice

_CLICK_REACH = 8.0
"""Pixels from a point within which a click means it."""


class ScatterPlot(QWidget):
    """Two columns against each other, linked with the choice.

    Drawing a line around points chooses their particles; with Shift they are added, and a
    click chooses the point that is nearest to it, or none.

    Signals
    -------
    pointed_at : (int)
        Label of the particle that was clicked on.
    """

    pointed_at = Signal(int)

    def __init__(self, choice: Choice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = choice
        self.frame = pd.DataFrame()
        self.definitions: dict[str, ColumnDefinition] = {}
        self.canvas = PlotCanvas(height=150)
        self.x, self.y = ColumnBox("volume_liberation"), ColumnBox("surface_liberation")
        self.logarithmic = QCheckBox("log")
        self.logarithmic.setToolTip("both axes logarithmic, where all values are above 0")
        self._marked: Line2D | None = None
        self._lasso: LassoSelector | None = None
        bar = QHBoxLayout()
        bar.addWidget(QLabel("y"))
        bar.addWidget(self.y, 1)
        bar.addWidget(QLabel("against x"))
        bar.addWidget(self.x, 1)
        bar.addWidget(self.logarithmic)
        bar.addWidget(save_button(self, self._saved))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.addLayout(bar)
        layout.addWidget(self.canvas, 1)
        self.canvas.setToolTip(
            "Draw a line around points to choose their particles (Shift adds them). "
            "A click goes to the nearest one."
        )
        for box in (self.x, self.y):
            box.chosen.connect(self.redraw)
        self.logarithmic.toggled.connect(self.redraw)
        choice.changed.connect(lambda _: self._mark())

    def set_table(self, frame: pd.DataFrame, definitions: dict[str, ColumnDefinition]) -> None:
        """Show other particles."""
        self.frame, self.definitions = frame, definitions
        for box in (self.x, self.y):
            box.set_columns(numeric_columns(frame))
        self.redraw()

    def redraw(self, *_: object) -> None:
        """Draw the points anew."""
        self.canvas.show_plot(self._draw_live)

    def values(self) -> NDArray[np.float64]:
        """Both columns, (particles, 2)."""
        if not self.x.column or not self.y.column or self.frame.empty:
            return np.empty((0, 2))
        return self.frame[[self.x.column, self.y.column]].to_numpy(np.float64)

    def draw(self, axes: Axes) -> Line2D:
        """Draw the plot on any axes; the line that marks the chosen points comes back."""
        points = self.values()
        # one line of markers: a collection of 150,000 would take seconds
        axes.plot(
            *points.T, "o", markersize=4 if len(points) < 5000 else 2, color=OKABE_ITO[0],
            alpha=0.45, markeredgewidth=0,
        )  # fmt: skip
        (marked,) = axes.plot(
            *points[self._rows_chosen()].T, "o", markersize=6, markerfacecolor="none",
            markeredgecolor=CHOSEN_COLOUR, markeredgewidth=1.4,
        )  # fmt: skip
        if self.logarithmic.isChecked() and len(points) and not np.nanmin(points) <= 0:
            axes.set_xscale("log")
            axes.set_yscale("log")
        axes.set_xlabel(self._title(self.x.column))
        axes.set_ylabel(self._title(self.y.column))
        if not len(points):
            axes.text(0.5, 0.5, "no particles", ha="center", transform=axes.transAxes)
        return marked

    def _title(self, column: str) -> str:
        words = column.removesuffix("_um3").removesuffix("_um2").removesuffix("_um")
        definition = self.definitions.get(column)
        unit = "" if definition is None or definition.unit in ("", "1") else f" ({definition.unit})"
        return words.replace("_", " ") + unit

    def _draw_live(self, axes: Axes) -> None:
        self._marked = self.draw(axes)
        ink, _ = theme_colours()
        self._lasso = LassoSelector(
            axes, onselect=self._lassoed, useblit=True, props={"color": ink, "linewidth": 1.2}
        )

    def _rows_chosen(self) -> NDArray[np.bool_]:
        if self.frame.empty or "label" not in self.frame:
            return np.zeros(len(self.values()), bool)
        chosen = np.isin(self.frame["label"].to_numpy(np.int64), self.choice.labels)
        return chosen if len(self.values()) else chosen[:0]

    def _mark(self) -> None:
        if self._marked is None or self._marked.figure is None:
            return
        self._marked.set_data(*self.values()[self._rows_chosen()].T)
        if self.canvas.isVisible():
            self.canvas.draw_idle()
        else:
            self.redraw()

    def _lassoed(self, line: Sequence[tuple[float, float]]) -> None:
        """Choose what lies within a line (in the plot's own numbers)."""
        axes = self.canvas.figure.axes[0]
        points = self.values()
        known = np.flatnonzero(np.isfinite(points).all(axis=1))
        # in pixels: what looks inside is inside, on logarithmic axes as well
        at = axes.transData.transform(points[known])
        corners = axes.transData.transform(np.array(line).reshape(-1, 2))
        labels = self.frame["label"].to_numpy(np.int64) if len(points) else np.empty(0, np.int64)
        if not len(corners) or np.ptp(corners, axis=0).max() < _CLICK_REACH / 2:
            found = self._nearest(at, corners[-1]) if len(corners) and len(at) else None
            picked = labels[known[[found]]] if found is not None else labels[:0]
        else:
            picked = labels[known[Path(corners).contains_points(at)]]
        if QApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier:
            picked = np.union1d(picked, self.choice.labels)
        self.choice.set(picked, by=self)
        if len(corners) and np.ptp(corners, axis=0).max() < _CLICK_REACH / 2 and len(picked) == 1:
            self.pointed_at.emit(int(picked[0]))

    @staticmethod
    def _nearest(at: NDArray[np.float64], place: NDArray[np.float64]) -> int | None:
        far = np.hypot(*(at - place).T)
        nearest = int(np.argmin(far))
        return nearest if far[nearest] <= _CLICK_REACH else None

    def _saved(self) -> tuple[str, object, pd.DataFrame]:
        columns = list(dict.fromkeys(("label", self.x.column, self.y.column)))
        frame = self.frame[columns] if len(self.frame) else pd.DataFrame(columns=columns)
        return f"{self.y.column}_against_{self.x.column}", self.draw, frame


__all__ = ["ScatterPlot"]
