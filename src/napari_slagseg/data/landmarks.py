"""Landmarks: places that a user saw to be the same in a map and in the CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Landmarks:
    """Pairs of map pixels and CT voxels.

    Attributes
    ----------
    pixels : (n, 2) float64
        (row, column).
    voxels : (n, 3) float64
        (z, y, x).
    """

    pixels: NDArray[np.float64]
    voxels: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pixels)


__all__ = ["Landmarks"]
