"""Coarse copies of a CT, so that a window shows it from afar without reading all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.data import (
    BlockGrid,
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    VolumeLike,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.io.atomic import atomic_folder, recover_folder
from napari_slagseg.project import Project
from napari_slagseg.project.stamps import stamp

COARSEST = 256
"""Longest side of the coarsest copy."""

LARGE = 400**3
"""Voxels from which on coarse copies are worth their time."""

_EDGES = (128, 256, 4096)
_CHUNK = 64


def pyramid_path(project: Project) -> Path:
    """``ct_pyramid.zarr``."""
    return project.folder / "ct_pyramid.zarr"


def ct_levels(project: Project, ct: VolumeLike) -> list[VolumeLike]:
    """CT at all resolutions that are stored, finest first.

    Coarse copies of a CT that has changed since they were made are left out.

    Parameters
    ----------
    project : Project
    ct : VolumeLike
        At full resolution.
    """
    path = pyramid_path(project)
    recover_folder(path)
    if not path.is_dir():
        return [ct]
    try:
        if io.read_zarr_attributes(path).get("ct") != _sign(project):
            return [ct]
        group = zarr.open_group(path, mode="r")
        names = sorted((k for k in group.array_keys() if k.isdecimal()), key=int)
        return [ct, *(io.open_zarr_array(path, name) for name in names)]
    except SlagsegError:  # damaged: they are made again, the CT itself is there
        return [ct]


def _sign(project: Project) -> str:
    return stamp(project.ct_path)


def wants_pyramid(project: Project, ct: VolumeLike) -> bool:
    """Whether a CT is so large that coarse copies help, and has none."""
    return int(np.prod(ct.shape)) >= LARGE and len(ct_levels(project, ct)) == 1


def make_pyramid(
    project: Project,
    ct: VolumeLike,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> list[VolumeLike]:
    """Average a CT over cubes of 2, 4, 8 ... voxels and keep the results in the project.

    Nothing of the project depends on them; they can be deleted at any time.

    Returns
    -------
    list of VolumeLike
        As `ct_levels`.

    Raises
    ------
    SlagsegError
        If the project's folder cannot be written to.
    CancelledError
    """
    sign = _sign(project)
    with atomic_folder(pyramid_path(project)) as temporary:
        group = zarr.open_group(temporary, mode="w", attributes={"ct": sign})
        source, level, done = ct, 0, 0.0
        while max(source.shape) > COARSEST:
            level += 1
            shape = tuple(-(-n // 2) for n in source.shape)
            target = group.create_array(
                str(level), shape=shape, dtype=np.dtype(ct.dtype).newbyteorder("="),
                chunks=(_CHUNK,) * 3, compressors=None,
            )  # fmt: skip
            grid = BlockGrid.of(source.shape, _EDGES)
            # each level is an eighth of the work of the one before
            share = 0.875 / 8 ** (level - 1)
            for i, block in enumerate(grid):
                stop_if_cancelled(cancel)
                box = tuple(slice(a // 2, -(-b // 2)) for a, b in zip(block.start, block.stop))
                target[box] = halved(np.asarray(source[block.box]))
                progress(
                    ProgressEvent("Making coarse copies of the CT", done + share * i / len(grid))
                )
            done += share
            source = target
    return ct_levels(project, ct)


def halved(data: NDArray[Any]) -> NDArray[Any]:
    """Means of cubes of 2 x 2 x 2 voxels; at odd ends of those that there are.

    Whole numbers are rounded half up.
    """
    odd = [n % 2 for n in data.shape]
    if any(odd):
        data = np.pad(data, [(0, o) for o in odd], mode="edge")
    floats = data.dtype.kind == "f"
    wide = np.float32 if floats else (np.int64 if data.dtype.itemsize > 2 else np.int32)
    total = np.zeros(tuple(n // 2 for n in data.shape), dtype=wide)
    for z in (0, 1):
        for y in (0, 1):
            for x in (0, 1):
                total += data[z::2, y::2, x::2]
    return (total / 8 if floats else (total + 4) >> 3).astype(data.dtype)


__all__ = ["LARGE", "ct_levels", "halved", "make_pyramid", "pyramid_path", "wants_pyramid"]
