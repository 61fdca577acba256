"""Segment a CT with networks from anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_slagseg import io
from napari_slagseg.data import CancelToken, Progress, SlagsegError, no_progress
from napari_slagseg.networks.settings import WEIGHTS
from napari_slagseg.project.stamps import stamp
from napari_slagseg.project.training_runs import has_weights, trained_runs
from napari_slagseg.workflow.blockwise import Resources
from napari_slagseg.workflow.configs import SegmentConfig
from napari_slagseg.workflow.marker_threshold import USUAL, noted_threshold
from napari_slagseg.workflow.segment import newest_runs, table_to_json
from napari_slagseg.workflow.segment_blocks import Segmented, segment_to


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
    if path.is_file() or has_weights(path):
        return path
    runs = trained_runs(path)
    if not runs:
        raise SlagsegError(
            f"{path} holds no trained network. Give a weights file ({WEIGHTS}), the "
            "folder of a training run, or PROJECT/models/phase or PROJECT/models/particle."
        )
    return runs[-1]


def _members(path: str | Path, count: int) -> tuple[Path, ...]:
    """Networks behind a path; more than one only of a folder of runs."""
    latest = model_path(path)
    if count == 1:
        return (latest,)
    if latest == Path(path):
        raise SlagsegError(
            f"{path} is one network, but {count} are to be averaged. Give the folder that holds "
            "the runs (PROJECT/models/phase), or use --ensemble 1."
        )
    return tuple(newest_runs(Path(path), count))


def predict_files(
    ct: str | Path,
    *,
    phase_model: str | Path,
    particle_model: str | Path,
    out: str | Path,
    voxel_size_um: float | Sequence[float] | None = None,
    raw: io.RawLayout | None = None,
    config: SegmentConfig | None = None,
    resources: Resources | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> dict[str, Any]:
    """Segment a CT and store phases, particles and particle probability in one Zarr.

    Works block by block; a run that was ended goes on where it was.

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
    resources : Resources or None
        Memory and workers.

    Returns
    -------
    dict
        ``out``, ``particles`` (their number), ``threshold``, ``volume_shares`` by
        phase, ``voxel_size_um``, ``predicted_with``, ``warnings``.
    """
    from napari_slagseg.networks import load_network

    target = Path(out)
    if target.suffix.lower() != ".zarr":
        raise SlagsegError(f"{target} must end in .zarr: segmentations are stored by blocks.")
    phase_path, particle_path = model_path(phase_model), model_path(particle_model)
    card = load_network(phase_path).card
    chosen = config or SegmentConfig()
    if chosen.threshold is None:
        chosen = chosen.model_copy(update={"threshold": noted_threshold(particle_path) or USUAL})
    warnings: list[str] = []
    size = voxel_size_um if voxel_size_um is not None else io.stored_voxel_size(ct)
    if size is None:
        size = card.voxel_size_um
        warnings.append(
            f"{ct} states no voxel size; that of the networks is taken ({size[0]:g} um)."
        )
    volume = io.read_volume(ct, size, raw=raw)
    members = {
        "phase": _members(phase_model, chosen.ensemble),
        "particle": _members(particle_model, chosen.ensemble),
    }
    weights = {
        kind: [io.fingerprint(path / WEIGHTS if path.is_dir() else path) for path in paths]
        for kind, paths in members.items()
    }

    def attributes(found: Segmented) -> dict[str, Any]:
        return {
            "phase_table": table_to_json(card.table),
            "threshold": found.choice.threshold,
            "predicted_with": dict(found.predicted_with),
        }

    found = segment_to(
        target.absolute().parent,
        target,
        volume,
        members,
        chosen,
        depends_on={**weights, "ct": [str(ct), stamp(Path(ct))], "out": target.name},
        attributes=attributes,
        resources=resources,
        progress=progress,
        cancel=cancel,
    )
    voxels = math.prod(volume.shape)
    return {
        "out": str(target),
        "particles": found.counts.n_particles,
        "threshold": found.choice.threshold,
        "volume_shares": {
            p.name: found.phase_voxels.get(p.id, 0) / voxels for p in card.table if p.id > 0
        },
        "voxel_size_um": volume.voxel_size_um,
        "predicted_with": dict(found.predicted_with),
        "warnings": warnings,
    }


__all__ = ["model_path", "predict_files"]
