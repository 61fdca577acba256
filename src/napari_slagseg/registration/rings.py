"""Rings and cupping: the angular mean of the CT about the cylinder axis."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slagseg.data import VolumeLike
from napari_slagseg.registration.slabs import slabs


@dataclass(frozen=True)
class RingModel:
    """Mean grey value per height and radius.

    Attributes
    ----------
    table : (nodes, radii) float32
        Mean grey value at heights ``node * z_step`` (voxels) and radii 0, 1, 2, ...
    z_step : float
    centre : (y, x)
        Axis, as lengths from the volume's corner.
    radius : float
        Radius of the cylinder; infinite where there is none.
    """

    table: NDArray[np.float32]
    z_step: float
    centre: tuple[float, float]
    radius: float


def radius_image(
    shape: tuple[int, ...], voxel: NDArray[np.float64], centre: tuple[float, float]
) -> NDArray[np.float32]:
    """(y, x) distance of every line of voxels from the axis, as lengths."""
    y = (np.arange(shape[-2]) + 0.5) * voxel[1] - centre[0]
    x = (np.arange(shape[-1]) + 0.5) * voxel[2] - centre[1]
    return np.hypot(y[:, None], x[None, :]).astype(np.float32)


@numba.njit(parallel=True, cache=True, nogil=True)
def _sums_by_radius(data, rounded, n_radii, z_step, n_nodes):  # type: ignore[no-untyped-def]
    """Sum and count of grey values by slab of `z_step` slices and by rounded radius."""
    depth, height, width = data.shape
    sums = np.zeros((n_nodes, n_radii))
    counts = np.zeros((n_nodes, n_radii))
    for node in numba.prange(n_nodes):
        first, last = node * z_step, min(depth, (node + 1) * z_step)
        line = np.empty(width, dtype=np.float64)
        for y in range(height):
            # a line over all slices of the slab first: that is a plain sum
            line[:] = 0.0
            for z in range(first, last):
                for x in range(width):
                    line[x] += data[z, y, x]
            for x in range(width):
                r = rounded[y, x]
                if r < n_radii:
                    sums[node, r] += line[x]
                    counts[node, r] += last - first
    return sums, counts


EDGE_REACH = 4
"""Radii on either side over which the cylinder's edge falls; blur is narrower."""


def _cylinder_radius(profile: NDArray[np.float64], inscribed: float) -> float:
    """Radius where the mean grey value falls to air, or infinity.

    A cylinder shows as the steepest fall of all, to a level that nothing beyond it
    rises from; a cropped cube shows none. Cupping and the thinning of particles
    towards the rim change the profile as much, but not as fast.
    """
    smooth = ndimage.gaussian_filter1d(profile, 1.0)
    k = EDGE_REACH
    falls = np.full(len(smooth), -np.inf)
    falls[k:-k] = smooth[: -2 * k] - smooth[2 * k :]
    # few voxels lie near the axis: their means scatter
    first, middle = int(0.2 * inscribed), int(0.5 * inscribed)
    edge = middle + int(np.argmax(falls[middle:]))
    inner, beyond = falls[first : edge - 2 * k], smooth[edge + k :]
    if inner.size < 3 or edge < 0.6 * inscribed:
        return np.inf
    fall = float(falls[edge])
    least = max(1.6 * float(np.abs(inner[np.isfinite(inner)]).max()),
                0.15 * abs(float(np.median(smooth[first:middle]))), 1e-6)  # fmt: skip
    if fall < least or beyond.max() > 0.5 * (smooth[edge - k] + smooth[edge + k]):
        return np.inf
    return float(edge) - 3.0


def fit_rings(
    data: VolumeLike,
    voxel: NDArray[np.float64],
    smoothing: float,
    centre: tuple[float, float] | None = None,
) -> RingModel:
    """Angular means of a volume, smooth along z.

    Parameters
    ----------
    data : (z, y, x)
    voxel : (3,)
        Voxel edges in units of length.
    smoothing : float
        Standard deviation along z, in units of length.
    centre : (y, x), optional
        Axis as lengths from the corner; the image centre if not given.
    """
    depth, height, width = data.shape
    middle = (height * voxel[1] / 2, width * voxel[2] / 2) if centre is None else centre
    farthest = np.hypot(
        max(middle[0], height * voxel[1] - middle[0]), max(middle[1], width * voxel[2] - middle[1])
    )
    n_radii = int(np.ceil(farthest)) + 2
    z_step = max(1, round(smoothing / 3 / voxel[0]))
    n_nodes = -(-depth // z_step)
    rounded = (radius_image(data.shape, voxel, middle) + np.float32(0.5)).astype(np.int32)
    parts = [
        _sums_by_radius(slab, rounded, n_radii, z_step, -(-len(slab) // z_step))
        for _, slab in slabs(data, z_step)
    ]
    sums, counts = (np.concatenate(part) for part in zip(*parts))
    sigma = smoothing / (z_step * voxel[0])
    sums = ndimage.gaussian_filter1d(sums, sigma, axis=0, mode="nearest")
    counts = ndimage.gaussian_filter1d(counts, sigma, axis=0, mode="nearest")
    # few voxels lie near the axis: lean on the neighbouring radii there, or the
    # sample itself would be taken off as a ring
    wide_sums = ndimage.gaussian_filter1d(sums, 6.0, axis=1, mode="nearest")
    wide_counts = ndimage.gaussian_filter1d(counts, 6.0, axis=1, mode="nearest")
    wide = wide_sums / np.maximum(wide_counts, 1e-9)
    overall = sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1e-9)
    radii = np.arange(n_radii)
    trust = np.clip((radii - 10.0) / 40.0, 0.0, 1.0)
    table = trust * (sums / np.maximum(counts, 1e-9)) + (1 - trust) * wide
    inscribed = min(height * voxel[1], width * voxel[2]) / 2
    seen = counts.sum(axis=0) >= 1.0
    if not seen.all():  # beyond the corners; and at the axis, if it lies between voxels
        nearest = np.clip(radii, *np.flatnonzero(seen)[[0, -1]])
        table, overall = table[:, nearest], overall[nearest]
    radius = _cylinder_radius(overall, inscribed)
    # node k holds the mean of slices k*z_step ...: shift so that nodes lie at k*z_step
    centres = (np.arange(n_nodes) + 0.5) * z_step - 0.5
    nodes = np.arange(n_nodes + 1) * z_step
    shifted = np.stack(
        [np.interp(nodes, centres, table[:, r]) for r in range(n_radii)], axis=1
    ).astype(np.float32)
    return RingModel(shifted, float(z_step), (float(middle[0]), float(middle[1])), radius)


__all__ = ["RingModel", "fit_rings", "radius_image"]
