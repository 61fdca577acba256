"""From noise-free grey values to a CT scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from napari_slagseg.phantom.presets import DegradationLevel

GREY_RANGE = 50_000
"""16-bit counts that a grey value of 1 stands for; head room is left for noise."""

GREY_ZERO = 2000
"""16-bit count of a grey value of 0."""

RING_SLAB = 24
"""Slices with the same rings."""


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
    level : DegradationLevel
    radius : float
        Of the cylinder, in voxels.

    Returns
    -------
    ct : (z, y, x) uint16
    """
    blurred = gaussian_filter(grey, level.blur_voxels)
    r = axial_distance(grey.shape)
    gain = cupping(r, radius, level.cupping)
    bins = r.astype(np.int32)
    out = np.empty(grey.shape, dtype=np.uint16)
    profile = np.zeros(int(bins.max()) + 1)
    for z, grey_plane in enumerate(blurred):
        if z % RING_SLAB == 0:
            profile = rings(len(profile), level.rings, rng)
        plane = grey_plane * gain + profile[bins].astype(np.float32)
        noise = rng.standard_normal(plane.shape, dtype=np.float32)
        # reconstruction correlates neighbours a little
        smooth = gaussian_filter(noise, 0.5)
        plane += smooth * np.float32(level.noise / 0.55)
        out[z] = np.clip(plane * GREY_RANGE + GREY_ZERO, 0, 65535).astype(np.uint16)
    return out


def axial_distance(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(y, x) distance in voxels from the axis of a volume of this shape."""
    y, x = np.ogrid[: shape[-2], : shape[-1]]
    r = np.hypot(y - (shape[-2] - 1) / 2, x - (shape[-1] - 1) / 2)
    return np.asarray(r, np.float32)


def cupping(distance: NDArray[np.float32], radius: float, rise: float) -> NDArray[np.float32]:
    """Factor on grey values: hardened beams leave the rim brighter than the axis (K Fig. 3e)."""
    gain = 1 + rise * (np.minimum(distance / radius, 1) ** 2 - 0.5)
    return np.asarray(gain, np.float32)


def rings(n: int, strength: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Additions to the grey value at `n` whole distances from the axis."""
    return np.asarray(gaussian_filter1d(rng.standard_normal(n), 0.7) * strength * 1.5)


__all__ = ["GREY_RANGE", "GREY_ZERO", "RING_SLAB", "axial_distance", "cupping", "rings", "scan"]
