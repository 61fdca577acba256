"""The small layer on which points and strokes are seen while they are placed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps.standardize_color import transform_color

from napari_slagseg.data import Triple, VoxelSize
from napari_slagseg.widgets import layers

if TYPE_CHECKING:
    import napari

PLACED_LAYER = "placed points"

_COLOURS = ("#ffd92f", "#4fd8ff", "#8cff4f", "#ff8c4f", "#c08cff", "#ff4f7b")
_PIXELS = 12
"""Of a point on the canvas, about."""
_PALE = 0.4


def show_placed(
    viewer: napari.Viewer,
    voxel_size_um: VoxelSize,
    voxels: Sequence[Triple],
    *,
    numbered: bool,
) -> None:
    """Show voxels as numbered points, or as a line; none takes the layer away.

    In 2D those of other slices are drawn too, pale. The layer that was active stays it, so that
    keys and clicks mean what they did.
    """
    if not voxels:
        if PLACED_LAYER in viewer.layers:
            viewer.layers.remove(PLACED_LAYER)
        return
    count = len(voxels)
    names = [_COLOURS[i % len(_COLOURS)] if numbered else _COLOURS[0] for i in range(count)]
    colours = np.array([transform_color(name)[0] for name in names])
    # points have their size in voxels; on the canvas they are to be seen at any zoom
    zoom = float(viewer.scene.camera.zoom) * float(min(voxel_size_um))
    size = max(1.0, _PIXELS / zoom) if numbered else max(1.0, 0.4 * _PIXELS / zoom)
    data = np.asarray(voxels, dtype=float)
    dims = viewer.dims
    for axis in (a - (dims.ndim - 3) for a in dims.not_displayed):
        if axis >= 0:
            at = dims.point[axis + dims.ndim - 3] / voxel_size_um[axis]
            colours[np.abs(data[:, axis] - at) > 0.6, 3] = _PALE
            data[:, axis] = at
    if PLACED_LAYER in viewer.layers:
        layer = viewer.layers[PLACED_LAYER]
        layer.data = data
        layer.size, layer.face_color = size, colours
    else:
        active = viewer.layers.selection.active
        layer = viewer.add_points(
            data,
            name=PLACED_LAYER,
            size=size,
            face_color=colours,
            border_color="black",
            **layers.placement(voxel_size_um),
        )
        layer.editable = False
        if active is not None:
            viewer.layers.selection.active = active
    layer.selected_data = set()


__all__ = ["PLACED_LAYER", "show_placed"]
