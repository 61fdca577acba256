"""A crack: a straight line in the map beyond which everything lies elsewhere in the CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.registration.job import MapJob
from napari_slagseg.registration.local_windows import LocalFit, window_deviations
from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.rigid_cutouts import Window
from napari_slagseg.registration.surface import (
    N_TERMS,
    MapPoints,
    PolynomialSurface,
    basis,
)

LEAST_STEP = 1.5
"""Length from which on a step counts; smaller ones the smooth surface follows."""

LEAST_GAIN = 8.5
"""How much better than without it a crack must explain where the windows lie: loss saved
per window, over the loss that is left. Sound, torn and stitched phantoms reach 14, too,
so the pixels are asked next (`crack_line`)."""

FEWEST_WINDOWS = 16
FEWEST_BEYOND = 4
"""Windows needed in all, and on either side of a crack."""

MOST_CRACKS = 2

_PIECE_SHARE, _LEAST_EDGE = 0.45, 80.0
"""Edge of a piece's cutouts over the piece's width, and as a length at least."""

_WINDOW_SHARE = 0.75

_FAR = 3.0
"""Length from which on a window's offset hardly counts any more (Geman and McClure)."""

_BEYOND_DOUBT = 2.4
"""How many of its own standard deviations one window in twenty must be off the smooth
surface: 2.5 to 18 with a crack that the pixels confirm, 1.5 to 2.3 on 15 of 18 sound maps."""

_TURN_DEG = 10.0
_ROUNDS = 8
_STEP_PRIOR = 1e-3
_SMOOTH_PRIOR = 1e-6

_ACROSS = 0.35
"""Windows that lie nearer to the line than this share of their edge hold both sides, and
do not say how large the step is."""


@dataclass(frozen=True)
class Crack:
    """A line across the map, and how far the side beyond it lies off.

    Attributes
    ----------
    normal : (2,) float64
        Unit vector (row, column) that points to the side beyond.
    offset : float
        Map position (row, column) lies beyond where its product with `normal` is larger.
    step : (3,) float64
        Length (z, y, x) from where the surface of the other side would have it.
    surface : PolynomialSurface
        Smooth surface of the near side, and of the far side less the step.
    """

    normal: FloatArray
    offset: float
    step: FloatArray
    surface: PolynomialSurface

    def beyond(self, rows: FloatArray, columns: FloatArray) -> NDArray[np.bool_]:
        """Which map positions lie on the side that slipped."""
        return np.asarray(rows * self.normal[0] + columns * self.normal[1] > self.offset)

    def share_beyond(self, window: Window) -> float:
        """How much of a window lies there."""
        rows = window.row + np.linspace(0, window.height - 1, 24)
        columns = window.column + np.linspace(0, window.width - 1, 24)
        return float(self.beyond(rows[:, None], columns[None, :]).mean())

    def turned(self) -> Crack:
        """The same crack with the other side kept."""
        return Crack(-self.normal, -self.offset, -self.step, self.surface.plus(self.step[None, :]))

    def reaches(self, window: Window, margin: float) -> bool:
        """Whether a corner of a window lies beyond, or within `margin` pixels of the line."""
        rows = np.array([window.row, window.row + window.height - 1.0])
        columns = np.array([window.column, window.column + window.width - 1.0])
        along = rows[:, None] * self.normal[0] + columns[None, :] * self.normal[1]
        return bool(along.max() > self.offset - margin)


def part_of(points: MapPoints, chosen: NDArray[np.bool_]) -> MapPoints:
    """Some of the map pixels."""
    return replace(
        points,
        rows=points.rows[chosen],
        columns=points.columns[chosen],
        fractions=points.fractions[chosen],
        known=points.known[chosen],
    )


class PieceJob(MapJob):
    """A map of which only the pixels on the near side of all cracks take part.

    Its cutouts are in proportion to the piece, as those of a small map are to the map.
    """

    def __init__(self, whole: MapJob, cracks: Sequence[Crack]) -> None:
        self.__dict__.update(whole.__dict__)
        self._whole, self._cracks = whole, tuple(cracks)
        s = whole.settings
        edge = float(s.cutout_voxels)
        points = self.points(4)
        for crack in cracks:
            along = points.rows * crack.normal[0] + points.columns * crack.normal[1]
            width = float(np.ptp(along)) if len(along) else 0.0
            edge = min(edge, max(_PIECE_SHARE * width * whole.pixel, _LEAST_EDGE))
        self.settings = replace(
            s,
            cutout_voxels=round(edge),
            stride_voxels=max(1, round(edge * s.stride_voxels / s.cutout_voxels)),
            window_voxels=round(min(s.window_voxels, _WINDOW_SHARE * edge)),
        )

    def points(self, level: int, maximum: int = 60_000) -> MapPoints:
        """As of the whole map, without what lies beyond a crack."""
        points = self._whole.points(level, maximum)
        near = np.ones(len(points.rows), dtype=bool)
        for crack in self._cracks:
            near &= ~crack.beyond(points.rows, points.columns)
        return part_of(points, near)


def find_crack(job: MapJob, surface: PolynomialSurface, local: LocalFit) -> Crack | None:
    """Look for a line across which the small windows of a map jump.

    Without a crack the windows lie on a smooth surface (order 2, or 3 where there are
    many windows); with one, a step is added on one side of a line. All lines are tried.

    Parameters
    ----------
    job : MapJob
    surface : PolynomialSurface
        That the offsets of the windows refer to.
    local : LocalFit

    Returns
    -------
    Crack or None
        The side that is kept is the one with the cutouts that the user holds to be right,
        else the one with more windows.
    """
    scores = np.array([f.score for f in local.fits])
    if len(scores) < FEWEST_WINDOWS:
        return None
    used = (scores >= 0.6 * float(np.median(scores))) | local.firm
    if used.sum() < FEWEST_WINDOWS:
        return None
    at, off, firm = local.at[used], local.off[used], local.firm[used]
    weights = np.clip(scores[used], 0.05, 1.0) ** 2
    order = 3 if len(at) >= 100 else 2
    terms = basis(*surface.normalised(at[:, 0], at[:, 1]), order)
    _, smooth_loss, distance = _robust(terms, off, weights)
    doubt = np.linalg.norm(window_deviations([f for f, u in zip(local.fits, used) if u]), axis=1)
    if np.percentile(distance / doubt, 95) < _BEYOND_DOUBT:
        return None
    edge = local.edge / job.pixel
    best: tuple[float, FloatArray, float] | None = None
    for turn in np.radians(np.arange(0.0, 180.0, _TURN_DEG)):
        normal = np.array([np.cos(turn), np.sin(turn)])
        along = at @ normal
        ordered = np.sort(along)
        low, high = ordered[FEWEST_BEYOND - 1], ordered[-FEWEST_BEYOND]
        for offset in np.arange(low + edge / 8, high, edge / 4):
            _, loss, _ = _robust(_with_side(terms, along > offset), off, weights)
            if best is None or loss < best[0]:
                best = (loss, normal, float(offset))
    if best is None:
        return None
    loss, normal, offset = best
    if (smooth_loss - loss) * len(at) < LEAST_GAIN * loss:
        return None
    along = at @ normal
    side = along > offset
    votes = (int(firm[side].sum()), int(side.sum())), (int(firm[~side].sum()), int((~side).sum()))
    if votes[0] > votes[1]:
        normal, offset, along, side = -normal, -offset, -along, ~side
    clear = np.abs(along - offset) > _ACROSS * edge
    if min((side & clear).sum(), (~side & clear).sum()) < FEWEST_BEYOND - 1:
        clear[:] = True
    change, _, _ = _robust(_with_side(terms[clear], side[clear]), off[clear], weights[clear])
    return Crack(normal, offset, change[-1], surface.plus(change[: N_TERMS[order]]))


def _with_side(terms: FloatArray, side: NDArray[np.bool_]) -> FloatArray:
    return np.column_stack([terms, side.astype(float)])


def _robust(
    terms: FloatArray, off: FloatArray, base: FloatArray
) -> tuple[FloatArray, float, FloatArray]:
    """Coefficients, loss and distances of a fit in which far windows hardly count."""
    prior = np.full(terms.shape[1], _SMOOTH_PRIOR)
    prior[-1] = _STEP_PRIOR
    weights = base
    change, square = np.zeros((terms.shape[1], 3)), np.zeros(len(off))
    for _ in range(_ROUNDS):
        weighted = (terms * weights[:, None]).T
        change = np.asarray(
            np.linalg.solve(weighted @ terms + np.diag(prior), weighted @ off), np.float64
        )
        square = ((off - terms @ change) ** 2).sum(axis=1)
        weights = base / (1.0 + square / _FAR**2) ** 2
    return change, float((base * square / (1.0 + square / _FAR**2)).sum()), np.sqrt(square)


__all__ = ["MOST_CRACKS", "Crack", "PieceJob", "find_crack", "part_of"]
