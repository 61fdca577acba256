"""A part of a map that lies off the rest, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_slagseg.registration.crack import Crack
from napari_slagseg.registration.job import MapJob
from napari_slagseg.registration.pieces import Pieces

_LATTICE = 60
_SMALL = 0.25
"""Share of the step below which one of its two directions is not worth a word."""


@dataclass(frozen=True)
class Slip:
    """What a user is told of a crack.

    Attributes
    ----------
    share : float
        Of the map that lies off.
    where : str
        Side or corner of the map, such as "upper left".
    in_plane, in_height : float
        Voxels that it lies off along the map and across it.
    """

    share: float
    where: str
    in_plane: float
    in_height: float

    @property
    def voxels(self) -> float:
        """How far it lies off."""
        return float(np.hypot(self.in_plane, self.in_height))

    def text(self) -> str:
        """For the user."""
        if self.in_height < _SMALL * self.voxels:
            how = f"{self.in_plane:.1f} voxels off the rest in its plane"
        elif self.in_plane < _SMALL * self.voxels:
            how = f"{self.in_height:.1f} voxels off the rest in height"
        else:
            how = (
                f"{self.in_plane:.1f} voxels off the rest in its plane and {self.in_height:.1f} "
                "in height"
            )
        return (
            f"about {self.share:.0%} of it (its {self.where}) lies {how}, as if cracked or badly "
            "stitched; cutouts there and across the crack were rejected"
        )

    def numbers(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "share": round(self.share, 3),
            "where": self.where,
            "in_plane_voxels": round(self.in_plane, 2),
            "in_height_voxels": round(self.in_height, 2),
        }


def slip(job: MapJob, pieces: Pieces, crack: Crack) -> Slip:
    """What a crack means for the user, who sees the map with row 0 at the top."""
    rows, columns = np.meshgrid(
        *(np.linspace(0, n - 1, _LATTICE) for n in job.map.shape), indexing="ij"
    )
    surface = pieces.registered.consensus.surface
    inside = job.ct.holds(surface.at(rows, columns).reshape(-1, 3)).reshape(rows.shape)
    off = crack.beyond(rows, columns) & inside
    by_row, by_column = surface.steps(*map(np.array, surface.centre))
    normal = np.cross(by_row, by_column)
    normal /= np.linalg.norm(normal)
    across = float(crack.step @ normal)
    along = float(np.linalg.norm(crack.step - across * normal))
    return Slip(float(off.sum() / max(inside.sum(), 1)), _side(crack), along, abs(across))


def _side(crack: Crack) -> str:
    """Side or corner of the map that a crack's normal points to."""
    down, right = crack.normal
    words = []
    if abs(down) > 0.38:  # within 67 degrees of that direction
        words.append("lower" if down > 0 else "upper")
    if abs(right) > 0.38:
        words.append("right" if right > 0 else "left")
    return f"{' '.join(words)} part"


__all__ = ["Slip", "slip"]
