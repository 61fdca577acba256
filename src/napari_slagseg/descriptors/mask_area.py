"""Surface area of any set of voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Block, SlagsegError, VoxelSize, checked_voxel_size
from napari_slagseg.descriptors.surface_weights import pair_weights


def surface_area(mask: NDArray[np.generic], spacing: float | VoxelSize = (1.0, 1.0, 1.0)) -> float:
    """Surface area of a binary 3D set by weighted 2x2x2 voxel configurations.

    Parameters
    ----------
    mask : (z, y, x)
        Anything but 0 belongs to the set; beyond the border nothing does.
    spacing : float or (z, y, x)
        Voxel edges.

    Returns
    -------
    float
        In the square of the unit of `spacing`.

    Notes
    -----
    Schladitz, Ohser & Nagel 2006, 13 directions, Voronoi weights. Balls: -0.7 % at a
    radius of 5 voxels, under 0.2 % from 10. A large flat face is measured at 0.927 of
    its area along an axis, 0.933 along a face diagonal, 0.961 along a space diagonal.

    Examples
    --------
    >>> import numpy as np
    >>> z, y, x = np.indices((45, 45, 45)) - 22
    >>> ball = z**2 + y**2 + x**2 <= 20**2
    >>> bool(abs(surface_area(ball) / (4 * np.pi * 20**2) - 1) < 0.005)
    True
    """
    from napari_slagseg.descriptors.block_sums import MeasureBlock
    from napari_slagseg.descriptors.labels_present import PhaseSlots

    labels = (np.asarray(mask) != 0).astype(np.uint32)
    if labels.ndim != 3:
        raise SlagsegError(f"The mask is {labels.ndim}-D; a surface needs three axes (z, y, x).")
    weights, unit = pair_weights(checked_voxel_size(spacing, "The spacing"))
    phases = np.broadcast_to(np.uint8(1), labels.shape)
    task = MeasureBlock(labels, phases, PhaseSlots((1,), 0), tuple(weights.tolist()), 0, None)
    whole = Block((0, 0, 0), (0, 0, 0), labels.shape)
    return float(task(whole, None)["edges"].sum() * unit) if labels.size else 0.0


__all__ = ["surface_area"]
