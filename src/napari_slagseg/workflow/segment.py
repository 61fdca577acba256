"""Step 5: phases and particles everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    GroundTruth,
    Phase,
    PhaseTable,
    Progress,
    ProgressEvent,
    SlagsegError,
    Volume,
    part_of,
)
from napari_slagseg.project import Project
from napari_slagseg.segmentation import Separation, separate_particles
from napari_slagseg.workflow.annotate import split
from napari_slagseg.workflow.configs import SegmentConfig
from napari_slagseg.workflow.marker_threshold import (
    USUAL,
    ThresholdChoice,
    choose_threshold,
    note_threshold,
)
from napari_slagseg.workflow.step import Step, StepResult

if TYPE_CHECKING:
    from napari_slagseg.networks import TrainedNetwork

PREDICTION_SHARE = 0.8
"""Share of the step's progress bar that belongs to the networks."""


def _inputs(project: Project) -> dict[str, str]:
    found = {"ct": project.ct_fingerprint()}
    for kind in ("phase", "particle"):
        folder = project.model_folder(kind)  # type: ignore[arg-type]
        if folder is None:
            raise SlagsegError(
                f"Project {project.folder} has no trained {kind} network yet. "
                f"Run 'train --network {kind}' first."
            )
        weights = (folder / "weights.safetensors").relative_to(project.folder)
        found[f"{kind} network"] = project.fingerprint(weights)
    return found


def table_to_json(table: PhaseTable) -> dict[str, Any]:
    """Phase table as JSON values, for the attributes of an array."""
    return {"target": table.target, "phases": [dict(vars(phase)) for phase in table]}


def table_from_json(values: Any) -> PhaseTable:
    """Phase table back from `table_to_json`."""
    try:
        return PhaseTable(tuple(Phase(**p) for p in values["phases"]), values.get("target"))
    except (KeyError, TypeError) as error:
        raise SlagsegError(
            "The segmentation does not say which phases it holds. Run 'segment' again."
        ) from error


@dataclass(frozen=True)
class Segmented:
    """Phases and particles of a volume.

    Attributes
    ----------
    phases : (z, y, x) uint8
        Classes of the phase network.
    particle_probability : (z, y, x) uint8
        0 to 255.
    separation : Separation
        Its `particles` are (z, y, x) uint32.
    choice : ThresholdChoice
        The marker threshold.
    """

    phases: NDArray[np.uint8]
    particle_probability: NDArray[np.uint8]
    separation: Separation
    choice: ThresholdChoice


def segment_volume(
    volume: Volume,
    phase: TrainedNetwork,
    particle: TrainedNetwork,
    config: SegmentConfig,
    progress: Progress,
    cancel: CancelToken | None,
    truth: GroundTruth | None = None,
) -> Segmented:
    """Predict with both networks and separate the particles.

    Parameters
    ----------
    truth : GroundTruth or None
        To choose the marker threshold by, where the configuration gives none.
    """
    from napari_slagseg.networks import predict_volume

    prediction = predict_volume(
        volume.data,
        phase=phase,
        particle=particle,
        voxel_size_um=volume.voxel_size_um,
        tile=config.tile,
        halo=config.halo,
        average=config.average,
        mirrored=config.mirrored,
        device=config.device,
        threads=config.threads,
        progress=part_of(progress, 0.0, PREDICTION_SHARE),
        cancel=cancel,
    )
    phases, probability = prediction.phases, prediction.particle_probability
    if phases is None or probability is None:
        raise RuntimeError("both networks were asked for, but one gave nothing")
    if config.threshold is None:
        choice = choose_threshold(
            phases,
            probability,
            truth,
            minimum_voxels=config.minimum_voxels,
            progress=part_of(progress, PREDICTION_SHARE, 0.93),
            cancel=cancel,
        )
    else:
        choice = ThresholdChoice(config.threshold)
    separation = separate_particles(
        phases,
        probability,
        threshold=choice.threshold,
        minimum_voxels=config.minimum_voxels,
        progress=part_of(progress, 0.93, 0.97),
        cancel=cancel,
    )
    return Segmented(phases, probability, separation, choice)


def run(
    project: Project, config: SegmentConfig, progress: Progress, cancel: CancelToken | None
) -> StepResult:
    """Predict with both networks, separate the particles, store three arrays.

    ``segmentation.zarr`` appears whole or not at all; an older one stays until then.
    """
    from napari_slagseg.networks import load_network

    folders = {kind: project.model_folder(kind) for kind in ("phase", "particle")}
    if folders["phase"] is None or folders["particle"] is None:
        raise SlagsegError(f"Project {project.folder} has no trained networks. Run 'train' first.")
    phase, particle = load_network(folders["phase"]), load_network(folders["particle"])
    volume = project.volume()
    truth = split(project.ground_truth(), project)[0] if _has_truth(project) else None
    segmented = segment_volume(volume, phase, particle, config, progress, cancel, truth)
    phases, separation, choice = segmented.phases, segmented.separation, segmented.choice
    progress(ProgressEvent("storing the segmentation", 0.97))
    note_threshold(folders["particle"], choice)
    table = phase.card.table.with_target(project.description.target)
    io.write_zarr_arrays(
        project.segmentation_path,
        {
            "phases": phases,
            "particles": separation.particles,
            "particle_probability": segmented.particle_probability,
        },
        voxel_size_um=volume.voxel_size_um,
        attributes={"phase_table": table_to_json(table), "threshold": choice.threshold},
    )
    count = int(separation.particles.max(initial=0))
    shares = {
        p.name: float(np.count_nonzero(phases == p.id) / phases.size) for p in table if p.id > 0
    }
    warnings: tuple[str, ...] = ()
    if count == 0:
        warnings = ("No particle was found. Were the networks trained for long enough?",)
    return StepResult(
        summary={
            "particles": count,
            "markers": separation.n_markers,
            "without_marker": separation.n_without_marker,
            "removed_small": separation.n_removed,
            "threshold": choice.threshold,
            "threshold_f1_match": {str(t): round(f, 4) for t, f in choice.f1_match.items()},
            "volume_shares": shares,
        },
        message=f"{count:,} particles were found, with markers above {choice.threshold:g}.",
        warnings=warnings,
    )


def _has_truth(project: Project) -> bool:
    return project.ground_truth_path.exists() and project.record("annotate") is not None


def marker_threshold(project: Project) -> float:
    """Threshold that the stored particles were separated with."""
    attributes = io.read_zarr_attributes(project.segmentation_path)
    return float(attributes.get("threshold", USUAL))


def segmented_phase_table(project: Project) -> PhaseTable:
    """Classes of the stored segmentation, with the target set."""
    attributes = io.read_zarr_attributes(project.segmentation_path)
    return table_from_json(attributes.get("phase_table"))


STEP = Step(
    name="segment",
    title="Segment",
    config=SegmentConfig,
    run=run,
    inputs=_inputs,
    exists=lambda project: project.segmentation_path.exists(),
)

__all__ = [
    "STEP",
    "Segmented",
    "marker_threshold",
    "part_of",
    "run",
    "segment_volume",
    "segmented_phase_table",
    "table_from_json",
    "table_to_json",
]
