"""Where exactly a crack runs, and whether there is one: every pixel of the map is asked.

The windows say roughly where a map jumps and how far. Each pixel then fits better on one
of the two surfaces, that of the near side or the same one moved by the step; the line
that divides these pixels best is the crack. Where there is none, the pixels beyond the
line fit the moved surface no better, and the crack is dropped.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_slagseg.registration.crack import Crack, part_of
from napari_slagseg.registration.job import FINE_POINTS, MapJob
from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.rigid_cutouts import (
    Window,
    local_surface,
    refine,
    usable_windows,
    windows,
)
from napari_slagseg.registration.sampling import sample_block
from napari_slagseg.registration.translation_search import search_shifts

LEVEL = 2

_GRAIN = 12.0
"""Length over which pixels say the same: the size of a particle."""

_TURNS_DEG = np.arange(-20.0, 20.1, 2.0)
_REACH = 60.0
"""How far the line may move, as a length."""

_WHOLE = 0.8
"""Share of a window beyond the line from which on it tells of that side."""

_BETTER = 0.01
_MOST_POINTS = 4_000

_OUTLIER = 3.0
"""Standard deviations at which the residuals of pixels are cut off (wrong labels)."""


def sharpened(job: MapJob, crack: Crack, least_sigmas: float) -> Crack | None:
    """The same crack with its line where the pixels have it.

    Parameters
    ----------
    job : MapJob
    crack : Crack
    least_sigmas : float
        By how many standard errors the pixels of each side must prefer their own surface.

    Returns
    -------
    Crack or None
        None where the pixels know of no crack.
    """
    gain = _preference(job, crack)
    if gain is None:
        return None
    rows, columns, better = gain
    middle = np.array([rows.mean(), columns.mean()])
    best, found = -np.inf, crack
    reach = _REACH / job.pixel
    turn = np.arctan2(crack.normal[1], crack.normal[0])
    here = crack.offset - crack.normal @ middle
    for angle in turn + np.radians(_TURNS_DEG):
        normal = np.array([np.cos(angle), np.sin(angle)])
        along = (rows - middle[0]) * normal[0] + (columns - middle[1]) * normal[1]
        order = np.argsort(-along)
        total = np.cumsum(better[order])
        allowed = np.abs(along[order] - here) <= reach
        if not allowed.any():
            continue
        k = int(np.argmax(np.where(allowed, total, -np.inf)))
        if total[k] > best:
            best = float(total[k])
            found = replace(crack, normal=normal, offset=float(along[order[k]] + normal @ middle))
    beyond = found.beyond(rows, columns)
    area = job.points(LEVEL, FINE_POINTS).area * job.pixel**2
    sure = [_sigmas(sign * better[part], area) for sign, part in ((1, beyond), (-1, ~beyond))]
    return found if min(sure) >= least_sigmas else None


def _preference(job: MapJob, crack: Crack) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Map positions, and by how much each fits the moved surface better."""
    points = job.points(LEVEL, FINE_POINTS)
    q = crack.surface.at(points.rows, points.columns)
    heights = np.concatenate([q[:, 0], q[:, 0] + crack.step[0]])
    block = job.ct.slab(LEVEL, heights.min(), heights.max(), job.settings.smoothing_pixels)
    here, inside = sample_block(job.ct, block, q)
    there, also = sample_block(job.ct, block, q + crack.step)
    seen = inside & also & (points.known > 0.5)
    if not seen.any():
        return None
    rows, columns = points.rows[seen], points.columns[seen]
    near = here[seen, 0].astype(np.float64)
    far = there[seen, 0].astype(np.float64)
    grey = np.where(crack.beyond(rows, columns), far, near)
    model = np.column_stack([points.fractions[seen], np.ones(len(rows))])
    ridge = 1e-6 * len(rows) * np.eye(model.shape[1])
    expected = model @ np.linalg.solve(model.T @ model + ridge, model.T @ grey)
    most = _OUTLIER * 1.4826 * float(np.median(np.abs(grey - expected))) + 1e-9
    losses = [np.minimum(np.abs(g - expected) / most, 1.0) ** 2 for g in (near, far)]
    return rows, columns, losses[0] - losses[1]


def _sigmas(better: FloatArray, area: float) -> float:
    """Mean over its standard error, if so many pixels as fill a grain count as one."""
    if len(better) < 2:
        return 0.0
    independent = len(better) * area / _GRAIN**2
    return float(better.mean() / max(float(better.std()), 1e-9) * np.sqrt(independent))


def measured(job: MapJob, crack: Crack, greys: FloatArray, edge: float) -> Crack:
    """The same crack with the step that its far side really made.

    The far side is looked for as a whole, then its windows are fitted and the median of
    their offsets is taken.

    Parameters
    ----------
    job : MapJob
    crack : Crack
    greys : (phases,) float64
        As `surface.SurfaceFit.greys`.
    edge : float
        Of the windows, as a length.
    """
    crack = _found_as_a_whole(job, crack, greys)
    sized = replace(
        job.settings,
        cutout_voxels=round(edge),
        stride_voxels=round(edge / 2),
        minimum_cutout_voxels=round(edge),
    )
    points = job.points(LEVEL, FINE_POINTS)
    moved = crack.surface.plus(crack.step[None, :])
    chosen = [w for w in windows(job.map.shape, job.pixel, sized) if crack.share_beyond(w) > _WHOLE]
    chosen = usable_windows(job.ct, points, moved, chosen)
    if not chosen:
        return crack
    starts = [(w, local_surface(moved, w)) for w in chosen]
    fits = refine(job.ct, job.block(LEVEL, moved), points, starts)
    at = np.array([w.centre for w in chosen])
    off = np.array([f.centre for f in fits]) - crack.surface.at(at[:, 0], at[:, 1])
    scores = np.array([f.score for f in fits])
    good = scores >= 0.75 * np.median(scores)
    return replace(crack, step=np.median(off[good], axis=0))


def _found_as_a_whole(job: MapJob, crack: Crack, greys: FloatArray) -> Crack:
    points = job.points(4)
    far = part_of(points, crack.beyond(points.rows, points.columns))
    everything = Window(0, 0, *job.map.shape)
    start = local_surface(crack.surface.plus(crack.step[None, :]), everything)
    seen = search_shifts(
        job.ct, job.block(4, start), far, [(everything, start)], greys, most_points=_MOST_POINTS
    )
    if seen.best[0] < seen.begun[0] + _BETTER:
        return crack
    return replace(crack, step=crack.step + seen.off[0])


__all__ = ["measured", "sharpened"]
