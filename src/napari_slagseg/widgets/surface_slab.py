"""The part of a CT that a placed map runs through, to be looked at again and again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from napari_slagseg.data import Cutout, PlacedMap, SlagsegError, Volume
from napari_slagseg.registration import reslice

ROOM_SLICES = 24
"""Slices kept above and below a surface, so that nudging it reads nothing from disk."""


@dataclass(frozen=True)
class Region:
    """A rectangle of the map, in map pixels."""

    row: int
    column: int
    height: int
    width: int

    @classmethod
    def of(cls, cutout: Cutout) -> Region:
        """Where a cutout lies."""
        return cls(cutout.row, cutout.column, cutout.height, cutout.width)

    def on_grid(self, step: int) -> tuple[slice, slice]:
        """Its pixels on a picture of every `step`-th map pixel."""
        return (
            slice(-(-self.row // step), -(-(self.row + self.height) // step)),
            slice(-(-self.column // step), -(-(self.column + self.width) // step)),
        )


class SurfaceSlab:
    """Slices of the CT around a surface.

    Only these are read: a volume may be memory-mapped or lie in a Zarr store.

    Parameters
    ----------
    volume : Volume
    placed : PlacedMap
        With a surface.
    room : int
        Further slices on both sides.

    Raises
    ------
    SlagsegError
        If the map has no surface.
    """

    def __init__(self, volume: Volume, placed: PlacedMap, room: int = ROOM_SLICES) -> None:
        low, high = _heights(placed)
        last = volume.shape[0]
        # a surface above or below the CT is seen as such, not as an error
        self.first = int(np.clip(np.floor(low) - room, 0, last - 1))
        self.end = int(np.clip(np.ceil(high) + room + 1, self.first + 1, last))
        self._depth = last
        self._data: NDArray[np.generic] = np.asarray(volume.data[self.first : self.end])

    def covers(self, placed: PlacedMap) -> bool:
        """Whether the slab holds all slices that this placement needs."""
        low, high = _heights(placed)
        low_enough = self.first == 0 or low >= self.first + 1
        return low_enough and (self.end == self._depth or high <= self.end - 2)

    def reslice(self, placed: PlacedMap, step: int = 1) -> NDArray[np.float32]:
        """CT on the map's surface, every `step`-th map pixel; NaN outside of the CT."""
        surface = placed.surface
        if surface is None:
            raise _no_surface(placed)
        inside = replace(surface, zyx=surface.zyx - np.array([self.first, 0.0, 0.0]))
        return reslice(self._data, replace(placed, surface=inside), step=step)

    def on_cutout(self, cutout: Cutout, step: int = 1) -> NDArray[np.float32]:
        """CT at a cutout's own pose, on the map's grid of every `step`-th pixel."""
        rows, columns = Region.of(cutout).on_grid(step)
        r = np.arange(rows.start, rows.stop, dtype=float) * step
        c = np.arange(columns.start, columns.stop, dtype=float) * step
        zyx = cutout.at(*np.meshgrid(r, c, indexing="ij")) - np.array([self.first, 0.0, 0.0])
        return np.asarray(
            map_coordinates(
                self._data, np.moveaxis(zyx, -1, 0), order=1, cval=np.nan, output=np.float32
            )
        )


def _heights(placed: PlacedMap) -> tuple[float, float]:
    if placed.surface is None:
        raise _no_surface(placed)
    z = placed.surface.zyx[..., 0]
    return float(z.min()), float(z.max())


def _no_surface(placed: PlacedMap) -> SlagsegError:
    return SlagsegError(f"Map {placed.map_name} is not placed, so there is no CT to show under it.")


__all__ = ["ROOM_SLICES", "Region", "SurfaceSlab"]
