"""Trilinear sampling of a block, with gradients."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.registration.pyramid import Block, PreparedCT


@numba.njit(inline="always")
def trilinear(data, z, y, x):  # type: ignore[no-untyped-def]
    """Value and gradient (per voxel) at a voxel position; the last entry is False outside."""
    depth, height, width = data.shape
    # half a voxel of the rim is still inside the volume: hold the edge value there
    if z < -0.5 or y < -0.5 or x < -0.5 or z > depth - 0.5 or y > height - 0.5 or x > width - 0.5:
        return 0.0, 0.0, 0.0, 0.0, False
    z = min(max(z, 0.0), depth - 1.0)
    y = min(max(y, 0.0), height - 1.0)
    x = min(max(x, 0.0), width - 1.0)
    k = min(int(z), max(depth - 2, 0))
    j = min(int(y), max(height - 2, 0))
    i = min(int(x), max(width - 2, 0))
    k1 = min(k + 1, depth - 1)
    j1 = min(j + 1, height - 1)
    i1 = min(i + 1, width - 1)
    a = z - k
    b = y - j
    c = x - i
    v000 = data[k, j, i]
    v001 = data[k, j, i1]
    v010 = data[k, j1, i]
    v011 = data[k, j1, i1]
    v100 = data[k1, j, i]
    v101 = data[k1, j, i1]
    v110 = data[k1, j1, i]
    v111 = data[k1, j1, i1]
    w00 = v000 + c * (v001 - v000)
    w01 = v010 + c * (v011 - v010)
    w10 = v100 + c * (v101 - v100)
    w11 = v110 + c * (v111 - v110)
    u0 = w00 + b * (w01 - w00)
    u1 = w10 + b * (w11 - w10)
    gz = u1 - u0
    gy = (1 - a) * (w01 - w00) + a * (w11 - w10)
    gx = (1 - a) * ((1 - b) * (v001 - v000) + b * (v011 - v010)) + a * (
        (1 - b) * (v101 - v100) + b * (v111 - v110)
    )
    return u0 + a * (u1 - u0), gz, gy, gx, True


_WORTH_THREADS = 100_000
"""Below so many positions waking the threads takes longer than the sampling; and fits of
a whole map, which have fewer, may run side by side, as these threads may not."""


def _sample(data, origin, pitch, positions, cy, cx, radius):  # type: ignore[no-untyped-def]
    n = positions.shape[0]
    out = np.zeros((n, 4), dtype=np.float32)
    inside = np.zeros(n, dtype=np.bool_)
    for p in numba.prange(n):
        y, x = positions[p, 1], positions[p, 2]
        if (y - cy) * (y - cy) + (x - cx) * (x - cx) > radius * radius:
            continue
        value, gz, gy, gx, found = trilinear(
            data,
            (positions[p, 0] - origin[0]) / pitch[0] - 0.5,
            (y - origin[1]) / pitch[1] - 0.5,
            (x - origin[2]) / pitch[2] - 0.5,
        )
        if found:
            out[p, 0] = value
            out[p, 1] = gz / pitch[0]
            out[p, 2] = gy / pitch[1]
            out[p, 3] = gx / pitch[2]
            inside[p] = True
    return out, inside


_sample_alone = numba.njit(cache=True, nogil=True)(_sample)
_sample_shared = numba.njit(parallel=True, cache=True, nogil=True)(_sample)


def sample_block(
    prepared: PreparedCT, block: Block, positions: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Grey values and gradients at positions.

    Parameters
    ----------
    prepared, block
        The CT (for its cylinder) and the box to sample.
    positions : (n, 3) float64
        Lengths (z, y, x).

    Returns
    -------
    samples : (n, 4) float32
        Value, then its slopes per unit of length along z, y, x.
    inside : (n,) bool
    """
    rings = prepared.rings
    sample = _sample_shared if len(positions) > _WORTH_THREADS else _sample_alone
    return sample(
        block.data,
        block.origin,
        block.pitch,
        np.ascontiguousarray(positions),
        rings.centre[0],
        rings.centre[1],
        min(rings.radius, 1e9),
    )


__all__ = ["sample_block", "trilinear"]
