"""Particles of a mineral map, found at full SEM resolution."""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, UNKNOWN, MineralMap

MINIMUM_PARTICLE_PIXELS = 12
"""Smaller pieces are speckle: their pixels are unknown as particles, not background."""


def label_map_particles(
    mineral_map: MineralMap, *, minimum_pixels: int = MINIMUM_PARTICLE_PIXELS
) -> NDArray[np.int32]:
    """Connected components of the non-background pixels (K 2.3.1), before any downsampling.

    Pixels are connected across their edges. Unknown pixels join what they touch;
    a piece of unknown pixels alone stays unknown.

    Parameters
    ----------
    mineral_map : MineralMap
    minimum_pixels : int
        Pieces with fewer pixels become unknown.

    Returns
    -------
    particles : (rows, columns) int32
        0 background, -1 unknown, particles 1, 2, ... without gaps.
    """
    phases = mineral_map.phases
    solid = phases != BACKGROUND
    labels = np.asarray(cc3d.connected_components(solid, connectivity=4)).astype(np.int64)
    count = int(labels.max(initial=0))
    pixels = np.bincount(labels.ravel(), minlength=count + 1)
    known = np.bincount(labels.ravel(), weights=(phases > 0).ravel(), minlength=count + 1)
    kept = (pixels >= minimum_pixels) & (known > 0)
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), UNKNOWN).astype(np.int32)
    numbers[0] = BACKGROUND
    return numbers[labels]


__all__ = ["MINIMUM_PARTICLE_PIXELS", "label_map_particles"]
