"""The measure dock's hold on the viewer: going to particles, pointing at them, clicking on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_slagseg.widgets.picking import label_at, label_in_sight

if TYPE_CHECKING:
    import napari

    from napari_slagseg.widgets.measuring.particle_views import ParticleViews

_CLICK_PIXELS = 3
"""Further than this, the mouse was dragged."""


class ViewerLink:
    """Follows the mouse over the viewer's particles and takes the viewer to them.

    Parameters
    ----------
    viewer : napari.Viewer
    views : ParticleViews
    pointed_at, clicked : callable
        Are told the label under the mouse, and the one that was clicked on.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        views: ParticleViews,
        pointed_at: Callable[[int], None],
        clicked: Callable[[int], None],
    ) -> None:
        self.viewer, self.views = viewer, views
        self._pointed_at, self._clicked = pointed_at, clicked
        viewer.mouse_move_callbacks.append(self.hover)
        viewer.mouse_drag_callbacks.append(self.click)

    def go_to(self, row: pd.Series[Any]) -> None:
        """Take the viewer to the particle of a row of the table."""
        centre = row[["centroid_z_um", "centroid_y_um", "centroid_x_um"]].to_numpy(float)
        dims = self.viewer.dims
        for axis in range(3):
            dims.set_point(dims.ndim - 3 + axis, float(centre[axis]))
        self.viewer.scene.camera.center = tuple(map(float, centre))
        # the particle takes a quarter of the canvas's smaller side
        shorter = min(self.viewer.canvas.size)
        diameter = float(row["equivalent_diameter_um"])
        self.viewer.scene.camera.zoom = 0.25 * shorter / max(diameter, 1e-6)
        layer = self.views.particles
        if layer is not None:
            layer.visible = self.views.coloured is None
            self.viewer.layers.selection.active = layer

    def hover(self, viewer: napari.Viewer, event: Any) -> None:
        """Tell of the particle under the mouse."""
        label = self._label(event, label_in_sight)
        if label:
            self._pointed_at(label)

    def click(self, viewer: napari.Viewer, event: Any) -> Iterator[None]:
        """Tell of the particle that is clicked on; dragging moves the view as ever."""
        pressed = event.pos
        yield
        while event.type == "mouse_move":
            yield
        active = viewer.layers.selection.active
        mode = str(getattr(active, "mode", "pan_zoom"))
        moved = np.abs(np.subtract(event.pos, pressed)).max() > _CLICK_PIXELS
        if moved or event.button != 1 or mode != "pan_zoom":
            return
        label = self._label(event, label_at)
        if label:
            self._clicked(label)

    def _label(self, event: Any, read: Callable[[Any, Any], int]) -> int:
        layer = self.views.particles
        if layer is None:
            return 0
        if layer.visible or (self.views.coloured is None and read is label_in_sight):
            return read(layer, event)
        # colours say nothing of labels: those are read where the mouse is
        return self.views.label_under(event.position) if len(event.dims_displayed) == 2 else 0

    def close(self) -> None:
        """Stop listening to the viewer."""
        if self.hover in self.viewer.mouse_move_callbacks:
            self.viewer.mouse_move_callbacks.remove(self.hover)
            self.viewer.mouse_drag_callbacks.remove(self.click)


__all__ = ["ViewerLink"]
