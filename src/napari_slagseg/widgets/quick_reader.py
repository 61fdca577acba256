"""A slice at once, coarse if need be, and sharp when it has been read."""

from __future__ import annotations

import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_slagseg.widgets.chunk_cache import ChunkReader
from napari_slagseg.widgets.lazy_array import LazyArray, Ranges, Reader

if TYPE_CHECKING:
    from napari.layers import Layer

AT_ONCE = 48
"""Chunks (of 64 voxels along each edge) that are decoded in the blink of an eye."""


class Arrivals(QObject):
    """Draws a layer anew, in the window's thread, when what it lacked has been read."""

    _came = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._layer: weakref.ref[Layer] | None = None
        self._came.connect(self._refresh)

    def follow(self, layer: Layer) -> None:
        """Choose the layer."""
        self._layer = weakref.ref(layer)

    def came(self) -> None:
        """Say, from any thread, that something has been read."""
        self._came.emit()

    def _refresh(self) -> None:
        layer = None if self._layer is None else self._layer()
        if layer is not None:
            layer.refresh(extent=False)


class QuickReader:
    """Reads planes of a level; where much is to be decoded, gives the next coarser one for now.

    Anything but a plane is read exactly, whatever it takes.

    Parameters
    ----------
    exact : ChunkReader
    coarser : Reader
        The next level.
    arrivals : Arrivals
        Is told when a plane that was given coarse can be read exactly.
    """

    def __init__(self, exact: ChunkReader, coarser: Reader, arrivals: Arrivals) -> None:
        self.exact, self.coarser, self.arrivals = exact, coarser, arrivals
        self._patient = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return self.exact.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return self.exact.dtype

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Voxels at the places of three ranges."""
        plane = sum(len(r) == 1 for r in ranges) == 1
        if self._patient or not plane or not all(len(r) for r in ranges):
            return self.exact.read(ranges)
        missing = self.exact.missing(ranges)
        if len(missing) <= AT_ONCE or not self.exact.has_room_for(ranges):
            return self.exact.read(ranges)
        self.exact.fetch(missing, self._came)
        return self._stretched(ranges)

    def forget(self, ranges: Ranges) -> None:
        """Read a part anew when it is needed."""
        self.exact.forget(ranges)

    def _came(self, parts: list[Future[Any]]) -> None:
        # what is damaged is then read again the slow way, which tells of it
        self._patient |= any(not p.cancelled() and p.exception() is not None for p in parts)
        self.arrivals.came()

    def _stretched(self, ranges: Ranges) -> NDArray[Any]:
        at = [
            np.asarray(r) * coarse // fine
            for r, coarse, fine in zip(ranges, self.coarser.shape, self.shape)
        ]
        z, y, x = (range(int(i[0]), int(i[-1]) + 1) for i in at)
        rough = self.coarser.read((z, y, x))
        return rough[np.ix_(*(i - i[0] for i in at))]


def quickened(levels: list[LazyArray], arrivals: Arrivals) -> list[LazyArray]:
    """Levels whose planes come at once: each stands in for the next finer one."""
    quick = [levels[-1]]
    for level in levels[-2::-1]:
        reader = level.reader
        if isinstance(reader, ChunkReader) and level.shape == reader.shape:
            level = LazyArray(QuickReader(reader, quick[0], arrivals))
        quick.insert(0, level)
    return quick


__all__ = ["AT_ONCE", "Arrivals", "QuickReader", "quickened"]
