"""Tiles: where they lie in a volume, and how they are read.

The grid of tiles starts at the volume's origin and knows nothing of blocks. So a
tile is the same whichever block it is predicted for, and so is what comes of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Block, Box, SlagsegError, Triple, VolumeLike
from napari_slagseg.networks.settings import STRIDE


@dataclass(frozen=True)
class Tile:
    """A core, and the box that the network sees.

    Attributes
    ----------
    start, stop : (z, y, x)
        Of the core, within the volume.
    first, last : (z, y, x)
        Of what the network sees; may lie outside the volume. Edges are multiples of 8.
    """

    start: Triple
    stop: Triple
    first: Triple
    last: Triple

    @property
    def box(self) -> Box:
        """The core in the volume."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop))  # type: ignore[return-value]

    @property
    def shape(self) -> Triple:
        """Voxels of the core."""
        return tuple(b - a for a, b in zip(self.start, self.stop))  # type: ignore[return-value]


def make_tile(start: Triple, edge: int, halo: int, shape: Triple) -> Tile:
    """Tile that starts at a voxel; the volume's far side cuts it off at a multiple of 8."""
    stop = tuple(min(a + edge, n) for a, n in zip(start, shape))
    first = tuple(a - halo for a in start)
    last = tuple(a + -(-(b - a) // STRIDE) * STRIDE + halo for a, b in zip(start, stop))
    return Tile(start, stop, first, last)  # type: ignore[arg-type]


def tiles_of(block: Block, edge: int, halo: int, shape: Triple) -> list[Tile]:
    """Tiles whose cores make up a block, x fastest.

    Raises
    ------
    SlagsegError
        If the block does not end where tiles end.
    """
    for a, b, n in zip(block.start, block.stop, shape):
        if a % edge or (b % edge and b != n):
            raise SlagsegError(
                f"A block from {block.start} to {block.stop} cuts tiles of {edge} voxels. Use "
                f"blocks whose edges are multiples of {edge}, or smaller tiles."
            )
    starts = itertools.product(*(range(a, b, edge) for a, b in zip(block.start, block.stop)))
    return [make_tile((z, y, x), edge, halo, shape) for z, y, x in starts]


def overlapping_tiles(block: Block, edge: int, halo: int, shape: Triple) -> Iterator[Tile]:
    """Tiles that start at every half of their edge and reach into a block, x fastest."""
    step = edge // 2
    ranges = (range(max(0, a // step - 1) * step, b, step) for a, b in zip(block.start, block.stop))
    for z, y, x in itertools.product(*ranges):
        yield make_tile((z, y, x), edge, halo, shape)


def read_tile(ct: VolumeLike, tile: Tile) -> NDArray[Any]:
    """What the network sees of a tile; beyond the volume, voxels are mirrored at its border."""
    box = tuple(slice(max(0, a), min(n, b)) for a, b, n in zip(tile.first, tile.last, ct.shape))
    piece = np.asarray(ct[box])
    widths = [(max(0, -a), max(0, b - n)) for a, b, n in zip(tile.first, tile.last, ct.shape)]
    if any(w for pair in widths for w in pair):
        return np.pad(piece, widths, mode="symmetric")
    return piece


__all__ = ["Tile", "make_tile", "overlapping_tiles", "read_tile", "tiles_of"]
