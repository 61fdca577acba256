"""Augmentation of training patches (K 2.3.4)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import VoxelSize

Turn = tuple[tuple[int, int, int], tuple[bool, bool, bool]]
"""Order of the axes, and which of them are flipped afterwards."""


def turns(
    patch: tuple[int, int, int], voxel_size_um: VoxelSize, mirrors: bool = False
) -> list[Turn]:
    """Rotations by quarter turns (and mirror images) that keep patch and voxel as they are.

    24 (48) for cubic patches of cubic voxels.
    """
    found = []
    for order in itertools.permutations(range(3)):
        same_shape = all(patch[a] == patch[i] for i, a in enumerate(order))
        same_voxel = np.allclose([voxel_size_um[a] for a in order], voxel_size_um, rtol=1e-3)
        if not (same_shape and same_voxel):
            continue
        parity = np.linalg.det(np.eye(3)[list(order)])
        for flips in itertools.product((False, True), repeat=3):
            proper = parity * (-1) ** sum(flips) > 0
            if proper or mirrors:
                found.append(((order[0], order[1], order[2]), (flips[0], flips[1], flips[2])))
    return found


def turned(array: NDArray[Any], turn: Turn) -> NDArray[Any]:
    """Array (z, y, x) under a turn."""
    order, flips = turn
    axes = tuple(i for i, flip in enumerate(flips) if flip)
    return np.flip(np.transpose(array, order), axes)


def shifted_grey(image: NDArray[np.uint8], shift: int) -> NDArray[np.uint8]:
    """8-bit image with a constant added, clipped."""
    return np.clip(image.astype(np.int16) + shift, 0, 255).astype(np.uint8)


__all__ = [
    "Turn",
    "shifted_grey",
    "turned",
    "turns",
]
