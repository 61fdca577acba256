"""A mineral map: one SEM-EDS cut through the sample, a phase id per pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.errors import SlagsegError
from napari_slagseg.data.phases import PhaseTable


@dataclass(frozen=True)
class MineralMap:
    """A mineral map.

    Attributes
    ----------
    phases : (row, column) int16
        Phase ids of `table`; -1 where unknown, 0 where background.
    pixel_size_um : float
        Edge of the square pixels in micrometres.
    table : PhaseTable
        What the ids mean (ungrouped).
    name : str
        For messages, layers and file names.
    source : str or None
        File it was read from.
    unmatched_fraction : float
        Share of the pixels whose colour or value was not in the table.
    """

    phases: NDArray[np.int16]
    pixel_size_um: float
    table: PhaseTable
    name: str = "map"
    source: str | None = None
    unmatched_fraction: float = 0.0

    def __post_init__(self) -> None:
        if self.phases.ndim != 2:
            raise SlagsegError(
                f"Mineral map {self.name} is {self.phases.ndim}-D {self.phases.shape}; "
                "it needs two axes (row, column)."
            )
        if not (math.isfinite(self.pixel_size_um) and self.pixel_size_um > 0):
            raise SlagsegError(
                f"Mineral map {self.name} has the pixel size {self.pixel_size_um}; "
                "it must be a number above 0, in micrometres."
            )
        object.__setattr__(self, "phases", np.asarray(self.phases, dtype=np.int16))

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels along (row, column)."""
        rows, columns = self.phases.shape
        return (rows, columns)


__all__ = ["MineralMap"]
