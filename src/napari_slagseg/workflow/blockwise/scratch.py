"""Volumes that last as long as a piece of work."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from napari_slagseg.data import BlockGrid, SlagsegError
from napari_slagseg.io import ZarrVolume

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


def make_scratch(path: Path, grid: BlockGrid, dtype: Any) -> ZarrVolume:
    """Volume of the grid's shape, zero at first; the one that is there, if it is of that type."""
    # blocks that no stage has written are zero, not damaged
    volume = ZarrVolume(str(path), missing="zero")
    if (path / "zarr.json").is_file():
        with suppress(SlagsegError):
            if volume.shape == grid.shape and volume.dtype == np.dtype(dtype):
                return volume
        volume = ZarrVolume(str(path), missing="zero")
    zarr.create_array(
        path,
        shape=grid.shape,
        dtype=np.dtype(dtype),
        chunks=chunk_edges(grid),
        compressors=[ZstdCodec(level=1)],
        fill_value=0,
        overwrite=True,
    )
    return volume


__all__ = ["chunk_edges", "make_scratch"]
