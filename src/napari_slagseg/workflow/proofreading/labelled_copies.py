"""Stores of labels made block by block from other volumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.data import (
    Block,
    BlockGrid,
    BlockResult,
    Box,
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    ThreadRun,
    Triple,
    VolumeLike,
    VoxelSize,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.data.cores import cores

_PACKED = 0.25
"""Share of their size that labels and probabilities take on disk at most, compressed."""

_COPIED = 0.85
"""Share of the progress bar up to the coarser copies."""

_MOST_THREADS = 4
"""Blocks of 256^3 voxels in memory at once (64 MiB of uint32 each)."""


@dataclass(frozen=True)
class Made:
    """An array to be made.

    Attributes
    ----------
    dtype : str
    read : callable
        Gives the voxels of a box.
    kind : {"labels", "grey"}
        Which decides how coarser copies are made.
    """

    dtype: str
    read: Callable[[Box], NDArray[Any]]
    kind: Literal["labels", "grey"] = "labels"


def copied(volume: VolumeLike, kind: Literal["labels", "grey"] = "labels") -> Made:
    """An array that is a copy of a volume."""
    return Made(np.dtype(volume.dtype).name, lambda box: np.asarray(volume[box]), kind)


@dataclass(frozen=True)
class _Write:
    arrays: Mapping[str, Made]
    to: Mapping[str, io.ZarrVolume]

    def __call__(self, block: Block, given: Any = None, /) -> BlockResult:
        for name, made in self.arrays.items():
            self.to[name][block.box] = made.read(block.box)
        return {}


def require_new(out: Path) -> None:
    """Refuse to write over what is there.

    Raises
    ------
    SlagsegError
    """
    if out.exists():
        raise SlagsegError(
            f"{out} is there already and is not written over. Give another name, or remove it."
        )


def write_copies(
    out: Path,
    arrays: Mapping[str, Made],
    shape: Triple,
    voxel_size_um: VoxelSize,
    attributes: Mapping[str, Any],
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> None:
    """Write arrays, with coarser copies, into an OME-Zarr store that is whole or not there.

    Parameters
    ----------
    out : Path
        Must not exist.
    arrays : mapping of name to Made
    shape : (z, y, x)
    voxel_size_um : (z, y, x)
    attributes : mapping
        JSON values for the store.
    progress, cancel
        See `napari_slagseg.data.running`. A cancel leaves nothing behind.

    Raises
    ------
    SlagsegError
        If `out` exists, or the disk is too small.
    CancelledError
    """
    require_new(out)
    bytes_ = sum(np.dtype(made.dtype).itemsize for made in arrays.values()) * math.prod(shape)
    io.check_disk(out.absolute().parent, int(_PACKED * bytes_), f"The copy {out}")
    grid = BlockGrid.of(shape, io.SHARD)
    run = ThreadRun(grid, min(cores(), _MOST_THREADS), progress, cancel)
    with io.atomic_folder(out) as folder:
        made = io.create_result_arrays(
            folder, {n: a.dtype for n, a in arrays.items()}, shape, voxel_size_um, attributes
        )
        run.stage("copy", _Write(arrays, made), says=f"writing {out.name}", part=(0.0, _COPIED))
        for i, (name, array) in enumerate(arrays.items()):
            step = (1 - _COPIED) / len(arrays)
            part = (_COPIED + i * step, _COPIED + (i + 1) * step)
            io.add_levels(folder, name, array.kind, run, part=part)
        stop_if_cancelled(cancel)
    progress(ProgressEvent(f"writing {out.name}", 1.0))


__all__ = ["Made", "copied", "require_new", "write_copies"]
