"""Ground truth: the few voxels whose phase and particle are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.errors import SlagsegError
from napari_slagseg.data.phases import UNKNOWN, PhaseTable


@dataclass(frozen=True)
class GroundTruth:
    """Sparse ground truth in CT space (K 2.3.1, 2.3.3), one entry a known voxel.

    Voxels that are not listed are unknown (-1) and weigh nothing.

    Attributes
    ----------
    shape : (z, y, x)
        Of the CT.
    voxels : (n,) int64
        Flat C-order indices, strictly rising.
    phases : (n,) int16
        S_M: class ids of `table`; -1 unknown.
    particles : (n,) int32
        S_P: particle number, unique over all maps; 0 background; -1 unknown.
    foreground : (n,) int8
        S_F (K Eq. 1, corrected by K Eq. 3): 1, 0 or -1.
    phase_weights : (n,) float32
        Lambda_M.
    particle_weights : (n,) float32
        Lambda_F (K Eq. 2, corrected by K Eq. 3).
    map_index : (n,) int16
        Which of `map_names` the voxel came from; -1 for painted corrections.
    cutout_index : (n,) int16
        Which cutout of that map (the best-scored one there); -1 if none.
    table : PhaseTable
        The (grouped) classes.
    map_names : tuple of str
    """

    shape: tuple[int, int, int]
    voxels: NDArray[np.int64]
    phases: NDArray[np.int16]
    particles: NDArray[np.int32]
    foreground: NDArray[np.int8]
    phase_weights: NDArray[np.float32]
    particle_weights: NDArray[np.float32]
    map_index: NDArray[np.int16]
    cutout_index: NDArray[np.int16]
    table: PhaseTable
    map_names: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.voxels)
        for name in (
            "phases",
            "particles",
            "foreground",
            "phase_weights",
            "particle_weights",
            "map_index",
            "cutout_index",
        ):
            if getattr(self, name).shape != (n,):
                raise SlagsegError(
                    f"Ground truth of {n} voxels has {name} of shape {getattr(self, name).shape}."
                )
        if n and (np.any(np.diff(self.voxels) <= 0) or self.voxels[0] < 0):
            raise SlagsegError("The voxels of a ground truth must be rising and not repeated.")
        if n and self.voxels[-1] >= np.prod(self.shape, dtype=np.int64):
            raise SlagsegError(f"The ground truth has voxels outside its volume {self.shape}.")

    def __len__(self) -> int:
        return len(self.voxels)

    def zyx(self) -> NDArray[np.int64]:
        """(n, 3) voxel coordinates."""
        return np.stack(np.unravel_index(self.voxels, self.shape), axis=-1)

    def dense(self, name: str, fill: float = UNKNOWN) -> NDArray[np.generic]:
        """One attribute as a full (z, y, x) array; for display and tests of small volumes."""
        values = getattr(self, name)
        out = np.full(self.shape, fill, dtype=values.dtype)
        out.reshape(-1)[self.voxels] = values
        return out

    def select(self, keep: NDArray[np.bool_]) -> GroundTruth:
        """Only the entries where `keep` (n,) is true."""
        return GroundTruth(
            shape=self.shape,
            voxels=self.voxels[keep],
            phases=self.phases[keep],
            particles=self.particles[keep],
            foreground=self.foreground[keep],
            phase_weights=self.phase_weights[keep],
            particle_weights=self.particle_weights[keep],
            map_index=self.map_index[keep],
            cutout_index=self.cutout_index[keep],
            table=self.table,
            map_names=self.map_names,
        )


__all__ = ["GroundTruth"]
