"""Particles of a mineral map, found at full SEM resolution."""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, UNKNOWN, MineralMap, PhaseTable, SlagsegError

MINIMUM_PARTICLE_PIXELS = 12
"""Smaller pieces are speckle: their pixels are unknown as particles, not background."""


def label_map_particles(
    mineral_map: MineralMap, *, minimum_pixels: int = MINIMUM_PARTICLE_PIXELS
) -> NDArray[np.int32]:
    """Connected components of the non-background pixels (K 2.3.1), before any downsampling.

    Pixels are connected across their edges: on phantoms, corners tie a few more
    neighbours together and join no particle that had come apart. Phases that the
    phase table groups with the background are background. Unknown pixels
    connect nothing: colours between two others, which lie on the rims of
    particles, would tie neighbours together. A piece of unknown pixels that only
    one particle surrounds belongs to it; any other stays unknown.

    Parameters
    ----------
    mineral_map : MineralMap
    minimum_pixels : int
        Pieces with fewer pixels become unknown: not worth a number, and not
        background either.

    Returns
    -------
    particles : (rows, columns) int32
        0 background, -1 unknown, particles 1, 2, ... without gaps.

    Raises
    ------
    SlagsegError
        If the map holds a phase that its table lacks.
    """
    _, class_of = mineral_map.table.grouped()
    classes = classes_of(mineral_map, mineral_map.table, class_of)
    pieces = np.asarray(cc3d.connected_components(classes > 0, connectivity=4)).astype(np.int64)
    pixels = np.bincount(pieces.ravel())
    kept = pixels >= minimum_pixels
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), UNKNOWN).astype(np.int32)
    numbers[0] = BACKGROUND
    particles = numbers[pieces]
    particles[classes < 0] = UNKNOWN
    _fill_surrounded(particles, classes < 0)
    return particles


def classes_of(
    mineral_map: MineralMap, table: PhaseTable, class_of: dict[int, int]
) -> NDArray[np.int16]:
    """Class of every pixel; -1 where unknown. A phase that `table` lacks is an error."""
    strange = np.setdiff1d(mineral_map.phases, (*table.ids, UNKNOWN))
    if len(strange):
        raise SlagsegError(
            f"Map {mineral_map.name} holds the phase id {int(strange[0])}, which is not in the "
            f"phase table (it has {', '.join(map(str, table.ids))}). Give the table of this map."
        )
    return table.lookup(class_of)[mineral_map.phases]


def _fill_surrounded(particles: NDArray[np.int32], unknown: NDArray[np.bool_]) -> None:
    """Give pieces of unknown pixels to the particle that alone surrounds them, in place."""
    pieces = np.asarray(cc3d.connected_components(unknown, connectivity=8)).astype(np.int64)
    count = int(pieces.max(initial=0))
    if not count:
        return
    lowest = np.full(count + 1, np.iinfo(np.int32).max)
    highest = np.full(count + 1, UNKNOWN)
    rows, columns = particles.shape
    inside = np.pad(pieces, 1)
    # the edge of the map is no neighbour: what lies beyond could be anything
    around = np.pad(particles, 1, constant_values=UNKNOWN)
    for dr in (-1, 0, 1):
        for dc in (-1, 0, 1):
            shifted = around[1 + dr : 1 + dr + rows, 1 + dc : 1 + dc + columns]
            beside = inside[1 + dr : 1 + dr + rows, 1 + dc : 1 + dc + columns]
            at = unknown & (beside == 0)
            np.minimum.at(lowest, pieces[at], shifted[at])
            np.maximum.at(highest, pieces[at], shifted[at])
    owner = np.where((lowest == highest) & (lowest > 0), lowest, UNKNOWN)
    owner[0] = UNKNOWN
    particles[unknown] = owner[pieces[unknown]]


__all__ = ["MINIMUM_PARTICLE_PIXELS", "classes_of", "label_map_particles"]
