"""Cutouts: overlapping pieces of the map, each registered rigidly (K 2.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.registration.pyramid import Block, FloatArray, PreparedCT
from napari_slagseg.registration.rigid_kernel import refine_all
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.surface import (
    CORRELATED_PIXELS,
    SCORE_SLACK,
    MapPoints,
    PolynomialSurface,
    basis,
)

RIGID_TOLERANCE = 0.002
"""Relative change of size that a cutout may take: practically none, so its pose is rigid."""

ITERATIONS = 10

MOST_POINTS = 5_000
"""Map pixels of a cutout that take part: more of them make it no more exact."""

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


@dataclass(frozen=True)
class RigidFit:
    """Pose of one cutout.

    Attributes
    ----------
    window : Window
    surface : PolynomialSurface
        In the window's own coordinates: u = v = 0 in its middle.
    score : float
        Multiple correlation with the phases, as `surface.SurfaceFit.score`.
    covariance : (3, 3) float64
        Of the centre (z, y, x), in units of length squared, as the fit sees it.
    """

    window: Window
    surface: PolynomialSurface
    score: float
    covariance: FloatArray

    @property
    def centre(self) -> FloatArray:
        """Length (z, y, x) of the middle."""
        return self.surface.coefficients[0]


def windows(
    map_shape: tuple[int, int],
    pixel: float,
    settings: RegistrationSettings,
    field_size: tuple[int, int] | None = None,
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
    field_size : (rows, columns), optional
        Pixels of the fields that a map is stitched from: no window then holds parts
        of two fields.
    """
    edge, stride = window_edge(map_shape, pixel, settings)
    whole = Window(0, 0, *map_shape)
    fields = [whole] if field_size is None else fields_of(map_shape, field_size)
    return [w for f in fields for w in _cover(f, edge, stride, pixel)]


def window_edge(
    map_shape: tuple[int, int], pixel: float, settings: RegistrationSettings
) -> tuple[float, float]:
    """Edge and step of a map's cutouts as lengths."""
    shorter = min(map_shape) * pixel
    edge = min(float(settings.cutout_voxels), 0.45 * shorter)
    edge = max(edge, min(float(settings.minimum_cutout_voxels), shorter))
    return edge, edge * settings.stride_voxels / settings.cutout_voxels


def fields_of(map_shape: tuple[int, int], field_size: tuple[int, int]) -> list[Window]:
    """Fields of a stitched map, counted from its first pixel; the last ones may be cut off."""
    return [
        Window(r, c, min(field_size[0], map_shape[0] - r), min(field_size[1], map_shape[1] - c))
        for r in range(0, map_shape[0], field_size[0])
        for c in range(0, map_shape[1], field_size[1])
    ]


def _cover(area: Window, edge: float, stride: float, pixel: float) -> list[Window]:
    sides = (area.height, area.width)
    size = [min(n, round(edge / pixel)) for n in sides]
    firsts = []
    for n, s in zip(sides, size):
        count = max(1, int(np.ceil((n - s) * pixel / stride)) + 1)
        firsts.append(np.unique(np.linspace(0, n - s, count).round().astype(int)))
    return [
        Window(area.row + int(r), area.column + int(c), size[0], size[1])
        for r in firsts[0]
        for c in firsts[1]
    ]


def indices_within(points: MapPoints, window: Window) -> NDArray[np.int64]:
    """Which map pixels (sorted by row) lie in a window."""
    first, last = np.searchsorted(points.rows, (window.row - 0.5, window.row + window.height - 0.5))
    columns = points.columns[first:last]
    inside = (columns >= window.column - 0.5) & (columns < window.column + window.width - 0.5)
    return np.asarray(first + np.flatnonzero(inside), np.int64)


def thinned(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """A random part, the same one every time."""
    if len(indices) <= most:
        return indices
    return np.sort(np.random.default_rng(len(indices)).choice(indices, most, replace=False))


def usable(
    points: MapPoints,
    own: NDArray[np.int64],
    inside: NDArray[np.bool_],
    window: Window,
    settings: RegistrationSettings,
) -> bool:
    """Whether a cutout has enough known pixels inside the CT, and particles among them.

    Parameters
    ----------
    points : MapPoints
    own : (k,) int64
        The cutout's.
    inside : (k,) bool
        Which of these lie inside the CT.
    window : Window
    settings : RegistrationSettings
    """
    if len(own) < _FEWEST_POINTS:
        return False
    known = points.known[own] * inside
    if float(known.sum()) * points.area < settings.minimum_valid * window.height * window.width:
        return False
    solid = float((known * points.fractions[own].sum(axis=1)).sum())
    return solid >= settings.minimum_particles * float(known.sum())


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


def usable_windows(
    prepared: PreparedCT,
    points: MapPoints,
    surface: PolynomialSurface,
    chosen: Sequence[Window],
) -> list[Window]:
    """Windows that hold enough known pixels and particles inside the CT."""
    kept = []
    for window in chosen:
        own = indices_within(points, window)
        at = surface.at(points.rows[own], points.columns[own])
        inside = prepared.holds(at)
        if usable(points, own, inside, window, prepared.settings):
            kept.append(window)
    return kept


def refine(
    prepared: PreparedCT,
    block: Block,
    points: MapPoints,
    pieces: Sequence[tuple[Window, PolynomialSurface]],
) -> list[RigidFit]:
    """Rigid poses of cutouts: shift and rotation in 3D, size and curvature held.

    Parameters
    ----------
    prepared, block
        The CT, and the box of one level to sample.
    points : MapPoints
        Map pixels at about the pitch of `block`, sorted by row.
    pieces : sequence of (Window, PolynomialSurface)
        Each with its surface to begin with, in the window's coordinates.
    """
    if not pieces:
        return []
    own, correlated = [], []
    for window, _ in pieces:
        all_of_it = indices_within(points, window)
        thinning = max(1.0, len(all_of_it) / MOST_POINTS)
        own.append(thinned(all_of_it, MOST_POINTS))
        # of neighbours that say the same, fewer are left
        correlated.append(max(1.0, CORRELATED_PIXELS / thinning))
    first = np.concatenate([[0], np.cumsum([len(o) for o in own])]).astype(np.int64)
    rings = prepared.rings
    found, scores, _, _, covariances = refine_all(
        block.data,
        block.origin,
        block.pitch,
        np.asarray(rings.centre, np.float64),
        min(rings.radius, 1e9),
        points.rows,
        points.columns,
        points.fractions,
        points.known,
        np.concatenate(own),
        first,
        np.array([s.centre for _, s in pieces], np.float64),
        np.array([s.half for _, s in pieces], np.float64),
        np.stack([s.coefficients for _, s in pieces]),
        RIGID_TOLERANCE,
        np.array(correlated),
        SCORE_SLACK,
        ITERATIONS,
    )
    return [
        RigidFit(w, PolynomialSurface(c, s.centre, s.half), float(score), covariance)
        for (w, s), c, score, covariance in zip(pieces, found, scores, covariances)
    ]


__all__ = [
    "RigidFit",
    "Window",
    "fields_of",
    "indices_within",
    "local_surface",
    "refine",
    "thinned",
    "usable",
    "usable_windows",
    "window_edge",
    "windows",
]
