"""Placed maps to voxels, by inverse mapping: one voxel thick and without holes.

The CT is looked at along the axis that the cut's normal is closest to. In every
line of voxels along that axis the sheet takes the one voxel nearest to the
surface, and that voxel takes the map pixel nearest to where the line crosses it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from napari_slagseg.data import (
    CancelToken,
    PlacedMap,
    PlacementSurface,
    SlagsegError,
    stop_if_cancelled,
)

_TOLERANCE_PIXELS = 1e-3
_MOST_STEPS = 40
_BLOCK_LINES = 1 << 18  # between two looks at the cancel token: under a second


@dataclass(frozen=True)
class Sheet:
    """Voxels of one placed map.

    Attributes
    ----------
    axis : int
        Axis of the CT that the cut's normal is closest to.
    voxels : (n, 3) int64
        (z, y, x), one for each line of voxels along `axis`.
    rows, columns : (n,) int64
        Nearest map pixel.
    cutout : (n,) int16
        Best-scored accepted cutout there.
    score : (n,) float64
        Its score.
    """

    axis: int
    voxels: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    cutout: NDArray[np.int16]
    score: NDArray[np.float64]


def best_cutout(placed: PlacedMap) -> NDArray[np.int16]:
    """(rows, columns) int16: the best-scored accepted cutout over each pixel, -1 where none."""
    best = np.full(placed.map_shape, -1, dtype=np.int16)
    # painted from the worst to the best; of equal scores the first one stays on top
    for i in sorted(range(len(placed.cutouts)), key=lambda i: (placed.cutouts[i].score, -i)):
        c = placed.cutouts[i]
        if c.accepted:
            best[c.row : c.row + c.height, c.column : c.column + c.width] = i
    return best


def dominant_axis(surface: PlacementSurface) -> int:
    """Axis of the CT that the surface's mean normal is closest to."""
    along_rows = (surface.zyx[-1] - surface.zyx[0]).mean(axis=0)
    along_columns = (surface.zyx[:, -1] - surface.zyx[:, 0]).mean(axis=0)
    normal = np.cross(along_rows, along_columns)
    if not np.linalg.norm(normal) > 0:
        raise SlagsegError("The placement surface has no area. Register the map again.")
    return int(np.abs(normal).argmax())


def _lines(
    low: NDArray[np.float64], high: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Integer positions (n, 2) of a box in two axes, cut off at the CT."""
    first = np.maximum(np.floor(low).astype(int) - 1, 0)
    last = np.minimum(np.ceil(high).astype(int) + 1, np.array(shape) - 1)
    b, c = np.meshgrid(
        np.arange(first[0], last[0] + 1), np.arange(first[1], last[1] + 1), indexing="ij"
    )
    return np.stack([b.ravel(), c.ravel()], axis=1).astype(np.float64)


def invert_surface(
    surface: PlacementSurface, axis: int, positions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where lines of voxels cross the surface.

    Starts from the inverse of the best affine map and corrects with its fixed
    Jacobian; a cut's surface is so nearly affine that the error falls by a large
    factor each step.

    Parameters
    ----------
    axis : int
        Axis along which the lines run.
    positions : (n, 2) float64
        Coordinates of the lines in the other two axes, in order.

    Returns
    -------
    pixels : (n, 2) float64
        Map (row, column); NaN where it did not converge (folded surface).
    heights : (n,) float64
        Coordinate along `axis`.
    """
    others = [a for a in range(3) if a != axis]
    grid = np.stack(np.meshgrid(surface.rows, surface.columns, indexing="ij"), axis=-1)
    design = np.concatenate([grid.reshape(-1, 2), np.ones((grid.size // 2, 1))], axis=1)
    images = surface.zyx.reshape(-1, 3)
    fitted, *_ = np.linalg.lstsq(design, images[:, others], rcond=None)
    inverse = np.linalg.inv(fitted[:2])
    splines = [
        RectBivariateSpline(surface.rows, surface.columns, surface.zyx[..., a])
        for a in (*others, axis)
    ]
    pixels = (positions - fitted[2]) @ inverse
    step = np.full_like(pixels, np.inf)
    for _ in range(_MOST_STEPS):
        reached = np.stack([s.ev(pixels[:, 0], pixels[:, 1]) for s in splines[:2]], axis=1)
        # a spline is constant beyond its lattice; going on affinely keeps outside points outside
        clipped = np.stack(
            [
                np.clip(pixels[:, 0], surface.rows[0], surface.rows[-1]),
                np.clip(pixels[:, 1], surface.columns[0], surface.columns[-1]),
            ],
            axis=1,
        )
        reached += (pixels - clipped) @ fitted[:2]
        step = (positions - reached) @ inverse
        pixels = pixels + step
        if np.abs(step).max(initial=0.0) < _TOLERANCE_PIXELS:
            break
    lost = ~(np.abs(step).max(axis=1) < 100 * _TOLERANCE_PIXELS)
    pixels[lost] = np.nan
    heights = np.full(len(pixels), np.nan)
    heights[~lost] = splines[2].ev(pixels[~lost, 0], pixels[~lost, 1])
    return pixels, heights


def sheet_on_surface(placed: PlacedMap, *, cancel: CancelToken | None = None) -> Sheet:
    """Sheet of voxels along the smooth surface, where accepted cutouts lie."""
    surface = placed.surface
    if surface is None:
        raise SlagsegError(f"Map {placed.map_name} has no surface: it was not placed.")
    axis = dominant_axis(surface)
    others = [a for a in range(3) if a != axis]
    flat = surface.zyx.reshape(-1, 3)[:, others]
    shape = tuple(placed.ct_shape[a] for a in others)
    positions = _lines(flat.min(axis=0), flat.max(axis=0), shape)
    blocks = []
    for start in range(0, len(positions), _BLOCK_LINES):
        stop_if_cancelled(cancel)
        blocks.append(invert_surface(surface, axis, positions[start : start + _BLOCK_LINES]))
    pixels = np.concatenate([np.zeros((0, 2)), *(p for p, _ in blocks)])
    heights = np.concatenate([np.zeros(0), *(h for _, h in blocks)])
    found = np.isfinite(heights)
    pixels = _pixels_of_fields(placed, pixels[found])
    known = np.isfinite(pixels[:, 0])
    positions, heights = positions[found][known], heights[found][known]
    return _sheet(placed, axis, positions, pixels[known], heights)


def _pixels_of_fields(placed: PlacedMap, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map pixels (n, 2) that show given places of the surface, offsets of fields undone.

    Where fields overlap on the surface the later one wins; a gap between them stays NaN.
    """
    if not placed.fields:
        return at
    out = np.full_like(at, np.nan)
    for f in placed.fields:
        pixels = at - (f.row_shift, f.column_shift)
        inside = f.holds_rows(pixels[:, 0]) & f.holds_columns(pixels[:, 1])
        out[inside] = pixels[inside]
    return out


def _nearest(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Nearest integers, halves up: rounding to even would tear holes at slopes of one."""
    return np.floor(values + 0.5).astype(np.int64)


def _sheet(
    placed: PlacedMap,
    axis: int,
    positions: NDArray[np.float64],
    pixels: NDArray[np.float64],
    heights: NDArray[np.float64],
    only: int | None = None,
) -> Sheet:
    rows, columns = _nearest(pixels).T
    levels = _nearest(heights)
    inside = (
        (rows >= 0)
        & (rows < placed.map_shape[0])
        & (columns >= 0)
        & (columns < placed.map_shape[1])
        & (levels >= 0)
        & (levels < placed.ct_shape[axis])
    )
    rows, columns, levels = rows[inside], columns[inside], levels[inside]
    if only is None:
        cutout = best_cutout(placed)[rows, columns]
    else:
        c = placed.cutouts[only]
        within = (
            (rows >= c.row)
            & (rows < c.row + c.height)
            & (columns >= c.column)
            & (columns < c.column + c.width)
        )
        cutout = np.where(within, only, -1).astype(np.int16)
    used = cutout >= 0
    voxels = np.insert(positions[inside].astype(np.int64), axis, levels, axis=1)
    scores = np.array([c.score for c in placed.cutouts] or [0.0])
    return Sheet(axis, voxels[used], rows[used], columns[used], cutout[used], scores[cutout[used]])


def sheet_on_cutouts(placed: PlacedMap, *, cancel: CancelToken | None = None) -> Sheet:
    """Sheet of voxels along each accepted cutout's own plane (K 2.3.1).

    Where cutouts overlap, the better score wins in each line of voxels.
    """
    parts = []
    axis = 0
    if placed.surface is not None:
        axis = dominant_axis(placed.surface)
    others = [a for a in range(3) if a != axis]
    shape = tuple(placed.ct_shape[a] for a in others)
    for i, c in enumerate(placed.cutouts):
        stop_if_cancelled(cancel)
        if not c.accepted:
            continue
        steps = np.array([c.row_step_zyx, c.column_step_zyx])
        centre = np.array(c.centre_zyx)
        half = np.abs(steps[0]) * c.height / 2 + np.abs(steps[1]) * c.width / 2
        positions = _lines((centre - half)[others], (centre + half)[others], shape)
        local = (positions - centre[others]) @ np.linalg.inv(steps[:, others])
        pixels = local + np.array([c.row + (c.height - 1) / 2, c.column + (c.width - 1) / 2])
        heights = centre[axis] + local @ steps[:, axis]
        parts.append(_sheet(placed, axis, positions, pixels, heights, only=i))
    if not parts:
        return Sheet(
            axis,
            np.zeros((0, 3), np.int64),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros(0, np.int16),
            np.zeros(0),
        )
    voxels = np.concatenate([p.voxels for p in parts])
    score = np.concatenate([p.score for p in parts])
    lines = voxels[:, others[0]] * shape[1] + voxels[:, others[1]]
    order = np.lexsort((-score, lines))
    first = np.concatenate([[True], np.diff(lines[order]) != 0])
    kept = order[first]
    return Sheet(
        axis,
        voxels[kept],
        np.concatenate([p.rows for p in parts])[kept],
        np.concatenate([p.columns for p in parts])[kept],
        np.concatenate([p.cutout for p in parts])[kept],
        score[kept],
    )


__all__ = [
    "Sheet",
    "best_cutout",
    "dominant_axis",
    "invert_surface",
    "sheet_on_cutouts",
    "sheet_on_surface",
]
