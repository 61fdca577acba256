"""Placing a mineral map in the CT, from nothing known to a smooth surface."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_slagseg.data import (
    CancelToken,
    Cutout,
    Landmarks,
    MineralMap,
    PlacedMap,
    PlacementSurface,
    Progress,
    ProgressEvent,
    Volume,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.registration.agreement import Consensus, find_consensus
from napari_slagseg.registration.coarse import Candidate, coarse_search
from napari_slagseg.registration.fractions import PhaseSlots, fraction_images, phase_slots
from napari_slagseg.registration.hints import check_map, search_space
from napari_slagseg.registration.pyramid import Block, FloatArray, PreparedCT, prepare_ct
from napari_slagseg.registration.rigid_cutouts import (
    Window,
    local_surface,
    points_within,
    refine,
    usable,
    windows,
)
from napari_slagseg.registration.sampling import sample_block
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.surface import (
    MapPoints,
    PolynomialSurface,
    SurfaceFit,
    fit_surface,
    flat_surface,
    map_points,
)
from napari_slagseg.registration.verdict import (
    distinct_places,
    ratio_to_second,
    reasons_to_refuse,
    refusal,
    warning_for,
)


@dataclass
class _Found:
    """A cutout while it is worked on."""

    window: Window
    points: MapPoints
    fit: SurfaceFit


class _Placing:
    """One map on its way into the CT."""

    def __init__(self, prepared: PreparedCT, mineral_map: MineralMap, seed: int) -> None:
        self.ct, self.map, self.seed = prepared, mineral_map, seed
        self.settings = prepared.settings
        self.pixel = mineral_map.pixel_size_um / prepared.unit_um
        self.slots: PhaseSlots = phase_slots(mineral_map, self.settings.maximum_phases)
        self._points: dict[float, MapPoints] = {}
        rows, columns = mineral_map.shape
        self.centre = ((rows - 1) / 2, (columns - 1) / 2)
        self.extent = (rows * self.pixel, columns * self.pixel)

    def points(self, level: int) -> MapPoints:
        """Map pixels at about the pitch of a level, softened like the CT there."""
        if level not in self._points:
            s = self.settings
            smoothing = s.smoothing_pixels * level if level <= 2 else 0.0
            blur = float(np.hypot(s.ct_blur_voxels, smoothing))
            images = fraction_images(self.map, self.slots, self.ct.unit_um, level, blur)
            self._points[level] = map_points(images, seed=self.seed)
        return self._points[level]

    def block(self, level: int, surface: PolynomialSurface) -> Block:
        """Part of a level around a surface."""
        if level >= 4:
            return self.ct.whole(level)
        rows = np.linspace(0, self.map.shape[0] - 1, 9)
        columns = np.linspace(0, self.map.shape[1] - 1, 9)
        z = surface.at(*np.meshgrid(rows, columns, indexing="ij"))[..., 0]
        room = 6.0 * level
        return self.ct.slab(
            level, float(z.min()) - room, float(z.max()) + room, self.settings.smoothing_pixels
        )

    def coarse_level(self) -> int:
        """Coarsest level at which the map's shorter side keeps enough pixels."""
        level = self.settings.coarsest_level
        while level > 1 and min(self.extent) / level < self.settings.minimum_coarse_extent:
            level //= 2
        return level

    def start(self, candidate: Candidate) -> PolynomialSurface:
        return flat_surface(
            self.map.shape,
            self.pixel,
            candidate.centre,
            candidate.angle_deg,
            candidate.mirrored,
            candidate.slopes,
        )

    def fit(self, level: int, start: PolynomialSurface, order: int) -> SurfaceFit:
        return fit_surface(
            self.ct, self.block(level, start), self.points(level), start, self.pixel, order=order
        )

    # -- cutouts -----------------------------------------------------------

    def cutouts(
        self,
        surface: PolynomialSurface,
        progress: Progress,
        cancel: CancelToken | None,
    ) -> tuple[list[_Found], Consensus | None]:
        """Register all cutouts, put outliers back, twice; coarse to fine."""
        s = self.settings
        chosen = windows(self.map.shape, self.pixel, s)
        kept: list[_Found] = []
        agreed: Consensus | None = None
        levels = (2, 1)
        for turn, level in enumerate(levels):
            block, points = self.block(level, surface), self.points(level)
            per_pixel = (level / self.pixel) ** 2
            found = []
            for i, window in enumerate(chosen):
                stop_if_cancelled(cancel)
                if i % 8 == 0:
                    done = (turn + i / len(chosen)) / len(levels)
                    progress(ProgressEvent("registering cutouts", 0.6 + 0.35 * done))
                own = points_within(points, window)
                local = local_surface(surface, window)
                _, inside = sample_block(self.ct, block, local.at(own.rows, own.columns))
                area = window.height * window.width / per_pixel
                if not usable(own, inside, area, s):
                    continue
                found.append(_Found(window, own, refine(self.ct, block, own, local)))
            if not found:
                return kept, agreed
            agreed = self._agree(surface, found)
            for k, off in enumerate(~agreed.inliers):
                if off:  # put back on the surface and tried again from there
                    local = local_surface(agreed.surface, found[k].window)
                    again = refine(self.ct, block, found[k].points, local)
                    found[k] = _Found(found[k].window, found[k].points, again)
            agreed = self._agree(surface, found)
            surface, kept = agreed.surface, found
        return kept, agreed

    def _agree(self, surface: PolynomialSurface, found: list[_Found]) -> Consensus:
        rows = np.array([f.window.centre[0] for f in found])
        columns = np.array([f.window.centre[1] for f in found])
        centres = np.array([f.fit.surface.coefficients[0] for f in found])
        scores = np.array([f.fit.score for f in found])
        return find_consensus(
            surface, rows, columns, centres, scores, self.settings.outlier_voxels, self.seed
        )

    # -- results -----------------------------------------------------------

    def lattice(self, agreed: Consensus, found: list[_Found]) -> PlacementSurface:
        """The surface as CT coordinates on a lattice of map pixels."""
        step = self.settings.lattice_voxels / self.pixel
        axes = [
            np.linspace(0, n - 1, max(4, int(np.ceil((n - 1) / step)) + 1)) for n in self.map.shape
        ]
        rows, columns = np.meshgrid(*axes, indexing="ij")
        lengths = agreed.surface.at(rows, columns)
        spline = agreed.spline(
            np.array([f.window.centre[0] for f in found]),
            np.array([f.window.centre[1] for f in found]),
            np.array([f.fit.surface.coefficients[0] for f in found]),
        )
        if spline is not None:
            # beyond the cutouts' centres a spline runs away: hold it at their rim
            low = np.min([f.window.centre for f in found], axis=0)
            high = np.max([f.window.centre for f in found], axis=0)
            u, v = agreed.surface.normalised(
                np.clip(rows, low[0], high[0]), np.clip(columns, low[1], high[1])
            )
            more = spline(np.stack([u.ravel(), v.ravel()], axis=1))
            lengths = lengths + more.reshape(lengths.shape)
        return PlacementSurface(axes[0], axes[1], lengths / self.ct.voxel - 0.5)

    def cutout(self, found: _Found, agreed: Consensus, k: int, median: float) -> Cutout:
        s, surface = self.settings, found.fit.surface
        by_row, by_column = surface.steps(*map(np.array, surface.centre))
        good = (
            found.fit.score >= s.accept_relative_correlation * median
            and agreed.residuals[k] <= s.accept_distance_voxels
        )
        centre = surface.coefficients[0] / self.ct.voxel - 0.5
        return Cutout(
            found.window.row,
            found.window.column,
            found.window.height,
            found.window.width,
            _triple(centre),
            _triple(by_row / self.ct.voxel),
            _triple(by_column / self.ct.voxel),
            float(found.fit.score),
            "accepted" if good else "rejected",
            float(agreed.residuals[k]),
        )


def _triple(values: FloatArray) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))


def place_map(
    ct: Volume | PreparedCT,
    mineral_map: MineralMap,
    *,
    settings: RegistrationSettings | None = None,
    height_window: tuple[float, float] | None = None,
    angle_deg: float | None = None,
    mirror: Literal["auto", "yes", "no"] = "auto",
    landmarks: Landmarks | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> PlacedMap:
    """Find where a mineral map lies in the CT.

    Patches of the map vote for a pose among all heights, angles and mirror
    states; the best poses are fitted as surfaces with free grey values, coarse to
    fine; overlapping cutouts are registered rigidly from there, and their
    consensus is the surface. Nothing is binarised. The same seed gives the same
    result.

    Parameters
    ----------
    ct : Volume or PreparedCT
        `prepare_ct` once for several maps.
    mineral_map : MineralMap
    settings : RegistrationSettings, optional
        Taken from `ct` where it is prepared.
    height_window : (low, high), optional
        CT slices between which the map's centre lies.
    angle_deg : float, optional
        Direction of the map's columns in the CT's plane, from x towards y.
    mirror : {"auto", "yes", "no"}
    landmarks : Landmarks, optional
        Three or more pairs; they narrow the search.
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
        If the map is larger than the CT or has one phase, or a hint is no use.
    """
    began = time.perf_counter()
    prepared = ct if isinstance(ct, PreparedCT) else prepare_ct(ct, settings, progress, cancel)
    volume, s = prepared.volume, prepared.settings
    check_map(volume.shape, volume.voxel_size_um, mineral_map, s.size_tolerance)
    job = _Placing(prepared, mineral_map, seed)
    level = job.coarse_level()
    space = search_space(prepared, job.centre, height_window, angle_deg, mirror, landmarks, level)
    images = fraction_images(mineral_map, job.slots, prepared.unit_um, level, s.ct_blur_voxels)
    middle = tuple((c + 0.5) / images.block - 0.5 for c in job.centre)

    def search_progress(event: ProgressEvent) -> None:
        done = None if event.fraction is None else 0.5 * event.fraction
        progress(ProgressEvent(event.stage, done, event.values))

    candidates = coarse_search(
        prepared.whole(level),
        images,
        images.grey(job.slots.prior),
        (middle[0], middle[1]),
        space,
        s,
        workers=os.cpu_count() or 1,
        progress=search_progress,
        cancel=cancel,
    )
    progress(ProgressEvent("fitting the surface", 0.5))
    fits = []
    for candidate in candidates:
        stop_if_cancelled(cancel)
        fits.append(job.fit(level, job.start(candidate), 1))
    # a place that is right gains on the others with every finer level: the ratio is
    # taken where several places are last compared
    finer = []
    for fit in distinct_places(fits, level)[: s.finalists]:
        stop_if_cancelled(cancel)
        step = _levels_below(level)[0]
        finer.append(job.fit(step, job.fit(step, fit.surface, 1).surface, 2))
    ratio = ratio_to_second(finer, level)
    best = distinct_places(finer, level)[0]
    for step in _levels_below(level)[1:]:
        stop_if_cancelled(cancel)
        best = job.fit(step, best.surface, 2)
    found, agreed = job.cutouts(best.surface, progress, cancel)
    return _result(job, best, found, agreed, ratio, level, time.perf_counter() - began)


def _levels_below(level: int) -> list[int]:
    """Finer levels down to 2 (1 for a search at 2)."""
    levels = []
    while level > 2:
        level //= 2
        levels.append(level)
    return levels or [1]


def _result(
    job: _Placing,
    best: SurfaceFit,
    found: list[_Found],
    agreed: Consensus | None,
    ratio: float,
    level: int,
    seconds: float,
) -> PlacedMap:
    s = job.settings
    cutouts: tuple[Cutout, ...] = ()
    surface = None
    if agreed is not None and found:
        inlier_scores = [f.fit.score for f, good in zip(found, agreed.inliers) if good]
        median = float(np.median(inlier_scores)) if inlier_scores else 0.0
        cutouts = tuple(job.cutout(f, agreed, k, median) for k, f in enumerate(found))
        surface = job.lattice(agreed, found)
    accepted = sum(c.accepted for c in cutouts) / max(len(cutouts), 1)
    reasons = reasons_to_refuse(best.score, ratio, accepted, min(job.extent), s)
    placed = not reasons and surface is not None
    reason = warning_for(best.score, min(job.extent), s) if placed else refusal(reasons)
    return PlacedMap(
        map_name=job.map.name,
        map_shape=job.map.shape,
        pixel_size_um=job.map.pixel_size_um,
        ct_shape=job.ct.volume.shape,
        voxel_size_um=job.ct.volume.voxel_size_um,
        placed=placed,
        score=float(best.score),
        mirrored=best.surface.mirrored,
        surface=surface,
        cutouts=cutouts,
        reason=reason,
        details={
            "coarse_level": level,
            "ratio_to_second_place": _finite(ratio),
            "accepted_share": round(accepted, 4),
            "angle_deg": round(best.surface.angle_deg, 3),
            "tilt_deg": round(best.surface.tilt_deg, 3),
            "coverage": round(best.coverage, 4),
            "seconds": round(seconds, 2),
        },
    )


def _finite(ratio: float) -> float | None:
    """As JSON has it: no infinity."""
    return round(ratio, 4) if np.isfinite(ratio) else None


__all__ = ["place_map"]
