"""A volume at several resolutions, as the viewer asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.widgets.chunk_cache import ChunkReader
from napari_slagseg.widgets.lazy_array import DirectReader, LazyArray, Ranges, Reader

COARSEST = 256
"""Longest side of the coarsest level; napari shows that one in 3D."""

_COLUMNS = (128, 128, 64)
_SAMPLE_SHARE = 0.01
_SAMPLE_VOXELS = 2_000_000


class MappedReader(DirectReader):
    """Reads a memory map: planes across z and y as they lie, across x many at once.

    A plane across x touches every page of the file; while they are in reach, its
    neighbours come at little more than the cost of one.
    """

    def __init__(self, source: NDArray[Any]) -> None:
        super().__init__(source)
        self._columns = ChunkReader(source, _COLUMNS)

    def forget(self, ranges: Ranges) -> None:
        """Keep nothing of a part that was read before: it has changed."""
        super().forget(ranges)
        self._columns.forget(ranges)

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Voxels at the places of three ranges."""
        z, y, x = (len(r) for r in ranges)
        if x == 1 and z * y > _COLUMNS[0] * _COLUMNS[1]:
            return self._columns.read(ranges)
        return super().read(ranges)


def reader_of(source: Any) -> Reader:
    """How a volume is best read: by its chunks, as a memory map, or box by box."""
    chunks = getattr(source, "chunks", None)
    if chunks is None:  # edits laid over what is stored
        chunks = getattr(getattr(source, "base", None), "chunks", None)
    if chunks is not None:
        z, y, x = (int(c) for c in chunks)
        return ChunkReader(source, (z, y, x))
    return MappedReader(source) if isinstance(source, np.memmap) else DirectReader(source)


def levels_of(sources: Sequence[Any]) -> list[LazyArray]:
    """Layer data from stored levels; where coarse ones are missing, voxels are left out.

    Parameters
    ----------
    sources : sequence of VolumeLike
        Finest first; one is enough.

    Returns
    -------
    list of LazyArray
        Finest first, each half as long along every axis (rounded up) as the one before.
    """
    levels = [LazyArray(reader_of(source)) for source in sources]
    # in 3D the last one is shown, and a stored pyramid may end too coarse for that
    while len(levels) > 1 and max(levels[-2].shape) <= COARSEST:
        levels.pop()
    while max(levels[-1].shape) > COARSEST:
        levels.append(levels[-1][::2, ::2, ::2])
    return levels


def levels_needed(shape: tuple[int, ...]) -> int:
    """Number of levels that a volume of this shape has in the viewer."""
    count, longest = 1, max(shape)
    while longest > COARSEST:
        count, longest = count + 1, -(-longest // 2)
    return count


def stored_levels(path: Path, name: str) -> list[Any]:
    """Levels of an array in a store, finest first; one for an array without coarser ones."""
    return list(io.multiscale_levels(path, name).levels)


def layer_data(levels: Sequence[LazyArray]) -> Any:
    """What napari takes: the one level, or the list of them."""
    return list(levels) if len(levels) > 1 else levels[0]


def contrast_limits(data: Any) -> tuple[float, float]:
    """0.5 and 99.5 per cent of the grey values, from a small part of the voxels.

    Parameters
    ----------
    data : VolumeLike
        Volume at full resolution; of a large one about one per cent is read. A coarse
        level would not do: its means leave out the darkest and the brightest.
    """
    sample = np.concatenate([np.asarray(piece).ravel() for piece in _pieces(data)])
    sample = sample[:: max(1, sample.size // _SAMPLE_VOXELS)]
    low, high = np.percentile(sample, (0.5, 99.5))
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1)


def _pieces(data: Any) -> list[NDArray[Any]]:
    """Whole chunks of a chunked volume, planes of another, spread over it."""
    shape = tuple(int(n) for n in data.shape)
    size = int(np.prod(shape, dtype=np.int64))
    if size <= _SAMPLE_VOXELS:
        return [np.asarray(data[0 : shape[0], 0 : shape[1], 0 : shape[2]])]
    chunks = getattr(data, "chunks", None)
    if chunks is None:
        count = max(3, min(24, int(_SAMPLE_SHARE * shape[0])))
        # not evenly: what repeats itself along z would be met at the same place every time
        at = ((np.arange(count) + np.arange(count) * 0.618 % 1) * shape[0] / count).astype(int)
        step = max(1, round((count * shape[1] * shape[2] / _SAMPLE_VOXELS) ** 0.5))
        across = (slice(0, shape[1]), slice(0, shape[2]))
        return [
            np.asarray(data[(slice(int(z), int(z) + 1), *across)])[0, ::step, ::step] for z in at
        ]
    edges = [min(int(c), n) for c, n in zip(chunks, shape)]
    many = int(np.clip(round(_SAMPLE_SHARE * size / np.prod(edges)), 8, 64))
    pieces = []
    for i in range(many):
        # all heights alike; along y and x multiples of numbers that never fall into a pattern
        place = ((i + 0.5) / many, (0.5 + i * 0.7549) % 1, (0.5 + i * 0.5698) % 1)
        box = []
        for share, edge, n in zip(place, edges, shape):
            first = int(share * n) // edge * edge
            box.append(slice(first, min(first + edge, n)))
        pieces.append(np.asarray(data[tuple(box)]))
    return pieces


__all__ = [
    "COARSEST",
    "MappedReader",
    "contrast_limits",
    "layer_data",
    "levels_needed",
    "levels_of",
    "reader_of",
    "stored_levels",
]
