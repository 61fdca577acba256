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
from napari_slagseg.registration.slipped_windows import LEAST_SEARCHED, slipped_windows
from napari_slagseg.registration.smooth_field import SmoothField, fit_smooth_field

FEWEST = 6
"""Windows needed for a field of their own."""

BEYOND_NOISE, BY_MISFIT = 3.1, 2.2
"""How much farther windows are off than noise alone would have them, at a correlation of
1, and how fast that grows with the unexplained rest: read off 1,346 windows of phantoms."""

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
    far : LocalFit or None
        The same, without a field, with the windows that fit clearly better elsewhere put
        there; None where none does. It hints at a crack, which the pixels must confirm:
        on torn maps some windows find an accidental place.
    """

    fits: list[RigidFit]
    at: FloatArray
    off: FloatArray
    edge: float
    firm: NDArray[np.bool_]
    sure: NDArray[np.bool_]
    field: SmoothField | None
    far: LocalFit | None = None


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
    local = _smoothed(job, registered, fits, edge)
    slips = slipped_windows(job, registered, chosen, greys, edge) if edge >= LEAST_SEARCHED else {}
    if not slips:
        return local
    return replace(
        local,
        far=_measured(job, registered, [slips.get(k, f) for k, f in enumerate(fits)], edge),
    )


def _measured(job: MapJob, registered: Registered, fits: list[RigidFit], edge: float) -> LocalFit:
    """Where windows lie; cutouts that the user holds to be right stand in for theirs."""
    surface, shifts = registered.consensus.surface, registered.shifts
    held = [f for f, firm in zip(registered.fits, registered.locked) if firm]
    fits = [f for f in fits if not any(_covers(h.window, f.window) for h in held)] + held
    firm = np.arange(len(fits)) >= len(fits) - len(held)
    at = np.array([np.asarray(f.window.centre) + shifts.of(f.window) for f in fits]).reshape(-1, 2)
    off = np.array([f.centre for f in fits]).reshape(-1, 3) - surface.at(at[:, 0], at[:, 1])
    return LocalFit(fits, at, off, edge, firm, np.zeros(len(fits), bool), None)


def _smoothed(job: MapJob, registered: Registered, fits: list[RigidFit], edge: float) -> LocalFit:
    """The same with a field through those that agree."""
    surface, s = registered.consensus.surface, job.settings
    local = _measured(job, registered, fits, edge)
    fits, at, off, firm = local.fits, local.at, local.off, local.firm
    if not fits:
        return local
    scores = np.array([f.score for f in fits])
    deviations = window_deviations(fits)
    deviations[firm] = _FIRM_DEVIATION
    usual = float(np.median(scores[~firm])) if (~firm).any() else 0.0
    sure = (scores >= 0.5 * usual) & np.isfinite(deviations).all(axis=1)
    sure &= np.linalg.norm(off, axis=1) <= 2 * s.outlier_voxels
    sure |= firm
    if sure.sum() < FEWEST:
        return replace(local, sure=sure)
    field = fit_smooth_field(
        at[sure] * job.pixel,
        off[sure],
        deviations[sure],
        edge,
        middle=np.array(surface.centre) * job.pixel,
        half=surface.half * job.pixel,
        seed=job.seed,
    )
    return replace(local, sure=sure, field=field)


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


def slips_near(job: MapJob, local: LocalFit, cutouts: list[Window]) -> FloatArray:
    """How far windows in or within their own edge of each cutout may have slipped, as lengths.

    The pixels have not confirmed it, so it is no reason to reject a cutout; but it should
    be looked at.
    """
    out = np.zeros(len(cutouts))
    if local.far is None:
        return out
    slipped = [a is not b for a, b in zip(local.fits, local.far.fits)]
    at, off = local.at[slipped], np.linalg.norm(local.far.off[slipped], axis=1)
    reach = 1.5 * local.edge / job.pixel  # to a window's middle
    for k, cutout in enumerate(cutouts):
        row, column = cutout.centre
        near = np.abs(at[:, 0] - row) < cutout.height / 2 + reach
        near &= np.abs(at[:, 1] - column) < cutout.width / 2 + reach
        out[k] = max([0.0, *off[near]])
    return out


__all__ = ["LocalFit", "fit_windows", "lattice", "slips_near", "steps_inside"]
