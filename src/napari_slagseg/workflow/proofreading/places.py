"""Points, boxes and lists of particles, as edits hand them on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Box, Triple


def ids_of(labels: Iterable[int]) -> list[int]:
    """Particles as plain numbers, each once, in their order."""
    return list(dict.fromkeys(int(n) for n in labels))


def low_of(box: Box) -> Triple:
    """First voxel of a box."""
    return tuple(s.start for s in box)  # type: ignore[return-value]


def local(points: Sequence[Triple], box: Box) -> list[Triple]:
    """Voxels of the volume as voxels of a box."""
    return [tuple(n - s.start for n, s in zip(p, box)) for p in points]  # type: ignore[misc]


def voxel_box(at: Triple) -> Box:
    """Box of one voxel."""
    z, y, x = (slice(n, n + 1) for n in at)
    return z, y, x


def placed(painted: NDArray[np.bool_], box: Box, around: Box) -> NDArray[np.bool_]:
    """A mask in a larger box."""
    whole = np.zeros([s.stop - s.start for s in around], dtype=bool)
    whole[tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, around))] = painted
    return whole


def values_in(values: NDArray[Any]) -> list[int]:
    """Values that occur; quick where they come in runs."""
    if not len(values):
        return []
    starts = np.flatnonzero(values[1:] != values[:-1]) + 1
    found: list[int] = np.unique(values[np.concatenate([[0], starts])]).tolist()
    return found


__all__ = ["ids_of", "local", "low_of", "placed", "values_in", "voxel_box"]
