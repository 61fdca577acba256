"""Grey values on disk that are turned into a usual type, and checked, as they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.io.box_reader import BoxReader, Slices, box_text


@dataclass(frozen=True)
class GreyVolume(BoxReader):
    """A volume on disk as integers of up to 32 bits or float32.

    Attributes
    ----------
    source : BoxReader
    voxel_type : str
        Type to turn its voxels into, as `numpy.dtype.str`.

    Raises
    ------
    SlagsegError
        From reading a box in which a voxel is no number, or does not fit the type.
    """

    source: BoxReader
    voxel_type: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return np.dtype(self.voxel_type)

    @property
    def title(self) -> str:
        """File in messages."""
        return self.source.title

    @property
    def chunks(self) -> tuple[int, ...]:
        """Edges of what is decoded at once."""
        return self.source.chunks

    def _read(self, slices: Slices) -> NDArray[Any]:
        block = np.asarray(self.source[slices])
        if block.dtype.kind == "f":
            bad = int(np.count_nonzero(~np.isfinite(block)))
            if bad:
                raise SlagsegError(
                    f"{self.title} has {bad:,} voxels that are not numbers (NaN or infinite) in "
                    f"the box {box_text(slices)}. Replace them, for example by the value of air."
                )
        elif self.dtype.itemsize < block.dtype.itemsize:
            limits = np.iinfo(self.dtype)
            low, high = int(block.min()), int(block.max())
            if low < limits.min or high > limits.max:
                raise SlagsegError(
                    f"{self.title} holds grey values from {low} to {high} in the box "
                    f"{box_text(slices)}, more than {self.dtype} can. Rescale them to 16 bits."
                )
        return block.astype(self.dtype, copy=False)


__all__ = ["GreyVolume"]
