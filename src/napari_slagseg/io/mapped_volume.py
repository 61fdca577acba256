"""Memory-mapped files as volumes that any process maps for itself."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.io.box_reader import BoxReader, Slices


@dataclass(frozen=True)
class MappedVolume(BoxReader):
    """Where in a file a volume lies; a pickled `numpy.memmap` would carry its voxels.

    Attributes
    ----------
    path : str
    voxel_type : str
        As `numpy.dtype.str`.
    extent : (z, y, x)
        Shape.
    offset : int
        Bytes before the first voxel.
    strides : tuple of int
        Bytes from voxel to voxel along (z, y, x).
    """

    path: str
    voxel_type: str
    extent: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]

    @classmethod
    def of(cls, data: np.memmap[Any, Any]) -> MappedVolume:
        """What a memory map, or a view of one, shows."""
        start = data.offset - data.offset % mmap.ALLOCATIONGRANULARITY
        mapped = np.frombuffer(data._mmap, np.uint8)  # type: ignore[attr-defined]
        first = data.__array_interface__["data"][0] - mapped.__array_interface__["data"][0]
        path = str(Path(str(data.filename)).absolute())
        return cls(path, data.dtype.str, data.shape, start + first, data.strides)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k in self.__dataclass_fields__}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return self.extent

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return np.dtype(self.voxel_type)

    @property
    def title(self) -> str:
        """File in messages."""
        return self.path

    @cached_property
    def _map(self) -> NDArray[Any]:
        try:
            whole = np.memmap(self.path, np.uint8, "r")
            return np.ndarray(
                self.extent, self.dtype, buffer=whole, offset=self.offset, strides=self.strides
            )
        except (OSError, ValueError, TypeError) as error:
            raise SlagsegError(
                f"{self.path} cannot be read any more ({error}). It was moved, replaced or cut "
                "short while work was going on; put it back and run the step again."
            ) from error

    def _read(self, slices: Slices) -> NDArray[Any]:
        return np.array(self._map[slices])


def shared_volume(volume: Any) -> Any:
    """A volume in a form that is cheap to send to other processes.

    Parameters
    ----------
    volume : VolumeLike
        Memory maps become `MappedVolume`; volumes on disk are so already. An array
        in memory is returned as it is: its voxels go with it.
    """
    if isinstance(volume, np.memmap) and volume._mmap is not None:  # type: ignore[attr-defined]
        return MappedVolume.of(volume)
    return volume


__all__ = ["MappedVolume", "shared_volume"]
