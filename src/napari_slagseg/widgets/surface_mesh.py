"""A placed map as a curved sheet in 3D: mesh and texture for a napari Surface layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, MineralMap, PlacedMap, SlagsegError
from napari_slagseg.widgets.composite import class_picture

MESH_POINTS = 80
"""Along the longer side: a bow of a few voxels needs no more."""

TEXTURE_PIXELS = 1024

FAINT = 70
"""Opacity of epoxy, of 255: the CT shows through it."""


@dataclass(frozen=True)
class SurfaceMesh:
    """A textured mesh.

    Attributes
    ----------
    vertices : (n, 3) float32
        CT voxel coordinates (z, y, x).
    faces : (m, 3) int32
    texcoords : (n, 2) float32
        Place of each vertex in the texture: right and *up*, 0 to 1.
    texture : (rows, columns, 4) uint8
        The map in phase colours; background is faint.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    texcoords: NDArray[np.float32]
    texture: NDArray[np.uint8]


def surface_mesh(placed: PlacedMap, mineral_map: MineralMap) -> SurfaceMesh:
    """Mesh of the surface that a map lies on.

    Raises
    ------
    SlagsegError
        If the map has no surface.
    """
    if placed.surface is None:
        raise SlagsegError(f"Map {placed.map_name} has no place yet, so there is nothing to show.")
    height, width = placed.map_shape
    longest = max(height, width)
    n = max(4, round(MESH_POINTS * height / longest))
    m = max(4, round(MESH_POINTS * width / longest))
    rows, columns = np.linspace(0, height - 1, n), np.linspace(0, width - 1, m)
    vertices = placed.surface.on_grid(rows, columns).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(n - 1)[:, None] * m + np.arange(m - 1)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + m], axis=1),
            np.stack([corner + 1, corner + m + 1, corner + m], axis=1),
        ]
    ).astype(np.int32)
    down, right = np.meshgrid((rows + 0.5) / height, (columns + 0.5) / width, indexing="ij")
    step = max(1, -(-longest // TEXTURE_PIXELS))
    classes = mineral_map.phases[::step, ::step]
    texture = np.full((*classes.shape, 4), 255, dtype=np.uint8)
    texture[..., :3] = class_picture(classes, {p.id: p.rgb for p in mineral_map.table})
    texture[classes <= BACKGROUND, 3] = FAINT
    texcoords = np.stack([right.ravel(), 1 - down.ravel()], axis=1).astype(np.float32)
    return SurfaceMesh(vertices, faces, texcoords, texture)


__all__ = ["SurfaceMesh", "surface_mesh"]
