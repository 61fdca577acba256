"""Cutouts of a map, each registered as a plane of its own (K 2.3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.registration.pyramid import Block, FloatArray, PreparedCT
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.surface import (
    MapPoints,
    PolynomialSurface,
    SurfaceFit,
    fit_surface,
)

CUTOUT_TOLERANCE = 0.004
"""Relative error of size that one cutout may take up: it is registered rigidly."""


@dataclass(frozen=True)
class Window:
    """A rectangle of map pixels."""

    row: int
    column: int
    height: int
    width: int

    @property
    def centre(self) -> tuple[float, float]:
        """Map position of the middle."""
        return self.row + (self.height - 1) / 2, self.column + (self.width - 1) / 2


def windows(
    map_shape: tuple[int, int], pixel: float, settings: RegistrationSettings
) -> list[Window]:
    """Overlapping windows over a map; smaller where the map is.

    Parameters
    ----------
    map_shape : (rows, columns)
    pixel : float
        Pixel edge in units of length.
    settings : RegistrationSettings
    """
    shortest = min(map_shape) * pixel
    edge = min(float(settings.cutout_voxels), max(settings.minimum_cutout_voxels, 0.5 * shortest))
    edge = min(edge, shortest)
    stride = edge * settings.stride_voxels / settings.cutout_voxels
    size = max(4, round(edge / pixel))

    def starts(length: int) -> list[int]:
        room = max(0, length - size)
        count = round(room / (stride / pixel)) + 1
        return sorted({round(x) for x in np.linspace(0, room, count)})

    return [
        Window(r, c, min(size, map_shape[0]), min(size, map_shape[1]))
        for r in starts(map_shape[0])
        for c in starts(map_shape[1])
    ]


def points_within(points: MapPoints, window: Window) -> MapPoints:
    """Those map points that lie in a window."""
    keep = (
        (points.rows >= window.row - 0.5)
        & (points.rows < window.row + window.height - 0.5)
        & (points.columns >= window.column - 0.5)
        & (points.columns < window.column + window.width - 0.5)
    )
    return MapPoints(
        points.rows[keep], points.columns[keep], points.fractions[keep], points.known[keep]
    )


def local_plane(surface: PolynomialSurface, window: Window, shift: FloatArray) -> PolynomialSurface:
    """The plane that touches a surface at a window's centre, moved by `shift`."""
    row, column = (np.array(c) for c in window.centre)
    by_row, by_column = surface.steps(row, column)
    half = max(window.height, window.width) / 2
    coefficients = np.zeros((10, 3))
    coefficients[0] = surface.at(row, column) + shift
    coefficients[1] = by_row * half
    coefficients[2] = by_column * half
    return PolynomialSurface(coefficients, window.centre, half)


def usable(
    points: MapPoints,
    inside: NDArray[np.bool_],
    expected: float,
    settings: RegistrationSettings,
) -> bool:
    """Whether enough of a window is known, inside the CT, and particle.

    Parameters
    ----------
    points : MapPoints
        Of the window.
    inside : (n,) bool
        Which of them lie in the CT.
    expected : float
        Number of points of a full window.
    settings : RegistrationSettings
    """
    known = float((points.known * inside).sum())
    particle = float((points.known * inside * points.fractions.sum(axis=1)).sum())
    return (
        known >= settings.minimum_valid * expected
        and particle >= settings.minimum_particles * expected
    )


def refine(
    prepared: PreparedCT, block: Block, points: MapPoints, plane: PolynomialSurface
) -> SurfaceFit:
    """Register one cutout from a plane near its place."""
    by_row, by_column = (float(np.linalg.norm(c)) for c in plane.coefficients[1:3])
    pixel = float(np.sqrt(by_row * by_column)) / plane.half
    return fit_surface(prepared, block, points, plane, pixel, order=1, tolerance=CUTOUT_TOLERANCE)


__all__ = ["Window", "local_plane", "points_within", "refine", "usable", "windows"]
