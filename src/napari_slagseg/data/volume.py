"""A CT volume and its voxel size."""

from __future__ import annotations

from dataclasses import dataclass

from napari_slagseg.data.blocks import VolumeLike
from napari_slagseg.data.errors import SlagsegError

VoxelSize = tuple[float, float, float]
"""Edge lengths of a voxel along (z, y, x) in micrometres."""


LARGEST_UM = 1_000_000.0
"""Largest voxel, one metre; beyond it somebody meant another unit."""


def checked_voxel_size(size: float | tuple[float, ...], what: str = "The voxel size") -> VoxelSize:
    """Voxel size as three positive numbers (z, y, x) in micrometres.

    Raises
    ------
    SlagsegError
        If there are not one or three numbers, or one is not above 0 and at most `LARGEST_UM`.
    """
    numbers = (float(size),) * 3 if isinstance(size, (int, float)) else tuple(map(float, size))
    if len(numbers) == 1:
        numbers = numbers * 3
    if len(numbers) != 3 or not all(0 < n <= LARGEST_UM for n in numbers):
        raise SlagsegError(
            f"{what} is {size}; it must be one number above 0, or three (z, y, x), in micrometres "
            f"(and no more than {LARGEST_UM:,.0f})."
        )
    return (numbers[0], numbers[1], numbers[2])


@dataclass(frozen=True)
class Volume:
    """A grey-value CT volume.

    Attributes
    ----------
    data : (z, y, x) VolumeLike
        Grey values, integer or float: an array, a memory map, or a volume on disk
        that is read by boxes. Read what you need (``data[10:20]``); a whole CT may
        not fit in memory.
    voxel_size_um : (z, y, x)
        Micrometres.
    name : str
        For messages and layers.
    source : str or None
        File or folder it was read from.
    """

    data: VolumeLike
    voxel_size_um: VoxelSize
    name: str = "CT"
    source: str | None = None

    def __post_init__(self) -> None:
        if len(self.data.shape) != 3:
            raise SlagsegError(
                f"{self.name} is {len(self.data.shape)}-D {self.data.shape}; "
                "a CT volume needs three axes (z, y, x)."
            )
        object.__setattr__(self, "voxel_size_um", checked_voxel_size(self.voxel_size_um))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        z, y, x = self.data.shape
        return (z, y, x)

    @property
    def is_cubic(self) -> bool:
        """Whether the voxel's edges agree to one part in a thousand."""
        return max(self.voxel_size_um) <= 1.001 * min(self.voxel_size_um)


def require_cubic(voxel_size_um: VoxelSize, step: str) -> float:
    """Edge of a cubic voxel in micrometres, or a clear error that names the step."""
    if max(voxel_size_um) > 1.001 * min(voxel_size_um):
        raise SlagsegError(
            f"{step} needs cubic voxels, but the voxel size is {voxel_size_um} um (z, y, x). "
            "Resample the volume to cubic voxels first."
        )
    return float(voxel_size_um[0])


__all__ = ["Volume", "VoxelSize", "checked_voxel_size", "require_cubic"]
