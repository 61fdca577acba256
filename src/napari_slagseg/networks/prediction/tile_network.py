"""A trained network as it is used on tiles: folded, and without work that is thrown away.

Only a tile's core is kept, so the way up need not be computed in the halo: at full
resolution, two convolutions of edge 3 reach 2 voxels, where the halo has 32. The way
up is two thirds of the network's work, so this saves nearly half of it
(`flops_per_voxel`), and the core's logits are what they would be without it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from napari_slagseg.networks.unet import Block, ResidualUNet, fold_batch_norms

Answer = Literal["classes", "probabilities"]
"""uint8 classes (or 0 to 255 where there is one channel), or float32 probabilities."""

REACH = 2
"""Voxels that the two convolutions of a block see beyond their output."""


def upward_margins(levels: int, halo: int) -> tuple[int, ...]:
    """Voxels of its own grid that each level's features must reach beyond the core.

    Parameters
    ----------
    levels : int
        Widths of the network; the last is the bottom.
    halo : int
        What there is, in voxels of the finest level.

    Returns
    -------
    margins : tuple of int
        From the finest level to the bottom, of what a level hands upwards.
    """
    needed = [0]
    for _ in range(levels - 1):
        # linear interpolation looks half a coarse voxel further
        needed.append(math.ceil((needed[-1] + REACH + 1) / 2))
    return tuple(min(m, halo >> level) for level, m in enumerate(needed))


class TileNetwork(nn.Module):
    """From 8-bit tiles with their halo to the core's classes or probabilities.

    Parameters
    ----------
    network : ResidualUNet
        In 3D; left as it is.
    halo : int
        Voxels around the core, a multiple of two to the number of poolings.
    answer : {"classes", "probabilities"}
    """

    def __init__(self, network: ResidualUNet, halo: int, answer: Answer = "classes") -> None:
        super().__init__()
        folded = fold_batch_norms(network)
        first = folded.down[0]
        if not isinstance(first, Block) or not isinstance(first.shortcut, nn.Conv3d):
            raise TypeError("the first block of the network is not as expected")
        with torch.no_grad():
            # training divides grey values by 255; 0 to 255 themselves are exact in bfloat16
            first.first.weight /= 255.0
            first.shortcut.weight /= 255.0
        self.network = folded
        self.halo, self.answer = halo, answer
        self.margins = upward_margins(len(folded.widths), halo)

    @property
    def channels(self) -> int:
        """Channels of the logits."""
        return self.network.channels

    def logits(self, x: Tensor) -> Tensor:
        """(n, channels, core) logits of (n, 1, core and halo) grey values 0 to 255."""
        network, skips = self.network, []
        for i, block in enumerate(network.down):
            x = block(x if i == 0 else network.pool(x))
            skips.append(x)
        x = _cut(x, self.halo >> (len(skips) - 1), self.margins[-1])
        for level, block in zip(range(len(skips) - 2, -1, -1), network.up):
            there = self.halo >> level
            wanted = min(self.margins[level] + REACH, there)
            fine = network.upscale(x)
            fine = _cut(fine, 2 * self.margins[level + 1], wanted)
            x = block(torch.cat([fine, _cut(skips.pop(level), there, wanted)], dim=1))
            x = _cut(x, wanted, self.margins[level])
        return network.head(x)  # type: ignore[no-any-return]

    def forward(self, tile: Tensor) -> Tensor:
        """Answer of (n, 1, z, y, x) uint8 tiles.

        Returns
        -------
        answer : Tensor
            (n, z, y, x) uint8, or (n, channels, z, y, x) float32.
        """
        logits = self.logits(tile.to(self.network.head.weight.dtype)).float()
        if self.channels == 1:
            p = torch.sigmoid(logits)
            return p if self.answer == "probabilities" else (p[:, 0] * 255).round().to(torch.uint8)
        if self.answer == "probabilities":
            return torch.softmax(logits, 1)
        return logits.argmax(1).to(torch.uint8)


def _cut(x: Tensor, there: int, wanted: int) -> Tensor:
    """Features with a narrower margin."""
    away = there - wanted
    if away == 0:
        return x
    inside = slice(away, -away)
    return x[:, :, inside, inside, inside]


def flops_per_voxel(
    widths: Sequence[int], channels: int, tile: int | None = None, halo: int = 0
) -> float:
    """Floating-point operations of the convolutions for each voxel of the result.

    Parameters
    ----------
    widths : sequence of int
    channels : int
        Of the output.
    tile, halo : int
        Edge of a cubic core and what is around it; None counts the network alone, as
        if there were no tiles.
    """
    margins = upward_margins(len(widths), halo)

    def share(level: int, margin: int) -> float:
        """Voxels of a level's grid for each voxel of the core."""
        if tile is None:
            return 0.125**level
        return ((tile / 2**level + 2 * margin) / tile) ** 3

    total = share(0, 0) * 2 * widths[0] * channels
    before = (1, *widths[:-1])
    for level, (a, b) in enumerate(zip(before, widths)):
        work = 27 * a * b + 27 * b * b + (a * b if a != b else 0)
        total += 2 * work * share(level, halo >> level)
    for level, (here, below) in enumerate(itertools.pairwise(widths)):
        work = 27 * (here + below) * here + 27 * here * here
        total += 2 * work * share(level, min(margins[level] + REACH, halo >> level))
    return total


__all__ = ["Answer", "TileNetwork", "flops_per_voxel", "upward_margins"]
