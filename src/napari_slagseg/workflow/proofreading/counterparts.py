"""The particle of another segmentation that is the same one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Box, Delta, EditedVolume, Triple

SAME = 0.5
"""Shared voxels, of all that either has, above which two particles are the same.

No particle has two others with which it shares so much.
"""

_MARGIN = 16


@dataclass(frozen=True)
class Counterpart:
    """A particle, and how much of it is that of an edit.

    Attributes
    ----------
    label : int
    start : (z, y, x)
        First voxel of a box that holds it whole.
    mask : (z, y, x) bool
        Where in the box it is.
    shared : int
        Voxels that both have.
    overlap : float
        Those, of all that either has.
    """

    label: int
    start: Triple
    mask: NDArray[np.bool_]
    shared: int
    overlap: float

    @property
    def box(self) -> Box:
        """The box in the volume."""
        z, y, x = (slice(a, a + n) for a, n in zip(self.start, self.mask.shape))
        return z, y, x

    def changed(self, volume: EditedVolume, value: int) -> Delta:
        """The edit that gives all of it one value, where it has another."""
        held = np.asarray(volume[self.box])
        places = np.flatnonzero(self.mask & (held != value))
        old = held.reshape(-1)[places]
        return Delta(
            volume.name, self.start, self.mask.shape, places, old, np.full_like(old, value)
        )  # type: ignore[arg-type]


def counterpart(volume: EditedVolume, label: int, delta: Delta, which: NDArray[Any]) -> Counterpart:
    """The particle of a number, against that of an edit.

    Parameters
    ----------
    volume : EditedVolume
    label : int
        That has voxels in the edit's box.
    delta : Delta
    which : (n,) bool
        Which of its voxels are the edit's particle.
    """
    start, mask = _whole(volume, label, delta.box)
    at = np.stack(np.unravel_index(delta.places[which], delta.shape))
    at += (np.array(delta.start) - start)[:, None]
    shared = int(mask[tuple(at)].sum())
    either = int(which.sum()) + int(mask.sum()) - shared
    return Counterpart(label, start, mask, shared, shared / either)


def _whole(volume: EditedVolume, label: int, box: Box) -> tuple[Triple, NDArray[np.bool_]]:
    """Mask of a particle in a box around another one that is wide enough for both."""
    low, high = [s.start for s in box], [s.stop for s in box]
    while True:
        z, y, x = (slice(a, b) for a, b in zip(low, high))
        mask = np.asarray(volume[z, y, x]) == label
        grown = False
        for axis, n in enumerate(volume.shape):
            sides = np.moveaxis(mask, axis, 0)
            if sides[0].any() and low[axis] > 0:
                low[axis], grown = max(0, low[axis] - _MARGIN), True
            if sides[-1].any() and high[axis] < n:
                high[axis], grown = min(n, high[axis] + _MARGIN), True
        if not grown:
            return (z.start, y.start, x.start), mask


__all__ = ["SAME", "Counterpart", "counterpart"]
