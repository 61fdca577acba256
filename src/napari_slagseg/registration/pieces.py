"""Registering a map that may be cracked: its larger piece, and where the rest lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_slagseg.data import CancelToken, Cutout, Progress, ProgressEvent
from napari_slagseg.registration.crack import LEAST_STEP, MOST_CRACKS, Crack, PieceJob, find_crack
from napari_slagseg.registration.crack_line import measured, sharpened
from napari_slagseg.registration.cutout_rounds import Registered, register_cutouts
from napari_slagseg.registration.job import FINE_POINTS, MapJob
from napari_slagseg.registration.local_windows import LocalFit, fit_windows
from napari_slagseg.registration.rigid_cutouts import (
    RigidFit,
    Window,
    refine,
    usable_windows,
    windows,
)
from napari_slagseg.registration.surface import SurfaceFit

MARGIN = 8.0
"""How exactly the line of a crack is known, as a length: cutouts that come nearer to it
may hold some of the other side."""

FIRST_SIGMAS, LEAST_SIGMAS = 1.0, 3.0
"""By how many standard errors the pixels on both sides must prefer their own surface: as
the windows have the crack, and when its line and step are known."""

_MOSTLY = 0.4
"""Share of a cutout beyond a crack from which on it is looked for there: with fewer of
its pixels on the near side it does not count there (`minimum_valid`)."""

_SECOND_ROUND = 0.95
"""Progress at which the cutouts of a cracked map are registered again."""

_LEAST_KEPT = 4
"""Cutouts that must remain on the side of a crack that is kept."""


@dataclass(frozen=True)
class Pieces:
    """What was registered of a map.

    Attributes
    ----------
    job : MapJob
        The map as far as it takes part: without what lies beyond the cracks.
    registered : Registered
        Its cutouts.
    local : LocalFit
        Its small windows.
    cracks : tuple of Crack
    beyond : tuple of RigidFit
        Cutouts that lie mostly beyond a crack, each where it fits best.
    """

    job: MapJob
    registered: Registered
    local: LocalFit
    cracks: tuple[Crack, ...] = ()
    beyond: tuple[RigidFit, ...] = ()

    def crack_step(self, window: Window) -> float:
        """Length of the largest step by a crack that touches a window; 0 without one."""
        margin = MARGIN / self.job.pixel
        steps = [float(np.linalg.norm(c.step)) for c in self.cracks if c.reaches(window, margin)]
        return max(steps, default=0.0)

    def crack_of(self, window: Window) -> Crack:
        """The crack that most of a window lies beyond."""
        return max(self.cracks, key=lambda c: c.share_beyond(window))


def register_pieces(
    job: MapJob,
    fit: SurfaceFit,
    locked: Sequence[Cutout],
    field_size: tuple[int, int] | None,
    progress: Progress,
    cancel: CancelToken | None,
) -> Pieces | None:
    """Register cutouts and small windows; where these show a crack, again on one side of it.

    One smooth surface through both sides of a crack is right on neither, so the cutouts
    are registered anew with the pixels of the larger side.

    Returns
    -------
    Pieces or None
        None where no cutout holds enough of the sample.
    """
    registered = register_cutouts(job, fit.surface, locked, field_size, progress, cancel)
    if registered is None:
        return None
    pieces = Pieces(job, registered, fit_windows(job, registered, fit.greys, progress, cancel))
    steady = _not_falling(progress)
    for _ in range(MOST_CRACKS):
        crack = _sure_crack(pieces, fit)
        if crack is None:
            break
        cracks = (*pieces.cracks, crack)
        piece = PieceJob(job, cracks)
        again = register_cutouts(piece, crack.surface, locked, field_size, steady, cancel)
        if again is None or len(again.fits) < _LEAST_KEPT:
            break
        local = fit_windows(piece, again, fit.greys, steady, cancel)
        pieces = Pieces(piece, again, local, cracks)
    if not pieces.cracks:
        return pieces
    return replace(pieces, beyond=_beyond(job, pieces, field_size))


def _sure_crack(pieces: Pieces, fit: SurfaceFit) -> Crack | None:
    """A crack that small windows hint at and the pixels confirm; the larger side is kept."""
    registered, job, edge = pieces.registered, pieces.job, pieces.local.edge
    hints = pieces.local.far or pieces.local
    crack = find_crack(job, registered.consensus.surface, hints)
    # line and step make each other more exact
    for least in (FIRST_SIGMAS, LEAST_SIGMAS, LEAST_SIGMAS):
        crack = None if crack is None else sharpened(job, crack, least)
        crack = None if crack is None else measured(job, crack, fit.greys, edge)
    if crack is None or np.linalg.norm(crack.step) < LEAST_STEP:
        return None
    points = job.points(4)
    larger = crack.beyond(points.rows, points.columns).mean() > 0.5
    return crack.turned() if larger and not registered.locked.any() else crack


def _not_falling(progress: Progress) -> Progress:
    """A second round starts where the first one ended."""

    def listen(event: ProgressEvent) -> None:
        progress(replace(event, fraction=max(event.fraction or 0.0, _SECOND_ROUND)))

    return listen


def _beyond(
    job: MapJob, pieces: Pieces, field_size: tuple[int, int] | None
) -> tuple[RigidFit, ...]:
    """Poses of the cutouts that the piece does not hold, with all their pixels."""
    kept = {f.window for f in pieces.registered.fits}
    size = pieces.job.settings
    points, surface = job.points(2, FINE_POINTS), pieces.cracks[0].surface
    chosen = [
        w
        for w in windows(job.map.shape, job.pixel, size, field_size)
        if w not in kept and pieces.crack_of(w).share_beyond(w) > _MOSTLY
    ]
    starts = []
    for window in usable_windows(job.ct, points, surface, chosen):
        crack = pieces.crack_of(window)
        start = pieces.registered.shifts.start(crack.surface, window)
        starts.append((window, start.plus(crack.step[None, :])))
    # one level up, where the box around the surface has room for the step
    return tuple(refine(job.ct, job.block(2, surface), points, starts))


__all__ = ["Pieces", "register_pieces"]
