"""What the tasks of a step take for every voxel."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_slagseg.data import Triple

PREDICTED_BYTES = 2.0
"""Bytes a voxel of what the networks give."""


@dataclass(frozen=True)
class BlockCosts:
    """Memory and disk of a step's tasks.

    Attributes
    ----------
    bytes_per_voxel : float
        Memory at the peak of the hungriest task, for each voxel of its block with halo.
    halo : int
        Voxels around a block that it reads.
    scratch_bytes_per_voxel : float
        Disk that the work takes meanwhile, for each voxel of the volume.
    result_bytes_per_voxel : float
        Disk that the results take.
    """

    bytes_per_voxel: float
    halo: int = 0
    scratch_bytes_per_voxel: float = 0.0
    result_bytes_per_voxel: float = 0.0

    def scratch_bytes(self, shape: Triple) -> int:
        """Disk for the work on a volume."""
        return math.ceil(math.prod(shape) * self.scratch_bytes_per_voxel)

    def result_bytes(self, shape: Triple) -> int:
        """Disk for the results of a volume."""
        return math.ceil(math.prod(shape) * self.result_bytes_per_voxel)


__all__ = ["PREDICTED_BYTES", "BlockCosts"]
