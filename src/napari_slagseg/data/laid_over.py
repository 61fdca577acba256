"""Reading a volume with edited chunks laid over it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.blocks import Triple, VolumeLike
from napari_slagseg.data.box_index import box_index
from napari_slagseg.data.overlay import EDGE, Chunks, lay_over, read_over


class LaidOver(ABC):
    """A `VolumeLike`: a base, and over it chunks of 64^3 voxels that were edited.

    Attributes
    ----------
    base : (z, y, x) VolumeLike
        As segmented; never written to.
    name : str
        Of the array.
    """

    base: VolumeLike
    name: str

    @abstractmethod
    def _laid(self) -> Chunks:
        """Edited chunks of one moment, whatever is written meanwhile."""

    @property
    def shape(self) -> Triple:
        """Voxels along (z, y, x)."""
        z, y, x = self.base.shape
        return z, y, x

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return np.dtype(self.base.dtype)

    @property
    def ndim(self) -> int:
        """Three."""
        return 3

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def chunks(self) -> Triple:
        """Edges of what is edited at once."""
        return (EDGE,) * 3

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any, /) -> Any:
        """Voxels of a box of slices and whole numbers, as a new numpy array."""
        asked = box_index(index, self.shape)
        return read_over(self.base, self._laid(), asked.slices)[asked.after]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The whole volume; refused where the base finds no memory for it."""
        if copy is False:
            raise ValueError(f"The edited {self.name} are no array; as one they are a copy.")
        laid = self._laid()
        whole = np.array(self.base)
        lay_over(whole, laid, tuple(np.arange(n) for n in self.shape))
        return whole if dtype is None else whole.astype(dtype, copy=False)


__all__ = ["LaidOver"]
