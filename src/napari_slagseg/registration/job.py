"""One map on its way into the CT: what every step of its placement needs."""

from __future__ import annotations

import numpy as np

from napari_slagseg.data import GreyMap, MineralMap, PlacedMap, SlagsegError
from napari_slagseg.registration.coarse import Candidate
from napari_slagseg.registration.fractions import FractionImages, MapFractions
from napari_slagseg.registration.pyramid import Block, FloatArray, PreparedCT
from napari_slagseg.registration.surface import (
    MapPoints,
    PolynomialSurface,
    SurfaceFit,
    basis,
    fit_surface,
    flat_surface,
    map_points,
)

FINE_POINTS = 300_000
"""Map pixels that take part where many small pieces share them."""

SHARED_LEVEL = 4
"""From here on a level's block is the whole CT, whatever the surface."""

_NARROWEST = 0.75
"""A long strip may be so much narrower than a square that is as large."""

_ROOM = 6.0
"""Pixels of a level kept above and below a surface."""


class MapJob:
    """A map and the CT it is placed in, at all levels.

    Attributes
    ----------
    pixel : float
        Edge of a map pixel as a length.
    extent : (float, float)
        Sides of the map as lengths.
    centre : (float, float)
        Map position of its middle.
    """

    def __init__(self, prepared: PreparedCT, source: MineralMap | GreyMap, seed: int) -> None:
        self.ct, self.map, self.seed = prepared, source, seed
        self.settings = prepared.settings
        self.pixel = source.pixel_size_um / prepared.unit_um
        self.fractions = MapFractions(source, self.settings.maximum_phases)
        self._points: dict[tuple[int, int], MapPoints] = {}
        self._blocks: dict[int, tuple[float, float, Block]] = {}
        rows, columns = source.shape
        self.centre = ((rows - 1) / 2, (columns - 1) / 2)
        self.extent = (rows * self.pixel, columns * self.pixel)

    def images(self, level: int) -> FractionImages:
        """The map at a coarse level, softened like the CT."""
        return self.fractions.images(self.ct.unit_um, level, self.settings.ct_blur_voxels)

    def points(self, level: int, maximum: int = 60_000) -> MapPoints:
        """Map pixels at about the pitch of a level, softened like the CT there."""
        key = (level, maximum)
        if key not in self._points:
            s = self.settings
            smoothing = s.smoothing_pixels * level if level <= 2 else 0.0
            blur = float(np.hypot(s.ct_blur_voxels, smoothing))
            images = self.fractions.images(self.ct.unit_um, level, blur)
            self._points[key] = map_points(images, maximum, seed=self.seed)
        return self._points[key]

    def block(self, level: int, surface: PolynomialSurface) -> Block:
        """Part of a level around a surface; the last one of each level is kept."""
        if level >= SHARED_LEVEL:
            return self.ct.whole(level)
        rows = np.linspace(0, self.map.shape[0] - 1, 9)
        columns = np.linspace(0, self.map.shape[1] - 1, 9)
        z = surface.at(*np.meshgrid(rows, columns, indexing="ij"))[..., 0]
        low, high = float(z.min()), float(z.max())
        kept = self._blocks.get(level)
        room = _ROOM * level
        if kept is None or low - room / 2 < kept[0] or high + room / 2 > kept[1]:
            block = self.ct.slab(level, low - room, high + room, self.settings.smoothing_pixels)
            kept = (low - room, high + room, block)
            self._blocks = {level: kept}  # slabs are large: one at a time
        return kept[2]

    def coarse_level(self) -> int:
        """Coarsest level at which the map keeps enough pixels."""
        level, enough = self.settings.coarsest_level, self.settings.minimum_coarse_extent
        extent = min(float(np.sqrt(self.extent[0] * self.extent[1])), min(self.extent) / _NARROWEST)
        while level > 1 and extent / level < enough:
            level //= 2
        return level

    def start(self, candidate: Candidate) -> PolynomialSurface:
        """Plane of a candidate."""
        return flat_surface(
            self.map.shape,
            self.pixel,
            candidate.centre,
            candidate.angle_deg,
            candidate.mirrored,
            candidate.slopes,
        )

    def fit(self, level: int, start: PolynomialSurface, order: int) -> SurfaceFit:
        """Fit the whole map's surface at a level."""
        return fit_surface(
            self.ct, self.block(level, start), self.points(level), start, self.pixel, order=order
        )

    def voxels(self, lengths: FloatArray) -> FloatArray:
        """CT voxel coordinates of lengths (..., 3)."""
        return lengths / self.ct.voxel - 0.5


def polynomial_of(prepared: PreparedCT, placed: PlacedMap) -> PolynomialSurface:
    """Nearest polynomial surface of order 3 to a placement's.

    Raises
    ------
    SlagsegError
        If it has no surface.
    """
    surface = placed.surface
    if surface is None:
        raise SlagsegError(
            f"Map {placed.map_name} has no surface yet to go on from. Place it first."
        )
    pixel = placed.pixel_size_um / prepared.unit_um
    plain = flat_surface(placed.map_shape, pixel, np.zeros(3), 0.0, False)
    rows, columns = np.meshgrid(surface.rows, surface.columns, indexing="ij")
    u, v = plain.normalised(rows.ravel(), columns.ravel())
    terms = basis(u, v, 3)
    lengths = (surface.zyx.reshape(-1, 3) + 0.5) * prepared.voxel
    coefficients = np.linalg.lstsq(terms, lengths, rcond=None)[0]
    return PolynomialSurface(np.asarray(coefficients, np.float64), plain.centre, plain.half)


__all__ = ["FINE_POINTS", "SHARED_LEVEL", "MapJob", "polynomial_of"]
