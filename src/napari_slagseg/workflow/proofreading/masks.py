"""What was painted, as JSON values."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, Triple


def mask_to_json(start: Triple, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """A mask in a box of the volume: start, shape, and its bits packed by zlib in base 64."""
    packed = zlib.compress(np.packbits(mask).tobytes(), 6)
    return {
        "start": list(start),
        "shape": list(mask.shape),
        "bits": base64.b64encode(packed).decode("ascii"),
    }


def mask_from_json(values: Mapping[str, Any]) -> tuple[Triple, NDArray[np.bool_]]:
    """Start and mask back from `mask_to_json`.

    Raises
    ------
    SlagsegError
        If they are damaged.
    """
    try:
        start, shape = ([int(n) for n in values[name]] for name in ("start", "shape"))
        count = math.prod(shape)
        inflate = zlib.decompressobj()
        # no more than the shape has room for, whatever the stream says
        size = -(-count // 8)
        packed = inflate.decompress(base64.b64decode(values["bits"]), size + 1)
        if len(packed) != size:
            raise ValueError(f"{len(packed)} bytes for {count} voxels")
        bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=count)
        z, y, x = start
        return (z, y, x), bits.reshape(shape).astype(bool)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise SlagsegError(
            f"What was painted in this edit cannot be read ({error}); leave the edit out."
        ) from error


def strokes_to_json(
    start: Triple, before: NDArray[Any], after: NDArray[Any]
) -> list[dict[str, Any]]:
    """Where a brush left which value, as a mask for each of them."""
    changed = before != after
    return [
        {"value": value, **mask_to_json(start, changed & (after == value))}
        for value in np.unique(after[changed]).tolist()
    ]


__all__ = ["mask_from_json", "mask_to_json", "strokes_to_json"]
