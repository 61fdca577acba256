"""The corrections alone, as volumes of labels."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.data import (
    BlockGrid,
    Box,
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    VolumeLike,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.io.guards import check_memory
from napari_slagseg.project import Project
from napari_slagseg.workflow.proofreading.labelled_copies import Made, require_new, write_copies

PARTICLES_CHANGED, PHASES_CHANGED = 1, 2
"""Bits of the array ``changed``."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    files : tuple of Path
        The store, or one TIFF for each array.
    particles, phases : int
        Voxels whose particle, or phase, is another than as segmented.
    """

    files: tuple[Path, ...]
    particles: int
    phases: int


def export_corrections(
    project: Project,
    out: str | Path,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Exported:
    """Write what edits have changed, and what was there before.

    Arrays, all zero where nothing was changed: ``particles`` and ``phases`` as edited,
    ``particles_before`` and ``phases_before`` as segmented, and ``changed``: 1 where the particle
    is another, 2 where the phase is, 3 where both are. It tells a voxel that became background
    from one that was not touched.

    Parameters
    ----------
    project : Project
    out : path
        ``.zarr``: one store of all arrays. ``.tif``: ``OUT.tif`` holds the particles, the others
        are ``OUT_changed.tif``, ``OUT_particles_before.tif``, ...; each must fit into memory.
    progress, cancel
        See `napari_slagseg.data.running`.

    Raises
    ------
    SlagsegError
        If nothing was edited, the suffix is another, or a file is there already.
    CancelledError
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in (".zarr", ".tif", ".tiff"):
        raise SlagsegError(
            f"{out} ends in '{out.suffix}'; corrections are written as .zarr (all arrays in one "
            "store, for volumes of any size) or .tif (one file for each array)."
        )
    if not project.edits_digest():
        raise SlagsegError(
            f"The segmentation of {project.folder} is as it was made: no edit that changed a voxel "
            "holds, so there are no corrections to write."
        )
    found = _Corrections(project)
    arrays = found.arrays()
    if suffix == ".zarr":
        about = {"segmentation": project.segmentation_id(), "edits": project.edits_digest()}
        size, shape = project.voxel_size_um, found.shape
        write_copies(out, arrays, shape, size, {"corrections": about}, progress, cancel)
        files: tuple[Path, ...] = (out,)
    else:
        files = _write_tiffs(out, arrays, found, project, progress, cancel)
    return Exported(files, found.counted["particles"], found.counted["phases"])


class _Corrections:
    """Where the labels as edited and as segmented differ, box by box."""

    def __init__(self, project: Project) -> None:
        self.after: dict[str, VolumeLike] = {}
        self.before: dict[str, VolumeLike] = {}
        for name in ("particles", "phases"):
            self.after[name] = project.segmentation_volume(name)  # type: ignore[arg-type]
            self.before[name] = project.segmentation_volume(name, edited=False)  # type: ignore[arg-type]
        z, y, x = self.after["particles"].shape
        self.shape = (z, y, x)
        self.counted = {"particles": 0, "phases": 0}
        self._counting = threading.Lock()

    def arrays(self) -> dict[str, Made]:
        """All arrays by name, the particles first."""
        return {
            "particles": self._of("particles", self.after),
            "changed": Made("uint8", self.changed),
            "particles_before": self._of("particles", self.before),
            "phases": self._of("phases", self.after),
            "phases_before": self._of("phases", self.before),
        }

    def _of(self, name: str, volumes: dict[str, VolumeLike]) -> Made:
        def read(box: Box) -> NDArray[Any]:
            values = np.asarray(volumes[name][box])
            return np.where(self._differs(name, box), values, values.dtype.type(0))

        return Made(np.dtype(volumes[name].dtype).name, read)

    def _differs(self, name: str, box: Box) -> NDArray[np.bool_]:
        return np.asarray(self.after[name][box]) != np.asarray(self.before[name][box])

    def changed(self, box: Box) -> NDArray[Any]:
        """Bits that say what was changed."""
        bits = {"particles": PARTICLES_CHANGED, "phases": PHASES_CHANGED}
        out = np.zeros([s.stop - s.start for s in box], np.uint8)
        for name, bit in bits.items():
            differs = self._differs(name, box)
            with self._counting:
                self.counted[name] += int(differs.sum())
            out[differs] |= bit
        return out


def _write_tiffs(
    out: Path,
    arrays: dict[str, Made],
    found: _Corrections,
    project: Project,
    progress: Progress,
    cancel: CancelToken | None,
) -> tuple[Path, ...]:
    paths = {
        name: out if name == "particles" else out.with_name(f"{out.stem}_{name}{out.suffix}")
        for name in arrays
    }
    for path in paths.values():
        require_new(path)
    for n, (name, made) in enumerate(arrays.items()):
        progress(ProgressEvent(f"writing {paths[name].name}", n / len(arrays)))
        # the file's writer holds as much again
        check_memory(2 * math.prod(found.shape) * np.dtype(made.dtype).itemsize, str(paths[name]))
        whole = np.zeros(found.shape, made.dtype)
        _fill(whole, made.read, cancel)
        io.write_volume(paths[name], whole, project.voxel_size_um, compress=True)
    return tuple(paths.values())


def _fill(
    whole: NDArray[Any], read: Callable[[Box], NDArray[Any]], cancel: CancelToken | None
) -> None:
    for block in BlockGrid.of(whole.shape, io.SHARD):
        stop_if_cancelled(cancel)
        whole[block.box] = read(block.box)


__all__ = ["Exported", "export_corrections"]
