"""Step 5: phases and particles everywhere."""

from __future__ import annotations

import math
import uuid
from pathlib import Path
from typing import Any

from napari_slagseg import io
from napari_slagseg.data import CancelToken, Phase, PhaseTable, Progress, SlagsegError
from napari_slagseg.project import NetworkKind, Project
from napari_slagseg.project.edits.segmented import ID, LARGEST
from napari_slagseg.project.training_runs import trained_runs
from napari_slagseg.workflow.annotate import split
from napari_slagseg.workflow.blockwise import Resources
from napari_slagseg.workflow.configs import SegmentConfig
from napari_slagseg.workflow.marker_threshold import USUAL, note_threshold
from napari_slagseg.workflow.segment_blocks import Segmented, segment_to
from napari_slagseg.workflow.step import Step, StepResult

KINDS: tuple[NetworkKind, NetworkKind] = ("phase", "particle")


def _inputs(project: Project) -> dict[str, str]:
    found = {"ct": project.ct_fingerprint()}
    for kind in KINDS:
        folder = project.model_folder(kind)
        if folder is None:
            raise SlagsegError(
                f"Project {project.folder} has no trained {kind} network yet. "
                f"Run 'train --network {kind}' first."
            )
        found[f"{kind} network"] = project.weights_fingerprint(folder)
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


def run(
    project: Project,
    config: SegmentConfig,
    progress: Progress,
    cancel: CancelToken | None,
    resources: Resources | None = None,
) -> StepResult:
    """Predict with both networks, separate the particles, store three arrays.

    ``segmentation.zarr`` appears whole or not at all; an older one stays until then. A run
    that was ended goes on where it was.
    """
    from napari_slagseg.networks import load_network

    left = _edits_left_behind(project)
    members: dict[str, tuple[Path, ...]] = {
        kind: chosen_runs(project, kind, name, config.ensemble)
        for kind, name in zip(KINDS, (config.phase_run, config.particle_run))
    }
    volume = project.volume()
    truth = split(project.ground_truth(), project)[0] if _has_truth(project) else None
    table = load_network(members["phase"][-1]).card.table.with_target(project.description.target)

    depends_on: dict[str, Any] = dict(_inputs(project))
    for kind, folders in members.items():
        depends_on[f"{kind} network"] = [project.weights_fingerprint(run) for run in folders]
    if truth is not None:
        depends_on["ground truth"] = project.fingerprint(project.ground_truth_path.name)
    found = segment_to(
        project,
        project.segmentation_path,
        volume,
        members,
        config,
        depends_on=depends_on,
        attributes=lambda found: attributes_of(found, table),
        truth=truth,
        resources=resources,
        progress=progress,
        cancel=cancel,
    )
    choice, counts = found.choice, found.counts
    note_threshold(members["particle"][-1], choice)
    voxels = math.prod(volume.shape)
    warnings = left
    if counts.n_particles == 0:
        warnings += ("No particle was found. Were the networks trained for long enough?",)
    return StepResult(
        summary={
            "particles": counts.n_particles,
            "markers": counts.n_markers,
            "without_marker": counts.n_without_marker,
            "removed_small": counts.n_removed,
            "threshold": choice.threshold,
            "threshold_f1_match": {str(t): round(f, 4) for t, f in choice.f1_match.items()},
            "volume_shares": {
                p.name: found.phase_voxels.get(p.id, 0) / voxels for p in table if p.id > 0
            },
            "predicted_with": dict(found.predicted_with),
        },
        message=f"{counts.n_particles:,} particles were found, with markers above "
        f"{choice.threshold:g}.",
        warnings=warnings,
    )


def attributes_of(found: Segmented, table: PhaseTable) -> dict[str, Any]:
    """What a new segmentation says of itself, JSON values."""
    return {
        ID: uuid.uuid4().hex,
        LARGEST: found.counts.n_particles,
        "phase_table": table_to_json(table),
        "threshold": found.choice.threshold,
        "predicted_with": dict(found.predicted_with),
    }


def _edits_left_behind(project: Project) -> tuple[str, ...]:
    """What to tell of edits of the segmentation that is about to be replaced."""
    if not project.segmentation_path.exists():
        return ()
    try:
        edits = project.present_edits()
        count = 0 if edits is None else sum(entry.touches for entry in edits.done)
    except SlagsegError:  # a damaged segmentation is what 'segment' is run again for
        return ()
    if edits is None or not count:
        return ()
    return (
        f"The segmentation before had {count:,} {'edit' if count == 1 else 'edits'} by hand, which "
        "do not hold on the new one. They are kept: 'slagseg edits PROJECT --replay OUT.zarr "
        f"--from {edits.id[:8]}' does them again on a copy.",
    )


def chosen_runs(
    project: Project, kind: NetworkKind, name: str | None, count: int
) -> tuple[Path, ...]:
    """Training runs that a network is taken from, the latest last.

    Parameters
    ----------
    name : str or None
        Of a single run; None takes the newest.
    count : int
        How many are averaged.

    Raises
    ------
    SlagsegError
        If there is no such run, or there are too few.
    """
    latest = project.model_folder(kind)
    if latest is None:
        raise SlagsegError(
            f"Project {project.folder} has no trained {kind} network. Run 'train' first."
        )
    if name is None:
        return tuple(newest_runs(latest.parent, count))
    if count > 1:
        raise SlagsegError(
            f"--{kind}-run {name} names one run, but --ensemble {count} averages the newest. "
            "Leave one of them out."
        )
    trained = project.trained_runs(kind)
    for folder in trained:
        if folder.name == name:
            return (folder,)
    raise SlagsegError(
        f"Project {project.folder} has no trained {kind} network '{name}'. It has: "
        f"{', '.join(folder.name for folder in trained)}."
    )


def newest_runs(folder: Path, count: int) -> list[Path]:
    """Newest training runs in a folder such as ``models/phase``, for an ensemble.

    Raises
    ------
    SlagsegError
        If there are fewer.
    """
    runs = trained_runs(folder)
    if len(runs) < count:
        raise SlagsegError(
            f"{folder} holds {len(runs)} trained networks, but {count} are to be averaged. "
            "Train again, or use a smaller --ensemble."
        )
    return runs[-count:]


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
    blockwise=True,
    title="Segment",
    config=SegmentConfig,
    run=run,
    inputs=_inputs,
    exists=lambda project: project.segmentation_path.exists(),
)

__all__ = [
    "STEP",
    "attributes_of",
    "marker_threshold",
    "newest_runs",
    "run",
    "segmented_phase_table",
    "table_from_json",
    "table_to_json",
]
