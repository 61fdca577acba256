"""Coarser levels of volumes on disk, for viewing: made block by block, and found again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_slagseg.data import (
    Block,
    BlockGrid,
    BlockRun,
    SlagsegError,
    Triple,
    Volume,
    VolumeLike,
    VoxelSize,
)
from napari_slagseg.data.picking import halvings, pick
from napari_slagseg.io.atomic import write_error
from napari_slagseg.io.mapped_volume import shared_volume
from napari_slagseg.io.ome_zarr import Level, image_attributes, multiscale
from napari_slagseg.io.zarr_store import open_levels
from napari_slagseg.io.zarr_volume import CHUNK, SHARD, ZarrVolume, add_array

COARSEST = 128
"""Levels are halved until no edge is longer than this."""

Kind = Literal["labels", "grey"]


@dataclass(frozen=True)
class Pyramid:
    """Levels of a volume, finest first.

    Attributes
    ----------
    levels : tuple of ZarrVolume
    voxel_sizes_um : tuple of (z, y, x)
        Of every level; in voxels of the finest where the store states no size.
    offsets_um : tuple of (z, y, x)
        Centre of every level's first voxel, seen from that of the finest.
    """

    levels: tuple[ZarrVolume, ...]
    voxel_sizes_um: tuple[VoxelSize, ...]
    offsets_um: tuple[VoxelSize, ...]


@dataclass(frozen=True)
class HalveBlock:
    """`BlockTask` that makes a block of a level from the next finer one.

    Attributes
    ----------
    source : VolumeLike
        The finer level.
    target : ZarrVolume
        The level whose blocks are made.
    factors : (z, y, x)
        2, or 1 along an axis that is one voxel long.
    picks : (z, y, x) or None
        Which of the voxels along an edge is taken; None takes their mean.
    """

    source: VolumeLike
    target: ZarrVolume
    factors: Triple
    picks: Triple | None

    def __call__(self, block: Block, given: Any = None, /) -> None:
        """Make the block, in layers, so that little of the source is in memory."""
        out = np.empty(block.shape, self.target.dtype)
        chunk = getattr(self.source, "chunks", (1,))[0]
        depth = max(8, chunk // self.factors[0])
        for first in range(0, block.shape[0], depth):
            last = min(first + depth, block.shape[0])
            out[first:last] = self._layer(block, first, last)
        self.target[block.box] = out

    def _layer(self, block: Block, first: int, last: int) -> NDArray[Any]:
        low = (block.start[0] + first, *block.start[1:])
        high = (block.start[0] + last, *block.stop[1:])
        box = tuple(
            slice(a * f, min(b * f, n))
            for a, b, f, n in zip(low, high, self.factors, self.source.shape)
        )
        fine = np.asarray(self.source[box])
        # at the far sides a voxel may have but one half: it stands for both
        lacking = [(0, (b - a) * f - n) for a, b, f, n in zip(low, high, self.factors, fine.shape)]
        if any(n for _, n in lacking):
            fine = np.pad(fine, lacking, mode="edge")
        if self.picks is not None:
            return fine[tuple(slice(p, None, f) for p, f in zip(self.picks, self.factors))]
        return _means(fine, self.factors)


def _means(fine: NDArray[Any], factors: Triple) -> NDArray[Any]:
    """Means of boxes, whole numbers rounded half up."""
    small = fine.dtype.kind == "u" and fine.dtype.itemsize <= 2
    exact = np.float32 if fine.dtype.kind == "f" else np.uint32 if small else np.int64
    total: Any = np.zeros([n // f for n, f in zip(fine.shape, factors)], dtype=exact)
    for place in np.ndindex(*factors):
        total += fine[tuple(slice(p, None, f) for p, f in zip(place, factors))]
    count = int(np.prod(factors))
    if fine.dtype.kind == "f":
        total /= count
    else:
        total += count // 2
        total //= count
    return total.astype(fine.dtype)


def _next(level: Level, shape: Triple, kind: Kind) -> tuple[Level, Triple, Triple | None]:
    """Level after one, the factors between the two, and which voxels are picked.

    A picked voxel lies as near as can be to the middle of those it stands for.
    """
    factors = halvings(shape)
    whole = tuple(f * g for f, g in zip(level.factors, factors))
    middle = tuple((f - 1) / 2 for f in whole)
    path = str(int(level.path) + 1)
    if kind == "grey":
        return Level(path, whole, middle), factors, None  # type: ignore[return-value]
    picks = tuple(pick(o, f, g) for o, f, g in zip(level.offsets, level.factors, factors))
    offsets = tuple(o + p * f for o, p, f in zip(level.offsets, picks, level.factors))
    return Level(path, whole, offsets), factors, picks  # type: ignore[return-value]


def planewise(source: VolumeLike) -> bool:
    """Whether a plane is decoded at once, so that blocks should hold whole planes."""
    return getattr(source, "chunks", (0,))[0] == 1


def _build(
    group: Any,
    path: Path,
    inner: str,
    source: VolumeLike,
    kind: Kind,
    run: BlockRun | None,
    stage: str,
    part: tuple[float, float],
) -> list[Level]:
    """Make all coarser levels in a group; what is there of the right shape is gone on with."""
    level, levels = Level("0", (1.0,) * 3, (0.0,) * 3), []
    fine: VolumeLike = shared_volume(source)
    shape: Triple = fine.shape  # type: ignore[assignment]
    ends = _ends(part)
    while max(shape) > COARSEST:
        level, factors, picks = _next(level, shape, kind)
        shape = tuple(-(-n // f) for n, f in zip(shape, factors))  # type: ignore[assignment]
        shard_depth = CHUNK if planewise(fine) else SHARD
        if level.path not in group or group[level.path].shape != shape:
            add_array(
                group,
                level.path,
                shape,
                fine.dtype,
                compress=kind == "labels" or fine.dtype == np.uint8,
                shard_depth=shard_depth,
            )
        target = ZarrVolume(str(path), f"{inner}/{level.path}" if inner else level.path)
        edges = (shard_depth, *shape[1:]) if planewise(fine) else (SHARD,) * 3
        blocks = list(BlockGrid.of(shape, edges))
        task = HalveBlock(fine, target, factors, picks)
        if run is not None:
            run.stage(
                f"{stage}-{level.path}",
                task,
                blocks=blocks,
                says="making coarser levels for viewing",
                part=next(ends),
            )
        for block in blocks:
            # also what an earlier run has noted as done, and somebody has removed
            if run is None or not _is_there(target, block):
                task(block)
        levels.append(level)
        fine = target
    return levels


def _is_there(target: ZarrVolume, block: Block) -> bool:
    try:
        return not target.lacks(block.box)
    except SlagsegError:  # a shard that is cut short is made again
        return False


def _ends(part: tuple[float, float]) -> Iterator[tuple[float, float]]:
    """Parts of the progress bar: every level costs an eighth of the one before."""
    left, here = part[1] - part[0], part[0]
    while True:
        yield here, here + left * 7 / 8
        here, left = here + left * 7 / 8, left / 8


def add_levels(
    store: str | Path,
    name: str,
    kind: Kind = "labels",
    run: BlockRun | None = None,
    part: tuple[float, float] = (0.0, 1.0),
) -> Pyramid:
    """Make the levels 1, 2, ... of an image whose level 0 is written.

    Each halves the one before, until no edge is longer than `COARSEST`. Grey values
    become means; of labels one is picked, so that no label arises that is not there.
    The metadata name the levels when all are whole.

    Parameters
    ----------
    store : path
    name : str
        Of the image (``particles``), as `create_result_arrays` made it; empty where
        the store itself is the image.
    kind : {"labels", "grey"}
    run : BlockRun, optional
        Where to work; its stages get blocks of the *levels*, not of its grid. In this
        thread, block after block, if not given. A run that is resumed goes on where
        it was.
    part : (float, float)
        Of the run's progress bar.

    Raises
    ------
    SlagsegError
        If the image is not there or damaged, or the place cannot be written to.
    """
    path = Path(store)
    try:
        group = zarr.open_group(path / name if name else path, mode="r+")
        finest = ZarrVolume(str(path), f"{name}/0" if name else "0")
        found = multiscale(dict(group.attrs), str(path / name))
        if found is None or found.level != "0":
            raise SlagsegError(f"{path / name} is no OME-Zarr image that this program made.")
        size = found.voxel_size_um
        levels = _build(group, path, name, finest, kind, run, f"levels-{name or kind}", part)
        whole = (Level("0", (1.0,) * 3, (0.0,) * 3), *levels)
        group.attrs.update(image_attributes(name or path.stem, 3, size, whole))
    except OSError as error:
        raise write_error(path, error) from error
    return multiscale_levels(path, name)


def multiscale_levels(path: str | Path, name: str = "") -> Pyramid:
    """Levels of an OME-Zarr image, lazily; a plain array is a pyramid of one level.

    Parameters
    ----------
    path : path
        The store, or an image in it.
    name : str
        Of the image within the store.

    Raises
    ------
    SlagsegError
        If it is not there, or its metadata are damaged.
    """
    return Pyramid(*open_levels(Path(path, name) if name else Path(path)))


def pyramid_beside(
    volume: Volume,
    folder: str | Path,
    stamp: str,
    run: BlockRun | None = None,
    part: tuple[float, float] = (0.0, 1.0),
) -> Pyramid:
    """Make the levels 1, 2, ... of a CT that has none, in a store of their own.

    One that is whole and of the same stamp is returned as it is.

    Parameters
    ----------
    volume : Volume
    folder : path
        The store (``PROJECT/ct_pyramid.zarr``).
    stamp : str
        What tells this CT from a changed one (size and time of the file).
    run, part
        As in `add_levels`.

    Returns
    -------
    Pyramid
        Without the CT itself; no level where it is small.
    """
    path = Path(folder)
    there = find_pyramid(path, stamp)
    if there is not None:
        return there
    try:
        if _stamp_of(path) != stamp:
            zarr.open_group(path, mode="w", zarr_format=3)
        group = zarr.open_group(path, mode="r+")
        mark: dict[str, Any] = {"ct": volume.name, "stamp": stamp}
        group.attrs["napari_slagseg"] = {**mark, "whole": False}
        short = hashlib.sha256(stamp.encode()).hexdigest()[:8]
        levels = _build(group, path, "", volume.data, "grey", run, f"ct-levels-{short}", part)
        values: dict[str, Any] = {"napari_slagseg": {**mark, "whole": True}}
        if levels:
            values |= image_attributes(volume.name, 3, volume.voxel_size_um, levels)
        group.attrs.update(values)
    except OSError as error:
        raise write_error(path, error) from error
    made = find_pyramid(path, stamp)
    assert made is not None
    return made


def find_pyramid(folder: str | Path, stamp: str) -> Pyramid | None:
    """Levels that `pyramid_beside` made; None if they are not whole, or of another CT."""
    path = Path(folder)
    if _stamp_of(path) != stamp:
        return None
    attributes: dict[str, Any] = dict(zarr.open_group(path, mode="r").attrs)
    if not attributes["napari_slagseg"].get("whole"):
        return None
    return multiscale_levels(path) if "ome" in attributes else Pyramid((), (), ())


def _stamp_of(path: Path) -> str | None:
    try:
        mark = zarr.open_group(path, mode="r").attrs.get("napari_slagseg")
    except Exception:  # noqa: BLE001  whatever zarr makes of a damaged store: it is made anew
        return None
    return str(mark["stamp"]) if isinstance(mark, dict) and "stamp" in mark else None


__all__ = [
    "COARSEST",
    "HalveBlock",
    "Pyramid",
    "add_levels",
    "find_pyramid",
    "multiscale_levels",
    "planewise",
    "pyramid_beside",
]
