"""Counting and renumbering of label volumes, block by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    Block,
    BlockResult,
    BlockRun,
    SlagsegError,
    Triple,
    VolumeLike,
    WritableVolume,
)

_LARGEST = np.iinfo(np.uint32).max


@dataclass(frozen=True)
class LabelCounts:
    """Voxels of the labels of a volume.

    Attributes
    ----------
    labels : (n,) int64
        Those above 0 that occur, rising.
    voxels : (n,) int64
        Of each.
    in_block : mapping of block index to (k,) int64
        Labels that occur in each block, rising.
    """

    labels: NDArray[np.int64]
    voxels: NDArray[np.int64]
    in_block: Mapping[Triple, NDArray[np.int64]]


@dataclass(frozen=True)
class _Count:
    """Stage: labels of a block and their voxels."""

    labels: VolumeLike

    def __call__(self, block: Block, given: Any) -> BlockResult:
        present, voxels = counted(np.asarray(self.labels[block.box]))
        return {"labels": present, "voxels": voxels}


@dataclass(frozen=True)
class _Renumber:
    """Stage: new numbers for the labels of a block; all others become 0."""

    labels: VolumeLike
    out: WritableVolume

    def __call__(self, block: Block, given: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
        self.out[block.box] = renumbered(np.asarray(self.labels[block.box]), *given)


def counted(labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels above 0 of an array, rising, and their voxels.

    Raises
    ------
    SlagsegError
        If the labels are not whole numbers, or one is negative or above 32 bits.
    """
    from napari_slagseg.segmentation.label_kernels import count_into  # imports numba

    check_labels(labels)
    row = np.ascontiguousarray(labels).reshape(-1)
    high = int(row.max(initial=0))
    least = int(row.min(initial=0)) if np.issubdtype(row.dtype, np.signedinteger) else 0
    if least < 0 or high > _LARGEST:
        raise SlagsegError(
            f"Particle labels run from {least} to {high}; "
            "they must be 0 (background) or a number that fits 32 bits."
        )
    if high == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    low = 1
    if high > row.size // 16:
        # a table from 1 on would be long; of the labels less 1, 0 becomes the largest there is
        low = int((row - row.dtype.type(1)).view(row.dtype.str.replace("i", "u")).min()) + 1
    if high - low > max(row.size, 1 << 16):
        # few labels with large numbers: a table of all numbers would not pay
        present, voxels = np.unique(row, return_counts=True)
        present = present.astype(np.int64)
        above = present > 0
        return present[above], voxels[above].astype(np.int64)
    totals = np.zeros(high - low + 1, dtype=np.int64)
    count_into(row, low, totals)
    at = np.flatnonzero(totals)
    return at + low, totals[at]


def renumbered(
    labels: NDArray[Any],
    old: NDArray[np.int64],
    new: NDArray[np.int64],
    out: NDArray[np.uint32] | None = None,
) -> NDArray[np.uint32]:
    """Give label ``old[i]`` (rising) the number ``new[i]``; all others become 0.

    What is written to `out`, if it is given, may lie over `labels`.
    """
    from napari_slagseg.segmentation.label_kernels import renumber_into

    check_labels(labels)
    if out is None:
        out = np.empty(labels.shape, dtype=np.uint32)
    if len(old) == 0:
        out[...] = 0
        return out
    low, high = int(old[0]), int(old[-1])
    if high - low > max(labels.size, 1 << 16):
        at = np.minimum(np.searchsorted(old, labels), len(old) - 1)
        out[...] = np.where(old[at] == labels, new[at], 0)
        return out
    table = np.zeros(high - low + 1, dtype=np.uint32)
    table[old - low] = new
    row = np.ascontiguousarray(labels).reshape(-1)
    if out.flags.c_contiguous:
        renumber_into(row, low, table, out.reshape(-1))
    else:
        written = np.empty(row.shape, dtype=np.uint32)
        renumber_into(row, low, table, written)
        out[...] = written.reshape(labels.shape)
    return out


def check_labels(labels: VolumeLike) -> None:
    """Raise `SlagsegError` if labels are not whole numbers."""
    if not np.issubdtype(labels.dtype, np.integer):
        raise SlagsegError(f"Particle labels of the type {labels.dtype} are not whole numbers.")


def label_counts_of_blocks(
    labels: VolumeLike,
    run: BlockRun,
    *,
    name: str = "count",
    says: str = "counting voxels",
    part: tuple[float, float] = (0.0, 1.0),
) -> LabelCounts:
    """Labels of a volume and their voxels.

    Parameters
    ----------
    labels : (z, y, x) integer volume
        0 background.
    run : BlockRun
    name, says, part
        See `BlockRun.stage`.

    Raises
    ------
    SlagsegError
        If the labels are not whole numbers, or one is negative or above 32 bits.
    """
    check_labels(labels)
    found = run.stage(name, _Count(labels), says=says, part=part)
    every = np.concatenate([r["labels"] for r in found.values()])
    voxels = np.concatenate([r["voxels"] for r in found.values()])
    present, at = np.unique(every, return_inverse=True)
    totals = np.zeros(len(present), dtype=np.int64)
    np.add.at(totals, at.reshape(-1), voxels)
    return LabelCounts(present, totals, {index: r["labels"] for index, r in found.items()})


def remove_small_in_blocks(
    labels: VolumeLike,
    out: WritableVolume,
    run: BlockRun,
    minimum_voxels: int,
    *,
    sequential: bool = False,
    name: str = "small",
    says: str = "removing small particles",
    part: tuple[float, float] = (0.0, 1.0),
) -> int:
    """Set particles under `minimum_voxels` voxels to background.

    Parameters
    ----------
    labels : (z, y, x) integer volume
        0 background.
    out : (z, y, x) uint32 volume
        Another volume than `labels`, if interrupted work is to be gone on with.
    run : BlockRun
    minimum_voxels : int
        0 or 1 keeps all.
    sequential : bool
        Number the particles that stay 1, 2, ... in the order of their old numbers.
    name, says, part
        See `BlockRun.stage`.

    Returns
    -------
    n : int
        Particles that stay.

    Raises
    ------
    SlagsegError
        As `label_counts_of_blocks`.
    """
    middle = 0.5 * (part[0] + part[1])
    counts = label_counts_of_blocks(
        labels, run, name=f"{name}-count", says=says, part=(part[0], middle)
    )
    kept = counts.labels[counts.voxels >= minimum_voxels]
    new = np.arange(1, len(kept) + 1) if sequential else kept
    given = {}
    for index, present in counts.in_block.items():
        old = present[np.isin(present, kept, assume_unique=True)]
        given[index] = (old, new[np.searchsorted(kept, old)])
    run.stage(name, _Renumber(labels, out), given=given, says=says, part=(middle, part[1]))
    return len(kept)


__all__ = [
    "LabelCounts",
    "check_labels",
    "counted",
    "label_counts_of_blocks",
    "remove_small_in_blocks",
    "renumbered",
]
