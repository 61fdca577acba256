"""Cutouts and their consensus, twice: at level 2, then at level 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    CancelToken,
    Cutout,
    Progress,
    ProgressEvent,
    stop_if_cancelled,
)
from napari_slagseg.registration.agreement import Consensus, find_consensus
from napari_slagseg.registration.job import FINE_POINTS, MapJob
from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.rigid_cutouts import (
    RigidFit,
    Window,
    fields_of,
    local_surface,
    refine,
    usable_windows,
    windows,
)
from napari_slagseg.registration.surface import PolynomialSurface

LEVELS = (2, 1)

BATCH = 64
"""Cutouts between two looks at the cancel token."""

STITCHING_VOXELS = 5.0
"""How far a field may be off before its offset is known."""


@dataclass
class FieldShifts:
    """Offsets of the fields of a stitched map, in map pixels.

    Attributes
    ----------
    fields : list of Window
        Empty where the map counts as one piece.
    shifts : (fields, 2) float64
        Rows and columns, see `napari_slagseg.data.FieldShift`.
    """

    fields: list[Window] = field(default_factory=list)
    shifts: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))

    @classmethod
    def unknown(cls, fields: list[Window]) -> FieldShifts:
        """All zero."""
        return cls(fields, np.zeros((len(fields), 2)))

    def index(self, window: Window) -> int | None:
        """Field that a window's middle lies in."""
        row, column = window.centre
        for i, f in enumerate(self.fields):
            if f.row <= row < f.row + f.height and f.column <= column < f.column + f.width:
                return i
        return None

    def of(self, window: Window) -> FloatArray:
        """Offset of a window's field."""
        i = self.index(window)
        return np.zeros(2) if i is None else self.shifts[i]

    def start(self, surface: PolynomialSurface, window: Window) -> PolynomialSurface:
        """Surface in a window's coordinates, where the window's field really lies on it."""
        down, right = self.of(window)
        middle = (surface.centre[0] - down, surface.centre[1] - right)
        return local_surface(PolynomialSurface(surface.coefficients, middle, surface.half), window)


@dataclass(frozen=True)
class Registered:
    """Cutouts that were registered and what they agree on.

    Attributes
    ----------
    fits : list of RigidFit
    locked : (n,) bool
        Poses that the user holds to be right.
    rows, columns : (n,) float64
        Where the cutouts' middles lie on the surface, in map pixels.
    consensus : Consensus
    shifts : FieldShifts
    """

    fits: list[RigidFit]
    locked: NDArray[np.bool_]
    rows: FloatArray
    columns: FloatArray
    consensus: Consensus
    shifts: FieldShifts

    @property
    def centres(self) -> FloatArray:
        """(n, 3) lengths."""
        return np.array([f.centre for f in self.fits])

    @property
    def scores(self) -> FloatArray:
        """(n,) correlations."""
        return np.array([f.score for f in self.fits])


def locked_fit(job: MapJob, cutout: Cutout) -> RigidFit:
    """A locked cutout as it stands."""
    window = Window(cutout.row, cutout.column, cutout.height, cutout.width)
    half = max(window.height, window.width) / 2
    coefficients = np.zeros((10, 3))
    coefficients[0] = (np.array(cutout.centre_zyx) + 0.5) * job.ct.voxel
    coefficients[1] = np.array(cutout.row_step_zyx) * job.ct.voxel * half
    coefficients[2] = np.array(cutout.column_step_zyx) * job.ct.voxel * half
    surface = PolynomialSurface(coefficients, window.centre, half)
    return RigidFit(window, surface, cutout.score, np.zeros((3, 3)))


def register_cutouts(
    job: MapJob,
    surface: PolynomialSurface,
    locked: Sequence[Cutout],
    field_size: tuple[int, int] | None,
    progress: Progress,
    cancel: CancelToken | None,
) -> Registered | None:
    """Register all cutouts, put outliers back, twice; coarse to fine.

    Returns
    -------
    Registered or None
        None where no cutout holds enough of the sample.
    """
    held = [locked_fit(job, c) for c in locked]
    taken = {f.window for f in held}
    chosen = [
        w for w in windows(job.map.shape, job.pixel, job.settings, field_size) if w not in taken
    ]
    fields = [] if field_size is None else fields_of(job.map.shape, field_size)
    shifts = FieldShifts.unknown(fields)
    found: Registered | None = None
    for turn, level in enumerate(LEVELS):
        points = job.points(level, FINE_POINTS)
        usable = usable_windows(job.ct, points, surface, chosen)
        fits = _refine(job, level, surface, shifts, usable, turn, progress, cancel)
        if not fits and not held:
            return found
        found = agree(job, surface, [*held, *fits], len(held), shifts)
        surface, shifts = found.consensus.surface, found.shifts
        off = [f.window for f, good in zip(found.fits, found.consensus.inliers) if not good]
        if off:  # put back on the surface and tried again from there
            again = {
                f.window: f
                for f in _refine(job, level, surface, shifts, off, turn, progress, cancel)
            }
            fits = [again.get(f.window, f) for f in fits]
            found = agree(job, surface, [*held, *fits], len(held), shifts)
            surface, shifts = found.consensus.surface, found.shifts
    return found


def _refine(
    job: MapJob,
    level: int,
    surface: PolynomialSurface,
    shifts: FieldShifts,
    chosen: Sequence[Window],
    turn: int,
    progress: Progress,
    cancel: CancelToken | None,
) -> list[RigidFit]:
    points, block = job.points(level, FINE_POINTS), job.block(level, surface)
    found: list[RigidFit] = []
    for first in range(0, len(chosen), BATCH):
        stop_if_cancelled(cancel)
        done = (turn + first / len(chosen)) / len(LEVELS)
        progress(ProgressEvent("registering cutouts", 0.6 + 0.25 * done))
        pieces = [(w, shifts.start(surface, w)) for w in chosen[first : first + BATCH]]
        found += refine(job.ct, block, points, pieces)
    return found


def agree(
    job: MapJob,
    surface: PolynomialSurface,
    fits: list[RigidFit],
    n_locked: int,
    shifts: FieldShifts,
) -> Registered:
    """Consensus of cutouts, of which the first `n_locked` are held by the user."""
    s = job.settings
    locked = np.arange(len(fits)) < n_locked
    at = np.array([f.window.centre for f in fits])
    centres = np.array([f.centre for f in fits])
    scores = np.array([f.score for f in fits])
    for outlier in (STITCHING_VOXELS, s.outlier_voxels, s.outlier_voxels) if shifts.fields else ():
        moved = at + np.array([shifts.of(f.window) for f in fits])
        seen = find_consensus(
            surface, moved[:, 0], moved[:, 1], centres, scores, outlier, job.seed, locked
        )
        shifts = _updated(shifts, seen, fits, moved, centres, scores)
    moved = at + np.array([shifts.of(f.window) for f in fits])
    consensus = find_consensus(
        surface, moved[:, 0], moved[:, 1], centres, scores, s.outlier_voxels, job.seed, locked
    )
    return Registered(fits, locked, moved[:, 0], moved[:, 1], consensus, shifts)


def _updated(
    shifts: FieldShifts,
    seen: Consensus,
    fits: list[RigidFit],
    moved: FloatArray,
    centres: FloatArray,
    scores: FloatArray,
) -> FieldShifts:
    """Offsets with what the cutouts of each field are still off in the plane."""
    off = centres - seen.surface.at(moved[:, 0], moved[:, 1])
    by_row, by_column = seen.surface.steps(moved[:, 0], moved[:, 1])
    new = shifts.shifts.copy()
    field_of = [shifts.index(f.window) for f in fits]
    for i in range(len(shifts.fields)):
        members = [k for k, f in enumerate(field_of) if f == i and seen.inliers[k]]
        if not members:
            continue
        pixels = [
            np.linalg.lstsq(np.stack([by_row[k], by_column[k]], axis=1), off[k], rcond=None)[0]
            for k in members
        ]
        new[i] += np.average(pixels, axis=0, weights=np.clip(scores[members], 0.05, 1) ** 2)
    new -= new.mean(axis=0)  # what all have in common is the surface's
    return FieldShifts(shifts.fields, new)


__all__ = ["FieldShifts", "Registered", "agree", "locked_fit", "register_cutouts"]
