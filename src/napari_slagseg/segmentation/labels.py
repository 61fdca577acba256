"""Counting, dropping and renumbering labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def remove_small(labels: NDArray[np.uint32], minimum_voxels: int) -> tuple[NDArray[np.uint32], int]:
    """Drop labels with fewer voxels and renumber the rest 1, 2, ... in their order.

    Parameters
    ----------
    labels : uint32 array
        Values up to about the number of particles (a table of that size is made).
    minimum_voxels : int

    Returns
    -------
    labels : uint32 array
    removed : int
        Number of particles dropped.
    """
    counts = np.bincount(labels.reshape(-1))
    counts[0] = 0
    kept = counts >= max(1, minimum_voxels)
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.uint32)
    removed = int(np.count_nonzero(counts) - np.count_nonzero(kept))
    return numbers[labels], removed


__all__ = ["remove_small"]
