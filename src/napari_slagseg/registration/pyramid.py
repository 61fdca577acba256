"""The CT made ready: box means at several levels, free of rings and cupping.

Inside the registration, positions are *lengths* from the volume's corner (the outer
corner of voxel 0, 0, 0) in units of the mean in-plane voxel edge. So anisotropic
voxels and the half-pixel rule are dealt with in one place: the centre of voxel ``i``
of a block lies at ``origin + (i + 0.5) * pitch``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slagseg.data import (
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    Volume,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.registration.rings import RingModel, fit_rings, radius_image
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.slabs import slabs

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """A box of corrected grey values at one level.

    Attributes
    ----------
    data : (z, y, x) float32
    origin, pitch : (3,) float64
        Outer corner of the first voxel and voxel edges, as lengths.
    """

    data: NDArray[np.float32]
    origin: FloatArray
    pitch: FloatArray


@dataclass
class PreparedCT:
    """A CT with its pyramid; several maps share it.

    Attributes
    ----------
    volume : Volume
    unit_um : float
        Micrometres of the unit of length (mean in-plane voxel edge).
    rings : RingModel
        Angular means that are taken off, and the cylinder.
    spread : float
        Standard deviation of the corrected grey values, which are divided by it.
    """

    volume: Volume
    settings: RegistrationSettings
    unit_um: float
    rings: RingModel
    spread: float
    _whole: dict[int, Block] = field(default_factory=dict, repr=False)

    @property
    def voxel(self) -> FloatArray:
        """Voxel edges (z, y, x) in units of length."""
        return np.asarray(self.volume.voxel_size_um, dtype=np.float64) / self.unit_um

    @property
    def extent(self) -> FloatArray:
        """Edges (z, y, x) of the volume in units of length."""
        return np.asarray(self.volume.shape, dtype=np.float64) * self.voxel

    def holds(self, positions: FloatArray) -> NDArray[np.bool_]:
        """Which positions (n, 3), as lengths, lie inside the volume and its cylinder."""
        inside = np.all((positions >= 0) & (positions <= self.extent), axis=-1)
        off = positions[..., 1:] - np.asarray(self.rings.centre)
        return np.asarray(inside & (np.hypot(off[..., 0], off[..., 1]) <= self.rings.radius))

    def factors(self, level: int) -> tuple[int, int, int]:
        """Voxels along (z, y, x) that one voxel of a level averages."""
        z, y, x = (max(1, round(level / edge)) for edge in self.voxel)
        return (z, y, x)

    def whole(self, level: int) -> Block:
        """The whole volume at a level (8 and 4 of large volumes; kept)."""
        if level not in self._whole:
            self._whole[level] = self._block(level, 0, self.volume.shape[0])
        return self._whole[level]

    def slab(self, level: int, low: float, high: float, smoothing: float = 0.0) -> Block:
        """The part of a level between two heights (lengths), smoothed if asked for."""
        factor = self.factors(level)[0]
        depth = self.volume.shape[0]
        margin = 3.0 * smoothing * level + level
        first = int(np.clip((low - margin) / self.voxel[0], 0, depth - 1)) // factor * factor
        last = int(np.clip(np.ceil((high + margin) / self.voxel[0]), first + 1, depth))
        last = min(depth, -(-last // factor) * factor)
        block = self._block(level, first, last)
        if smoothing > 0:
            sigma = smoothing * level / block.pitch
            block = Block(_smoothed(block.data, sigma), block.origin, block.pitch)
        return block

    def _block(self, level: int, first: int, last: int) -> Block:
        factors = self.factors(level)
        radii = radius_image(self.volume.shape[1:], self.voxel, self.rings.centre)
        parts = [
            _box_means(
                slab,
                np.asarray(factors),
                self.rings.table,
                self.rings.z_step,
                float(start),
                radii,
                self.rings.radius,
                np.float32(1.0 / self.spread),
            )
            for start, slab in slabs(self.volume.data, factors[0], first, last)
        ]
        data = parts[0] if len(parts) == 1 else np.concatenate(parts)
        origin = np.array([first * self.voxel[0], 0.0, 0.0])
        return Block(data, origin, np.asarray(factors) * self.voxel)


@numba.njit(parallel=True, cache=True, nogil=True)
def _box_means(data, factors, table, z_step, z_first, radii, radius, scale):  # type: ignore[no-untyped-def]
    """Means of boxes of grey value minus angular mean; partial boxes at the far ends too."""
    fz, fy, fx = factors[0], factors[1], factors[2]
    depth, height, width = data.shape
    nz, ny, nx = -(-depth // fz), -(-height // fy), -(-width // fx)
    out = np.zeros((nz, ny, nx), dtype=np.float32)
    last_node = table.shape[0] - 1
    last_radius = table.shape[1] - 1
    for k in numba.prange(nz):
        first, last = k * fz, min(depth, (k + 1) * fz)
        # the angular mean of a box: the table's mean over its slices, then over its lines
        profile = np.zeros(last_radius + 1, dtype=np.float64)
        for z in range(first, last):
            node = min(max((z + z_first) / z_step, 0.0), float(last_node))
            n0 = int(node)
            n1 = min(n0 + 1, last_node)
            wz = node - n0
            for r0 in range(last_radius + 1):
                profile[r0] += (1 - wz) * table[n0, r0] + wz * table[n1, r0]
        line = np.empty(width, dtype=np.float64)
        total = np.empty(nx, dtype=np.float64)
        count = np.empty(nx, dtype=np.int64)
        for j in range(ny):
            total[:] = 0.0
            count[:] = 0
            for y in range(j * fy, min(height, (j + 1) * fy)):
                line[:] = 0.0
                for z in range(first, last):
                    for x in range(width):
                        line[x] += data[z, y, x]
                for i in range(nx):
                    for x in range(i * fx, min(width, (i + 1) * fx)):
                        r = radii[y, x]
                        if r <= radius:
                            r0 = min(int(r), last_radius)
                            r1 = min(r0 + 1, last_radius)
                            wr = min(r - r0, np.float32(1.0))
                            total[i] += line[x] - ((1 - wr) * profile[r0] + wr * profile[r1])
                            count[i] += last - first
            for i in range(nx):
                if count[i] > 0:
                    out[k, j, i] = total[i] / count[i] * scale
    return out


def _smoothed(data: NDArray[np.float32], sigma: FloatArray) -> NDArray[np.float32]:
    """Gaussian smoothing, one axis after the other, each on all cores."""
    workers = numba.get_num_threads()
    out = np.empty_like(data)
    with ThreadPoolExecutor(workers) as pool:
        for axis, width in enumerate(sigma):
            smooth = partial(ndimage.gaussian_filter1d, sigma=width, axis=axis, mode="nearest",
                             truncate=3.0)  # fmt: skip
            across = 1 if axis == 0 else 0  # pieces along it do not need each other
            edges = np.linspace(0, data.shape[across], 4 * workers + 1).astype(int)
            pieces = [(slice(None),) * across + (slice(a, b),) for a, b in pairwise(edges)]
            source = data if axis == 0 else out  # lines are buffered: in place is safe
            done = [
                pool.submit(smooth, source[piece], output=out[piece])
                for piece in pieces
                if source[piece].size
            ]
            for future in done:
                future.result()
    return out


def _check(ct: Volume) -> None:
    if min(ct.shape) < 8:
        raise SlagsegError(
            f"{ct.name} has the shape {ct.shape} (z, y, x); a map can only be placed in a volume "
            "of at least 8 voxels along every axis. Check that the whole stack was opened."
        )
    step = max(1, ct.shape[0] // 32)
    sample = np.asarray(ct.data[::step])
    if sample.dtype.kind == "c" or sample.dtype.kind not in "biuf":
        raise SlagsegError(f"{ct.name} holds {sample.dtype} values; grey values are numbers.")
    if sample.dtype.kind == "f":
        for start, slab in slabs(ct.data, 1):
            for z, plane in enumerate(slab, start):
                bad = int((~np.isfinite(plane)).sum())
                if bad:
                    raise SlagsegError(
                        f"{ct.name} holds {bad} values in slice {z} that are not finite (NaN or "
                        "infinity). Replace them, for example by the mean grey value, and try "
                        "again."
                    )
    low, high = float(sample.min()), float(sample.max())
    if not high > low and all(slab.min() == low == slab.max() for _, slab in slabs(ct.data, 1)):
        raise SlagsegError(
            f"{ct.name} is constant (every voxel is {low:g}), so there is nothing a map could be "
            "matched with. Check that the right file was opened, and its byte order and type."
        )


def prepare_ct(
    ct: Volume,
    settings: RegistrationSettings | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> PreparedCT:
    """Measure the angular means of a CT and build the coarse levels of its pyramid.

    Parameters
    ----------
    ct : Volume
    settings : RegistrationSettings, optional
    progress, cancel
        Listener and stop token.

    Returns
    -------
    PreparedCT
        To be given to `place_map`, once or for several maps.

    Raises
    ------
    SlagsegError
        If the volume is constant, too small or holds values that are not finite.
    """
    settings = settings or RegistrationSettings()
    progress(ProgressEvent("preparing the CT", 0.0))
    _check(ct)
    stop_if_cancelled(cancel)
    unit_um = float(np.sqrt(ct.voxel_size_um[1] * ct.voxel_size_um[2]))
    rings = fit_rings(
        ct.data,
        np.asarray(ct.voxel_size_um) / unit_um,
        settings.ring_smoothing_voxels,
    )
    stop_if_cancelled(cancel)
    progress(ProgressEvent("preparing the CT", 0.6))
    prepared = PreparedCT(ct, settings, unit_um, rings, spread=1.0)
    block = prepared.whole(4)
    spread = float(block.data.std())
    if not spread > 0:
        raise SlagsegError(f"{ct.name} is constant: there is nothing a map could be matched with.")
    prepared.spread = spread
    block.data[...] *= np.float32(1.0 / spread)
    progress(ProgressEvent("preparing the CT", 1.0))
    return prepared


__all__ = ["Block", "PreparedCT", "prepare_ct"]
