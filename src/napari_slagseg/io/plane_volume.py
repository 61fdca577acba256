"""Stacks whose planes are decoded one by one: compressed TIFF and folders of slices."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.io.box_reader import BoxReader, Slices

KEPT_BYTES = 1 << 28
"""Bytes of decoded planes that a volume keeps, those used last; stacks below stay whole."""


class PlaneVolume(BoxReader):
    """Base of volumes that are decoded by planes; the planes used last are kept.

    Pickled, it leaves the planes behind.

    Parameters
    ----------
    shape : (z, y, x)
    dtype : dtype
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = shape, dtype
        self._begin()

    def _begin(self) -> None:
        self._planes: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_planes", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return self._dtype

    @abstractmethod
    def _decoded(self, z: int) -> NDArray[Any]:
        """Plane as its file holds it; errors name the file."""

    def _plane(self, z: int) -> NDArray[Any]:
        with self._lock:
            if z in self._planes:
                self._planes.move_to_end(z)
                return self._planes[z]
        plane = self._decoded(z)
        with self._lock:
            self._planes[z] = plane
            while len(self._planes) > max(1, KEPT_BYTES // max(1, plane.nbytes)):
                self._planes.popitem(last=False)
        return plane

    def _read(self, slices: Slices) -> NDArray[Any]:
        depth, *plane = slices
        planes = range(depth.start, depth.stop, depth.step)
        out: NDArray[Any] = np.empty(
            (len(planes), *(len(range(s.start, s.stop, s.step)) for s in plane)), self._dtype
        )
        for i, z in enumerate(planes):
            out[i] = self._plane(z)[tuple(plane)]
        return out

    def look_through(self) -> None:
        """Decode a stack that is kept whole anyway, so that damage is found at once."""
        if self.nbytes <= KEPT_BYTES:
            for z in range(self._shape[0]):
                self._plane(z)


__all__ = ["KEPT_BYTES", "PlaneVolume"]
