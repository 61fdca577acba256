"""How well a placement fits, in milliseconds, straight from the raw CT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numba
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    Cutout,
    GreyMap,
    MineralMap,
    PlacedMap,
    SlagsegError,
    Volume,
    on_surface,
)
from napari_slagseg.registration.fractions import FractionImages, MapFractions
from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.slabs import native
from napari_slagseg.registration.surface import _linear_fit, _moments

MAP_POINTS, CUTOUT_POINTS = 20_000, 8_000
"""About so many pixels are compared: enough for two digits of the correlation."""

_LEAST_COVERAGE = 0.2
_SPARE_SLICES = 24
_WINDOW_BLUR = 0.5
"""Standard deviation in voxels of the three-voxel window by which the CT is evened out."""


@numba.njit(cache=True, nogil=True)
def _evened(data, first, zyx):  # type: ignore[no-untyped-def]
    """CT at voxel positions, trilinear and averaged over one voxel along each axis."""
    n = zyx.shape[0]
    depth, height, width = data.shape
    out = np.zeros(n, dtype=np.float64)
    inside = np.zeros(n, dtype=np.bool_)
    w = np.empty((3, 3))
    index = np.empty((3, 3), dtype=np.int64)
    shape = (depth, height, width)
    for p in range(n):
        good = True
        for axis in range(3):
            at = zyx[p, axis] - (first if axis == 0 else 0.0)
            if not (at >= -0.5 and at <= shape[axis] - 0.5):
                good = False
                break
            low = int(np.floor(at - 0.5))
            f = at - 0.5 - low
            w[axis, 0], w[axis, 1], w[axis, 2] = 0.5 * (1.0 - f), 0.5, 0.5 * f
            for k in range(3):
                index[axis, k] = min(max(low + k, 0), shape[axis] - 1)
        if not good:
            continue
        total = 0.0
        for i in range(3):
            for j in range(3):
                part = 0.0
                for k in range(3):
                    part += w[2, k] * float(data[index[0, i], index[1, j], index[2, k]])
                total += w[0, i] * w[1, j] * part
        out[p] = total
        inside[p] = True
    return out, inside


@dataclass(frozen=True)
class _Fit:
    score: float
    greys: FloatArray
    ground: float


class LiveFit:
    """Correlation of a map with the raw CT at any placement, for feedback while it moves.

    Made once for a map; nothing of the CT is prepared, so rings that are not parabolic
    stay in and the scores are a little lower than those of a run.

    Parameters
    ----------
    volume : Volume
        May be memory-mapped; only slices near the map are read.
    mineral_map : MineralMap or GreyMap
    step : int, optional
        Map pixels between the compared ones, for the whole map. None takes about
        `MAP_POINTS` of them.
    """

    def __init__(
        self, volume: Volume, mineral_map: MineralMap | GreyMap, step: int | None = None
    ) -> None:
        if step is not None and step < 1:
            raise SlagsegError(f"The step between compared map pixels is {step}; it must be >= 1.")
        self.volume, self.map = volume, mineral_map
        settings = RegistrationSettings()
        size = np.asarray(volume.voxel_size_um, np.float64)
        self._unit_um = float(np.sqrt(size[1] * size[2]))
        self._voxel = size / self._unit_um
        self._blur = float(np.hypot(settings.ct_blur_voxels, _WINDOW_BLUR))
        self._source = MapFractions(mineral_map, settings.maximum_phases)
        images = self._source.images(self._unit_um, 1.0, self._blur)
        self._rows, self._columns = images.map_rows(), images.map_columns()
        self._fractions = np.ascontiguousarray(np.moveaxis(images.fractions, 0, -1))
        self._known = images.known
        if step is None:
            self._stride = _stride(images.known.size, MAP_POINTS)
        else:
            self._stride = max(1, round(step / images.block))
        self._drawn: FractionImages | None = None
        self._slab: tuple[int, NDArray[np.generic]] | None = None

    def map_score(self, placed: PlacedMap) -> float:
        """Multiple correlation of the whole map on its surface, as `PlacedMap.score`.

        Returns
        -------
        score : float
            0 to 1; 0 where less than a fifth of the map lies inside the CT.
        """
        return self._map_fit(placed).score

    def cutout_score(self, placed: PlacedMap, index: int, own_pose: bool = True) -> float:
        """Multiple correlation of one cutout, as `Cutout.score`.

        Parameters
        ----------
        placed : PlacedMap
        index : int
            Position in `PlacedMap.cutouts`.
        own_pose : bool
            At the cutout's own pose (with the curvature that the surface has there), or
            on the surface.

        Returns
        -------
        score : float
        """
        if not 0 <= index < len(placed.cutouts):
            raise SlagsegError(
                f"Map {placed.map_name} has no cutout {index}; it has {len(placed.cutouts)}, "
                "counted from 0."
            )
        c = placed.cutouts[index]
        i = np.flatnonzero((self._rows >= c.row - 0.5) & (self._rows < c.row + c.height - 0.5))
        j = np.flatnonzero(
            (self._columns >= c.column - 0.5) & (self._columns < c.column + c.width - 0.5)
        )
        stride = _stride(len(i) * len(j), CUTOUT_POINTS)
        i, j = i[::stride], j[::stride]
        zyx = self._positions(placed, i, j)
        if own_pose:
            zyx = zyx + self._off(placed, c, i, j)
        return self._fit(zyx, i, j).score

    def scored(self, placed: PlacedMap, indices: Iterable[int] | None = None) -> PlacedMap:
        """The placement with the scores that it has now.

        Parameters
        ----------
        placed : PlacedMap
        indices : iterable of int, optional
            Cutouts to score again besides the map; None takes all.
        """
        chosen = set(range(len(placed.cutouts)) if indices is None else indices)
        cutouts = tuple(
            replace(c, score=self.cutout_score(placed, k)) if k in chosen else c
            for k, c in enumerate(placed.cutouts)
        )
        return replace(placed, score=self.map_score(placed), cutouts=cutouts)

    def expected_grey(self, placed: PlacedMap, step: int = 1) -> NDArray[np.float32]:
        """The map drawn in the CT's grey values, as blurred as the CT.

        Parameters
        ----------
        placed : PlacedMap
            The grey value of each phase, or of each band of grey, is fitted there.
        step : int
            Map pixels along each axis that are drawn as one.

        Returns
        -------
        image : (rows / step, columns / step) float32
            Sides rounded up. NaN where the map is unknown.
        """
        fit = self._map_fit(placed)
        if self._drawn is None or self._drawn.block != step:
            level = step * self.map.pixel_size_um / self._unit_um
            self._drawn = self._source.images(self._unit_um, level, self._blur)
        image = self._drawn.grey(fit.greys) + np.float32(fit.ground)
        image[self._drawn.known == 0] = np.nan
        return image

    # -- the pieces ------------------------------------------------------------

    def _map_fit(self, placed: PlacedMap) -> _Fit:
        i = np.arange(0, len(self._rows), self._stride)
        j = np.arange(0, len(self._columns), self._stride)
        return self._fit(self._positions(placed, i, j), i, j)

    def _positions(self, placed: PlacedMap, i: NDArray[np.intp], j: NDArray[np.intp]) -> FloatArray:
        """(i, j, 3) voxel coordinates, in fields where they are known."""
        if placed.surface is None:
            raise SlagsegError(f"Map {placed.map_name} lies nowhere yet, so nothing can be fitted.")
        if len(i) == 0 or len(j) == 0:
            return np.zeros((len(i), len(j), 3))
        return placed.on_grid(self._rows[i], self._columns[j])

    def _off(
        self, placed: PlacedMap, c: Cutout, i: NDArray[np.intp], j: NDArray[np.intp]
    ) -> FloatArray:
        """How far a cutout's pose lies off the surface's tangent plane, (i, j, 3) voxels."""
        assert placed.surface is not None
        row, column = c.row + (c.height - 1) / 2, c.column + (c.width - 1) / 2
        lies = on_surface(placed.fields, np.array([row]), np.array([column]))
        centre, *ends = placed.surface.at(
            lies[0] + np.array([0, -0.5, 0.5, 0, 0]), lies[1] + np.array([0, 0, 0, -0.5, 0.5])
        )
        r = (self._rows[i] - row)[:, None, None]
        k = (self._columns[j] - column)[None, :, None]
        return np.asarray(
            (np.asarray(c.centre_zyx) - centre)
            + r * (np.asarray(c.row_step_zyx) - (ends[1] - ends[0]))
            + k * (np.asarray(c.column_step_zyx) - (ends[3] - ends[2])),
            np.float64,
        )

    def _near(self, low: float, high: float) -> tuple[int, NDArray[np.generic]]:
        """First slice and slices around a range of heights, in a form that compiled code reads."""
        data, depth = self.volume.data, self.volume.shape[0]
        wanted = max(0, int(low) - 2), min(depth, int(np.ceil(high)) + 3)
        if self._slab is not None:
            first, slab = self._slab
            if first <= wanted[0] and first + len(slab) >= wanted[1]:
                return self._slab
        whole = native(data[:1])
        if np.may_share_memory(whole, np.asarray(data[:1])):
            self._slab = (0, native(data))
        else:
            first = max(0, wanted[0] - _SPARE_SLICES)
            self._slab = (first, native(data[first : wanted[1] + _SPARE_SLICES]))
        return self._slab

    def _fit(self, zyx: FloatArray, i: NDArray[np.intp], j: NDArray[np.intp]) -> _Fit:
        """Regression of the CT on the phases, a constant, slopes and a radial term."""
        nothing = _Fit(0.0, np.zeros(self._fractions.shape[-1]), 0.0)
        places = zyx.reshape(-1, 3)
        part = np.ix_(i, j)
        known = self._known[part].ravel().astype(np.float64)
        usable = known > 0.34
        if not usable.any():
            return nothing
        places, known = np.ascontiguousarray(places[usable]), known[usable]
        depth = self.volume.shape[0]
        low, high = np.clip([places[:, 0].min(), places[:, 0].max()], 0, depth - 1)
        first, slab = self._near(float(low), float(high))
        grey, inside = _evened(slab, float(first), places)
        weights = known * inside
        total = float(weights.sum())
        if total < _LEAST_COVERAGE * known.sum():
            return nothing
        mean = float((weights * grey).sum() / total)
        spread = float(np.sqrt((weights * (grey - mean) ** 2).sum() / total))
        if not spread > 0:
            return nothing
        fractions = self._fractions[part].reshape(len(usable), -1)[usable].astype(np.float64)
        n = fractions.shape[1]
        rows, columns = np.broadcast_arrays(self._rows[i][:, None], self._columns[j][None])
        half = max(self.map.shape) / 2
        u = rows.ravel()[usable] / half - 1
        v = columns.ravel()[usable] / half - 1
        yx = places[:, 1:] * self._voxel[1:]
        middle = (np.asarray(self.volume.shape[1:]) - 1) / 2 * self._voxel[1:]
        radial = ((yx - middle) ** 2).sum(axis=1) / float(middle @ middle)
        nuisance = np.stack([np.ones_like(u), u, v, radial], axis=1)
        model = np.concatenate([fractions, nuisance], axis=1)
        moments = _moments(
            np.concatenate([model, ((grey - mean) / spread)[:, None]], axis=1), weights
        )
        linear, unexplained = _linear_fit(moments, slice(0, -1), total)
        _, variation = _linear_fit(moments, slice(n, -1), total)
        score = float(np.sqrt(max(0.0, 1 - unexplained / max(variation, 1e-12))))
        ground = float((weights * (nuisance @ linear[n:])).sum() / total)
        return _Fit(score, spread * linear[:n], mean + spread * ground)


def _stride(count: int, wanted: int) -> int:
    """Steps along both axes that leave about so many of `count` pixels."""
    return max(1, round((count / wanted) ** 0.5))


__all__ = ["LiveFit"]
