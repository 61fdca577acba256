"""Edited chunks laid over a volume."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.blocks import Box, Triple, VolumeLike
from napari_slagseg.data.box_index import Slices
from napari_slagseg.data.edits import Delta, check_old

EDGE = 64
"""Edge of a chunk of the overlay, that of a chunk on disk."""

_DENSE = 6
"""Voxels of a box for one that changes, up to which the box is gone through as a whole.

Side by side, in a ball of 100 voxels across, that takes a third of the time of sorting the voxels
by chunk at two voxels for one, and as long at about seven.
"""


class PackedChunk(Protocol):
    """Voxels of a chunk that become an array when asked for, as `io.LabelChunk`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its edges along (z, y, x)."""
        ...

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        ...

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]: ...


ChunkLike = NDArray[Any] | PackedChunk

Chunks = Mapping[Triple, ChunkLike]
"""Edited chunks by their place in the grid of chunks; none is changed after it is in there."""


def chunk_shape(index: Triple, shape: Triple) -> Triple:
    """Edges of the chunk at a place of the grid: 64, or less where the volume ends before."""
    z, y, x = (min(EDGE, n - i * EDGE) for i, n in zip(index, shape))
    return z, y, x


def read_over(base: VolumeLike, chunks: Chunks, slices: Slices) -> NDArray[Any]:
    """Box of a base with edited chunks laid over it.

    Parameters
    ----------
    base : (z, y, x) VolumeLike
    chunks : mapping of (z, y, x) to (64, 64, 64) arrays
    slices : tuple of slice
        Steps above zero.
    """
    places = tuple(np.arange(s.start, s.stop, s.step) for s in slices)
    shape = tuple(len(p) for p in places)
    if 0 in shape:
        return np.empty(shape, base.dtype)
    if all(i in chunks for i in touched(places)):
        out = np.empty(shape, base.dtype)
    else:
        out = np.array(base[slices], order="C")
    lay_over(out, chunks, places)
    return out


def touched(places: tuple[NDArray[Any], ...]) -> Iterator[Triple]:
    """Chunks, edited or not, that places along three axes lie in."""
    z, y, x = (range(int(p[0]) // EDGE, int(p[-1]) // EDGE + 1) for p in places)
    return itertools.product(z, y, x)


def lay_over(out: NDArray[Any], chunks: Chunks, places: tuple[NDArray[Any], ...]) -> None:
    """Put the voxels of chunks at some places (by axis, rising) into an array of them."""
    counts = [int(p[-1]) // EDGE - int(p[0]) // EDGE + 1 for p in places]
    found: Iterable[Triple] = chunks if len(chunks) < math.prod(counts) else touched(places)
    for index in found:
        chunk = chunks.get(index)
        if chunk is None:
            continue
        to, at = [], []
        for i, p in zip(index, places):
            first, last = (int(k) for k in np.searchsorted(p, (i * EDGE, (i + 1) * EDGE)))
            to.append(slice(first, last))
            at.append(p[first:last] - i * EDGE)
        if all(len(a) for a in at):
            out[tuple(to)] = np.asarray(chunk)[_regular(at)]


def _regular(at: list[NDArray[Any]]) -> Any:
    """Index of rising places along three axes: by slices, which are quicker, where these do."""
    slices = []
    for a in at:
        step = int(a[1] - a[0]) if len(a) > 1 else 1
        if int(a[-1] - a[0]) != step * (len(a) - 1):  # a last voxel that stands for itself
            return np.ix_(*at)
        slices.append(slice(int(a[0]), int(a[-1]) + 1, step))
    return tuple(slices)


@dataclass(frozen=True)
class ScatteredPart:
    """What an edit changes in a chunk: flat places in it, and which of the delta's they are."""

    delta: Delta
    places: NDArray[Any]
    which: NDArray[Any]

    def apply(self, chunk: NDArray[Any]) -> None:
        """Make the change, or raise if the old values are not there."""
        flat = chunk.reshape(-1)
        check_old(self.delta, flat[self.places], self.which)
        flat[self.places] = self.delta.new[self.which]


@dataclass(frozen=True)
class DensePart:
    """What an edit changes in a chunk: a box of it, where in that, the values before and after."""

    delta: Delta
    start: Triple
    box: Box
    where: NDArray[np.bool_]
    old: NDArray[Any]
    new: NDArray[Any]

    def apply(self, chunk: NDArray[Any]) -> None:
        """Make the change, or raise if the old values are not there."""
        values = chunk[self.box]
        if ((values != self.old) & self.where).any():
            at = tuple(p + a for p, a in zip(np.nonzero(self.where), self.start))
            flat = np.ravel_multi_index(at, self.delta.shape)
            which = np.searchsorted(self.delta.places, flat)
            check_old(self.delta, values[self.where], which)
        np.copyto(values, self.new, where=self.where)


def by_chunk(delta: Delta, shape: Triple) -> Iterator[tuple[Triple, ScatteredPart | DensePart]]:
    """Chunks that an edit changes, with what it changes there.

    Parameters
    ----------
    delta : Delta
    shape : (z, y, x)
        Of the volume.
    """
    if not len(delta):
        return iter(())
    if math.prod(delta.shape) <= _DENSE * len(delta):
        return _dense(delta)
    return _scattered(delta, shape)


def _dense(delta: Delta) -> Iterator[tuple[Triple, DensePart]]:
    where, old, new = (np.zeros(math.prod(delta.shape), t) for t in (bool, *(delta.old.dtype,) * 2))
    where[delta.places], old[delta.places], new[delta.places] = True, delta.old, delta.new
    arrays = [a.reshape(delta.shape) for a in (where, old, new)]
    for index in itertools.product(
        *(range(a // EDGE, (b - 1) // EDGE + 1) for a, b in zip(delta.start, delta.stop))
    ):
        low = [max(a, i * EDGE) for a, i in zip(delta.start, index)]
        high = [min(b, (i + 1) * EDGE) for b, i in zip(delta.stop, index)]
        part = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, delta.start))
        if arrays[0][part].any():
            box = tuple(slice(a - i * EDGE, b - i * EDGE) for a, b, i in zip(low, high, index))
            start = tuple(s.start for s in part)
            yield index, DensePart(delta, start, box, *(a[part] for a in arrays))  # type: ignore[arg-type,misc]


def _scattered(delta: Delta, shape: Triple) -> Iterator[tuple[Triple, ScatteredPart]]:
    voxels = np.unravel_index(delta.places, delta.shape)
    low = [a // EDGE for a in delta.start]
    counts = [(b - 1) // EDGE - c + 1 for b, c in zip(delta.stop, low)]
    at = [v + (a - c * EDGE) for v, a, c in zip(voxels, delta.start, low)]
    keys = (at[0] // EDGE * counts[1] + at[1] // EDGE) * counts[2] + at[2] // EDGE
    small = math.prod(counts) <= 1 << 16
    # 16 bits are sorted in one pass over them
    order = np.argsort(keys.astype(np.uint16) if small else keys, kind="stable")
    keys = keys[order]
    ends = [*(np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist(), len(keys)]
    start = 0
    for end in ends:
        which = order[start:end]
        grid = np.unravel_index(int(keys[start]), counts)
        index = tuple(int(g) + c for g, c in zip(grid, low))
        edges = tuple(min(EDGE, n - i * EDGE) for i, n in zip(index, shape))
        inner = [a[which] - g * EDGE for a, g in zip(at, grid)]
        flat = (inner[0] * edges[1] + inner[1]) * edges[2] + inner[2]
        yield index, ScatteredPart(delta, flat, which)  # type: ignore[misc]
        start = end


__all__ = [
    "EDGE",
    "ChunkLike",
    "Chunks",
    "PackedChunk",
    "by_chunk",
    "chunk_shape",
    "lay_over",
    "read_over",
    "touched",
]
