"""A Zarr array as a volume that any process opens for itself."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from napari_slagseg.data import SlagsegError
from napari_slagseg.io.atomic import write_error
from napari_slagseg.io.box_reader import BoxReader, Slices, box_index, box_text
from napari_slagseg.io.guards import check_numeric
from napari_slagseg.io.shards import file_edges, file_of, missing_chunk, places_in
from napari_slagseg.io.text import plain

CHUNK = 64
"""Edge of a chunk, the piece that is decoded at once.

Measured on one core (uint16 noise; uint32 labels with zstd; shards of 256) against chunks
of 128: boxes as fast within the noise, planes of labels 1.3 to 1.4 times as fast, planes of
an uncompressed CT 0.6 to 0.8 times.
"""

SHARD = 256
"""Edge of a shard, the piece that is one file.

Holds 64 chunks, so that a volume of 2000^3 is 512 files instead of 32,768. Blocks that are
written by different processes at the same time must not share a shard: their edges are
multiples of this.
"""

LEVEL = 1
"""Of zstd, for labels: as small as level 3 on particles, and faster."""

_MARK = "napari_slagseg"
_LAYER_BYTES = 1 << 26
_writing = threading.Lock()

Missing = Literal["error", "zero"]


@dataclass(frozen=True)
class ZarrVolume(BoxReader):
    """Handle of a Zarr array: a path until a process first reads or writes by it.

    It is picklable at the cost of its path, and may be used by many threads.
    Different boxes may be written at the same time; by different *processes* only
    boxes that share no file of the array (`file_edges`).

    Attributes
    ----------
    path : str
        The store.
    inner : str
        The array within it (``particles/0``); empty where the store is an array.
    order : tuple of int or None
        Stored axes in the order z, y, x; those that it leaves out have a length of
        one and are dropped. None takes the axes as they are.
    missing : {"error", "zero"} or None
        What to make of a chunk that is not there. None asks the array: those that this
        package wrote say "error", as all their chunks are written; those of others
        "zero" (their fill value), as their writers may leave out what is empty.
    """

    path: str
    inner: str = ""
    order: tuple[int, ...] | None = None
    missing: Missing | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k in self.__dataclass_fields__}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def folder(self) -> Path:
        """Folder of the array itself."""
        return Path(self.path, self.inner) if self.inner else Path(self.path)

    @property
    def title(self) -> str:
        """Store and array in messages."""
        return str(self.folder)

    @cached_property
    def array(self) -> zarr.Array[Any]:
        """Array opened for reading, in this process."""
        return self._opened("r")

    @cached_property
    def _writable(self) -> zarr.Array[Any]:
        return self._opened("r+")

    def _opened(self, mode: Literal["r", "r+"]) -> zarr.Array[Any]:
        try:
            array = zarr.open_array(self.folder, mode=mode)
        except Exception as error:  # zarr raises whatever its codecs raise
            raise SlagsegError(
                f"{self.title} cannot be opened as a Zarr array ({_reason(error)}). It is missing, "
                "damaged, or no array."
            ) from error
        if not isinstance(array.dtype, np.dtype):
            raise SlagsegError(f"{self.title} holds values of type {array.dtype}, not numbers.")
        check_numeric(array.dtype, self.title)
        return array.with_config({"write_empty_chunks": True}) if mode == "r+" else array

    @cached_property
    def _kept(self) -> tuple[int, ...]:
        return tuple(range(self.array.ndim)) if self.order is None else self.order

    @cached_property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Voxels along (z, y, x)."""
        return tuple(int(self.array.shape[i]) for i in self._kept)

    @cached_property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """Type of a voxel."""
        return np.dtype(self.array.dtype)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Edges of a chunk along (z, y, x)."""
        return tuple(int(self.array.chunks[i]) for i in self._kept)

    @property
    def file_edges(self) -> tuple[int, ...]:
        """Edges of a file (shard, or chunk where there are no shards) along (z, y, x)."""
        edges = file_edges(self.array)
        return tuple(int(edges[i]) for i in self._kept)

    @cached_property
    def missing_is_error(self) -> bool:
        """Whether a chunk that is not there is a fault."""
        if self.missing is not None:
            return self.missing == "error"
        mark = self.array.attrs.get(_MARK)
        return isinstance(mark, Mapping) and mark.get("missing_chunks") == "error"

    def lacks(self, slices: Slices) -> str:
        """Name of a chunk that a box needs and that is not there; empty if all are.

        Raises
        ------
        SlagsegError
            If a shard is cut short.
        """
        return missing_chunk(self.array, self.folder, self._stored(slices))

    def _stored(self, slices: Slices) -> Slices:
        """Box in the stored order of axes."""
        stored = [slice(0, 1, 1)] * self.array.ndim
        for axis, box in zip(self._kept, slices):
            stored[axis] = box
        return tuple(stored)

    def _read(self, slices: Slices) -> NDArray[Any]:
        asked = tuple(len(range(s.start, s.stop, s.step)) for s in slices)
        span = int(np.prod([s.stop - s.start for s in slices])) * self.dtype.itemsize
        if span <= _LAYER_BYTES:
            return self._read_at_once(slices)
        # zarr holds three times what it reads at once, and decodes all chunks it steps through
        out = np.empty(asked, self.dtype)
        depth = self.chunks[0]
        planes = np.arange(slices[0].start, slices[0].stop, slices[0].step)
        for layer in np.unique(planes // depth):
            here = np.flatnonzero(planes // depth == layer)
            part = slice(int(planes[here[0]]), int(planes[here[-1]]) + 1, slices[0].step)
            out[here[0] : here[-1] + 1] = self._read_at_once((part, *slices[1:]))
        return out

    def _read_at_once(self, slices: Slices) -> NDArray[Any]:
        stored = self._stored(slices)
        if self.missing_is_error:
            lost = self.lacks(slices)
            if lost:
                raise SlagsegError(
                    f"{self.title} lacks {lost}, needed for the box {box_text(slices)}. All "
                    "chunks of this array are written by the step that makes it: it was not "
                    "finished, or the store was not copied whole. Run the step again, or copy it."
                )
        try:
            voxels = np.asarray(self.array[stored])
        except MemoryError:
            raise
        except Exception as error:  # zarr raises whatever its codecs raise
            raise SlagsegError(
                f"{self.title} cannot be read in the box {box_text(slices)} ({_reason(error)}). "
                "A chunk or shard there is damaged or cut short; copy the store again, or run the "
                "step that made it."
            ) from error
        kept = self._kept
        dropped = tuple(i for i in range(voxels.ndim) if i not in kept)
        return voxels.transpose(*dropped, *kept).reshape(
            tuple(len(range(s.start, s.stop, s.step)) for s in slices)
        )

    def __setitem__(self, index: Any, values: Any) -> None:
        """Write a box of slices of step 1; files it covers whole are not read before.

        Raises
        ------
        SlagsegError
            If the place cannot be written to, or a file that the box covers in part
            is damaged.
        """
        asked = box_index(index, self.shape)
        if any(s.step != 1 for s in asked.slices) or not all(
            isinstance(a, int) or a.step is None for a in asked.after
        ):
            raise IndexError("A volume on disk is written by boxes of step 1.")
        if 0 in asked.shape:
            return
        wanted = np.broadcast_to(np.asarray(values), np.empty(asked.shape, "V0")[asked.after].shape)
        stored = self._stored(asked.slices)
        order = sorted(range(len(self._kept)), key=lambda i: self._kept[i])
        block = (
            wanted.reshape(asked.shape)
            .transpose(order)
            .reshape(tuple(s.stop - s.start for s in stored))
        )
        try:
            self._write(stored, block)
        except OSError as error:
            raise write_error(self.folder, error) from error
        except MemoryError:
            raise
        except Exception as error:  # zarr raises whatever its codecs raise
            raise SlagsegError(
                f"The box {box_text(asked.slices)} cannot be written to {self.title} "
                f"({_reason(error)}). A chunk or shard there is damaged; run the step from its "
                "start."
            ) from error

    def _write(self, stored: Slices, block: NDArray[Any]) -> None:
        array = self._writable
        if all(
            s.start % e == 0 and (s.stop % e == 0 or s.stop == n)
            for s, e, n in zip(stored, file_edges(array), array.shape)
        ):
            # zarr would read what is there to mend it, also if it is damaged
            for place in places_in(array, stored):
                file_of(array, self.folder, place).unlink(missing_ok=True)
            array[stored] = block
        else:
            with _writing:  # two threads that mend one shard would lose each other's part
                array[stored] = block

    def fill(self, data: NDArray[Any]) -> None:
        """Write the whole from memory, file by file; faults of the disk are `OSError`."""
        edges = self.file_edges
        for place in np.ndindex(*(-(-n // e) for n, e in zip(self.shape, edges))):
            box = tuple(
                slice(i * e, min((i + 1) * e, n)) for i, e, n in zip(place, edges, self.shape)
            )
            self._write(self._stored(box), np.asarray(data[box]))


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def shard_edges(shape: tuple[int, ...], depth: int = SHARD) -> tuple[int, ...]:
    """Edges of a shard for a volume: `SHARD`, or less where the volume ends before."""
    most = (depth, *(SHARD,) * (len(shape) - 1))
    return tuple(min(m, -(-max(n, 1) // CHUNK) * CHUNK) for n, m in zip(shape, most))


def add_array(
    group: Any,
    name: str,
    shape: tuple[int, ...],
    dtype: Any,
    *,
    compress: bool,
    missing: Missing = "error",
    shard_depth: int = SHARD,
) -> zarr.Array[Any]:
    """Make an array in a Zarr 3 group: volumes in shards, others in chunks.

    Parameters
    ----------
    group : zarr.Group
    name : str
    shape : tuple of int
    dtype : dtype
    compress : bool
        With zstd. Off for a CT, whose noise does not compress.
    missing : {"error", "zero"}
        What its readers make of a chunk that is not there.
    shard_depth : int
        Planes of a shard; fewer where blocks are made of whole planes.
    """
    edge = {1: 1 << 18, 2: 1024}.get(len(shape))
    volume = edge is None
    chunks = tuple(CHUNK if edge is None else max(1, min(n, edge)) for n in shape)
    return group.create_array(
        name,
        shape=shape,
        dtype=np.dtype(dtype).newbyteorder("="),
        chunks=chunks,
        shards=shard_edges(shape, shard_depth) if volume else None,
        fill_value=0,
        compressors=[ZstdCodec(level=LEVEL)] if compress else None,
        dimension_names={3: ("z", "y", "x"), 2: ("y", "x")}.get(len(shape)),
        attributes={_MARK: {"missing_chunks": missing}},
        config={"write_empty_chunks": True},
    )


def new_zarr_volume(
    path: str | Path,
    shape: tuple[int, ...],
    dtype: Any,
    *,
    compress: bool = True,
    missing: Missing = "error",
    attributes: Mapping[str, Any] | None = None,
) -> ZarrVolume:
    """Make a volume for blockwise writing, alone in a store of its own.

    Parameters
    ----------
    path : path
        Folder; an older one is replaced.
    shape : (z, y, x)
    dtype : dtype
    compress : bool
    missing : {"error", "zero"}
        "zero" for scratch volumes that start as zeros.
    attributes : mapping, optional
        JSON values for the store.

    Raises
    ------
    SlagsegError
        If the place cannot be written to.
    """
    check_numeric(np.dtype(dtype), f"The array {path}")
    try:
        group = zarr.open_group(
            path, mode="w", zarr_format=3, attributes=plain(dict(attributes or {}))
        )
        add_array(group, "0", tuple(shape), dtype, compress=compress, missing=missing)
    except OSError as error:
        raise write_error(Path(path), error) from error
    return ZarrVolume(str(path), "0")


__all__ = ["CHUNK", "SHARD", "ZarrVolume", "add_array", "new_zarr_volume", "shard_edges"]
