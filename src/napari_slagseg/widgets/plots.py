"""A matplotlib canvas that follows napari's theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.QtCore import QSize
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QSizePolicy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class PlotCanvas(FigureCanvasQTAgg):
    """Canvas with one plot.

    Parameters
    ----------
    height : int
        Least height in pixels.
    """

    def __init__(self, height: int = 240) -> None:
        super().__init__(Figure(layout="constrained"))
        self._waiting = False
        self.setMinimumHeight(height)
        self.setMinimumWidth(240)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        """Least size: a canvas takes what is left and never makes its page scroll for more."""
        return self.minimumSize()

    def fresh_axes(self) -> Axes:
        """Empty axes in the theme's colours."""
        self.figure.clear()
        return self.figure.add_subplot()

    def finish(self) -> None:
        """Colour what was drawn and show it."""
        theme = get_theme(get_settings().appearance.theme)
        text, ground = theme.text.as_hex(), theme.background.as_hex()
        self.figure.set_facecolor(ground)
        for axes in self.figure.axes:
            axes.set_facecolor(ground)
            axes.tick_params(colors=text, which="both")
            for spine in axes.spines.values():
                spine.set_color(text)
            for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
                label.set_color(text)
            legend = axes.get_legend()
            if legend is not None:
                legend.get_frame().set_facecolor(ground)
                for entry in legend.get_texts():
                    entry.set_color(text)
        if self.isVisible():
            self.draw_idle()
        else:
            self._waiting = True

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what was finished while another tab was in front."""
        super().showEvent(event)
        if self._waiting:
            self._waiting = False
            self.draw_idle()


__all__ = ["PlotCanvas"]
