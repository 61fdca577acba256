"""What one step of a training is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from napari_slagseg.data.blocks import VolumeLike
from napari_slagseg.networks.augmentation import Turn
from napari_slagseg.networks.patches import Patch, SparseLabels, draw_anywhere, draw_patch
from napari_slagseg.networks.settings import TrainingSettings


@dataclass(frozen=True)
class Batch:
    """Patches of a step, as tensors.

    Attributes
    ----------
    images : (n, 1, z, y, x) uint8
    known : tuple of n (k_i,) int64
        Flat indices of each patch's known voxels; empty for patches from anywhere.
    classes : tuple of n (k_i,) int64
    weights : tuple of n (k_i,) float32
    """

    images: Tensor
    known: tuple[Tensor, ...]
    classes: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]

    @classmethod
    def of(cls, patches: list[Patch]) -> Batch:
        """Batch of patches of one size."""
        return cls(
            torch.from_numpy(np.stack([p.image for p in patches])[:, None]),
            tuple(torch.from_numpy(p.known) for p in patches),
            tuple(torch.from_numpy(p.classes) for p in patches),
            tuple(torch.from_numpy(p.weights) for p in patches),
        )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def weight(self) -> float:
        """Sum of the weights of all known voxels."""
        return float(torch.cat(self.weights).sum())

    def pinned(self) -> Batch:
        """Same batch in memory that a GPU copies from while it computes."""
        return Batch(
            self.images.pin_memory(),
            *(
                tuple(t.pin_memory() if len(t) else t for t in tensors)
                for tensors in (self.known, self.classes, self.weights)
            ),
        )

    def parts(self, count: int) -> list[Batch]:
        """The batch in so many parts (or fewer) that differ by one patch at most in size.

        Patches are dealt out in turn, so that those with known voxels, which come first, and
        those from anywhere are in every part.
        """
        if count == 1:
            return [self]
        return [
            replace(
                self,
                images=self.images[first::count],
                known=self.known[first::count],
                classes=self.classes[first::count],
                weights=self.weights[first::count],
            )
            for first in range(min(count, len(self)))
        ]


@dataclass(frozen=True)
class BatchMaker:
    """Makes the batch of a step; the same for the same step, whoever makes it and when.

    Attributes
    ----------
    data : VolumeLike of uint8
    labels : SparseLabels
    patch : (z, y, x)
    turns : list of Turn
    settings : TrainingSettings
    anywhere : int
        Patches from anywhere, beside those around known voxels.
    pin : bool
        For a GPU.
    """

    data: VolumeLike
    labels: SparseLabels
    patch: tuple[int, int, int]
    turns: list[Turn]
    settings: TrainingSettings
    anywhere: int = 0
    pin: bool = False

    def __call__(self, step: int) -> Batch:
        """Batch of a step, counted from 0."""
        s = self.settings
        # one stream a step: where a training was stopped leaves no trace
        rng = np.random.default_rng([s.seed, 7, step])
        patches = [
            draw_patch(
                self.data,
                self.labels,
                self.patch,
                self.turns,
                rng,
                grey_shift=s.grey_shift,
                elastic=s.elastic,
                focus=s.focus,
            )
            for _ in range(s.batch)
        ]
        # a stream of its own, so that a teacher changes nothing about the other patches
        rng = np.random.default_rng([s.seed, 8, step])
        patches += [
            draw_anywhere(
                self.data,
                self.patch,
                self.turns,
                rng,
                grey_shift=s.grey_shift,
                elastic=s.elastic,
            )
            for _ in range(self.anywhere)
        ]
        batch = Batch.of(patches)
        return batch.pinned() if self.pin else batch


__all__ = ["Batch", "BatchMaker"]
