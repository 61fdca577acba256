"""Grow a particle in the grey values of the CT from a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import edt
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Box, SlagsegError, Triple
from napari_slagseg.data.box_around import box_around
from napari_slagseg.data.cores import cores
from napari_slagseg.segmentation.edits.edited import (
    Edited,
    Point,
    check_box,
    check_new_labels,
    voxel,
)
from napari_slagseg.segmentation.edits.phased import check_added_phase, phases_after
from napari_slagseg.segmentation.edits.reaching import enclosed, reached_from

_NEAR = 3
"""How far around the seed grey values and noise are taken from, in voxels."""
_DEVIATIONS = 3.0
_SHELL = (2.0, 5.0)
"""What is that far from a particle is taken for its surroundings, in voxels."""
_SHELL_VOXELS = 30
_FEWEST = 7


@dataclass(frozen=True)
class _Range:
    """Grey values that belong to the particle."""

    low: float
    high: float


def grow_from_seed(
    ct: NDArray[Any],
    labels: NDArray[np.uint32],
    seed: Point,
    new_label: int,
    *,
    radius: float = 50.0,
    tolerance: float | None = None,
    phases: NDArray[np.uint8] | None = None,
    phase: int | None = None,
) -> Edited:
    """Make a particle of what is as bright as the CT around a seed.

    The median of the background voxels at most three voxels from the seed is the
    particle's grey value, and three robust standard deviations (1.4826 times the median of
    the absolute deviations) are the tolerance. What is connected with the seed by faces
    within it is grown, and its holes are filled. Then the level halfway between its median
    and that of its surroundings takes the tolerance's place on their side (the half-height
    level of dimensional CT), if the two differ by more than two standard deviations, and
    it is grown again: so noise and the blur of the border do not make it smaller or larger.

    Parameters
    ----------
    ct : (z, y, x) integer or float
        Grey values of the box.
    labels : (z, y, x) uint32
        A box around the seed that reaches as far as `radius`, as far as the volume does.
        Only background grows.
    seed : (z, y, x)
        A voxel of the background, in the box.
    new_label : int
        Number of the particle.
    radius : float
        It grows no farther from the seed, in voxels.
    tolerance : float, optional
        Grey values that differ from the seed's surroundings by as much belong to it; nothing is
        estimated then.
    phases : (z, y, x) uint8, optional
        The particle's voxels keep a phase that they have.
    phase : int, optional
        Phase of those that have none.

    Returns
    -------
    Edited
        Notes say within which grey values it grew, and whether it was stopped by the radius.

    Raises
    ------
    SlagsegError
        If the seed is in a particle, hardly anything grows, or a phase is needed and not given.
    """
    check_box(labels, phases=phases, **{"grey values": ct})
    check_new_labels(labels, [new_label], 1)
    at = voxel(seed, labels.shape)
    if labels[at]:
        raise SlagsegError(
            f"The seed {at} lies in particle {labels[at]}; put it into the background, or "
            "delete the particle first."
        )
    if not radius >= 1:
        raise SlagsegError(f"The radius {radius} is too small; take 1 voxel or more.")
    if tolerance is not None and not tolerance > 0:
        raise SlagsegError(f"The tolerance {tolerance} must be above 0.")
    box: Box = tuple(  # type: ignore[assignment]
        slice(max(0, int(a - radius)), min(n, int(a + radius) + 1)) for a, n in zip(at, ct.shape)
    )
    here: Triple = tuple(a - b.start for a, b in zip(at, box))  # type: ignore[assignment]
    grey = np.ascontiguousarray(ct[box], dtype=np.float32)
    away = _squared_distances(grey.shape, here)
    free = labels[box] == 0
    open_ = free & (away <= radius * radius)
    level, deviation = _level(grey, open_ & (away <= _NEAR**2), integer=ct.dtype.kind in "iu")
    reach = _DEVIATIONS * deviation if tolerance is None else tolerance
    within = _Range(level - reach, level + reach)
    grown = _grown(grey, open_, here, within)
    if tolerance is None and np.count_nonzero(grown) >= _FEWEST:
        better = _halfway(grey, free, grown, within, deviation)
        if better != within:
            within = better
            grown = _grown(grey, open_, here, within)
    n = int(np.count_nonzero(grown))
    if n < _FEWEST:
        raise SlagsegError(
            f"Only {n} voxels around the seed have grey values from {within.low:g} to "
            f"{within.high:g}; put the seed into the middle of the particle, or give a larger "
            "tolerance."
        )
    check_added_phase(phases, _whole(grown, box, labels.shape), phase, label=new_label, is_new=True)
    notes = [f"Grew to {n} voxels with grey values from {within.low:g} to {within.high:g}."]
    if away[grown].max() > (radius - 1) ** 2:
        notes.append(
            f"The particle reaches the radius of {radius:g} voxels: it may have leaked into its "
            "surroundings. Look at it, and undo or take a smaller tolerance if so."
        )
    changed = labels.copy()
    changed[box][grown] = new_label
    phases = phases_after(phases, np.zeros_like(grown), grown, box=box, added_phase=phase)
    return Edited(changed, phases, tuple(notes))


def _whole(part: NDArray[np.bool_], box: Box, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    whole = np.zeros(shape, dtype=bool)
    whole[box] = part
    return whole


def _squared_distances(shape: tuple[int, ...], centre: Triple) -> NDArray[np.float32]:
    z, y, x = ((np.arange(n, dtype=np.float32) - np.float32(c)) ** 2 for n, c in zip(shape, centre))
    away: NDArray[np.float32] = z[:, None, None] + y[:, None] + x
    return away


def _level(
    grey: NDArray[np.float32], near: NDArray[np.bool_], *, integer: bool
) -> tuple[float, float]:
    """Grey value and noise around the seed."""
    values = grey[near]
    level = float(np.median(values))
    deviation = 1.4826 * float(np.median(np.abs(values - level)))
    # without noise there is still rounding
    least = 0.5 if integer else 0.01 * float(np.ptp(grey))
    return level, max(deviation, least / _DEVIATIONS)


def _grown(
    grey: NDArray[np.float32], open_: NDArray[np.bool_], seed: Triple, within: _Range
) -> NDArray[np.bool_]:
    alike = open_ & (grey >= within.low) & (grey <= within.high)
    alike[seed] = True  # the seed itself may be noise
    grown = reached_from(alike, seed)
    box = box_around(grown)
    if box is not None:
        grown[box] |= enclosed(~grown[box]) & open_[box]
    return grown


def _halfway(
    grey: NDArray[np.float32],
    free: NDArray[np.bool_],
    grown: NDArray[np.bool_],
    within: _Range,
    deviation: float,
) -> _Range:
    """The range that ends halfway between the particle and its surroundings."""
    box = box_around(grown, margin=int(_SHELL[1]) + 1)
    if box is None:
        return within
    away = edt.edt((~grown[box]).view(np.uint8), black_border=False, parallel=cores())
    shell = free[box] & (away > _SHELL[0]) & (away <= _SHELL[1])
    if np.count_nonzero(shell) < _SHELL_VOXELS:
        return within
    inner = float(np.median(grey[grown]))
    outer = float(np.median(grey[box][shell]))
    if abs(outer - inner) <= 2 * deviation:
        return within
    middle = (inner + outer) / 2
    return _Range(middle, within.high) if outer < inner else _Range(within.low, middle)


__all__ = ["grow_from_seed"]
