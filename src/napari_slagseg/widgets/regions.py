"""Regions of interest for painting segmentation errors.

What is shown of a project is read from disk and cannot be painted on. Painting
takes place on a small array in memory, laid over the place that is looked at;
what was painted is stored as voxels of the whole volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_slagseg.data import Box, VoxelSize
from napari_slagseg.project import Project
from napari_slagseg.widgets.layers import placement

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

ERRORS_LAYER = "errors"

EDGE = 256
"""Of a region, in voxels; volumes that are no longer than this are painted on whole."""

_START = "slagseg_region_start"
_COLOUR = (0.80, 0.47, 0.65, 1.0)


def region_around(centre: NDArray[np.float64], shape: tuple[int, ...], edge: int = EDGE) -> Box:
    """Box of a volume around a place, moved inwards where it would stick out.

    Parameters
    ----------
    centre : (z, y, x)
        In voxels.
    shape : (z, y, x)
        Of the volume.
    edge : int
        Voxels along each axis; no more than the volume has.
    """
    box = []
    for c, n in zip(centre, shape):
        length = min(edge, n)
        start = int(np.clip(round(float(c)) - length // 2, 0, n - length))
        box.append(slice(start, start + length))
    return (box[0], box[1], box[2])


def place_looked_at(viewer: napari.Viewer, voxel_size_um: VoxelSize) -> NDArray[np.float64]:
    """Middle of the view, (z, y, x) in voxels."""
    dims = viewer.dims
    world = np.array(dims.point[-3:], dtype=float)
    # the camera knows the displayed axes alone, as the last of its three numbers
    shown = [axis - (dims.ndim - 3) for axis in dims.displayed]
    centre = np.asarray(viewer.scene.camera.center, dtype=float)[-len(shown) :]
    for axis, at in zip(shown, centre):
        world[axis] = at
    return world / np.asarray(voxel_size_um)


def error_layers(viewer: napari.Viewer) -> list[Labels]:
    """All regions that errors are painted on."""
    return [layer for layer in viewer.layers if _START in layer.metadata]


def error_layer(viewer: napari.Viewer, project: Project) -> Labels:
    """Region to paint on at the place that is looked at, made if there is none.

    Regions without paint are taken away when another is made.
    """
    shape = project.description.ct.shape
    centre = place_looked_at(viewer, project.voxel_size_um)
    for layer in error_layers(viewer):
        box = _box(layer)
        if all(b.start <= np.clip(c, 0, n - 1) < b.stop for b, c, n in zip(box, centre, shape)):
            return layer
        if not np.any(layer.data):
            viewer.layers.remove(layer)
    box = region_around(centre, shape)
    start = [b.start for b in box]
    place = placement(project.voxel_size_um)
    layer = viewer.add_labels(
        np.zeros([b.stop - b.start for b in box], dtype=np.uint8),
        name=ERRORS_LAYER,
        colormap=DirectLabelColormap(color_dict={None: (0, 0, 0, 0), 0: (0, 0, 0, 0), 1: _COLOUR}),
        opacity=0.8,
        translate=[i * s for i, s in zip(start, place["scale"])],
        metadata={_START: tuple(start)},
        **place,
    )
    layer.brush_size = 3
    layer.mode = "paint"
    if layer.data.shape != tuple(shape):
        layer.bounding_box.visible = True
        layer.bounding_box.line_color = _COLOUR
        layer.bounding_box.points = False
    return layer


def _box(layer: Labels) -> Box:
    z, y, x = (slice(a, a + n) for a, n in zip(layer.metadata[_START], layer.data.shape))
    return (z, y, x)


def painted_voxels(viewer: napari.Viewer, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Voxels painted in all regions.

    Parameters
    ----------
    viewer : napari.Viewer
    shape : (z, y, x)
        Of the whole volume.

    Returns
    -------
    (n,) int64
        Flat C-order indices of the whole volume, rising, each once.
    """
    found = [np.empty(0, dtype=np.int64)]
    for layer in error_layers(viewer):
        zyx = np.nonzero(layer.data)
        whole = tuple(a + start for a, start in zip(zyx, layer.metadata[_START]))
        found.append(np.ravel_multi_index(whole, shape).astype(np.int64))
    return np.unique(np.concatenate(found))


def remove_error_layers(viewer: napari.Viewer) -> None:
    """Take all regions away; their undo histories go with them."""
    for layer in error_layers(viewer):
        viewer.layers.remove(layer)


__all__ = [
    "EDGE",
    "ERRORS_LAYER",
    "error_layer",
    "error_layers",
    "painted_voxels",
    "place_looked_at",
    "region_around",
    "remove_error_layers",
]
