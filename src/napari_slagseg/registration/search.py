"""From nothing known to the map's surface: coarse search, then fits, coarse to fine."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate, product

import numba
import numpy as np

from napari_slagseg.data import (
    CancelToken,
    Progress,
    ProgressEvent,
    stop_if_cancelled,
)
from napari_slagseg.registration.coarse import SearchSpace, coarse_search
from napari_slagseg.registration.expected import Expected
from napari_slagseg.registration.job import SHARED_LEVEL, MapJob
from napari_slagseg.registration.slice_correlator import CorrelatorFactory
from napari_slagseg.registration.surface import PolynomialSurface, SurfaceFit
from napari_slagseg.registration.verdict import distinct_places, ratio_to_second, standing

SURE_OF_TILT = 0.65
"""Correlation of the best place at the coarse level below which other tilts are tried."""

TILTS = (-24.0, -12.0, 0.0, 12.0, 24.0)
"""Heights gained from a map's middle to its edge, along rows and along columns, as lengths
for a search at level 8."""

MOST_TILTS = 3
"""Other tilts of a place that go on to the next finer level."""


@dataclass(frozen=True)
class Place:
    """Where a map fits best.

    Attributes
    ----------
    fit : SurfaceFit
    ratio : float or None
        Its standing over that of the second distinct place; infinite where there was
        none, None where no others were looked for.
    level : int
        Of the coarse search.
    """

    fit: SurfaceFit
    ratio: float | None
    level: int


def find_place(
    job: MapJob,
    space: SearchSpace,
    expected: Expected | None,
    correlator: CorrelatorFactory | None,
    progress: Progress,
    cancel: CancelToken | None,
) -> Place:
    """Search all that `space` allows, and fit the best place's surface down to level 2.

    Parameters
    ----------
    expected : Expected or None
        What other maps of the sample make likely: places that agree with it are tried
        first, and more places are tried.
    correlator : CorrelatorFactory or None
        None takes the CPU.
    """
    level = job.coarse_level()
    s = job.settings
    images = job.images(level)
    middle = tuple((c + 0.5) / images.block - 0.5 for c in job.centre)

    def tell(event: ProgressEvent) -> None:
        done = None if event.fraction is None else 0.5 * event.fraction
        progress(ProgressEvent(event.stage, done, event.values))

    candidates = coarse_search(
        job.ct.whole(level),
        images,
        images.grey(job.fractions.prior),
        (middle[0], middle[1]),
        space,
        s,
        workers=numba.get_num_threads(),
        correlator=correlator,
        number=s.candidates if expected is None else 3 * s.candidates,
        progress=tell,
        cancel=cancel,
    )
    progress(ProgressEvent("fitting the surface", 0.5))
    fits = _side_by_side(
        lambda start: job.fit(level, start, 1),
        [job.start(c) for c in candidates],
        job,
        level,
        cancel,
    )
    finalists = distinct_places(fits, level)
    if expected is not None:
        finalists = expected.sorted(finalists)
    # a place that is right gains on the others with every finer level: the ratio is
    # taken where several places are last compared
    step = _levels_below(level)[0]
    finalists = finalists[: s.finalists if expected is None else 3 * s.finalists]
    # all of them or none: what one place is given makes it stand higher beside the others
    poor = bool(finalists) and finalists[0].score < SURE_OF_TILT
    starts = [_tilted(job, level, f, cancel) if poor else [f.surface] for f in finalists]
    tried = _side_by_side(
        lambda start: job.fit(step, job.fit(step, start, 1).surface, 2),
        [surface for group in starts for surface in group],
        job,
        step,
        cancel,
    )
    ends = accumulate(len(group) for group in starts)
    finer = [max(tried[end - len(group) : end], key=standing) for group, end in zip(starts, ends)]
    ratio = ratio_to_second(finer, level)
    best = distinct_places(finer, level)[0]
    for step in _levels_below(level)[1:]:
        stop_if_cancelled(cancel)
        best = job.fit(step, best.surface, 2)
    return Place(best, ratio, level)


def _tilted(
    job: MapJob, level: int, fit: SurfaceFit, cancel: CancelToken | None
) -> list[PolynomialSurface]:
    """Where to go on from: a poor fit, and the best fits from other tilts.

    In much noise the patches vote for a wrong tilt, and a fit does not find its way back
    from where half of the map is off by more than a coarse pixel or two.
    """
    planes = []
    for by_row, by_column in product(TILTS, TILTS):
        coefficients = fit.surface.coefficients.copy()
        coefficients[1, 0] += by_row * level / 8
        coefficients[2, 0] += by_column * level / 8
        planes.append(replace(fit.surface, coefficients=coefficients))
    fits = _side_by_side(lambda start: job.fit(level, start, 1), planes, job, level, cancel)
    kept: list[SurfaceFit] = [fit]
    for other in sorted(fits, key=lambda f: -f.score):
        if all(_apart(job, other, k) > level / 2 for k in kept):
            kept.append(other)
    return [k.surface for k in kept[: 1 + MOST_TILTS]]


def _apart(job: MapJob, one: SurfaceFit, other: SurfaceFit) -> float:
    """Largest difference in height at the corners of the map, as a length."""
    rows, columns = (np.array([0.0, n - 1.0]) for n in job.map.shape)
    at = np.meshgrid(rows, columns)
    return float(np.abs(one.surface.at(*at) - other.surface.at(*at))[..., 0].max())


def _side_by_side(
    fit: Callable[[PolynomialSurface], SurfaceFit],
    starts: list[PolynomialSurface],
    job: MapJob,
    level: int,
    cancel: CancelToken | None,
) -> list[SurfaceFit]:
    """Fits from several starts at one level; on all threads where they share a block."""

    def one(start: PolynomialSurface) -> SurfaceFit:
        stop_if_cancelled(cancel)
        return fit(start)

    if level < SHARED_LEVEL or len(starts) < 2:
        return [one(start) for start in starts]
    job.block(level, starts[0])  # made once, not by all of them
    job.points(level)
    workers = min(numba.get_num_threads(), len(starts))
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, starts))


def fit_from(
    job: MapJob, start: PolynomialSurface, progress: Progress, cancel: CancelToken | None
) -> Place:
    """Fit the surface from where it lies, without a search."""
    progress(ProgressEvent("fitting the surface", 0.5))
    level = job.coarse_level()
    best: SurfaceFit | None = None
    for step in _levels_below(level):
        stop_if_cancelled(cancel)
        best = job.fit(step, start if best is None else best.surface, 2)
    assert best is not None
    return Place(best, None, level)


def _levels_below(level: int) -> list[int]:
    """Finer levels down to 2 (1 for a search at 2)."""
    levels = []
    while level > 2:
        level //= 2
        levels.append(level)
    return levels or [1]


__all__ = ["Place", "find_place", "fit_from"]
