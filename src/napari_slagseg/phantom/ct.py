"""From noise-free grey values to a CT scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from napari_slagseg.phantom.presets import DegradationLevel

GREY_RANGE = 50_000
"""16-bit counts that a grey value of 1 stands for; head room is left for noise."""

_RING_SLAB = 24


def scan(
    grey: NDArray[np.float32],
    level: DegradationLevel,
    radius: float,
    rng: np.random.Generator,
) -> NDArray[np.uint16]:
    """Blur, beam hardening, rings and noise, then 16 bits.

    Parameters
    ----------
    grey : (z, y, x) float32
        Overwritten.
    level : DegradationLevel
    radius : float
        Of the cylinder, in voxels.

    Returns
    -------
    ct : (z, y, x) uint16
    """
    depth, height, width = grey.shape
    gaussian_filter(grey, level.blur_voxels, output=grey)
    y, x = np.ogrid[:height, :width]
    r = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2).astype(np.float32)
    # hardened beams leave the rim brighter than the axis (K Fig. 3e)
    gain = 1 + level.cupping * (np.minimum(r / radius, 1) ** 2 - 0.5)
    bins = r.astype(np.int32)
    out = np.empty(grey.shape, dtype=np.uint16)
    rings = np.zeros(int(bins.max()) + 1)
    for z in range(depth):
        if z % _RING_SLAB == 0:
            rings = gaussian_filter1d(rng.standard_normal(len(rings)), 0.7) * level.rings * 1.5
        plane = grey[z] * gain + rings[bins].astype(np.float32)
        noise = rng.standard_normal(plane.shape, dtype=np.float32)
        # reconstruction correlates neighbours a little
        smooth = gaussian_filter(noise, 0.5)
        plane += smooth * np.float32(level.noise / 0.55)
        out[z] = np.clip(plane * GREY_RANGE + 2000, 0, 65535).astype(np.uint16)
    return out


__all__ = ["GREY_RANGE", "scan"]
