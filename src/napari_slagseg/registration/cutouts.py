"""Cutouts of a map: their layout, and their poses relative to the surface (K 2.3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.registration.cutout_refinement import (
    correlations,
    refine_poses,
    search_shifts,
)
from napari_slagseg.registration.fractions import FractionImages
from napari_slagseg.registration.pyramid import FloatArray, PreparedCT
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.surface import PolynomialSurface

CORRELATED_VOXELS = 4.0
"""Voxels across which residuals are alike; their square counts as one observation."""


@dataclass(frozen=True)
class CutoutLayout:
    """Windows of the map.

    Attributes
    ----------
    windows : (n, 4) int64
        First row, end row, first column, end column in map pixels.
    edge : float
        Edge in units of length.
    """

    windows: NDArray[np.int64]
    edge: float

    def __len__(self) -> int:
        return len(self.windows)

    def centres(self) -> tuple[FloatArray, FloatArray]:
        """Rows and columns of the centres."""
        w = self.windows
        return (w[:, 0] + w[:, 1] - 1) / 2.0, (w[:, 2] + w[:, 3] - 1) / 2.0


def lay_out_cutouts(
    map_shape: tuple[int, int],
    pixel: float,
    images: FractionImages,
    inside: NDArray[np.bool_],
    settings: RegistrationSettings,
) -> CutoutLayout:
    """Overlapping windows that hold enough particles and lie inside the CT.

    Parameters
    ----------
    map_shape : (rows, columns)
    pixel : float
        Pixel edge in units of length.
    images : FractionImages
        At any level; used for the shares of known and particle pixels.
    inside : (row, column) bool
        Pixels of `images` that lie inside the CT.
    settings : RegistrationSettings
    """
    shortest = min(map_shape) * pixel
    edge = min(float(settings.cutout_voxels), max(settings.minimum_cutout_voxels, 0.5 * shortest))
    edge = min(edge, shortest)
    stride = edge * settings.stride_voxels / settings.cutout_voxels
    size = max(2, round(edge / pixel))

    def starts(length: int) -> NDArray[np.int64]:
        room = max(0, length - size)
        count = round(room / (stride / pixel)) + 1
        return np.unique(np.round(np.linspace(0, room, count)).astype(np.int64))

    valid = images.known * inside
    particle = valid * images.fractions.sum(axis=0)
    windows = []
    for r in starts(map_shape[0]):
        for c in starts(map_shape[1]):
            window = (int(r), min(int(r) + size, map_shape[0]), int(c),
                      min(int(c) + size, map_shape[1]))  # fmt: skip
            i0, i1, j0, j1 = _at_block(np.array([window]), images)[0]
            share = float(valid[i0:i1, j0:j1].mean())
            grains = float(particle[i0:i1, j0:j1].mean())
            if share >= settings.minimum_valid and grains >= settings.minimum_particles:
                windows.append(window)
    return CutoutLayout(np.array(windows, dtype=np.int64).reshape(-1, 4), size * pixel)


def _at_block(windows: NDArray[np.int64], images: FractionImages) -> NDArray[np.int64]:
    """Windows in pixels of the fraction images."""
    scaled = np.round(windows / images.block).astype(np.int64)
    scaled[:, 1] = np.clip(scaled[:, 1], scaled[:, 0] + 1, images.known.shape[0])
    scaled[:, 3] = np.clip(scaled[:, 3], scaled[:, 2] + 1, images.known.shape[1])
    scaled[:, 0] = np.minimum(scaled[:, 0], scaled[:, 1] - 1)
    scaled[:, 2] = np.minimum(scaled[:, 2], scaled[:, 3] - 1)
    return scaled


@dataclass(frozen=True)
class CutoutPoses:
    """Poses of the cutouts relative to a surface.

    A point of the surface at ``p`` goes to ``centre + shift + turn @ (p - centre)``.

    Attributes
    ----------
    shifts : (n, 3) float64
        Lengths.
    turns : (n, 3, 3) float64
        Rotations.
    scores : (n,) float64
        Partial correlation with the CT.
    shares : (n,) float64
        Share of the cutout's known area inside the CT.
    """

    shifts: FloatArray
    turns: FloatArray
    scores: FloatArray
    shares: FloatArray

    @staticmethod
    def on_surface(n: int) -> CutoutPoses:
        """All cutouts just where the surface says."""
        return CutoutPoses(np.zeros((n, 3)), np.tile(np.eye(3), (n, 1, 1)), np.zeros(n), np.ones(n))

    def displaced(self, surface: PolynomialSurface, rows: FloatArray, columns: FloatArray,
                  centre_rows: FloatArray, centre_columns: FloatArray) -> FloatArray:  # fmt: skip
        """(n, 3) displacement of one map position in each cutout from the surface."""
        centres = surface.at(centre_rows, centre_columns)
        arm = surface.at(rows, columns) - centres
        return self.shifts + np.einsum("nij,nj->ni", self.turns, arm) - arm


class CutoutMatcher:
    """One level at which cutouts are compared with the CT."""

    def __init__(
        self,
        prepared: PreparedCT,
        level: int,
        images: FractionImages,
        grey: NDArray[np.float32],
        noise: float,
        surface: PolynomialSurface,
        layout: CutoutLayout,
        margin: float,
    ) -> None:
        self.prepared = prepared
        self.images = images
        self.grey = np.ascontiguousarray(grey, dtype=np.float32)
        self.noise = noise
        self.layout = layout
        rows, columns = np.meshgrid(images.map_rows(), images.map_columns(), indexing="ij")
        self.base = surface.at(rows, columns)
        heights = self.base[..., 0]
        self.block = prepared.slab(
            level,
            float(heights.min()) - margin,
            float(heights.max()) + margin,
            prepared.settings.smoothing_pixels if level <= 2 else 0.0,
        )
        self.windows = _at_block(layout.windows, images)
        self.centres = surface.at(*layout.centres())

    def _inputs(self) -> tuple[object, ...]:
        rings = self.prepared.rings
        axis = np.array([rings.centre[0], rings.centre[1], min(rings.radius, 1e9)])
        return (
            self.block.data,
            self.block.origin,
            self.block.pitch,
            axis,
            self.grey,
            np.ascontiguousarray(self.images.known),
            self.base,
            self.windows,
            self.centres,
        )

    def search(self, poses: CutoutPoses) -> CutoutPoses:
        """Exhaustive search over translations around the given poses."""
        s = self.prepared.settings
        plane = np.arange(-s.search_in_plane, s.search_in_plane + 1, s.search_step, dtype=float)
        height = np.arange(-s.search_height, s.search_height + 1, s.search_step, dtype=float)
        offsets = np.stack(np.meshgrid(height, plane, plane, indexing="ij"), -1).reshape(-1, 3)
        shifts, scores = search_shifts(
            *self._inputs(), poses.turns, poses.shifts, offsets, 0.05
        )
        return CutoutPoses(shifts, poses.turns, scores, poses.shares)

    def refine(self, poses: CutoutPoses, iterations: int = 12) -> CutoutPoses:
        """Six degrees of freedom from the given poses."""
        s = self.prepared.settings
        pixels = max(1.0, (CORRELATED_VOXELS / float(self.images.pitch)) ** 2)
        return CutoutPoses(
            *refine_poses(
                *self._inputs(),
                np.ascontiguousarray(poses.shifts),
                np.ascontiguousarray(poses.turns),
                float(np.radians(s.rotation_prior_deg)),
                8.0,
                self.noise,
                pixels,
                iterations,
            )
        )

    def score(self, poses: CutoutPoses) -> CutoutPoses:
        """The same poses with their correlations at this level."""
        scores, shares = correlations(*self._inputs(), poses.shifts, poses.turns)
        return CutoutPoses(poses.shifts, poses.turns, scores, shares)


__all__ = ["CutoutLayout", "CutoutMatcher", "CutoutPoses", "lay_out_cutouts"]
