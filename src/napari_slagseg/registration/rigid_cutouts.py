"""Cutouts: overlapping pieces of the map, each registered rigidly (K 2.3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.registration.pyramid import Block, PreparedCT
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.surface import (
    MapPoints,
    PolynomialSurface,
    SurfaceFit,
    basis,
    fit_surface,
)

RIGID_TOLERANCE = 0.002
"""Relative change of size that a cutout may take: practically none, so its pose is rigid."""

_FEWEST_POINTS = 150


@dataclass(frozen=True)
class Window:
    """Place of a cutout in the map, in pixels."""

    row: int
    column: int
    height: int
    width: int

    @property
    def centre(self) -> tuple[float, float]:
        """Map position of the middle."""
        return (self.row + (self.height - 1) / 2, self.column + (self.width - 1) / 2)


def windows(
    map_shape: tuple[int, int], pixel: float, settings: RegistrationSettings
) -> list[Window]:
    """Overlapping windows that cover a map evenly, the far edges included.

    Parameters
    ----------
    map_shape : (rows, columns)
    pixel : float
        Edge of a map pixel in units of length.
    settings : RegistrationSettings
        Smaller maps take smaller cutouts: at most 45 % of the map's shorter side,
        so that there are enough of them to tell an outlier by.
    """
    shorter = min(map_shape) * pixel
    edge = min(float(settings.cutout_voxels), 0.45 * shorter)
    edge = max(edge, min(float(settings.minimum_cutout_voxels), shorter))
    stride = edge * settings.stride_voxels / settings.cutout_voxels
    size = [min(n, round(edge / pixel)) for n in map_shape]
    firsts = []
    for n, s in zip(map_shape, size):
        count = max(1, int(np.ceil((n - s) * pixel / stride)) + 1)
        firsts.append(np.unique(np.linspace(0, n - s, count).round().astype(int)))
    return [Window(int(r), int(c), size[0], size[1]) for r in firsts[0] for c in firsts[1]]


def points_within(points: MapPoints, window: Window) -> MapPoints:
    """Map pixels of one cutout."""
    inside = (
        (points.rows >= window.row - 0.5)
        & (points.rows < window.row + window.height - 0.5)
        & (points.columns >= window.column - 0.5)
        & (points.columns < window.column + window.width - 0.5)
    )
    return MapPoints(
        points.rows[inside],
        points.columns[inside],
        points.fractions[inside],
        points.known[inside],
    )


def usable(
    points: MapPoints, inside: NDArray[np.bool_], pixels: float, settings: RegistrationSettings
) -> bool:
    """Whether a cutout has enough known pixels inside the CT, and particles among them."""
    known = float((points.known * inside).sum())
    if known < settings.minimum_valid * pixels or len(points.rows) < _FEWEST_POINTS:
        return False
    solid = float((points.known * inside * points.fractions.sum(axis=1)).sum())
    return solid >= settings.minimum_particles * known


def local_surface(surface: PolynomialSurface, window: Window) -> PolynomialSurface:
    """The same surface in coordinates of a window: u = v = 0 in its middle.

    A cutout moves rigidly *with the curvature* that the surface has there: a plane
    fitted to a curved piece would lie somewhere between its middle and its rim, and
    that would be taken for a displacement.
    """
    row, column = window.centre
    half = max(window.height, window.width) / 2
    u, v = (a.ravel() for a in np.meshgrid(*2 * [np.linspace(-1.0, 1.0, 5)], indexing="ij"))
    positions = surface.at(row + half * u, column + half * v)
    coefficients = np.linalg.lstsq(basis(u, v, 3), positions, rcond=None)[0]
    return PolynomialSurface(np.asarray(coefficients, np.float64), (row, column), half)


def refine(
    prepared: PreparedCT, block: Block, points: MapPoints, start: PolynomialSurface
) -> SurfaceFit:
    """Rigid pose of one cutout: shift and rotation in 3D, size and curvature held."""
    length = float(np.linalg.norm(start.coefficients[1:3], axis=1).mean())
    return fit_surface(
        prepared,
        block,
        points,
        start,
        length / start.half,
        order=1,
        iterations=10,
        tolerance=RIGID_TOLERANCE,
    )


__all__ = [
    "Window",
    "local_surface",
    "points_within",
    "refine",
    "usable",
    "windows",
]
