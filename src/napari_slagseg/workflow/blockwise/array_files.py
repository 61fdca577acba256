"""Files of a few named arrays: whole or not there, and known to be damaged when they are."""

from __future__ import annotations

import io as streams
import os
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import BlockResult

_MAGIC = b"SLAGARR1"
_HEAD = struct.Struct("<8sIQ")  # magic, CRC-32 of the rest, length of the rest
_LEVEL = 1  # faces of labels shrink tenfold at hardly any cost


class DamagedFileError(ValueError):
    """A file of arrays was cut short or changed."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], *, durable: bool = False) -> None:
    """Write arrays of numbers under their names, in place of an older file.

    Nothing is pickled, so reading the file cannot run code. A process that is killed
    meanwhile leaves the older file, or none.

    Parameters
    ----------
    path : Path
    arrays : mapping of str to array
    durable : bool
        Wait until the disk keeps it, whatever happens to the machine.

    Raises
    ------
    ValueError
        If an array holds Python objects.
    OSError
    """
    plain = streams.BytesIO()
    plain.write(struct.pack("<I", len(arrays)))
    for name, array in arrays.items():
        encoded = name.encode()
        plain.write(struct.pack("<I", len(encoded)) + encoded)
        np.lib.format.write_array(plain, np.asarray(array), allow_pickle=False)
    body = imagecodecs.zstd_encode(plain.getvalue(), level=_LEVEL)
    temporary = path.with_name(f".{path.name}-{uuid4().hex[:8]}")
    try:
        with temporary.open("wb") as file:
            file.write(_HEAD.pack(_MAGIC, zlib.crc32(body), len(body)))
            file.write(body)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable and os.name == "posix":
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        if error.filename is None:  # a write that failed does not say where
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def read_arrays(path: Path) -> BlockResult:
    """Arrays by name.

    Raises
    ------
    FileNotFoundError
    DamagedFileError
        If the file is not as it was written.
    """
    raw = path.read_bytes()
    if len(raw) < _HEAD.size:
        raise DamagedFileError(f"{path} was cut short")
    magic, check, length = _HEAD.unpack_from(raw)
    body = memoryview(raw)[_HEAD.size :]
    if magic != _MAGIC or len(body) != length or zlib.crc32(body) != check:
        raise DamagedFileError(f"{path} is damaged")
    plain = streams.BytesIO(imagecodecs.zstd_decode(bytes(body)))
    (count,) = struct.unpack("<I", plain.read(4))
    found = {}
    for _ in range(count):
        (length,) = struct.unpack("<I", plain.read(4))
        name = plain.read(length).decode()
        found[name] = np.lib.format.read_array(plain, allow_pickle=False)
    return found


__all__ = ["DamagedFileError", "read_arrays", "write_arrays"]
