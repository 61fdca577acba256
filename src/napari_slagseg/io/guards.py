"""Checks that every array from outside goes through."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError

READ_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    SyntaxError,
    struct.error,
    zlib.error,
)
"""What decoders raise on files that are cut short or damaged."""

_BLOCK_VOXELS = 1 << 24


def unreadable(path: Path, kind: str, error: BaseException) -> SlagsegError:
    """Error for a file that its decoder gave up on."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1] if lines else type(error).__name__
    return SlagsegError(
        f"{path} cannot be read as {kind} ({reason}). It may be damaged, cut short or of another "
        "format than its name says; export it again."
    )


def check_memory(n_bytes: int, name: str) -> None:
    """Refuse to load what cannot fit, rather than have the system end the program."""
    free = psutil.virtual_memory().available
    if n_bytes > free:
        raise SlagsegError(
            f"{name} needs {n_bytes / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free. "
            "Crop it, or store it as an uncompressed TIFF or NPY, which is not loaded at once."
        )


def check_numeric(dtype: np.dtype[Any], name: str) -> None:
    """Refuse arrays of objects, text, complex numbers and records."""
    if dtype.kind not in "buif":
        raise SlagsegError(
            f"{name} holds values of type {dtype}; only whole numbers and real numbers are "
            "read. Arrays of Python objects are never opened, as they can carry code."
        )


def check_axes(shape: tuple[int, ...], name: str, *, colour: bool = False) -> None:
    """Refuse arrays that are no (z, y, x) volume.

    Parameters
    ----------
    shape : tuple of int
    name : str
    colour : bool
        Whether the file says that the last axis holds colours.
    """
    if colour or (len(shape) == 4 and shape[-1] in (3, 4)):
        raise SlagsegError(
            f"{name} is in colour {shape}; a CT volume holds one grey value a voxel. "
            "Convert it to grey values first. If it is a mineral map, give it as a map."
        )
    if len(shape) == 3 and shape[-1] in (3, 4) and min(shape[:2]) > 16:
        raise SlagsegError(
            f"{name} looks like a colour image {shape}, not a CT volume. If it is a mineral map, "
            "give it as a map."
        )
    if len(shape) == 2:
        raise SlagsegError(
            f"{name} is 2-D {shape}; a CT volume needs three axes (z, y, x). "
            "If this is one slice of a stack, open the folder instead."
        )
    if len(shape) != 3:
        raise SlagsegError(
            f"{name} is {len(shape)}-D {shape}; a CT volume needs three axes (z, y, x). "
            "Save one channel and one time point on its own."
        )
    if min(shape) < 1:
        raise SlagsegError(f"{name} is empty: its shape is {shape}.")


def _blocks(data: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Pieces along the first axis, so that a memory map stays on disk."""
    planes = max(1, _BLOCK_VOXELS // max(1, int(np.prod(data.shape[1:]))))
    for start in range(0, data.shape[0], planes):
        yield start, np.asarray(data[start : start + planes])


def check_grey_values(data: NDArray[Any], name: str) -> None:
    """Refuse NaNs, infinities and constant volumes; looks at blocks of planes, copies nothing."""
    low, high = np.inf, -np.inf
    count, first = 0, (0, 0, 0)
    for start, block in _blocks(data):
        if block.dtype.kind == "f":
            bad = ~np.isfinite(block)
            n = int(np.count_nonzero(bad))
            if n:
                if not count:
                    z, y, x = (int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
                    first = (start + z, y, x)
                count += n
                continue
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        # a varying integer volume needs no further look
        if block.dtype.kind != "f" and high > low:
            return
    if count:
        z, y, x = first
        raise SlagsegError(
            f"{name} has {count:,} voxels that are not numbers (NaN or infinite), the first at "
            f"z={z}, y={y}, x={x}. Replace them, for example by the value of air."
        )
    if not high > low:
        raise SlagsegError(
            f"{name} is constant: every voxel is {low:g}. There is nothing to see in it; "
            "check how it was exported."
        )


def usual_type(data: NDArray[Any], name: str) -> NDArray[Any]:
    """Grey values as integers of 8 to 32 bits or float32, in this machine's byte order.

    Those that are so already stay as they are, on disk if they are mapped.
    float16 and float64 become float32, booleans uint8, 64-bit integers 32-bit
    ones if their values fit.
    """
    kind, size = data.dtype.kind, data.dtype.itemsize
    if kind == "b":
        target: np.dtype[Any] = np.dtype(np.uint8)
    elif kind == "f":
        target = np.dtype(np.float32)
    elif size <= 4:
        target = data.dtype.newbyteorder("=")
    else:
        low = min(int(block.min()) for _, block in _blocks(data))
        high = max(int(block.max()) for _, block in _blocks(data))
        target = np.dtype(np.uint32 if low >= 0 else np.int32)
        limits = np.iinfo(target)
        if low < limits.min or high > limits.max:
            raise SlagsegError(
                f"{name} holds grey values from {low} to {high}, more than 32 bits can. "
                "Rescale them to 16 bits."
            )
    if target == data.dtype:
        return data
    check_memory(data.size * target.itemsize, name)
    return data.astype(target)


def check_labels(data: NDArray[Any], name: str) -> NDArray[Any]:
    """Integer labels from an array; floats are taken where they are whole numbers."""
    check_numeric(data.dtype, name)
    if data.dtype.kind == "b":
        return data.astype(np.uint8)
    if data.dtype.kind == "f":
        for _, block in _blocks(data):
            wrong = block[~(np.isfinite(block) & (block == np.round(block)))]
            if wrong.size:
                raise SlagsegError(
                    f"{name} holds numbers that are not whole ({data.dtype}, for example "
                    f"{wrong[0]}); labels and phases are whole numbers. Is this the grey-value "
                    "image?"
                )
        check_memory(data.size * 8, name)
        return data.astype(np.int64)
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


__all__ = [
    "READ_FAULTS",
    "check_axes",
    "check_grey_values",
    "check_labels",
    "check_memory",
    "check_numeric",
    "unreadable",
    "usual_type",
]
