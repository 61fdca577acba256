"""Steps 3 and 4: train the phase and the particle network."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import CancelToken, GroundTruth, Progress
from napari_slagseg.project import Project
from napari_slagseg.project.store import NetworkKind
from napari_slagseg.workflow.annotate import split
from napari_slagseg.workflow.configs import TrainConfig
from napari_slagseg.workflow.step import Step, StepResult, digest


def truth_digest(truth: GroundTruth, kind: NetworkKind) -> str:
    """Fingerprint of the part of the ground truth that a network sees.

    Painted corrections change the particle network's part alone, so they leave
    the phase network up to date.
    """
    labels = truth.phases if kind == "phase" else truth.foreground
    weights = truth.phase_weights if kind == "phase" else truth.particle_weights
    seen = weights > 0
    hashed = hashlib.sha256(str(truth.shape).encode())
    for array in (truth.voxels, labels, weights):
        hashed.update(np.ascontiguousarray(array[seen]).tobytes())
    if kind == "phase":
        hashed.update("/".join(truth.table.names).encode())
    return hashed.hexdigest()


def _inputs(project: Project, kind: NetworkKind) -> dict[str, str]:
    training, validation = split(project.ground_truth(), project)
    return {
        "ct": project.ct_fingerprint(),
        "training": truth_digest(training, kind),
        "validation": "" if validation is None else truth_digest(validation, kind),
    }


def _run_folder(
    project: Project, kind: NetworkKind, config: TrainConfig, corrections: int
) -> tuple[Path, Path | None]:
    """Folder to train in, and the earlier run whose weights to start from.

    An unfinished run of the same settings on the same truth is gone on with.
    More corrections than the last run knew start a second run from its weights
    (K 2.3.4); anything else that changed starts afresh.
    """
    # more epochs of the same run continue it, so they are no part of its key, unless the
    # learning rate follows them
    free = set() if config.decay else {"epochs"}
    key = digest([_inputs(project, kind), config.model_dump(mode="json", exclude=free)])
    runs = project.model_runs(kind)
    for folder in reversed(runs):
        note = folder / "run.json"
        if not note.is_file():
            continue
        content = io.read_json(note, "the note of a training run")
        if content.get("key") == key:
            initial = content.get("initial")
            return folder, None if initial is None else project.folder / initial
        break
    last = project.model_folder(kind)
    initial_folder: Path | None = None
    if kind == "particle" and last is not None and (last / "run.json").is_file():
        known = io.read_json(last / "run.json", "the note of a training run")
        same_size = known.get("size") == config.size
        if corrections > int(known.get("corrections", 0)) and same_size:
            initial_folder = last
    folder = project.next_model_folder(kind)
    folder.mkdir(parents=True)
    io.write_json(
        folder / "run.json",
        {
            "key": key,
            "size": config.size,
            "corrections": corrections,
            "initial": (
                None
                if initial_folder is None
                else initial_folder.relative_to(project.folder).as_posix()
            ),
        },
    )
    return folder, initial_folder


def run(
    project: Project,
    config: TrainConfig,
    progress: Progress,
    cancel: CancelToken | None,
    *,
    kind: NetworkKind,
) -> StepResult:
    """Train one network; its checkpoints lie in ``models/<kind>/run_<n>``."""
    from napari_slagseg.networks import TrainingSettings, train_network

    training, validation = split(project.ground_truth(), project)
    corrections = len(project.corrections())
    folder, initial = _run_folder(project, kind, config, corrections)
    settings = TrainingSettings.for_network(
        kind,
        second_run=initial is not None,
        size=config.size,
        epochs=config.epochs,
        steps_per_epoch=config.steps,
        batch=config.batch,
        patch=(config.patch_depth or config.patch, config.patch, config.patch),
        learning_rate=config.learning_rate,
        decay=config.decay,
        gamma=config.gamma,
        mirrors=config.mirrors,
        grey_shift=config.grey_shift,
        elastic=config.elastic,
        device=config.device,
        threads=config.threads,
        seed=config.seed,
    )
    card = train_network(
        project.volume(),
        training,
        validation,
        settings,
        folder,
        initial=initial,
        resume=True,
        provenance={"project": project.description.name, "inputs": _inputs(project, kind)},
        progress=progress,
        cancel=cancel,
    )
    return StepResult(
        summary={
            "folder": folder.relative_to(project.folder).as_posix(),
            "initial": None if initial is None else initial.name,
            "scores": dict(card.scores),
        },
        message=f"The {kind} network is trained ({folder.name}).",
    )


def _step(kind: NetworkKind) -> Step:
    return Step(
        name=f"train-{kind}",
        title=f"Train the {kind} network",
        config=TrainConfig,
        run=partial(run, kind=kind),
        inputs=partial(_inputs, kind=kind),
        exists=lambda project: project.model_folder(kind) is not None,
    )


TRAIN_PHASE = _step("phase")
TRAIN_PARTICLE = _step("particle")

__all__ = ["TRAIN_PARTICLE", "TRAIN_PHASE", "run", "truth_digest"]
