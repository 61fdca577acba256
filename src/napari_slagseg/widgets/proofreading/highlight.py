"""The chosen particles outlined, and the others dimmed, whatever their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_slagseg.widgets import layers
from napari_slagseg.widgets.measuring.particle_views import COLOURED_LAYER, views_of

if TYPE_CHECKING:
    from napari_slagseg.widgets.proofreading.desk import Desk

_DIMMED = 0.3
"""Of the opacity that the user has chosen: the rest is seen, and does not draw the eye."""

_NAMES = (layers.PARTICLES_LAYER, layers.PHASES_LAYER, COLOURED_LAYER)
_IN_3D = (*_NAMES, layers.CT_LAYER)


class Highlight(QObject):
    """Shows the choice of a desk in the viewer.

    Only the layers' opacity changes, and a layer of outlines in one colour is looked up: so it
    takes as long for 100,000 particles as for ten.

    Parameters
    ----------
    desk : Desk
    parent : QObject
    """

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self.desk = desk
        self.views = views_of(desk.viewer)
        self._ordinary: dict[str, float] = {}
        self._dims = True
        desk.choice.changed.connect(self.show_choice)
        desk.opened.connect(self.show_choice)
        desk.viewer.dims.events.ndisplay.connect(self._turned)

    def dim_others(self, on: bool) -> None:
        """Dim the particles that are not chosen, or show them as ever."""
        self._dims = on
        self.show_choice()

    def show_choice(self, _: object = None) -> None:
        """Outline the chosen particles and dim the others; or show all as ever."""
        labels = self.desk.choice.labels
        if not self.desk.session.shows_choice:  # the measure dock, if it is open, outlines them
            self.views.show_chosen(labels)
        if self._dims and len(labels):
            self._dim()
        else:
            self.end()

    def _turned(self, _: object) -> None:
        """The CT hides particles in 3D alone."""
        self.end()
        self.show_choice()

    def _dim(self) -> None:
        names = self.desk.viewer.layers
        for name in _IN_3D if self.desk.viewer.dims.ndisplay == 3 else _NAMES:
            if name not in names or name in self._ordinary:
                continue
            layer = names[name]
            self._ordinary[name] = layer.opacity
            layer.opacity *= _DIMMED

    def end(self) -> None:
        """Show all as ever."""
        names = self.desk.viewer.layers
        for name, opacity in self._ordinary.items():
            # a layer made anew meanwhile has its own
            if name in names and abs(names[name].opacity - opacity * _DIMMED) < 1e-6:
                names[name].opacity = opacity
        self._ordinary.clear()


__all__ = ["Highlight"]
