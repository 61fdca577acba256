"""Taking the viewer to a particle, in slices and in 3D."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slagseg.data import Box, VoxelSize

if TYPE_CHECKING:
    import napari

SHARE = 0.4
"""Of the canvas's smaller side that a framed box takes: its neighbours are seen too."""


def frame_box(
    viewer: napari.Viewer,
    voxel_size_um: VoxelSize,
    voxel: tuple[float, ...],
    box: Box | None = None,
) -> None:
    """Put a place into the middle, and a box around it into the canvas.

    Parameters
    ----------
    viewer : napari.Viewer
    voxel_size_um : (z, y, x)
    voxel : (z, y, x)
        2D shows the slice that it lies in.
    box : box of voxels, optional
        Without one the zoom stays.
    """
    size = np.asarray(voxel_size_um)
    world = np.asarray(voxel) * size
    dims = viewer.dims
    for axis in range(3):
        dims.set_point(dims.ndim - 3 + axis, float(world[axis]))
    camera = viewer.scene.camera
    if box is None:
        camera.center = tuple(map(float, world))
        return
    ends = np.array([(b.start, b.stop) for b in box]) * size[:, None]
    centre, extent = ends.mean(axis=1) - size / 2, ends[:, 1] - ends[:, 0]
    shown = [axis - (dims.ndim - 3) for axis in dims.displayed]
    for axis in range(3):
        if axis not in shown:
            centre[axis] = world[axis]
    camera.center = tuple(map(float, centre))
    largest = float(max(extent[axis] for axis in shown))
    camera.zoom = SHARE * min(viewer.canvas.size) / max(largest, 1e-6)


__all__ = ["SHARE", "frame_box"]
