"""Volumes of which only few voxels are not 0; memory follows the voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.widgets.lazy_array import LazyArray, Ranges


class SparseReader:
    """Listed voxels of a volume, 0 elsewhere.

    Parameters
    ----------
    shape : (z, y, x)
        Of the finest level.
    zyx : (n, 3) int
        Voxels; where one is listed twice, the last counts.
    values : (n,) array
    level : int
        Every voxel of this level covers ``2**level`` along each axis.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        zyx: NDArray[Any],
        values: NDArray[Any],
        level: int = 0,
    ) -> None:
        order = np.argsort(zyx[:, 0], kind="stable")
        self._axes = tuple(np.ascontiguousarray(zyx[order, i], dtype=np.int32) for i in range(3))
        self._values = np.ascontiguousarray(values[order])
        self._whole, self.level = tuple(shape), level

    def at_level(self, level: int) -> SparseReader:
        """The same voxels on a coarser grid; they share their memory."""
        other = object.__new__(SparseReader)
        other.__dict__.update(self.__dict__, level=level)
        return other

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x), at this level."""
        return tuple(-(-n // 2**self.level) for n in self._whole)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a value."""
        return self._values.dtype

    @property
    def nbytes(self) -> int:
        """Memory of the list."""
        return sum(a.nbytes for a in self._axes) + self._values.nbytes

    def forget(self, ranges: Ranges) -> None:
        """Nothing is kept of what was read."""

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Voxels at the places of three ranges."""
        out = np.zeros(tuple(len(r) for r in ranges), dtype=self.dtype)
        if not out.size:
            return out
        z = ranges[0]
        begin, end = np.searchsorted(self._axes[0], (z[0] << self.level, (z[-1] + 1) << self.level))
        chosen: Any = slice(begin, end)
        # the narrowest axis first: it leaves the fewest voxels to look at
        for axis in sorted(range(3), key=lambda i: len(ranges[i]) / self.shape[i]):
            r = ranges[axis]
            if r == range(self.shape[axis]):
                continue
            place = self._axes[axis][chosen] >> self.level
            keep = (place >= r[0]) & (place <= r[-1])
            if r.step > 1:
                keep &= (place - r.start) % r.step == 0
            if isinstance(chosen, slice):
                chosen = begin + np.flatnonzero(keep)
            else:
                chosen = chosen[keep]
        at = tuple(
            ((a[chosen] >> self.level) - r.start) // r.step for a, r in zip(self._axes, ranges)
        )
        out[at] = self._values[chosen]
        return out


def sparse_levels(
    shape: tuple[int, ...], zyx: NDArray[Any], values: NDArray[Any], levels: int = 1
) -> list[LazyArray]:
    """Listed voxels as layer data, finest level first."""
    finest = SparseReader(shape, zyx, values)
    return [LazyArray(finest.at_level(level)) for level in range(levels)]


__all__ = ["SparseReader", "sparse_levels"]
