"""Which voxels stand for others in the coarser levels of labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.blocks import Triple


def halvings(shape: Sequence[int]) -> Triple:
    """By how much each axis shrinks to the next level: 2, or 1 where it is one voxel long."""
    z, y, x = (2 if n > 1 else 1 for n in shape)
    return z, y, x


def pick(offset: float, factor: float, halving: int) -> int:
    """Which voxel of a pair stands for both: the one nearer to the middle of all it stands for.

    Parameters
    ----------
    offset : float
        Place of the finer level's first voxel, in voxels of level 0.
    factor : float
        Voxels of level 0 along an edge of a voxel of the finer level.
    halving : int
        1 or 2, as `halvings` says.

    Returns
    -------
    int
        0 or 1.
    """
    middle = (factor * halving - 1) / 2
    return int(halving == 2 and abs(offset + factor - middle) < abs(offset - middle))


def picked_places(shape: Sequence[int], level: int) -> tuple[NDArray[np.int64], ...]:
    """Voxels of level 0 that a level of labels holds, by axis.

    At a far side whose last voxel has no partner, that voxel stands for itself.

    Parameters
    ----------
    shape : (z, y, x)
        Of level 0.
    level : int
        0 is the volume itself.

    Returns
    -------
    places : three (n,) int64, rising
        Voxel ``(i, j, k)`` of the level is voxel ``(z[i], y[j], x[k])`` of level 0; their
        lengths are the level's shape.

    Examples
    --------
    >>> [p.tolist() for p in picked_places((1, 4, 9), 2)]
    [[0], [2], [2, 6, 8]]
    """
    found = []
    for n in shape:
        places = np.arange(n)
        factor, offset = 1, 0
        for _ in range(level):
            (halving, *_) = halvings((len(places), 1, 1))
            at = pick(offset, factor, halving)
            last = len(places) - 1
            places = places[np.minimum(np.arange(at, last + 1 + at, halving), last)]
            offset += at * factor
            factor *= halving
        found.append(places)
    return tuple(found)


__all__ = ["halvings", "pick", "picked_places"]
