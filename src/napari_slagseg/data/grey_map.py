"""A grey image of a cut, such as BSE: placed like a mineral map, but without phases."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.errors import SlagsegError


@dataclass(frozen=True)
class GreyMap:
    """A grey image of a polished cut.

    Attributes
    ----------
    grey : (row, column) float32
        Any scale; the darkest part is taken for the epoxy. NaN where nothing is known.
    pixel_size_um : float
        Edge of the square pixels in micrometres.
    name : str
    source : str
        File it was read from.
    """

    grey: NDArray[np.float32]
    pixel_size_um: float
    name: str = "grey map"
    source: str = ""

    def __post_init__(self) -> None:
        if self.grey.ndim != 2:
            raise SlagsegError(
                f"Grey map {self.name} is {self.grey.ndim}-D {self.grey.shape}; "
                "it needs two axes (row, column)."
            )
        if not (math.isfinite(self.pixel_size_um) and self.pixel_size_um > 0):
            raise SlagsegError(
                f"Grey map {self.name} has the pixel size {self.pixel_size_um}; "
                "it must be a number above 0, in micrometres."
            )
        object.__setattr__(self, "grey", np.asarray(self.grey, dtype=np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels along (row, column)."""
        rows, columns = self.grey.shape
        return (rows, columns)


__all__ = ["GreyMap"]
