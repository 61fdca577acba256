"""Layers in memory over a part of the volume, to be painted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Box, VoxelSize
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.regions import place_looked_at, region_around
from napari_slagseg.workflow.proofreading.particle_boxes import box_of

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

    from napari_slagseg.widgets.proofreading.desk import Desk

EDGE = 192
"""Of a region in voxels: large particles find room, and it is read and drawn at once."""

_FRAME = (0.80, 0.47, 0.65, 1.0)


def region_looked_at(desk: Desk) -> Box:
    """Box around the chosen particle if it is in sight, else around the middle of the view.

    It is larger where the particle is, up to twice as long.
    """
    project, proofreader = desk.session.project, desk.proofreader
    assert project is not None
    assert proofreader is not None
    centre = place_looked_at(desk.viewer, project.voxel_size_um)
    if len(desk.chosen) == 1 and (ends := proofreader.boxes.get(desk.chosen[0])):
        box = box_of(ends)
        if all(b.start - 1 <= c <= b.stop for b, c in zip(box, centre)):
            longest = max(b.stop - b.start for b in box)
            middle = np.array([(b.start + b.stop) / 2 for b in box])
            edge = int(np.clip(longest + 32, EDGE, 2 * EDGE))
            return region_around(middle, proofreader.shape, edge)
    return region_around(centre, proofreader.shape, EDGE)


def add_region(
    viewer: napari.Viewer,
    voxel_size_um: VoxelSize,
    box: Box,
    data: NDArray[Any],
    name: str,
    **options: Any,
) -> Labels:
    """Show a box in memory at its place, framed, ready to be painted on.

    Parameters
    ----------
    viewer : napari.Viewer
    voxel_size_um : (z, y, x)
    box : box of voxels
        Of the volume.
    data : (z, y, x)
        Of the box; what is painted goes into this array.
    name : str
    **options
        Of the layer.
    """
    place = layers.placement(voxel_size_um)
    layer = viewer.add_labels(
        data,
        name=name,
        translate=[b.start * s for b, s in zip(box, place["scale"])],
        **options,
        **place,
    )
    layer.brush_size = 5
    layer.bounding_box.visible = True
    layer.bounding_box.line_color = _FRAME
    layer.bounding_box.points = False
    viewer.layers.selection.active = layer
    return layer


__all__ = ["EDGE", "add_region", "region_looked_at"]
