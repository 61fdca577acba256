"""What is painted to become a particle, or to get another phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_slagseg.data import Box, SlagsegError, Triple
from napari_slagseg.widgets.measuring.choice import CHOSEN_COLOUR
from napari_slagseg.widgets.proofreading.regions_to_paint import add_region, region_looked_at
from napari_slagseg.widgets.proofreading.tools import Tool

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_slagseg.widgets.proofreading.desk import Desk

MASK_LAYER = "painted"


class Mask(QObject):
    """A layer of one colour, there while a tool is taken that needs paint.

    It changes nothing by itself; napari's own undo of it takes strokes back.

    Parameters
    ----------
    desk : Desk
    parent : QObject

    Signals
    -------
    opened : (Labels)
    closed : ()
    """

    opened = Signal(object)
    closed = Signal()

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self.desk = desk
        self.tool: Tool | None = None
        self.layer: Labels | None = None
        self.box: Box | None = None
        desk.opened.connect(self.close)
        desk.viewer.layers.events.removed.connect(self._removed)

    def open(self, tool: Tool) -> None:
        """Make the layer at the place looked at, with the brush chosen.

        Raises
        ------
        SlagsegError
            If nothing can be edited now.
        """
        desk, project = self.desk, self.desk.editable_project()
        self.close()
        self.tool, self.box = tool, region_looked_at(desk)
        clear = (0, 0, 0, 0)
        layer = add_region(
            desk.viewer,
            project.voxel_size_um,
            self.box,
            np.zeros([b.stop - b.start for b in self.box], np.uint8),
            MASK_LAYER,
            opacity=0.7,
            colormap=DirectLabelColormap(color_dict={None: clear, 0: clear, 1: CHOSEN_COLOUR}),
        )
        self.layer = layer
        layer.selected_label = 1
        layer.mode = "paint"
        self.opened.emit(layer)

    def painted(self) -> tuple[Triple, NDArray[np.bool_]]:
        """First voxel of the region, and what is painted in it.

        Raises
        ------
        SlagsegError
            If nothing is.
        """
        if self.layer is None or self.box is None or not np.any(self.layer.data):
            raise SlagsegError("Nothing is painted yet: paint in the outlined box, then Enter.")
        z, y, x = (b.start for b in self.box)
        return (z, y, x), np.asarray(self.layer.data) != 0

    def close(self, _: object = None) -> None:
        """Take the layer away, and what is painted with it."""
        if self.layer is not None and self.layer in self.desk.viewer.layers:
            self.desk.viewer.layers.remove(self.layer)

    def _removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer:
            self.tool, self.layer, self.box = None, None, None
            self.closed.emit()


__all__ = ["MASK_LAYER", "Mask"]
