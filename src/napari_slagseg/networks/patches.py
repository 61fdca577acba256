"""Training patches around known voxels."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import GroundTruth, SlagsegError
from napari_slagseg.data.blocks import VolumeLike
from napari_slagseg.networks.augmentation import Turn, shifted_grey, turned
from napari_slagseg.networks.elastic import deformed, elastic_displacement
from napari_slagseg.networks.settings import STRIDE, NetworkKind


@dataclass(frozen=True)
class SparseLabels:
    """What one network learns from: known voxels with class and weight.

    Attributes
    ----------
    shape : (z, y, x)
    voxels : (n,) int64
        Flat, rising; only those with a weight.
    classes : (n,) int64
    weights : (n,) float32
    corrected : (k,) int64
        Which of them come from corrections, not from a map.
    """

    shape: tuple[int, int, int]
    voxels: NDArray[np.int64]
    classes: NDArray[np.int64]
    weights: NDArray[np.float32]
    corrected: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, truth: GroundTruth, kind: NetworkKind) -> SparseLabels:
        """Labels and weights that a network sees, or a clear error where there are none."""
        classes = truth.phases if kind == "phase" else truth.foreground
        weights = truth.phase_weights if kind == "phase" else truth.particle_weights
        seen = (weights > 0) & (classes >= 0)
        if not seen.any():
            raise SlagsegError(
                f"The ground truth holds no voxel for the {kind} network to learn from. "
                "Look at the placement of the maps and at the legend."
            )
        return cls(
            truth.shape,
            truth.voxels[seen],
            classes[seen].astype(np.int64),
            weights[seen].astype(np.float32),
            np.flatnonzero(truth.map_index[seen] < 0),
        )

    def draw(self, rng: np.random.Generator, focus: float = 0.0) -> int:
        """Position of a known voxel at random, with a chance of `focus` of a corrected one.

        With `focus` above 0 the others are drawn from the maps, however many were corrected.
        """
        n, k = len(self.voxels), len(self.corrected)
        if not focus or not k or k == n:
            return int(rng.integers(n))
        if rng.random() < focus:
            return int(self.corrected[rng.integers(k)])
        return int(self._of_maps[rng.integers(n - k)])

    @cached_property
    def _of_maps(self) -> NDArray[np.int64]:
        return np.setdiff1d(np.arange(len(self.voxels)), self.corrected, assume_unique=True)

    def inside(
        self, start: tuple[int, int, int], size: tuple[int, int, int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Known voxels in a box.

        Returns
        -------
        which : (k,) int64
            Positions in `voxels`.
        local : (k,) int64
            Flat indices within the box.
        """
        # row by row of the box: a map's plane holds millions of voxels, the box a few of them
        (z0, z1), (y0, y1), (x0, x1) = (
            (max(0, a), max(0, a, min(n, a + d))) for a, d, n in zip(start, size, self.shape)
        )
        z, y = np.arange(z0, z1)[:, None], np.arange(y0, y1)[None, :]
        first = ((z * self.shape[1] + y) * self.shape[2] + x0).reshape(-1)
        low = np.searchsorted(self.voxels, first)
        counts = np.searchsorted(self.voxels, first + (x1 - x0)) - low
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        which = np.repeat(low - (ends - counts), counts) + np.arange(total)
        row = ((z - start[0]) * size[1] + (y - start[1])).reshape(-1) * size[2] - start[2] + x0
        local = np.repeat(row - first, counts) + self.voxels[which]
        return which.astype(np.int64), local.astype(np.int64)


def fitting_patch(patch: tuple[int, int, int], shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Patch no larger than the volume, rounded up to multiples of 8 (the rest is padded)."""
    z, y, x = (min(p, -(-n // STRIDE) * STRIDE) for p, n in zip(patch, shape))
    return (z, y, x)


def cut_out(
    data: VolumeLike, start: tuple[int, int, int], size: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Box of a volume; beyond the volume its edge is repeated."""
    box = tuple(slice(max(0, s), min(n, s + d)) for s, d, n in zip(start, size, data.shape))
    piece: NDArray[np.uint8] = data[box]
    if piece.shape == size:
        return piece
    before = [max(0, -s) for s in start]
    after = [d - b - p for d, b, p in zip(size, before, piece.shape)]
    return np.pad(piece, list(zip(before, after)), mode="edge")


@dataclass(frozen=True)
class Patch:
    """One training patch: image, and the known voxels in it."""

    image: NDArray[np.uint8]
    known: NDArray[np.int64]
    classes: NDArray[np.int64]
    weights: NDArray[np.float32]


def draw_patch(
    data: VolumeLike,
    labels: SparseLabels,
    size: tuple[int, int, int],
    allowed: list[Turn],
    rng: np.random.Generator,
    *,
    grey_shift: int = 0,
    elastic: bool = False,
    focus: float = 0.0,
) -> Patch:
    """Draw a patch that holds at least one known voxel, and augment it.

    The patch is placed at random around a known voxel drawn at random.

    Parameters
    ----------
    data : VolumeLike of uint8
        (z, y, x).
    labels : SparseLabels
    size : (z, y, x)
    allowed : list of Turn
    rng : Generator
    grey_shift : int
    elastic : bool
    focus : float
        Chance that the voxel is drawn from the corrected ones alone, if there are any.
    """
    shape = labels.shape
    drawn = labels.draw(rng, focus)
    centre = np.unravel_index(int(labels.voxels[drawn]), shape)
    starts = []
    for c, d, n in zip(centre, size, shape):
        corner = int(c) - int(rng.integers(d))
        starts.append(min(max(corner, 0), max(n - d, 0)))
    start = (starts[0], starts[1], starts[2])
    image = cut_out(data, start, size)
    which, local = labels.inside(start, size)
    # position + 1 of each known voxel, carried through the turns and deformations
    carrier = np.zeros(size, dtype=np.int32)
    carrier.reshape(-1)[local] = np.arange(1, len(local) + 1)
    if allowed:
        turn = allowed[int(rng.integers(len(allowed)))]
        image, carrier = turned(image, turn), turned(carrier, turn)
    if elastic:
        displacement = elastic_displacement(image.shape, rng)
        image = deformed(image, displacement, order=1)
        bent = deformed(carrier, displacement, order=0)
        if bent.any():
            carrier = bent
    if grey_shift:
        image = shifted_grey(image, int(rng.integers(-grey_shift, grey_shift + 1)))
    flat = np.ascontiguousarray(carrier).reshape(-1)
    # numpy finds true values several times faster than numbers other than 0
    known = np.flatnonzero(flat != 0)
    source = which[flat[known] - 1]
    return Patch(np.ascontiguousarray(image), known, labels.classes[source], labels.weights[source])


def draw_anywhere(
    data: VolumeLike,
    size: tuple[int, int, int],
    allowed: list[Turn],
    rng: np.random.Generator,
    *,
    grey_shift: int = 0,
    elastic: bool = False,
) -> Patch:
    """Draw a patch anywhere in the volume and augment it; no voxel of it is known."""
    z, y, x = (int(rng.integers(max(n - d, 0) + 1)) for d, n in zip(size, data.shape))
    image = cut_out(data, (z, y, x), size)
    if allowed:
        image = turned(image, allowed[int(rng.integers(len(allowed)))])
    if elastic:
        image = deformed(image, elastic_displacement(image.shape, rng), order=1)
    if grey_shift:
        image = shifted_grey(image, int(rng.integers(-grey_shift, grey_shift + 1)))
    nothing = np.zeros(0, dtype=np.int64)
    return Patch(np.ascontiguousarray(image), nothing, nothing, np.zeros(0, dtype=np.float32))


def fixed_windows(
    labels: SparseLabels, size: tuple[int, int, int], most: int
) -> list[tuple[int, int, int]]:
    """Starts of windows on a regular grid that hold known voxels, at most so many.

    The same every time, so that validation losses can be compared.
    """
    z, y, x = np.unravel_index(labels.voxels, labels.shape)
    cells = np.stack([z // size[0], y // size[1], x // size[2]], axis=1)
    found, counts = np.unique(cells, axis=0, return_counts=True)
    best = np.sort(np.argsort(-counts, kind="stable")[:most])
    starts = []
    for cell in found[best]:
        start = [min(int(c) * d, max(n - d, 0)) for c, d, n in zip(cell, size, labels.shape)]
        starts.append((start[0], start[1], start[2]))
    return sorted(set(starts))


__all__ = [
    "Patch",
    "SparseLabels",
    "cut_out",
    "draw_anywhere",
    "draw_patch",
    "fitting_patch",
    "fixed_windows",
]
