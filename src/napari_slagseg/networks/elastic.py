"""Elastic deformation of patches (Simard et al. 2003), fast enough to keep a GPU fed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

ELASTIC_SIGMA = 6.0
ELASTIC_VOXELS = 2.0
"""Smoothness and root-mean-square length of the elastic displacement, in voxels."""

NODES_PER_SIGMA = 2.0
"""Points a sigma at which the displacement is drawn; it is linear in between."""


def elastic_displacement(
    shape: tuple[int, ...],
    rng: np.random.Generator,
    sigma: float = ELASTIC_SIGMA,
    length: float = ELASTIC_VOXELS,
) -> NDArray[np.float32]:
    """Smooth random displacement field (3, z, y, x) in voxels (Simard et al. 2003).

    White noise smoothed by a Gaussian of `sigma` voxels. So smooth a field says nothing new from
    one voxel to the next, so it is drawn and smoothed on every third voxel or so and linear in
    between, which takes a twentieth of the time.
    """
    spacing = max(1, math.floor(sigma / NODES_PER_SIGMA))
    # one node beyond the last voxel, so that every voxel lies between two
    nodes = tuple((n - 1) // spacing + 2 for n in shape)
    drawn = np.stack(
        [
            gaussian_filter(
                rng.standard_normal(nodes, dtype=np.float32), sigma / spacing, mode="reflect"
            )
            for _ in range(3)
        ]
    )
    field, squares = _between_nodes(drawn, spacing, np.array(shape))
    field *= np.float32(length / max(math.sqrt(squares / math.prod(shape)), 1e-12))
    return np.asarray(field)


def deformed(array: NDArray[Any], displacement: NDArray[np.float32], *, order: int) -> NDArray[Any]:
    """Array (z, y, x) sampled at displaced positions, beyond its edge the edge.

    Parameters
    ----------
    array : (z, y, x)
    displacement : (3, z, y, x) float32
        Voxels.
    order : {0, 1}
        The nearest voxel, for labels and positions; or linear, for grey values of 8 or 16 bit,
        rounded.
    """
    array = np.ascontiguousarray(array)
    out = np.empty_like(array)
    (_nearest if order == 0 else _linear)(array, displacement, out)
    return out


@njit(cache=True, nogil=True)
def _between_nodes(
    nodes: NDArray[np.float32], spacing: int, shape: NDArray[np.int64]
) -> tuple[NDArray[np.float32], float]:
    """Field at every voxel, and the sum of the squares of its components."""
    squares = 0.0
    out = np.empty((3, shape[0], shape[1], shape[2]), dtype=np.float32)
    line = np.empty(nodes.shape[3], dtype=np.float32)
    part = (np.arange(spacing) / spacing).astype(np.float32)
    for c in range(3):
        for z in range(shape[0]):
            i, fz = z // spacing, part[z % spacing]
            for y in range(shape[1]):
                j, fy = y // spacing, part[y % spacing]
                for k in range(nodes.shape[3]):
                    low = nodes[c, i, j, k] + fy * (nodes[c, i, j + 1, k] - nodes[c, i, j, k])
                    high = nodes[c, i + 1, j, k] + fy * (
                        nodes[c, i + 1, j + 1, k] - nodes[c, i + 1, j, k]
                    )
                    line[k] = low + fz * (high - low)
                x = 0
                for k in range(nodes.shape[3] - 1):
                    step = line[k + 1] - line[k]
                    for f in range(min(spacing, shape[2] - x)):
                        value = line[k] + part[f] * step
                        out[c, z, y, x] = value
                        squares += value * value
                        x += 1
    return out, squares


@njit(cache=True, nogil=True)
def _nearest(array: Any, displacement: Any, out: Any) -> None:
    nz, ny, nx = array.shape
    half = np.float32(0.5)
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                # cut off and not rounded down, which is the same above 0; below, it is the edge
                a = int(np.float32(z) + displacement[0, z, y, x] + half)
                b = int(np.float32(y) + displacement[1, z, y, x] + half)
                c = int(np.float32(x) + displacement[2, z, y, x] + half)
                out[z, y, x] = array[
                    min(max(a, 0), nz - 1), min(max(b, 0), ny - 1), min(max(c, 0), nx - 1)
                ]


@njit(cache=True, nogil=True)
def _linear(array: Any, displacement: Any, out: Any) -> None:
    nz, ny, nx = array.shape
    zero, one = np.float32(0), np.float32(1)
    top = np.float32(nz - 1), np.float32(ny - 1), np.float32(nx - 1)
    values = array.reshape(-1)
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                a = min(max(np.float32(z) + displacement[0, z, y, x], zero), top[0])
                b = min(max(np.float32(y) + displacement[1, z, y, x], zero), top[1])
                c = min(max(np.float32(x) + displacement[2, z, y, x], zero), top[2])
                i, j, k = int(a), int(b), int(c)
                fa, fb, fc = a - np.float32(i), b - np.float32(j), c - np.float32(k)
                here = (i * ny + j) * nx + k
                # on the far side of the last voxel lies itself again
                dz = ny * nx if i + 1 < nz else 0
                dy = nx if j + 1 < ny else 0
                dx = 1 if k + 1 < nx else 0
                near = (one - fb) * (
                    (one - fc) * np.float32(values[here]) + fc * np.float32(values[here + dx])
                ) + fb * (
                    (one - fc) * np.float32(values[here + dy])
                    + fc * np.float32(values[here + dy + dx])
                )
                here += dz
                far = (one - fb) * (
                    (one - fc) * np.float32(values[here]) + fc * np.float32(values[here + dx])
                ) + fb * (
                    (one - fc) * np.float32(values[here + dy])
                    + fc * np.float32(values[here + dy + dx])
                )
                out[z, y, x] = int(near + fa * (far - near) + np.float32(0.5))


__all__ = ["ELASTIC_SIGMA", "ELASTIC_VOXELS", "deformed", "elastic_displacement"]
