"""Checks that every array from outside goes through."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError

_BLOCK_VOXELS = 1 << 24


def check_numeric(dtype: np.dtype[Any], name: str) -> None:
    """Refuse arrays of objects, text, complex numbers and records."""
    if dtype.kind not in "buif":
        raise SlagsegError(
            f"{name} holds values of type {dtype}; only whole numbers and real numbers are "
            "read. Arrays of Python objects are never opened, as they can carry code."
        )


def check_axes(shape: tuple[int, ...], name: str) -> None:
    """Refuse arrays that are no (z, y, x) volume."""
    if len(shape) == 4 and shape[-1] in (3, 4):
        raise SlagsegError(
            f"{name} is in colour {shape}; a CT volume holds one grey value a voxel. "
            "Convert it to grey values first."
        )
    if len(shape) == 3 and shape[-1] in (3, 4) and min(shape[:2]) > 16:
        raise SlagsegError(
            f"{name} is a colour image {shape}, not a CT volume. If it is a mineral map, "
            "give it as one (--map)."
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


def check_grey_values(data: NDArray[Any], name: str) -> None:
    """Refuse NaNs, infinities and constant volumes; looks at blocks of planes, copies nothing."""
    planes = max(1, _BLOCK_VOXELS // max(1, int(np.prod(data.shape[1:]))))
    low, high = np.inf, -np.inf
    for start in range(0, data.shape[0], planes):
        block = np.asarray(data[start : start + planes])
        if block.dtype.kind == "f":
            finite = np.isfinite(block)
            if not finite.all():
                z, y, x = (int(i[0]) for i in np.nonzero(~finite))
                raise SlagsegError(
                    f"{name} has voxels that are not numbers (NaN or infinite), the first at "
                    f"z={start + z}, y={y}, x={x}. Replace them, for example by the value of air."
                )
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        # a varying integer volume needs no further look
        if block.dtype.kind != "f" and high > low:
            return
    if not high > low:
        raise SlagsegError(
            f"{name} is constant: every voxel is {low:g}. There is nothing to see in it; "
            "check how it was exported."
        )


def check_labels(data: NDArray[Any], name: str) -> NDArray[Any]:
    """Integer labels from an array; floats are taken where they are whole numbers."""
    check_numeric(data.dtype, name)
    if data.dtype.kind == "b":
        return data.astype(np.uint8)
    if data.dtype.kind == "f":
        if not np.isfinite(data).all() or np.any(data != np.round(data)):
            raise SlagsegError(
                f"{name} holds numbers that are not whole ({data.dtype}); labels and phases are "
                "whole numbers. Is this the grey-value image?"
            )
        return data.astype(np.int64)
    return data


__all__ = ["check_axes", "check_grey_values", "check_labels", "check_numeric"]
