"""The plain way to separate particles: a watershed of the distance map."""

from __future__ import annotations

from typing import Any

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from napari_slagseg.data import (
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    VoxelSize,
    checked_voxel_size,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.segmentation.label_volumes import label_counts, renumber


def distance_watershed(
    mask: NDArray[Any],
    voxel_size_um: float | VoxelSize = (1.0, 1.0, 1.0),
    *,
    minimum_voxels: int = 100,
    h: float = 1.0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> NDArray[np.uint32]:
    """Separate touching particles by the distance to the background.

    What a user would pick without a particle network: Euclidean distance map,
    its h-maxima as markers, watershed of the negative distance into the mask. The
    border of the volume does not count as background. Each connected piece (6
    neighbours) of the mask is flooded on its own, so memory follows the largest
    piece (about 40 bytes a voxel of its box), and cancelling waits for a piece.

    Parameters
    ----------
    mask : (z, y, x) bool or integer
        Particle where true or above 0.
    voxel_size_um : float or (z, y, x)
        For the distances.
    minimum_voxels : int
        Smaller particles are removed.
    h : float
        Height of a maximum over its surroundings, in units of the smallest voxel
        edge, from which on it is a marker: larger merges more.

    Returns
    -------
    particles : (z, y, x) uint32
        0 background, particles numbered without gaps.

    Raises
    ------
    SlagsegError
        If the mask is not 3D or `h` is not above 0.
    """
    mask = np.ascontiguousarray(np.asarray(mask) > 0)
    if mask.ndim != 3:
        raise SlagsegError(
            f"The mask is {mask.ndim}-D {mask.shape}; "
            "a distance watershed of particles needs three axes (z, y, x)."
        )
    if not h > 0:
        raise SlagsegError(f"The height h of a maximum is {h}; it must be above 0.")
    size = checked_voxel_size(voxel_size_um)
    unit = min(size)
    progress(ProgressEvent("measuring distances", 0.0))
    stop_if_cancelled(cancel)
    distance = edt.edt(mask, anisotropy=tuple(s / unit for s in size), black_border=False)
    # a mask without any background has no distances
    distance[~np.isfinite(distance)] = 0
    stop_if_cancelled(cancel)
    pieces, n = cc3d.connected_components(mask, connectivity=6, return_N=True, out_dtype=np.uint32)
    particles = np.zeros(mask.shape, dtype=np.uint32)
    boxes = cc3d.statistics(pieces)["bounding_boxes"]
    found = 0
    for label in range(1, n + 1):
        stop_if_cancelled(cancel)
        box = boxes[label]
        inside = pieces[box] == label
        labels = _split_piece(inside, distance[box], h)
        particles[box][inside] = labels[inside] + np.uint32(found)
        found += int(labels.max())
        progress(ProgressEvent("flooding the distance map", 0.1 + 0.85 * label / n))
    present, counts = label_counts(particles, cancel=cancel)
    kept = present[counts >= minimum_voxels]
    return renumber(particles, kept, np.arange(1, len(kept) + 1), cancel=cancel, out=particles)


def _split_piece(
    inside: NDArray[np.bool_], distance: NDArray[np.float32], h: float
) -> NDArray[np.uint32]:
    """Label one connected piece; 1, 2, ... inside, 0 outside."""
    one = inside.astype(np.uint32)
    depth = np.where(inside, distance, np.float32(0)).astype(np.float64)
    if depth.max() <= h:
        return one
    # tops that stand out by h are the regional maxima of the map lowered by h and rebuilt below it
    rebuilt = reconstruction(np.maximum(depth - h, 0), depth, method="dilation")
    tops = local_maxima(rebuilt, connectivity=1) & inside
    markers, n = cc3d.connected_components(
        np.ascontiguousarray(tops), connectivity=6, return_N=True, out_dtype=np.uint32
    )
    if n <= 1:
        return one
    flooded: NDArray[np.uint32] = watershed(-depth, markers.astype(np.int32), mask=inside).astype(
        np.uint32
    )
    return flooded


__all__ = ["distance_watershed"]
