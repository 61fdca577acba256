"""In which boxes to read a whole volume."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np


def reading_boxes(
    shape: tuple[int, ...], chunks: tuple[int, ...], voxels: int = 1 << 24
) -> Iterator[tuple[slice, ...]]:
    """Boxes that cover a volume and read every chunk once.

    Parameters
    ----------
    shape : tuple of int
    chunks : tuple of int
        What is decoded at once.
    voxels : int
        At most so many a box, but a chunk at the least.
    """
    edges = [max(1, min(c, n)) for c, n in zip(chunks, shape)]
    for axis in reversed(range(len(shape))):
        rest = math.prod(edges) // edges[axis]
        fitting = max(1, voxels // max(1, rest * edges[axis]))
        edges[axis] = min(shape[axis], edges[axis] * fitting) or 1
    for place in np.ndindex(*(-(-n // e) for n, e in zip(shape, edges))):
        yield tuple(slice(i * e, min((i + 1) * e, n)) for i, e, n in zip(place, edges, shape))


__all__ = ["reading_boxes"]
