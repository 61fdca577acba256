"""Which chunks of a Zarr array are there: by names and shard indices, without reading voxels."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ShardingCodec

from napari_slagseg.data import SlagsegError

_ABSENT = np.uint64(2**64 - 1)

Place = tuple[int, ...]


def file_edges(array: zarr.Array[Any]) -> tuple[int, ...]:
    """Voxels that one file of the array holds: a shard, or a chunk where there are none."""
    return tuple(array.shards or array.chunks)


def files(array: zarr.Array[Any]) -> tuple[int, ...]:
    """Number of files along the axes."""
    return tuple(-(-n // e) for n, e in zip(array.shape, file_edges(array)))


def file_of(array: zarr.Array[Any], folder: Path, place: Place) -> Path:
    """File of a shard or chunk."""
    return folder / array.metadata.encode_chunk_key(place)


def places_in(array: zarr.Array[Any], slices: tuple[slice, ...]) -> Iterator[Place]:
    """Files that hold voxels of a box (in the stored order of axes)."""
    edges = file_edges(array)
    return itertools.product(*(range(s.start // e, -(-s.stop // e)) for s, e in zip(slices, edges)))


def chunk_table(array: zarr.Array[Any], path: Path) -> NDArray[np.bool_] | None:
    """Which chunks a shard's file holds; None where the array's files are single chunks.

    Raises
    ------
    SlagsegError
        If the shard is cut short or its index is damaged.
    FileNotFoundError
    """
    codec = array.metadata.codecs[0] if array.metadata.zarr_format == 3 else None
    if not isinstance(codec, ShardingCodec):
        return None
    counts = tuple(s // c for s, c in zip(file_edges(array), codec.chunk_shape))
    checked = any(type(c).__name__ == "Crc32cCodec" for c in codec.index_codecs)
    at_end = codec.index_location.value == "end"
    found = path.stat()
    return _table(path, found.st_mtime_ns, found.st_size, counts, checked, at_end)


@lru_cache(maxsize=4096)
def _table(
    path: Path, mtime: int, size: int, counts: tuple[int, ...], checked: bool, at_end: bool
) -> NDArray[np.bool_]:
    # time and size are part of the key: a shard that was written again is read again
    length = 16 * int(np.prod(counts))
    whole = length + 4 * checked
    with path.open("rb") as file:
        file.seek(max(0, size - whole) if at_end else 0)
        block = file.read(whole)
    if len(block) < whole:
        raise _cut_short(path, f"it has {size:,} bytes, and its index alone {whole:,}")
    if checked and struct.unpack("<I", block[length:])[0] != google_crc32c.value(block[:length]):
        raise _cut_short(path, "the checksum of its index is wrong")
    index = np.frombuffer(block[:length], "<u8").reshape(*counts, 2)
    there = np.asarray((index != _ABSENT).any(axis=-1))
    offsets, lengths = index[..., 0][there], index[..., 1][there]
    if there.any() and int((offsets + lengths).max()) > size:
        raise _cut_short(path, f"it has {size:,} bytes, fewer than its index says")
    there.flags.writeable = False
    return there


def _cut_short(path: Path, why: str) -> SlagsegError:
    return SlagsegError(
        f"Shard {path} is cut short or damaged ({why}). Copy the store again, or run the step "
        "that made it."
    )


def missing_chunk(array: zarr.Array[Any], folder: Path, slices: tuple[slice, ...]) -> str:
    """Name of the first chunk that a box needs and that is not there; empty if all are.

    Raises
    ------
    SlagsegError
        If a shard is cut short.
    """
    edges = file_edges(array)
    for place in places_in(array, slices):
        path = file_of(array, folder, place)
        try:
            table = chunk_table(array, path)
            if table is None:
                path.stat()
                continue
        except FileNotFoundError:
            return str(path)
        within = tuple(
            slice(
                max(s.start - p * e, 0) // c,
                -(-min(s.stop - p * e, e) // c),
            )
            for s, p, e, c in zip(slices, place, edges, array.chunks)
        )
        if not table[within].all():
            first = np.argwhere(~table[within])[0] + [w.start for w in within]
            return f"chunk {tuple(int(i) for i in first)} of {path}"
    return ""


__all__ = [
    "chunk_table",
    "file_edges",
    "file_of",
    "files",
    "missing_chunk",
    "places_in",
]
