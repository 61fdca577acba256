"""Slices of a CT in a form that compiled code reads, a slab at a time where it stays on disk."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import VolumeLike

_SLAB_BYTES = 1 << 28


def native(data: VolumeLike | NDArray[np.generic]) -> NDArray[np.generic]:
    """Contiguous, native byte order, of a type the kernels know."""
    kind = np.asarray(data)
    if kind.dtype not in (np.uint8, np.uint16, np.int16, np.float32):
        kind = kind.astype(np.float32)
    return np.ascontiguousarray(kind, dtype=kind.dtype.newbyteorder("="))


def slabs(
    data: VolumeLike, multiple: int, first: int = 0, last: int | None = None
) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """First slice and voxels of slabs, one after the other.

    Parameters
    ----------
    data : (z, y, x) VolumeLike
    multiple : int
        Slabs begin at multiples of so many slices, counted from `first`.
    first, last : int
        Which slices.

    Yields
    ------
    first : int
    slab : (k, y, x) array
        All at once of arrays in memory and memory maps; of others at most 256 MB,
        or `multiple` slices.
    """
    last = data.shape[0] if last is None else last
    if isinstance(data, np.ndarray):
        yield first, native(data[first:last])
        return
    plane = int(np.prod(data.shape[1:])) * data.dtype.itemsize
    depth = max(1, _SLAB_BYTES // max(1, plane * multiple)) * multiple
    for start in range(first, last, depth):
        yield start, native(data[start : min(start + depth, last)])


__all__ = ["native", "slabs"]
