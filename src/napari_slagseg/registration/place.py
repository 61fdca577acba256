"""Placing a map in the CT, from nothing known to a smooth surface."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from napari_slagseg.data import (
    CancelToken,
    Cutout,
    FieldShift,
    GreyMap,
    Landmarks,
    MineralMap,
    PlacedMap,
    PlacementSurface,
    Progress,
    ProgressEvent,
    Volume,
    no_progress,
    stop_if_cancelled,
    zyx_triple,
)
from napari_slagseg.registration.checks import check_field_size, check_map, exchanged_sizes
from napari_slagseg.registration.confidence import (
    cutout_probability,
    doubt_inside,
    map_probability,
)
from napari_slagseg.registration.cutout_rounds import Registered
from napari_slagseg.registration.expected import Expected
from napari_slagseg.registration.hints import search_space
from napari_slagseg.registration.job import MapJob, polynomial_of
from napari_slagseg.registration.local_windows import lattice, slips_near, steps_inside
from napari_slagseg.registration.odd_even import odd_even_disagreement
from napari_slagseg.registration.pieces import Pieces, register_pieces
from napari_slagseg.registration.pyramid import FloatArray, PreparedCT, prepare_ct
from napari_slagseg.registration.rigid_cutouts import Window
from napari_slagseg.registration.search import Place, find_place, fit_from
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.slice_correlator import CorrelatorFactory
from napari_slagseg.registration.slip import Slip, slip
from napari_slagseg.registration.verdict import Reason, reasons_to_refuse, refusal, warning_for


def place_map(
    ct: Volume | PreparedCT,
    mineral_map: MineralMap | GreyMap,
    *,
    settings: RegistrationSettings | None = None,
    height_window: tuple[float, float] | None = None,
    angle_deg: float | None = None,
    mirror: Literal["auto", "yes", "no"] = "auto",
    landmarks: Landmarks | None = None,
    start: PlacedMap | None = None,
    locked: Sequence[Cutout] = (),
    field_size: tuple[int, int] | None = None,
    expected: Expected | None = None,
    correlator: CorrelatorFactory | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> PlacedMap:
    """Find where a map lies in the CT.

    Patches of the map vote for a pose among all heights, angles and mirror
    states; the best poses are fitted as surfaces with free grey values, coarse to
    fine; overlapping cutouts are registered rigidly from there; small windows bend
    their consensus where it is still off, and say how uncertain it is. Nothing is
    binarised. The same seed gives the same result.

    Parameters
    ----------
    ct : Volume or PreparedCT
        `prepare_ct` once for several maps.
    mineral_map : MineralMap or GreyMap
    settings : RegistrationSettings, optional
        Taken from `ct` where it is prepared.
    height_window : (low, high), optional
        CT slices between which the map's centre lies.
    angle_deg : float, optional
        Direction of the map's columns in the CT's plane, from x towards y.
    mirror : {"auto", "yes", "no"}
    landmarks : Landmarks, optional
        Three or more pairs; they narrow the search.
    start : PlacedMap, optional
        No search: the surface is fitted from where this placement has it.
    locked : sequence of Cutout
        Of an earlier placement: they keep their poses and hold the surface.
    field_size : (rows, columns), optional
        Pixels of the fields that the map was stitched from; each field's offset is
        found, too.
    expected : Expected, optional
        What other maps of the sample make likely.
    correlator : CorrelatorFactory, optional
        For the coarse search, for example on a GPU; none given: on the CPU.
    seed : int
    progress, cancel
        See `napari_slagseg.data.running`.

    Returns
    -------
    PlacedMap
        With ``placed=False`` and a reason where the map does not fit anywhere.

    Raises
    ------
    SlagsegError
        If the map is larger than the CT, has one phase or hardly a particle, or a
        hint is no use.
    """
    began = time.perf_counter()
    prepared = ct if isinstance(ct, PreparedCT) else prepare_ct(ct, settings, progress, cancel)
    volume, s = prepared.volume, prepared.settings
    check_map(volume.shape, volume.voxel_size_um, mineral_map, s.size_tolerance)
    check_field_size(mineral_map, field_size)
    job = MapJob(prepared, mineral_map, seed)
    # matrices are small here: BLAS threads wait for each other longer than they work
    with threadpool_limits(1, user_api="blas"):
        if start is not None:
            place = fit_from(job, polynomial_of(prepared, start), progress, cancel)
        else:
            space = search_space(
                prepared, job.centre, height_window, angle_deg, mirror, landmarks,
                job.coarse_level(),
            )  # fmt: skip
            place = find_place(job, space, expected, correlator, progress, cancel)
        pieces = register_pieces(job, place.fit, locked, field_size, progress, cancel)
        stop_if_cancelled(cancel)
        progress(ProgressEvent("judging the fit", 0.96))
        placed = _result(job, place, pieces, expected, time.perf_counter() - began)
    progress(ProgressEvent("judging the fit", 1.0))
    return placed


def _result(
    job: MapJob,
    place: Place,
    pieces: Pieces | None,
    expected: Expected | None,
    seconds: float,
) -> PlacedMap:
    s, fit = job.settings, place.fit
    cutouts: tuple[Cutout, ...] = ()
    surface = None
    disagreement = None
    cracks: tuple[Slip, ...] = ()
    share = 0.0
    if pieces is not None:
        surface = lattice(job, pieces.registered, pieces.local)
        cutouts, share = _cutouts(job, pieces, surface)
        disagreement = odd_even_disagreement(pieces.registered, job)
        cracks = tuple(slip(job, pieces, c) for c in pieces.cracks)
    log_odds = 0.0 if expected is None else expected.log_odds(fit.surface)
    extent = min(job.extent)
    probability = map_probability(fit.score, place.ratio, share, extent, log_odds)
    reasons = reasons_to_refuse(probability, fit.score, place.ratio, share, extent, s)
    if surface is None:
        reasons = [Reason("nothing", "no cutout holds enough particles inside the CT")]
    if reasons:
        reason = refusal(reasons, exchanged_sizes(job.ct.volume, job.map))
    else:
        reason = warning_for(probability, fit, surface, extent, cutouts, s, cracks)
    return PlacedMap(
        map_name=job.map.name,
        map_shape=job.map.shape,
        pixel_size_um=job.map.pixel_size_um,
        ct_shape=job.ct.volume.shape,
        voxel_size_um=job.ct.volume.voxel_size_um,
        placed=not reasons,
        score=float(fit.score),
        mirrored=fit.surface.mirrored,
        surface=surface,
        cutouts=cutouts,
        reason=reason,
        probability=round(probability, 5),
        fields=() if pieces is None else _fields(pieces.registered),
        details={
            "coarse_level": place.level,
            "ratio_to_second_place": _finite(place.ratio),
            "accepted_share": round(share, 4),
            "angle_deg": round(fit.surface.angle_deg, 3),
            "tilt_deg": round(fit.surface.tilt_deg, 3),
            "coverage": round(fit.coverage, 4),
            "odd_even_voxels": disagreement,
            "cracks": [c.numbers() for c in cracks],
            "refused_because": [{"kind": r.kind, "text": r.text} for r in reasons],
            "seconds": round(seconds, 2),
        },
    )


def _cutouts(
    job: MapJob, pieces: Pieces, surface: PlacementSurface
) -> tuple[tuple[Cutout, ...], float]:
    """Cutouts, and the share of them that agree on a surface.

    Those that lie mostly beyond a crack are not asked, nor is it held against the rest
    that the crack runs through them; and locked ones are accepted by the user, which says
    nothing about the fit.
    """
    s, consensus = job.settings, pieces.registered.consensus
    fits = [*pieces.registered.fits, *pieces.beyond]
    n = len(pieces.registered.fits)
    locked = [*pieces.registered.locked, *[False] * len(pieces.beyond)]
    apart = [f.centre - _expected_centre(pieces, f.window) for f in pieces.beyond]
    residuals = np.array([*consensus.residuals, *map(np.linalg.norm, apart)])
    scores = pieces.registered.scores
    usual = float(np.median(scores[consensus.inliers])) if consensus.inliers.any() else 0.0
    steps = steps_inside(job, pieces.local, [f.window for f in fits])
    slips = slips_near(job, pieces.local, [f.window for f in fits])
    out, agree = [], []
    for k, found in enumerate(fits):
        by_row, by_column = found.surface.steps(*map(np.array, found.surface.centre))
        relative = float(found.score) / max(usual, 1e-6)
        residual = float(residuals[k])
        step = max(float(steps[k]), pieces.crack_step(found.window))
        probability = cutout_probability(
            relative, residual, max(step, float(slips[k])), doubt_inside(surface, found.window)
        )
        alike = relative >= s.accept_relative_correlation and residual <= s.accept_distance_voxels
        good = k < n and alike and step <= s.accept_step_voxels
        agree.append(alike and float(steps[k]) <= s.accept_step_voxels)
        out.append(
            Cutout(
                found.window.row,
                found.window.column,
                found.window.height,
                found.window.width,
                zyx_triple(job.voxels(found.centre)),
                zyx_triple(by_row / job.ct.voxel),
                zyx_triple(by_column / job.ct.voxel),
                float(found.score),
                "locked" if locked[k] else "accepted" if good else "rejected",
                residual,
                round(probability, 4),
                round(step, 3),
            )
        )
    asked = [k for k in range(n) if not locked[k]] or list(range(n))
    share = sum(agree[k] for k in asked) / max(len(asked), 1)
    return tuple(out), share if any(c.accepted for c in out) else 0.0


def _expected_centre(pieces: Pieces, window: Window) -> FloatArray:
    """Where a cutout beyond a crack would lie if the map were whole."""
    return pieces.crack_of(window).surface.at(*map(np.array, window.centre))


def _fields(registered: Registered) -> tuple[FieldShift, ...]:
    shifts = registered.shifts
    return tuple(
        FieldShift(f.row, f.column, f.height, f.width, float(down), float(right))
        for f, (down, right) in zip(shifts.fields, shifts.shifts)
    )


def _finite(ratio: float | None) -> float | None:
    """As JSON has it: no infinity."""
    return round(ratio, 4) if ratio is not None and np.isfinite(ratio) else None


__all__ = ["place_map"]
