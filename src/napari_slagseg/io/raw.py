"""Raw volumes: voxels without a header."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_slagseg.data import SlagsegError
from napari_slagseg.io.guards import check_numeric
from napari_slagseg.io.stored import StoredArray

SUFFIXES = (".raw", ".bin", ".dat", ".vol")

_SHAPE = re.compile(r"(\d+)[xX](\d+)[xX](\d+)")
_TYPES = {
    "uint8": ("uint8", "u8", "8bit", "8b"),
    "uint16": ("uint16", "u16", "16bit", "16b"),
    "int16": ("int16", "i16", "s16"),
    "uint32": ("uint32", "u32"),
    "int32": ("int32", "i32", "s32"),
    "float32": ("float32", "f32", "float", "real", "32bit", "32b"),
}


@dataclass(frozen=True)
class RawLayout:
    """Layout of a headerless file.

    Attributes
    ----------
    shape : (z, y, x)
    dtype : str
        numpy's name of the type ("uint8", "uint16", "float32").
    offset : int
        Bytes before the first voxel.
    byte_order : {"little", "big"}
    """

    shape: tuple[int, int, int]
    dtype: str
    offset: int = 0
    byte_order: Literal["little", "big"] = "little"

    def numpy_dtype(self) -> np.dtype[Any]:
        """As a numpy dtype, or a clear error."""
        try:
            dtype = np.dtype(self.dtype)
        except TypeError as error:
            raise SlagsegError(
                f"'{self.dtype}' is no type of voxel. Use uint8, uint16, int16, uint32 or float32."
            ) from error
        check_numeric(dtype, "The raw file")
        if self.byte_order not in ("little", "big"):
            raise SlagsegError(f"The byte order is '{self.byte_order}'; use 'little' or 'big'.")
        return dtype.newbyteorder("<" if self.byte_order == "little" else ">")


def read_raw(path: Path, layout: RawLayout) -> StoredArray:
    """Map a raw file into memory by its layout.

    Raises
    ------
    SlagsegError
        If the layout is none, or the file has another size than it says.
    """
    dtype = layout.numpy_dtype()
    shape = tuple(int(n) for n in layout.shape)
    if len(shape) != 3 or min(shape) < 1 or layout.offset < 0:
        raise SlagsegError(
            f"The layout of raw file {path} has the shape {layout.shape} and the offset "
            f"{layout.offset}; it needs three numbers (z, y, x) above 0, and an offset of 0 or "
            "more bytes."
        )
    try:
        size = path.stat().st_size
        needed = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize + layout.offset
        if needed != size:
            raise SlagsegError(
                f"{path} has {size:,} bytes, but {shape} voxels of {dtype.name} with an offset of "
                f"{layout.offset} need {needed:,}. Check shape, type and offset."
                + (f" {hint}" if (hint := _hint(path, size)) else "")
            )
        data = np.memmap(path, dtype=dtype, mode="r", offset=layout.offset, shape=shape)
    except OSError as error:
        raise SlagsegError(f"{path} cannot be read: {error.strerror or error}.") from error
    return StoredArray(data, None, "a raw file states none")


def layout_needed(path: Path) -> SlagsegError:
    """Error for a raw file without a layout; suggests what its name hints at."""
    size = path.stat().st_size
    hint = _hint(path, size)
    return SlagsegError(
        f"{path} is a raw file of {size:,} bytes without a header. Give its shape (z, y, x) and "
        f"voxel type, for example 100,200,200 and uint8.{' ' + hint if hint else ''}"
    )


def _hint(path: Path, size: int) -> str:
    """What the file's name hints at; a hint only, for x, y, z and z, y, x are both in use."""
    found = _SHAPE.search(path.stem)
    if found is None:
        return ""
    a, b, c = (int(n) for n in found.groups())
    voxels = a * b * c
    words = re.split(r"[^0-9a-z]+", path.stem.lower())
    named = [dtype for dtype, names in _TYPES.items() if any(name in words for name in names)]
    fitting = [d for d in (named or _TYPES) if voxels and voxels * np.dtype(d).itemsize == size]
    if not fitting:
        return ""
    orders = f"({a}, {b}, {c})" if a == c else f"({c}, {b}, {a}) or ({a}, {b}, {c})"
    return f"Going by its name and size it may be {orders} voxels of {' or '.join(fitting)}."


__all__ = ["SUFFIXES", "RawLayout", "layout_needed", "read_raw"]
