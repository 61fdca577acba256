"""Small windows: what the surface still lacks, how sure it is, and where the map is cracked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    CancelToken,
    PlacementSurface,
    Progress,
    ProgressEvent,
    stop_if_cancelled,
)
from napari_slagseg.registration.cutout_rounds import BATCH, Registered
from napari_slagseg.registration.job import FINE_POINTS, MapJob
from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.rigid_cutouts import (
    RigidFit,
    Window,
    refine,
    usable_windows,
    window_edge,
    windows,
)
from napari_slagseg.registration.smooth_field import SmoothField, fit_smooth_field
from napari_slagseg.registration.translation_search import Shifts, search_shifts

FEWEST = 6
"""Windows needed for a field of their own."""

BEYOND_NOISE, BY_MISFIT = 3.1, 2.2
"""How much farther windows are off than noise alone would have them, at a correlation of
1, and how fast that grows with the unexplained rest: read off 1,346 windows of phantoms."""

LEAST_SEARCHED = 40.0
"""Edge as a length from which on windows are looked for elsewhere: of smaller ones too
little is left at level 4."""

BETTER, BETTER_FITTED = 0.05, 0.03
"""By how much the correlation elsewhere must be higher, in the search and fitted."""

LEAST_SLIP = 2.0
ALIKE = 4.0
"""Lengths: smaller shifts the fit finds by itself; neighbours that slipped agree to this."""

_SIGMAS = 2.0
_FIRM_DEVIATION = 0.05
"""Standard deviation, as a length, given to a cutout that the user has locked."""


@dataclass(frozen=True)
class LocalFit:
    """What small windows say about the surface.

    Attributes
    ----------
    fits : list of RigidFit
    at : (n, 2) float64
        Where their middles lie on the surface, in map pixels.
    off : (n, 3) float64
        Lengths from the consensus surface to where the windows lie.
    edge : float
        Of the windows, as a length.
    firm : (n,) bool
        Cutouts that the user holds to be right, which stand in for windows.
    sure : (n,) bool
        Windows that took part in the field.
    field : SmoothField or None
        None where there were too few of them.
    """

    fits: list[RigidFit]
    at: FloatArray
    off: FloatArray
    edge: float
    firm: NDArray[np.bool_]
    sure: NDArray[np.bool_]
    field: SmoothField | None


def fit_windows(
    job: MapJob,
    registered: Registered,
    greys: FloatArray,
    progress: Progress,
    cancel: CancelToken | None,
) -> LocalFit:
    """Register small windows from the consensus surface, and fit a smooth field to them.

    Parameters
    ----------
    job : MapJob
    registered : Registered
    greys : (phases,) float64
        As `surface.SurfaceFit.greys`; windows that slipped far are looked for by them.
    progress, cancel
        See `napari_slagseg.data.running`.
    """
    s = job.settings
    surface, shifts = registered.consensus.surface, registered.shifts
    edge, _ = window_edge(job.map.shape, job.pixel, s)
    share = s.window_voxels / s.cutout_voxels
    edge = max(share * edge, min(float(s.minimum_window_voxels), edge))
    small = replace(
        s,
        cutout_voxels=round(edge),
        stride_voxels=max(1, round(edge / 2)),
        minimum_cutout_voxels=round(edge),
    )
    fields = shifts.fields[0] if shifts.fields else None
    chosen = windows(
        job.map.shape,
        job.pixel,
        small,
        None if fields is None else (fields.height, fields.width),
    )
    points = job.points(1, FINE_POINTS)
    block = job.block(1, surface)
    chosen = usable_windows(job.ct, points, surface, chosen)
    fits: list[RigidFit] = []
    for first in range(0, len(chosen), BATCH):
        stop_if_cancelled(cancel)
        progress(ProgressEvent("looking closer", 0.85 + 0.1 * first / len(chosen)))
        pieces = [(w, shifts.start(surface, w)) for w in chosen[first : first + BATCH]]
        fits += refine(job.ct, block, points, pieces)
    if edge >= LEAST_SEARCHED:
        for k, far in _slipped(job, registered, chosen, greys, edge).items():
            fits[k] = far
    return _smoothed(job, registered, fits, edge)


def _slipped(
    job: MapJob,
    registered: Registered,
    chosen: list[Window],
    greys: FloatArray,
    edge: float,
) -> dict[int, RigidFit]:
    """Windows that fit clearly better elsewhere, and whose neighbours do so, too."""
    surface, shifts = registered.consensus.surface, registered.shifts
    pieces = [(w, shifts.start(surface, w)) for w in chosen]

    def search(some: list[int]) -> tuple[Shifts, NDArray[np.int64]]:
        """Where these windows fit best, and which of them do so elsewhere."""
        seen = search_shifts(
            job.ct,
            job.block(4, surface),
            job.points(4, FINE_POINTS),
            [pieces[k] for k in some],
            greys,
        )
        away = np.linalg.norm(seen.off, axis=1)
        return seen, np.flatnonzero((seen.best > seen.begun + BETTER) & (away > LEAST_SLIP))

    # windows overlap by half: where no second one slipped, the others between did not
    if not len(search(_every_second(chosen))[1]):
        return {}
    seen, elsewhere = search(list(range(len(chosen))))
    if not len(elsewhere):
        return {}
    stay = [pieces[k] for k in elsewhere]
    go = [(w, start.plus(seen.off[k][None, :])) for k, (w, start) in zip(elsewhere, stay)]
    at = np.array([w.centre for w, _ in go])
    heights = np.array([start.coefficients[0, 0] for _, start in stay + go])
    room = edge / 4
    block = job.ct.slab(
        2, heights.min() - room, heights.max() + room, job.settings.smoothing_pixels
    )
    points = job.points(2, FINE_POINTS)
    near, far = refine(job.ct, block, points, stay), refine(job.ct, block, points, go)
    off = np.array([f.centre for f in far]) - surface.at(*at.T)
    better = np.array([b.score > a.score + BETTER_FITTED for a, b in zip(near, far)])
    out = {}
    for i, k in enumerate(elsewhere):
        alike = np.linalg.norm(off - off[i], axis=1) <= ALIKE
        beside = np.linalg.norm(at - at[i], axis=1) * job.pixel <= edge
        if better[i] and (alike & beside & better).sum() > 1:  # itself, and another one
            out[int(k)] = far[i]
    return out


def _every_second(chosen: list[Window]) -> list[int]:
    """Indices of the windows in every second row and column of their lattice."""
    rows = np.unique([w.row for w in chosen])[::2].tolist()
    columns = np.unique([w.column for w in chosen])[::2].tolist()
    return [k for k, w in enumerate(chosen) if w.row in rows and w.column in columns]


def _smoothed(job: MapJob, registered: Registered, fits: list[RigidFit], edge: float) -> LocalFit:
    surface, shifts, s = registered.consensus.surface, registered.shifts, job.settings
    held = [f for f, firm in zip(registered.fits, registered.locked) if firm]
    fits = [f for f in fits if not any(_covers(h.window, f.window) for h in held)] + held
    firm = np.arange(len(fits)) >= len(fits) - len(held)
    if not fits:
        return LocalFit([], np.zeros((0, 2)), np.zeros((0, 3)), edge, firm, np.zeros(0, bool), None)
    at = np.array([np.asarray(f.window.centre) + shifts.of(f.window) for f in fits])
    off = np.array([f.centre for f in fits]) - surface.at(at[:, 0], at[:, 1])
    scores = np.array([f.score for f in fits])
    deviations = window_deviations(fits)
    deviations[firm] = _FIRM_DEVIATION
    usual = float(np.median(scores[~firm])) if (~firm).any() else 0.0
    sure = (scores >= 0.5 * usual) & np.isfinite(deviations).all(axis=1)
    sure &= np.linalg.norm(off, axis=1) <= 2 * s.outlier_voxels
    sure |= firm
    if sure.sum() < FEWEST:
        return LocalFit(fits, at, off, edge, firm, sure, None)
    field = fit_smooth_field(
        at[sure] * job.pixel,
        off[sure],
        deviations[sure],
        edge,
        middle=np.array(surface.centre) * job.pixel,
        half=surface.half * job.pixel,
        seed=job.seed,
    )
    return LocalFit(fits, at, off, edge, firm, sure, field)


def window_deviations(fits: list[RigidFit]) -> FloatArray:
    """(n, 3) standard deviations of where windows lie, from their fits and correlations.

    A fit knows of noise only. Torn and wrongly labelled particles displace a window
    more, and the lower its correlation, the more of them it holds.
    """
    scores = np.array([f.score for f in fits])
    by_noise = np.sqrt(np.array([np.diag(f.covariance) for f in fits]))
    more = BEYOND_NOISE * (1.0 + BY_MISFIT * (1.0 - scores))
    return np.asarray(by_noise * more[:, None], np.float64)


def _covers(large: Window, small: Window) -> bool:
    """Whether at least half of `small` lies in `large`."""
    rows = min(large.row + large.height, small.row + small.height) - max(large.row, small.row)
    columns = min(large.column + large.width, small.column + small.width) - max(
        large.column, small.column
    )
    return 2 * max(rows, 0) * max(columns, 0) >= small.height * small.width


def lattice(job: MapJob, registered: Registered, local: LocalFit) -> PlacementSurface:
    """The surface as CT coordinates and their uncertainty on a lattice of map pixels."""
    surface, s = registered.consensus.surface, job.settings
    step = s.lattice_voxels / job.pixel
    axes = [np.linspace(0, n - 1, max(4, int(np.ceil((n - 1) / step)) + 1)) for n in job.map.shape]
    rows, columns = np.meshgrid(*axes, indexing="ij")
    lengths = surface.at(rows, columns)
    if local.field is None:
        # without small windows, what the cutouts scatter is all that is known
        inliers = registered.consensus.residuals[registered.consensus.inliers]
        scatter = float(np.sqrt(np.mean(inliers**2))) if inliers.size else s.outlier_voxels
        doubt = np.full(rows.shape, max(scatter, s.least_uncertainty_voxels))
    else:
        mean, deviation = local.field.predict(np.stack([rows, columns], -1).reshape(-1, 2)
                                              * job.pixel)  # fmt: skip
        lengths = lengths + mean.reshape(lengths.shape)
        doubt = s.uncertainty_factor * np.sqrt((deviation**2).sum(axis=1)).reshape(rows.shape)
        doubt = np.hypot(doubt, s.least_uncertainty_voxels)
    return PlacementSurface(axes[0], axes[1], job.voxels(lengths), doubt)


def steps_inside(job: MapJob, local: LocalFit, cutouts: list[Window]) -> FloatArray:
    """How far small windows inside each cutout surely are off the smooth surface, as lengths.

    Across a crack the pieces of a map lie apart, and no smooth surface is right on both
    sides; so the largest offset counts, less twice its standard deviation.
    """
    if not local.fits:
        return np.zeros(len(cutouts))
    if local.field is None:
        beyond = np.linalg.norm(local.off, axis=1)
    else:
        mean, doubt = local.field.predict(local.at * job.pixel)
        deviations = np.hypot(window_deviations(local.fits) * local.field.scatters, doubt)
        beyond = np.linalg.norm(local.off - mean, axis=1) - _SIGMAS * np.linalg.norm(
            deviations, axis=1
        )
    usual = float(np.median([f.score for f in local.fits]))
    seen = [f.score >= 0.5 * usual for f in local.fits]
    out = np.zeros(len(cutouts))
    for k, cutout in enumerate(cutouts):
        inside = [
            b for b, f, good in zip(beyond, local.fits, seen) if good and _covers(cutout, f.window)
        ]
        out[k] = max([0.0, *inside])
    return out


__all__ = ["LocalFit", "fit_windows", "lattice", "steps_inside"]
