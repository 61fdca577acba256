"""Small windows that fit better elsewhere, as beyond a crack."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.registration.cutout_rounds import Registered
from napari_slagseg.registration.job import FINE_POINTS, MapJob
from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.rigid_cutouts import RigidFit, Window, refine
from napari_slagseg.registration.translation_search import Shifts, search_shifts

LEAST_SEARCHED = 40.0
"""Edge as a length from which on windows are looked for elsewhere: of smaller ones too
little is left at level 4."""

BETTER, BETTER_FITTED = 0.05, 0.03
"""By how much the correlation elsewhere must be higher, in the search and fitted."""

LEAST_SLIP = 2.0
ALIKE = 4.0
"""Lengths: smaller shifts the fit finds by itself; neighbours that slipped agree to this."""


def slipped_windows(
    job: MapJob,
    registered: Registered,
    chosen: list[Window],
    greys: FloatArray,
    edge: float,
) -> dict[int, RigidFit]:
    """Windows that fit clearly better elsewhere, and whose neighbours do so, too.

    Parameters
    ----------
    job : MapJob
    registered : Registered
    chosen : list of Window
    greys : (phases,) float64
        As `surface.SurfaceFit.greys`.
    edge : float
        Of the windows, as a length.

    Returns
    -------
    dict
        Pose by index into `chosen`.
    """
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
        better = seen.within & (seen.best > seen.begun + BETTER)
        return seen, np.flatnonzero(better & (away > LEAST_SLIP))

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


__all__ = ["LEAST_SEARCHED", "slipped_windows"]
