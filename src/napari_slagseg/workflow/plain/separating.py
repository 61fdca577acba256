"""Separate particles by predictions from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    Progress,
    SlagsegError,
    VolumeLike,
    checked_voxel_size,
    no_progress,
)
from napari_slagseg.project.stamps import stamp
from napari_slagseg.segmentation import separate_blocks
from napari_slagseg.workflow.blockwise import Resources, open_run
from napari_slagseg.workflow.segment_blocks import SEPARATION_COSTS, store_of


def separate_files(
    phases: str | Path,
    probability: str | Path,
    *,
    out: str | Path,
    threshold: float = 0.5,
    minimum_voxels: int = 100,
    voxel_size_um: float | Sequence[float] | None = None,
    resources: Resources | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> dict[str, Any]:
    """Separate particles by phases and probabilities of any network, block by block.

    Parameters
    ----------
    phases : path
        (z, y, x) whole numbers from 0 (background) to 255; TIFF, NPY or an array of a Zarr
        store. Read by boxes where the format allows it.
    probability : path
        Probability of "inside a particle" as uint8, 0 to 255 for 0 to 1.
    out : path
        Zarr store with ``particles`` (uint32); appears whole or not at all.
    threshold, minimum_voxels
        See `separate_particles`.
    voxel_size_um : float, (z, y, x) or None
        None takes it from the phases' file, if that states one.
    resources : Resources or None
    progress, cancel
        See `napari_slagseg.data.running`.

    Returns
    -------
    dict
        ``out``, ``particles`` (their number), ``markers``, ``without_marker``,
        ``removed_small``, ``threshold``.

    Raises
    ------
    SlagsegError
        If a file is missing or damaged, types or shapes do not fit, or memory or disk
        are not enough.
    """
    target = Path(out)
    if target.suffix.lower() != ".zarr":
        raise SlagsegError(f"{target} must end in .zarr: particles are stored by blocks.")
    found = io.shared_volume(io.open_labels(phases, what="phases"))
    sure = io.shared_volume(io.open_labels(probability, what="particle probability"))
    for volume in (found, sure):
        io.check_zarr_volume(volume)
    shape = _checked_shape(phases, found, probability, sure)
    size = voxel_size_um if voxel_size_um is not None else io.stored_voxel_size(phases)
    spacing = None
    if size is not None:
        spacing = checked_voxel_size(size if isinstance(size, (int, float)) else tuple(size))
    decides = {
        "phases": [str(phases), stamp(Path(phases))],
        "probability": [str(probability), stamp(Path(probability))],
        "out": target.name,
        "threshold": threshold,
        "minimum_voxels": minimum_voxels,
    }
    with open_run(
        target.absolute().parent,
        "separate",
        decides,
        shape,
        SEPARATION_COSTS,
        resources,
        progress,
        cancel,
    ) as run:
        store, _ = store_of(run, {"particles": "uint32"}, shape, spacing)
        particles = io.ZarrVolume(str(store), "particles/0")
        counts = separate_blocks(
            found,
            sure,
            particles,
            run,
            threshold=threshold,
            minimum_voxels=minimum_voxels,
            part=(0.0, 0.95),
        )
        io.add_levels(store, "particles", "labels", run, part=(0.95, 1.0))
        io.write_zarr_attributes(store, {"threshold": threshold})
        io.replace_folder(store, target)
    return {
        "out": str(target),
        "particles": counts.n_particles,
        "markers": counts.n_markers,
        "without_marker": counts.n_without_marker,
        "removed_small": counts.n_removed,
        "threshold": threshold,
    }


def _checked_shape(
    phases: str | Path, found: VolumeLike, probability: str | Path, sure: VolumeLike
) -> tuple[int, int, int]:
    if tuple(found.shape) != tuple(sure.shape) or len(found.shape) != 3:
        raise SlagsegError(
            f"{phases} has the shape {tuple(found.shape)} and {probability} {tuple(sure.shape)}; "
            "both need three axes (z, y, x) and the same shape."
        )
    for path, volume in ((phases, found), (probability, sure)):
        if volume.dtype != np.uint8:
            raise SlagsegError(
                f"{path} holds {volume.dtype}; phases and probabilities are read as uint8 (a "
                "probability of 1 is 255). Convert it."
            )
    z, y, x = found.shape
    return (z, y, x)


__all__ = ["separate_files"]
