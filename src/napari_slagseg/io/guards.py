"""Checks that every array from outside goes through."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.io.reading_order import reading_boxes

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

SCANNED_BYTES = 1 << 31
"""Volumes of up to so many bytes are looked at whole when they are opened."""

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
            "Crop it, or work on it in a project, which reads it in blocks."
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


def _blocks(data: Any, most: float = math.inf) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    """Corners and voxels of pieces that are in memory one at a time.

    Of volumes of more than `most` bytes, pieces at regular distances.
    """
    chunks = getattr(data, "chunks", (1, *data.shape[1:]))
    boxes = list(reading_boxes(data.shape, chunks, _BLOCK_VOXELS))
    step = max(1, math.ceil(data.nbytes / most))
    for box in boxes[::step]:
        yield tuple(s.start for s in box), np.asarray(data[box])


def check_grey_values(data: Any, name: str) -> bool:
    """Refuse NaNs, infinities and constant volumes; looks at one piece after the other.

    Reading all of a volume takes minutes where it is large. Of those of more than
    2 GiB, pieces at regular distances are looked at; `GreyVolume` looks at the rest
    when it is read.

    Parameters
    ----------
    data : VolumeLike
    name : str

    Returns
    -------
    whole : bool
        Whether every voxel is known to be a number.
    """
    # what is the same everywhere in a part of it may still vary in the rest
    found = any(_varies(data, name, most) for most in (SCANNED_BYTES, math.inf))
    if not found:
        value = np.asarray(data[(slice(0, 1),) * len(data.shape)]).flat[0]
        raise SlagsegError(
            f"{name} is constant: every voxel is {value:g}. There is nothing to see in it; "
            "check how it was exported."
        )
    return bool(data.dtype.kind != "f" or data.nbytes <= SCANNED_BYTES)


def _varies(data: Any, name: str, most: float) -> bool:
    """Whether grey values differ; refuses those that are no numbers."""
    low, high = np.inf, -np.inf
    count, first = 0, ""
    for start, block in _blocks(data, most):
        if block.dtype.kind == "f":
            bad = ~np.isfinite(block)
            n = int(np.count_nonzero(bad))
            if n:
                if not count:
                    z, y, x = np.add(np.unravel_index(int(bad.argmax()), bad.shape), start)
                    first = f"z={z}, y={y}, x={x}"
                count += n
                continue
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        # a varying integer volume needs no further look
        if block.dtype.kind != "f" and high > low:
            return True
    if count:
        raise SlagsegError(
            f"{name} has {count:,} voxels that are not numbers (NaN or infinite), the first at "
            f"{first}. Replace them, for example by the value of air."
        )
    return high > low


def usual_type(data: Any, name: str) -> np.dtype[Any]:
    """Type for grey values: integers of 8 to 32 bits or float32, in this machine's byte order.

    float16 and float64 become float32, booleans uint8, 64-bit integers 32-bit
    ones if their values fit.

    Raises
    ------
    SlagsegError
        If 64-bit integers do not fit.
    """
    kind, size = data.dtype.kind, data.dtype.itemsize
    if kind == "b":
        return np.dtype(np.uint8)
    if kind == "f":
        return np.dtype(np.float32)
    if size <= 4:
        return np.dtype(data.dtype.newbyteorder("="))
    pairs = [(int(b.min()), int(b.max())) for _, b in _blocks(data, SCANNED_BYTES)]
    low, high = min(a for a, _ in pairs), max(b for _, b in pairs)
    target = np.dtype(np.uint32 if low >= 0 else np.int32)
    limits = np.iinfo(target)
    if low < limits.min or high > limits.max:
        raise SlagsegError(
            f"{name} holds grey values from {low} to {high}, more than 32 bits can. "
            "Rescale them to 16 bits."
        )
    return target


def labels_type(data: Any, name: str) -> np.dtype[Any]:
    """Type for labels: booleans as uint8, floats as int64 if all are whole numbers."""
    check_numeric(data.dtype, name)
    if data.dtype.kind == "b":
        return np.dtype(np.uint8)
    if data.dtype.kind == "f":
        for _, block in _blocks(data):
            wrong = block[~(np.isfinite(block) & (block == np.round(block)))]
            if wrong.size:
                raise SlagsegError(
                    f"{name} holds numbers that are not whole ({data.dtype}, for example "
                    f"{wrong[0]}); labels and phases are whole numbers. Is this the grey-value "
                    "image?"
                )
        return np.dtype(np.int64)
    return np.dtype(data.dtype.newbyteorder("="))


__all__ = [
    "READ_FAULTS",
    "SCANNED_BYTES",
    "check_axes",
    "check_grey_values",
    "check_memory",
    "check_numeric",
    "labels_type",
    "unreadable",
    "usual_type",
]
