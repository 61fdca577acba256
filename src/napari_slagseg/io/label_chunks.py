"""Chunks of edited labels as files that are named after what they hold.

A file is the mark ``SLGCHUNK``, the format's version (2 bytes), the type (``<u4``, 4 bytes),
the three edges (2 bytes each), and the voxels as one zstd stream. Its name is the SHA-256 of
all that: the name of a file says whether it is whole, and a file is never written to again.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
import uuid
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, Triple
from napari_slagseg.data.overlay import EDGE
from napari_slagseg.io.atomic import write_error

MARK = b"SLGCHUNK"
VERSION = 1
SUFFIX = ".chunk"
_START = struct.Struct("<8sH4s3H")
_LEVEL = 1  # of zstd: labels gain nothing from more
_DECODED = 64
"""Chunks kept as arrays in a process (64 MiB of uint32), so that neighbouring boxes find them."""


class DamagedChunkError(SlagsegError):
    """A chunk's file is missing, or not what its name says."""


class LabelChunk:
    """A chunk of labels, compressed in memory; ``np.asarray`` gives the voxels, read-only.

    Takes some kilobytes where its voxels take a mebibyte.

    Parameters
    ----------
    content : bytes
        Of a file.

    Raises
    ------
    DamagedChunkError
        If they are not one.
    """

    __slots__ = ("content", "dtype", "name", "shape")

    def __init__(self, content: bytes) -> None:
        try:
            mark, version, kind, *edges = _START.unpack_from(content)
            dtype = np.dtype(kind.decode("ascii").strip())
        except (struct.error, UnicodeDecodeError, TypeError) as error:
            raise DamagedChunkError(f"A chunk of edited labels is damaged ({error}).") from error
        # no more memory than a chunk has, whatever the file says
        if mark != MARK or version != VERSION or dtype.kind not in "iu" or max(edges) > EDGE:
            raise DamagedChunkError("A chunk of edited labels is damaged, or of a newer version.")
        self.content = content
        self.name = hashlib.sha256(content).hexdigest()
        self.dtype: np.dtype[Any] = dtype.newbyteorder("=")
        self.shape: Triple = (int(edges[0]), int(edges[1]), int(edges[2]))

    @classmethod
    def of(cls, voxels: NDArray[Any]) -> LabelChunk:
        """Compress the voxels of a chunk, (z, y, x) of whole numbers."""
        little = np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("<"))
        kind = np.dtype(little.dtype).str.replace("|", "<").encode().ljust(4)
        start = _START.pack(MARK, VERSION, kind, *voxels.shape)
        return cls(start + bytes(imagecodecs.zstd_encode(little.tobytes(), level=_LEVEL)))

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return len(self.content)

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, LabelChunk) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        voxels = _decoded(self)
        if dtype is not None and np.dtype(dtype) != voxels.dtype:
            return voxels.astype(dtype)
        return voxels.copy() if copy else voxels


@lru_cache(maxsize=_DECODED)
def _decoded(chunk: LabelChunk) -> NDArray[Any]:
    out = np.empty(chunk.shape, chunk.dtype.newbyteorder("<"))
    stream = chunk.content[_START.size :]
    try:
        count = len(imagecodecs.zstd_decode(stream, out=out.reshape(-1).data.cast("B")))
    except imagecodecs.ZstdError as error:
        raise DamagedChunkError(f"A chunk of edited labels is damaged ({error}).") from error
    if count != math.prod(chunk.shape) * chunk.dtype.itemsize:
        raise DamagedChunkError("A chunk of edited labels is damaged: it is cut short.")
    voxels = out.astype(chunk.dtype, copy=False)
    voxels.flags.writeable = False
    return voxels


def chunk_path(folder: Path, name: str) -> Path:
    """File of a chunk; in 256 folders, as there may be thousands."""
    return folder / name[:2] / f"{name}{SUFFIX}"


def read_label_chunk(folder: Path, name: str) -> LabelChunk:
    """Read a chunk of some name, checked.

    Raises
    ------
    DamagedChunkError
        If it is not there, or damaged.
    """
    path = chunk_path(folder, name)
    try:
        chunk = LabelChunk(path.read_bytes())
    except OSError as error:
        raise DamagedChunkError(f"{path} cannot be read: {error.strerror or error}.") from error
    if chunk.name != name:
        raise DamagedChunkError(f"{path} is damaged: its content is not what its name says.")
    return chunk


def write_label_chunk(folder: Path, chunk: LabelChunk) -> Path:
    """Store a chunk under its name; one that is there and whole is left as it is.

    Raises
    ------
    SlagsegError
        If the disk is full or the place cannot be written to.
    """
    path = chunk_path(folder, chunk.name)
    with suppress(OSError):
        if path.read_bytes() == chunk.content:
            return path
    temporary = path.with_name(f".{path.stem[:16]}-slagseg-{uuid.uuid4().hex[:8]}{SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(chunk.content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise write_error(path, error) from error
    return path


__all__ = [
    "SUFFIX",
    "DamagedChunkError",
    "LabelChunk",
    "chunk_path",
    "read_label_chunk",
    "write_label_chunk",
]
