"""Painted errors, as the project keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Correction:
    """One set of painted errors (K 2.3.4).

    Attributes
    ----------
    voxels : (n,) int64
        Flat C-order indices of the error voxels.
    predicted_foreground : (n,) bool
        The binarised prediction of the particle network there.
    """

    voxels: NDArray[np.int64]
    predicted_foreground: NDArray[np.bool_]


__all__ = ["Correction"]
