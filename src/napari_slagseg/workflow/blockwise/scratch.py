"""Volumes that last as long as a piece of work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from napari_slagseg.data import BlockGrid

_CHUNK = (32, 128)
"""Shortest and longest edge of a chunk, where a block's edge can be divided so."""


def chunk_edges(grid: BlockGrid) -> tuple[int, ...]:
    """Edges of chunks that no two blocks share."""
    return tuple(_part(edge) for edge in grid.edges)


def _part(edge: int) -> int:
    shortest, longest = _CHUNK
    if edge <= longest:
        return edge
    return next((d for d in range(longest, shortest - 1, -1) if edge % d == 0), edge)


class ScratchVolume:
    """Handle of a Zarr array in a work folder; it pickles as its path.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._array: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return tuple(self._open().shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return np.dtype(self._open().dtype)

    def __getitem__(self, box: Any) -> Any:
        return np.asarray(self._open()[box])

    def __setitem__(self, box: Any, values: Any) -> None:
        self._open()[box] = values

    def __reduce__(self) -> tuple[Any, ...]:
        return ScratchVolume, (self.path,)

    def _open(self) -> Any:
        if self._array is None:
            self._array = zarr.open_array(self.path, mode="r+")
        return self._array


def make_scratch(path: Path, grid: BlockGrid, dtype: Any) -> ScratchVolume:
    """Volume of the grid's shape, zero at first; the one that is there, if it is of that type."""
    if (path / "zarr.json").is_file():
        volume = ScratchVolume(path)
        if volume.shape == grid.shape and volume.dtype == np.dtype(dtype):
            return volume
    zarr.create_array(
        path,
        shape=grid.shape,
        dtype=np.dtype(dtype),
        chunks=chunk_edges(grid),
        compressors=[ZstdCodec(level=1)],
        fill_value=0,
        overwrite=True,
    )
    return ScratchVolume(path)


__all__ = ["ScratchVolume", "chunk_edges", "make_scratch"]
