"""Values of single voxels of a volume that may be too large to hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.blocks import VolumeLike

_CELL = 128


def values_at(volume: VolumeLike, voxels: NDArray[np.int64]) -> NDArray[Any]:
    """Values of voxels, read by boxes: memory follows the largest box, not the volume.

    Parameters
    ----------
    volume : (z, y, x) VolumeLike
    voxels : (n,) int64
        Flat C-order indices, in any order.

    Returns
    -------
    (n,) array of the volume's type

    Raises
    ------
    IndexError
        If an index lies outside the volume.
    """
    shape = tuple(volume.shape)
    if isinstance(volume, np.ndarray):
        return np.asarray(volume.reshape(-1)[voxels])
    found = np.empty(len(voxels), dtype=volume.dtype)
    if not len(voxels):
        return found
    if int(voxels.min()) < 0 or int(voxels.max()) >= int(np.prod(shape)):
        raise IndexError(f"voxels {voxels.min()} to {voxels.max()} in a volume of {shape}")
    zyx = np.stack(np.unravel_index(voxels, shape), axis=1)
    counts = tuple(-(-n // _CELL) for n in shape)
    cell = np.ravel_multi_index(tuple((zyx // _CELL).T), counts)
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(cell[order]) > 0])
    for some in np.split(order, starts[1:]):
        low, high = zyx[some].min(axis=0), zyx[some].max(axis=0) + 1
        box = np.asarray(volume[tuple(slice(int(a), int(b)) for a, b in zip(low, high))])
        found[some] = box[tuple((zyx[some] - low).T)]
    return found


__all__ = ["values_at"]
