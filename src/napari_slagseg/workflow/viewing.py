"""Coarse copies of a CT, so that a window shows it from afar without reading all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import (
    BlockGrid,
    CancelToken,
    Progress,
    SlagsegError,
    ThreadRun,
    Volume,
    VolumeLike,
    no_progress,
)
from napari_slagseg.io.zarr_store import split_store
from napari_slagseg.project import Project
from napari_slagseg.project.stamps import stamp

LARGE = 400**3
"""Voxels from which on coarse copies are worth their time."""


def pyramid_path(project: Project) -> Path:
    """``ct_pyramid.zarr``."""
    return project.folder / "ct_pyramid.zarr"


def ct_levels(project: Project, volume: Volume) -> list[VolumeLike]:
    """CT at all resolutions that are stored, finest first.

    They are its own, of an OME-Zarr image, or those that `make_pyramid` made. Coarse
    copies of a CT that has changed since they were made are left out.

    Parameters
    ----------
    project : Project
    volume : Volume
        CT of the project.
    """
    ct: VolumeLike = volume.data
    try:
        levels = _own_levels(project.ct_path)
        if len(levels) < 2:
            made = io.find_pyramid(pyramid_path(project), stamp(project.ct_path))
            levels = [ct, *(() if made is None else made.levels)]
    except SlagsegError:  # damaged coarse levels: the CT itself is there
        return [ct]
    # whoever reads the CT may have turned it into another type
    return [ct, *(level for level in levels[1:] if level.dtype == ct.dtype)]


def _own_levels(path: Path) -> list[VolumeLike]:
    return [] if split_store(path) is None else list(io.multiscale_levels(path).levels)


def wants_pyramid(project: Project, volume: Volume) -> bool:
    """Whether a CT is so large that coarse copies help, and has none."""
    large = int(np.prod(volume.shape, dtype=np.int64)) >= LARGE
    return large and len(ct_levels(project, volume)) == 1


def make_pyramid(
    project: Project,
    volume: Volume,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> list[VolumeLike]:
    """Average a CT over cubes of 2, 4, 8 ... voxels and keep the results in the project.

    Nothing of the project depends on them; they can be deleted at any time. What an
    earlier, cancelled call has made is gone on with.

    Parameters
    ----------
    project : Project
    volume : Volume
        CT of the project.
    progress, cancel
        See `napari_slagseg.data.running`.

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
    grid = BlockGrid.of(volume.shape, io.SHARD)
    # one thread: the window and what else runs need the others
    run = ThreadRun(grid, 1, progress, cancel)
    io.pyramid_beside(volume, pyramid_path(project), stamp(project.ct_path), run)
    return ct_levels(project, volume)


__all__ = ["LARGE", "ct_levels", "make_pyramid", "pyramid_path", "wants_pyramid"]
