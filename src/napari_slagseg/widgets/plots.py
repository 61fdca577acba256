"""A matplotlib canvas that follows napari's theme."""

from __future__ import annotations

import logging
from collections.abc import Callable
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

    Draw = Callable[[Axes], None]

_LOG = logging.getLogger(__name__)


def theme_colours() -> tuple[str, str]:
    """Writing and ground of napari's theme, as ``#rrggbb``."""
    theme = get_theme(get_settings().appearance.theme)
    return theme.text.as_hex(), theme.background.as_hex()


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
        self._draw_plot: Draw | None = None
        self.setMinimumHeight(height)
        self.setMinimumWidth(240)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        get_settings().appearance.events.theme.connect(self._theme_changed)

    def sizeHint(self) -> QSize:
        """Least size: a canvas takes what is left and never makes its page scroll for more."""
        return self.minimumSize()

    def fresh_axes(self) -> Axes:
        """Empty axes in the theme's colours."""
        self.figure.clear()
        return self.figure.add_subplot()

    def show_plot(self, draw: Draw) -> None:
        """Draw a plot, now or when it is looked at."""
        self._draw_plot = draw
        if self.isVisible():
            self._make()

    def _make(self) -> None:
        draw, self._draw_plot = self._draw_plot, None
        if draw is None:
            return
        axes = self.fresh_axes()
        try:
            draw(axes)
        except Exception as error:  # noqa: BLE001  one plot less, the others are shown
            _LOG.exception("a plot cannot be drawn")
            axes.clear()
            axes.set_axis_off()
            axes.text(0.5, 0.5, f"This plot cannot be drawn: {error}", ha="center", wrap=True)
        self.finish()

    def finish(self) -> None:
        """Colour what was drawn and show it."""
        text, ground = theme_colours()
        self.figure.set_facecolor(ground)
        for axes in self.figure.axes:
            axes.set_facecolor(ground)
            axes.tick_params(colors=text, which="both")
            for spine in axes.spines.values():
                spine.set_color(text)
            for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
                label.set_color(text)
            for words in axes.texts:
                # what has a colour of its own keeps it
                if words.get_color() in ("black", "k"):
                    words.set_color(text)
            legend = axes.get_legend()
            if legend is not None:
                legend.get_frame().set_facecolor(ground)
                legend.get_title().set_color(text)
                for entry in legend.get_texts():
                    entry.set_color(text)
        if self.isVisible():
            self.draw_idle()
        else:
            self._waiting = True

    def _theme_changed(self, _: object = None) -> None:
        if self.figure.axes:
            self.finish()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what was finished while another tab was in front."""
        super().showEvent(event)
        if self._draw_plot is not None:
            self._make()
        elif self._waiting:
            self.draw_idle()
        self._waiting = False


__all__ = ["PlotCanvas", "theme_colours"]
