"""Where a block lies in an array in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import VolumeLike


@dataclass(frozen=True)
class Place:
    """Where a block lies in an array in memory: loops along x are far faster over a flat one.

    Attributes
    ----------
    flat : (n,) array
        The whole array.
    begin : int
        The block's first voxel.
    row, plane : int
        From a row, and from a plane, to the next.
    """

    flat: NDArray[Any]
    begin: int
    row: int
    plane: int

    @classmethod
    def of(cls, array: NDArray[Any], start: tuple[int, int, int] = (0, 0, 0)) -> Place:
        """Place in a C-contiguous 3D array of the block that begins at `start`."""
        row = array.shape[2]
        plane = row * array.shape[1]
        begin = start[0] * plane + start[1] * row + start[2]
        return cls(array.reshape(-1), begin, row, plane)


def flat(volume: VolumeLike) -> bool:
    """Whether a volume can be gone through as one row of uint32."""
    return (
        isinstance(volume, np.ndarray) and volume.dtype == np.uint32 and volume.flags.c_contiguous
    )


__all__ = ["Place", "flat"]
