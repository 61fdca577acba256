"""Volumes that the viewer reads by planes and tiles, never whole.

napari cuts a multiscale layer twice: first the tile that is in sight, then the plane.
Were the first cut read at once, it would be a stack of tiles through the whole
volume; so cuts by slices only note what is meant, and reading waits for a plane
or for `numpy.asarray`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Ranges = tuple[range, range, range]


class Reader(Protocol):
    """What stands behind a `LazyArray`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        ...

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Voxels at the places of three ranges of positive step."""
        ...

    def forget(self, ranges: Ranges) -> None:
        """Keep nothing of a part that was read before: it has changed."""
        ...


class LazyArray:
    """The part of a volume that three ranges name, with what napari asks of layer data.

    Parameters
    ----------
    reader : Reader
    ranges : (z, y, x) ranges, optional
        By default the whole volume.

    Notes
    -----
    ``array[3]``, ``array[:, 5]`` and the like are read and come as numpy arrays;
    ``array[2:9, ::2]`` is another `LazyArray`.
    """

    def __init__(self, reader: Reader, ranges: Ranges | None = None) -> None:
        self.reader = reader
        z, y, x = (range(n) for n in reader.shape)
        self._ranges: Ranges = ranges if ranges is not None else (z, y, x)

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return tuple(len(r) for r in self._ranges)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return self.reader.dtype

    @property
    def ndim(self) -> int:
        """Three."""
        return 3

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return len(self._ranges[0])

    def __getitem__(self, key: Any) -> Any:
        parts = _whole_key(key)
        cut = [r[k] for r, k in zip(self._ranges, parts)]
        if all(isinstance(c, range) for c in cut):
            z, y, x = cut
            return LazyArray(self.reader, (z, y, x))
        z, y, x = (c if isinstance(c, range) else range(c, c + 1) for c in cut)
        found = self.reader.read((z, y, x))
        return found[tuple(slice(None) if isinstance(c, range) else 0 for c in cut)]

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Voxels at the places of three ranges: it is a `Reader` itself."""
        z, y, x = (mine[r.start : r.stop : r.step] for mine, r in zip(self._ranges, ranges))
        return self.reader.read((z, y, x))

    def forget(self, ranges: Ranges) -> None:
        """Keep nothing of a part that was read before: it has changed."""
        z, y, x = (mine[r.start : r.stop : r.step] for mine, r in zip(self._ranges, ranges))
        self.reader.forget((z, y, x))

    def take_over(self, other: LazyArray) -> None:
        """Read from where another array of the same shape and type reads.

        So a layer gets better data without being made anew: it keeps its place, its
        contrast and what its data look like from outside.
        """
        if self.shape != other.shape or self.dtype != other.dtype:
            raise ValueError(f"{other} cannot stand in for {self}")
        self.reader, self._ranges = other.reader, other._ranges

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        data = self.reader.read(self._ranges)
        return data if dtype is None else data.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<LazyArray {self.shape} {self.dtype}>"


def _whole_key(key: Any) -> Sequence[Any]:
    """Three whole numbers or slices of positive step."""
    parts = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (4 - len(parts))
    parts += [slice(None)] * (3 - len(parts))
    if len(parts) != 3:
        raise IndexError(f"a volume has three axes, not {len(parts)}")
    for i, part in enumerate(parts):
        if isinstance(part, slice):
            if part.step is not None and part.step < 1:
                raise IndexError("only slices of positive step can be read")
        else:
            # numpy integers index a range no more than floats do
            parts[i] = part.__index__()
    return parts


class DirectReader:
    """Reads each part from where it lies: a numpy array, a memory map, anything by boxes.

    Parameters
    ----------
    source : VolumeLike
    """

    def __init__(self, source: Any) -> None:
        self.source = source
        self._last: tuple[Any, NDArray[Any]] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return tuple(int(n) for n in self.source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel, in this machine's order of bytes."""
        return np.dtype(self.source.dtype).newbyteorder("=")

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Voxels at the places of three ranges."""
        if isinstance(self.source, np.ndarray):
            return np.array(self.source[slices_of(ranges)], dtype=self.dtype)
        if all(r.step == 1 for r in ranges):
            return np.asarray(self.source[slices_of(ranges)], dtype=self.dtype)
        # boxes are all that such a source gives: plane by plane, the rest is dropped at once
        out = np.empty(tuple(len(r) for r in ranges), dtype=self.dtype)
        z, y, x = ranges
        if not out.size:
            return out
        for i, at in enumerate(z):
            box = (slice(at, at + 1), *(slice(r[0], r[-1] + 1) for r in (y, x)))
            last = self._last
            # the picture and its thumbnail are cut from the same plane
            if last is None or last[0] != box:
                last = self._last = (box, np.asarray(self.source[box]))
            out[i] = last[1][0, :: y.step, :: x.step]
        return out

    def forget(self, ranges: Ranges) -> None:
        """Keep nothing of a part that was read before: it has changed."""
        self._last = None


def slices_of(ranges: Sequence[range]) -> tuple[slice, ...]:
    """Slices that cut what the ranges name."""
    return tuple(slice(r.start, r.stop, r.step) for r in ranges)


__all__ = ["DirectReader", "LazyArray", "Ranges", "Reader", "slices_of"]
