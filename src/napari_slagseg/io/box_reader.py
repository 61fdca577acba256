"""Volumes that stay on disk and are read by boxes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.box_index import BoxIndex, Slices, box_index
from napari_slagseg.io.guards import check_memory


def box_text(slices: Slices) -> str:
    """A box in words: ``z 0-256, y 0-256, x 512-600``."""
    names = "zyx"[-len(slices) :] if len(slices) <= 3 else ""
    return ", ".join(
        f"{names[i] if names else f'axis {i}'} {s.start}-{s.stop}" for i, s in enumerate(slices)
    )


class BoxReader(ABC):
    """Base of volumes on disk: indexing as numpy's, reading as the subclass knows.

    Nothing is read before a box is asked for. Turning the whole into an array
    (``np.asarray``) is allowed where memory is free for it, and refused else.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""

    @property
    @abstractmethod
    def title(self) -> str:
        """File (and array) in messages."""

    @abstractmethod
    def _read(self, slices: Slices) -> NDArray[Any]:
        """Voxels of a box that is not empty; steps are above zero."""

    @property
    def chunks(self) -> tuple[int, ...]:
        """Edges of what is decoded at once: a plane, unless the subclass knows better."""
        return (1, *self.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes it would need in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        """Its planes, one after the other."""
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        """Voxels of a box of slices and whole numbers, as a new numpy array."""
        asked = box_index(index, self.shape)
        if 0 in asked.shape:
            return np.empty(asked.shape, self.dtype)[asked.after]
        return self._read(asked.slices)[asked.after]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The whole volume, where memory is free for it."""
        if copy is False:
            raise ValueError(f"{self.title} is on disk; as an array it is always a copy.")
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        check_memory(self.nbytes, self.title)
        whole: NDArray[Any] = self[...]
        return whole.astype(wanted, copy=False)


__all__ = ["BoxIndex", "BoxReader", "Slices", "box_index", "box_text"]
