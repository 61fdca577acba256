"""Coarser levels of edited labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.blocks import Triple, VolumeLike
from napari_slagseg.data.box_index import Slices, box_index
from napari_slagseg.data.edits import Delta
from napari_slagseg.data.errors import SlagsegError
from napari_slagseg.data.overlay import lay_over
from napari_slagseg.data.picking import picked_places

if TYPE_CHECKING:
    from napari_slagseg.data.edited_volume import EditedVolume


@dataclass(frozen=True)
class CoarseEdits:
    """A coarser level of an `EditedVolume`; a `VolumeLike`.

    Attributes
    ----------
    volume : EditedVolume
    level : int
    base : VolumeLike or None
        The level as stored.
    """

    volume: EditedVolume
    level: int
    base: VolumeLike | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", picked_places(self.volume.shape, self.level))
        if self.base is not None and tuple(self.base.shape) != self.shape:
            raise SlagsegError(
                f"Level {self.level} of the {self.volume.name} has the shape "
                f"{tuple(self.base.shape)}, but that of a volume of {self.volume.shape} is "
                f"{self.shape}. Make the levels again (run 'segment')."
            )

    @property
    def places(self) -> tuple[NDArray[np.int64], ...]:
        """Voxels of level 0 that the level holds, by axis."""
        return self._places  # type: ignore[attr-defined]

    @property
    def shape(self) -> Triple:
        """Voxels along (z, y, x)."""
        z, y, x = (len(p) for p in self.places)
        return z, y, x

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return self.volume.dtype

    @property
    def ndim(self) -> int:
        """Three."""
        return 3

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any, /) -> Any:
        """Voxels of a box of slices and whole numbers, as a new numpy array."""
        asked = box_index(index, self.shape)
        chunks = self.volume.overlay
        places = tuple(p[s] for p, s in zip(self.places, asked.slices))
        if 0 in asked.shape:
            return np.empty(asked.shape, self.dtype)[asked.after]
        if self.base is not None:
            out = np.array(self.base[asked.slices], order="C")
        else:
            box = tuple(slice(int(p[0]), int(p[-1]) + 1) for p in places)
            below = np.asarray(self.volume.base[box])
            out = below[np.ix_(*(p - p[0] for p in places))]
        lay_over(out, chunks, places)
        return out[asked.after]

    def box_of(self, delta: Delta) -> Slices:
        """Box of the level whose voxels an edit may have changed; may be empty."""
        return tuple(
            slice(int(np.searchsorted(p, a)), int(np.searchsorted(p, b)))
            for p, a, b in zip(self.places, delta.start, delta.stop)
        )


__all__ = ["CoarseEdits"]
