"""Segment a CT with networks from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    no_progress,
)
from napari_slagseg.workflow.configs import SegmentConfig
from napari_slagseg.workflow.marker_threshold import noted_threshold
from napari_slagseg.workflow.segment import segment_volume, table_to_json

# an Okabe-Ito colour each, so that a table made of ids alone can be drawn


def model_path(path: str | Path) -> Path:
    """Weights or run folder behind a path: itself, or its latest trained run.

    Raises
    ------
    SlagsegError
        If there is nothing that could be a network.
    """
    path = Path(path)
    if not path.exists():
        raise SlagsegError(f"{path} does not exist. Give a weights file or a training run.")
    if path.is_file() or (path / "weights.safetensors").is_file():
        return path
    runs = [
        folder
        for folder in path.glob("run_*")
        if folder.name[4:].isdigit() and (folder / "weights.safetensors").is_file()
    ]
    if not runs:
        raise SlagsegError(
            f"{path} holds no trained network. Give a weights file (weights.safetensors), the "
            "folder of a training run, or PROJECT/models/phase or PROJECT/models/particle."
        )
    return max(runs, key=lambda folder: int(folder.name[4:]))


def predict_files(
    ct: str | Path,
    *,
    phase_model: str | Path,
    particle_model: str | Path,
    out: str | Path,
    voxel_size_um: float | Sequence[float] | None = None,
    raw: io.RawLayout | None = None,
    config: SegmentConfig | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> dict[str, Any]:
    """Segment a CT and store ``phases`` (uint8) and ``particles`` (uint32) in one Zarr.

    Parameters
    ----------
    ct : path
    phase_model, particle_model : path
        See `model_path`.
    out : path
        Zarr store; appears whole or not at all.
    voxel_size_um : float, (z, y, x) or None
        None takes it from the file, and where the file states none, that of the
        phase network's training volume; `warnings` then says so.
    raw : RawLayout or None
    config : SegmentConfig or None
        Without a threshold, the one is taken that was chosen in the project of the
        particle network, else 0.5.

    Returns
    -------
    dict
        ``out``, ``particles`` (their number), ``threshold``, ``volume_shares`` by
        phase, ``voxel_size_um``, ``warnings``.
    """
    from napari_slagseg.networks import load_network

    phase = load_network(model_path(phase_model))
    particle_path = model_path(particle_model)
    particle = load_network(particle_path)
    chosen = config or SegmentConfig()
    if chosen.threshold is None:
        chosen = chosen.model_copy(update={"threshold": noted_threshold(particle_path)})
    warnings: list[str] = []
    size = voxel_size_um if voxel_size_um is not None else io.stored_voxel_size(ct)
    if size is None:
        size = phase.card.voxel_size_um
        warnings.append(
            f"{ct} states no voxel size; that of the networks is taken ({size[0]:g} um)."
        )
    volume = io.read_volume(ct, size, raw=raw)
    segmented = segment_volume(volume, phase, particle, chosen, progress, cancel)
    phases, separation = segmented.phases, segmented.separation
    table = phase.card.table
    progress(ProgressEvent("storing the segmentation", 0.97))
    io.write_zarr_arrays(
        out,
        {"phases": phases, "particles": separation.particles},
        voxel_size_um=volume.voxel_size_um,
        attributes={
            "phase_table": table_to_json(table),
            "threshold": segmented.choice.threshold,
        },
    )
    counts = np.bincount(phases.reshape(-1), minlength=max(table.ids) + 1)
    return {
        "out": str(out),
        "particles": int(separation.particles.max(initial=0)),
        "threshold": segmented.choice.threshold,
        "volume_shares": {p.name: float(counts[p.id] / phases.size) for p in table if p.id > 0},
        "voxel_size_um": volume.voxel_size_um,
        "warnings": warnings,
    }


__all__ = ["model_path", "predict_files"]
