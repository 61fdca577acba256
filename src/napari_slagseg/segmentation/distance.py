"""The plain baseline: watershed on the distance to the background."""

from __future__ import annotations

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.morphology import reconstruction
from skimage.segmentation import watershed

from napari_slagseg.data import VoxelSize
from napari_slagseg.segmentation.labels import remove_small


def distance_watershed(
    mask: NDArray[np.bool_],
    voxel_size_um: VoxelSize = (1.0, 1.0, 1.0),
    *,
    h: float = 1.0,
    sigma: float = 1.0,
    minimum_voxels: int = 100,
) -> NDArray[np.uint32]:
    """Separate touching particles by shape alone, as users do without a network.

    Markers are the maxima of the smoothed distance map that rise at least `h`
    above the saddle to a higher one (compare *ThreshWater* of Gotkowski et al.).

    Parameters
    ----------
    mask : (z, y, x) bool
        Particles.
    voxel_size_um : (z, y, x)
    h : float
        In voxels of the smallest edge.
    sigma : float
        Smoothing of the distance map, in voxels.
    minimum_voxels : int
        Smaller particles are removed.

    Returns
    -------
    labels : (z, y, x) uint32
    """
    smallest = min(voxel_size_um)
    spacing = tuple(s / smallest for s in voxel_size_um)
    distance = edt.edt(np.ascontiguousarray(mask), anisotropy=spacing, black_border=False)
    smooth = gaussian_filter(distance, sigma)
    floor = reconstruction(smooth - h, smooth, method="dilation")
    markers = cc3d.connected_components(((smooth - floor) > 0.5 * h) & mask, connectivity=26)
    labels = watershed(-smooth, markers=markers.astype(np.int32), mask=mask)
    return remove_small(labels.astype(np.uint32), minimum_voxels)[0]


__all__ = ["distance_watershed"]
