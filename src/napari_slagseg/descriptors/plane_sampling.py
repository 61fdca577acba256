"""Voxels on a plane in any direction, read by boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, VolumeLike, VoxelSize
from napari_slagseg.descriptors.planes import Plane, polygon_of

TILE = 128
"""Pixels along the edge of the tiles that an oblique plane is read by."""

_ROUND_OFF = 1e-9


@dataclass(frozen=True)
class PlaneGrid:
    """Pixels that a plane is sampled at.

    Pixel (i, j) lies at ``corner + i row + j column`` in voxels (z, y, x).

    Attributes
    ----------
    plane : Plane
    shape : (rows, columns)
    pixel_um : (row, column)
        Edges of a pixel.
    first : (row, column)
        Numbers of the first pixel; pixel (0, 0) would be the foot of the origin.
    polygon : (n, 2) float64
        The part of the plane in the volume, in micrometres along rows and columns.
    corner, row, column : (3,) float64
    """

    plane: Plane
    shape: tuple[int, int]
    pixel_um: tuple[float, float]
    first: tuple[int, int]
    polygon: NDArray[np.float64]
    corner: NDArray[np.float64]
    row: NDArray[np.float64]
    column: NDArray[np.float64]


def pixel_edges(
    planes: tuple[Plane, ...], spacing: VoxelSize, pixel_um: float | None
) -> tuple[float, float]:
    """Edges of a pixel: those asked for, the slices' own, or the smallest edge of a voxel.

    Raises
    ------
    SlagsegError
        If the edge asked for is not above 0.
    """
    if pixel_um is not None:
        if not 0 < pixel_um < np.inf:
            raise SlagsegError(f"The pixel size is {pixel_um} um; it must be above 0.")
        return float(pixel_um), float(pixel_um)
    axes = {plane.axis for plane in planes}
    if len(axes) == 1 and None not in axes:
        row, column = (spacing[k] for k in range(3) if k not in axes)
        return row, column
    return min(spacing), min(spacing)


def plane_grid(
    plane: Plane,
    shape: tuple[int, ...],
    spacing: VoxelSize,
    pixel_um: tuple[float, float],
) -> PlaneGrid | None:
    """Pixels of a plane whose centres lie in the volume's part of it; None where it misses."""
    polygon = polygon_of(plane, shape, spacing)
    if len(polygon) < 3:
        return None
    edges = np.asarray(pixel_um)
    first = np.ceil(polygon.min(axis=0) / edges - _ROUND_OFF).astype(int)
    last = np.floor(polygon.max(axis=0) / edges + _ROUND_OFF).astype(int)
    # a plane that grazes the volume may pass between pixel centres
    rows, columns = (max(0, int(n)) for n in last - first + 1)
    row, column = plane.directions()
    voxel = np.asarray(spacing)
    at = np.asarray(plane.normal) * plane.offset
    at = at + first[0] * edges[0] * row + first[1] * edges[1] * column
    return PlaneGrid(
        plane,
        (rows, columns),
        (float(edges[0]), float(edges[1])),
        (int(first[0]), int(first[1])),
        polygon,
        at / voxel,
        edges[0] * row / voxel,
        edges[1] * column / voxel,
    )


def sampled(
    volumes: tuple[VolumeLike, ...], grid: PlaneGrid
) -> tuple[list[NDArray[np.integer]], NDArray[np.bool_]]:
    """Value of the voxel nearest to each pixel, of several volumes of one shape.

    Parameters
    ----------
    volumes : tuple of (z, y, x) VolumeLike
        Read by boxes: a slice as a whole, an oblique plane by tiles, of which each needs
        the box of voxels around it.

    Returns
    -------
    values : list of (rows, columns) arrays
        0 outside the volume.
    inside : (rows, columns) bool
        Pixels in the volume.
    """
    rows, columns = grid.shape
    whole = tuple(volumes[0].shape)
    values: list[NDArray[np.integer]] = [np.zeros(grid.shape, dtype=v.dtype) for v in volumes]
    inside = np.zeros(grid.shape, dtype=bool)
    edge = max(1, *grid.shape) if grid.plane.axis is not None else TILE
    for top in range(0, rows, edge):
        for left in range(0, columns, edge):
            tile = slice(top, min(top + edge, rows)), slice(left, min(left + edge, columns))
            _sample_tile(volumes, grid, tile, whole, values, inside)
    return values, inside


def _sample_tile(
    volumes: tuple[VolumeLike, ...],
    grid: PlaneGrid,
    tile: tuple[slice, slice],
    whole: tuple[int, ...],
    values: list[NDArray[np.integer]],
    inside: NDArray[np.bool_],
) -> None:
    i = np.arange(tile[0].start, tile[0].stop)[:, None]
    j = np.arange(tile[1].start, tile[1].stop)[None, :]
    within = np.ones((i.size, j.size), dtype=bool)
    nearest = []
    for k in range(3):
        # halves go up; the round-off keeps slices of the volume in their own voxels
        place = grid.corner[k] + i * grid.row[k] + j * grid.column[k]
        index = np.floor(place + 0.5 + _ROUND_OFF).astype(np.int64)
        within &= (index >= 0) & (index < whole[k])
        nearest.append(index)
    inside[tile] = within
    if not within.any():
        return
    found = [index[within] for index in nearest]
    low = [int(index.min()) for index in found]
    box = tuple(slice(a, int(index.max()) + 1) for a, index in zip(low, found))
    at = tuple(index - a for index, a in zip(found, low))
    for volume, plane in zip(volumes, values):
        plane[tile][within] = np.asarray(volume[box])[at]


def cut_by_faces(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels in the volume with one of their four neighbours outside it, or beyond the plane."""
    padded = np.pad(inside, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~surrounded


__all__ = ["PlaneGrid", "cut_by_faces", "pixel_edges", "plane_grid", "sampled"]
