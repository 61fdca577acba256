"""Overlapping tiles weighed with a Gaussian window, block by block (as nnU-Net blends)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from napari_slagseg.data import Block
from napari_slagseg.networks.prediction.tiles import Tile

SIGMA = 1 / 8
"""Width of the window, of a tile's edge (nnU-Net)."""

LEAST = 1e-4
"""Of the window's peak: no voxel is without weight."""


@lru_cache(maxsize=4)
def window(edge: int) -> Tensor:
    """(edge, edge, edge) float32 weights of a tile's voxels."""
    axis = (torch.arange(edge, dtype=torch.float64) - (edge - 1) / 2) / (SIGMA * edge)
    line = torch.exp(-0.5 * axis**2).float()
    weights = line[:, None, None] * line[None, :, None] * line[None, None, :]
    return torch.clamp(weights, min=float(weights.max()) * LEAST)


class Blend:
    """Weighted sums of one block.

    Tiles must come in the order of `overlapping_tiles`: then every voxel's sum is taken
    in the order of its tiles' places in the volume, whatever the block.

    Parameters
    ----------
    block : Block
    channels : int
    edge : int
        Of the tiles.
    device : torch.device
        Where the sums are; 4 (channels + 1) bytes a voxel of the block.
    """

    def __init__(self, block: Block, channels: int, edge: int, device: torch.device) -> None:
        self._block, self._window = block, window(edge).to(device)
        self._total = torch.zeros((channels, *block.shape), device=device)
        self._weight = torch.zeros(block.shape, device=device)

    def add(self, tile: Tile, probabilities: Tensor) -> None:
        """Add a tile's core, (channels, z, y, x); what lies outside the block is left out."""
        low = [max(a, b) for a, b in zip(tile.start, self._block.start)]
        high = [min(a, b) for a, b in zip(tile.stop, self._block.stop)]
        here = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, self._block.start))
        there = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, tile.start))
        weights = self._window[there]
        self._total[(slice(None), *here)] += probabilities[(slice(None), *there)] * weights
        self._weight[here] += weights

    def mean(self) -> Tensor:
        """(channels, z, y, x) probabilities."""
        return self._total.div_(self._weight)


__all__ = ["LEAST", "SIGMA", "Blend", "window"]
