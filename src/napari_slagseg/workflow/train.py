"""Steps 3 and 4: train the phase and the particle network."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_slagseg import io
from napari_slagseg.data import CancelToken, GroundTruth, Progress, SlagsegError
from napari_slagseg.networks.settings import TrainingSettings
from napari_slagseg.project import NetworkKind, Project
from napari_slagseg.project.training_runs import has_weights
from napari_slagseg.workflow.annotate import split
from napari_slagseg.workflow.configs import TrainConfig
from napari_slagseg.workflow.step import Step, StepResult, digest

MUCH_WAITING = 0.2
"""Share of the time spent waiting for patches from which on a user is told what to do."""


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


def run_note(folder: Path) -> dict[str, Any]:
    """What was noted of a training run when it began; empty where nothing was."""
    note = folder / "run.json"
    return io.read_json(note, "the note of a training run") if note.is_file() else {}


def teacher_folder(project: Project, kind: NetworkKind, config: TrainConfig) -> Path | None:
    """Run that a network is to learn from; None where it learns from the maps alone.

    Raises
    ------
    SlagsegError
        If there is no such run, or none of a wider network for "latest".
    """
    from napari_slagseg.networks import SIZES

    if config.teacher is None:
        return None
    trained = project.trained_runs(kind)
    if config.teacher == "latest":
        own = SIZES[config.size][0]
        wider = [f for f in trained if SIZES.get(run_note(f).get("size", ""), (0,))[0] > own]
        if not wider:
            raise SlagsegError(
                f"Project {project.folder} has no trained {kind} network that is wider than "
                f"'{config.size}' to learn from. Train one first, with a larger --size and "
                "without --teacher."
            )
        return wider[-1]
    for folder in trained:
        if folder.name == config.teacher:
            return folder
    names = ", ".join(folder.name for folder in trained) or "none yet"
    raise SlagsegError(
        f"Project {project.folder} has no trained {kind} network '{config.teacher}' to learn "
        f"from. It has: {names}."
    )


def _key(project: Project, kind: NetworkKind, config: TrainConfig, teacher: Path | None) -> str:
    """What makes two runs the same: inputs and settings, but for what changes no result."""
    # more epochs of the same run continue it, so they are no part of its key, unless the
    # learning rate follows them
    free = {"loaders", "cache_gb"} if config.decay else {"loaders", "cache_gb", "epochs"}
    # settings that came later: at their default they leave the keys of older runs as they were
    later = {"accumulate", "precision", "teacher", "teacher_share", "temperature"}
    usual = TrainConfig()
    free |= {name for name in later if getattr(config, name) == getattr(usual, name)}
    values: list[Any] = [_inputs(project, kind), config.model_dump(mode="json", exclude=free)]
    if teacher is not None:
        values.append(project.weights_fingerprint(teacher))
    return digest(values)


def _first_run(
    project: Project, kind: NetworkKind, config: TrainConfig, corrections: int
) -> Path | None:
    """Latest run of a network of this size, if it knew fewer corrections (K 2.3.4)."""
    if kind != "particle":
        return None
    for folder in reversed(project.model_runs(kind)):
        note = run_note(folder)
        if has_weights(folder) and note.get("size") == config.size:
            return folder if corrections > int(note.get("corrections", 0)) else None
    return None


def _run_folder(
    project: Project,
    kind: NetworkKind,
    config: TrainConfig,
    corrections: int,
    teacher: Path | None,
) -> tuple[Path, Path | None]:
    """Folder to train in, and the earlier run whose weights to start from.

    An unfinished run of the same settings on the same truth is gone on with.
    More corrections than the last run knew start a second run from its weights
    (K 2.3.4); anything else that changed starts afresh.
    """
    key = _key(project, kind, config, teacher)
    for folder in reversed(project.model_runs(kind)):
        content = run_note(folder)
        if not content:
            continue
        if content.get("key") == key:
            initial = content.get("initial")
            return folder, None if initial is None else project.folder / initial
        break
    initial_folder = _first_run(project, kind, config, corrections)
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
            "teacher": None if teacher is None else teacher.name,
        },
    )
    return folder, initial_folder


def _pace(folder: Path) -> dict[str, float]:
    """Steps a second over all epochs of a run, and the share of the time spent waiting."""
    history = pd.read_csv(folder / "history.csv")
    if "steps_per_second" not in history:  # trained by an earlier version
        return {}
    history = history[history["steps_per_second"] > 0]
    seconds = 1 / history["steps_per_second"]
    if not len(seconds):
        return {}
    return {
        "steps_per_second": round(float(len(seconds) / seconds.sum()), 3),
        "waiting_share": round(
            float((history["waiting_share"] * seconds).sum() / seconds.sum()), 4
        ),
    }


def _warnings(
    teacher: Path | None, inputs: dict[str, str], pace: dict[str, float]
) -> tuple[str, ...]:
    from napari_slagseg.networks import load_network

    found = []
    if pace.get("waiting_share", 0.0) > MUCH_WAITING:
        found.append(
            f"The device waited for patches {pace['waiting_share']:.0%} of the time. Give more "
            "--loaders, a larger --cache-gb, or put the CT on a faster disk."
        )
    if teacher is not None:
        learnt = load_network(teacher).card.training.get("inputs", {})
        if learnt != inputs:
            found.append(
                f"The teacher {teacher.name} was trained on another CT or other ground truth than "
                "the project has now. Train it again for the best result."
            )
    return tuple(found)


def training_settings(
    kind: NetworkKind, config: TrainConfig, *, second_run: bool
) -> TrainingSettings:
    """Settings of a training as a configuration asks for them."""
    return TrainingSettings.for_network(
        kind,
        second_run=second_run,
        size=config.size,
        epochs=config.epochs,
        steps_per_epoch=config.steps,
        batch=config.batch,
        accumulate=config.accumulate,
        patch=(config.patch_depth or config.patch, config.patch, config.patch),
        learning_rate=config.learning_rate,
        decay=config.decay,
        gamma=config.gamma,
        mirrors=config.mirrors,
        grey_shift=config.grey_shift,
        elastic=config.elastic,
        device=config.device,
        precision=config.precision,
        threads=config.threads,
        loaders=config.loaders,
        cache_gb=config.cache_gb,
        temperature=config.temperature,
        teacher_share=config.teacher_share,
        seed=config.seed,
    )


def run(
    project: Project,
    config: TrainConfig,
    progress: Progress,
    cancel: CancelToken | None,
    *,
    kind: NetworkKind,
) -> StepResult:
    """Train one network; its checkpoints lie in ``models/<kind>/run_<n>``."""
    from napari_slagseg.networks import train_network

    training, validation = split(project.ground_truth(), project)
    corrections = len(project.corrections())
    teacher = teacher_folder(project, kind, config)
    folder, initial = _run_folder(project, kind, config, corrections, teacher)
    inputs = _inputs(project, kind)
    settings = training_settings(kind, config, second_run=initial is not None)
    card = train_network(
        project.volume(),
        training,
        validation,
        settings,
        folder,
        initial=initial,
        teacher=teacher,
        resume=True,
        provenance={"project": project.description.name, "inputs": inputs},
        progress=progress,
        cancel=cancel,
    )
    pace = _pace(folder)
    learnt = "" if teacher is None else f", with {teacher.name} as its teacher"
    message = f"The {kind} network is trained ({folder.name}{learnt})."
    if pace:
        message += f" The device waited for patches {pace['waiting_share']:.0%} of the time."
    return StepResult(
        summary={
            "folder": folder.relative_to(project.folder).as_posix(),
            "initial": None if initial is None else initial.name,
            "teacher": None if teacher is None else teacher.name,
            "scores": dict(card.scores),
            **pace,
        },
        message=message,
        warnings=_warnings(teacher, inputs, pace),
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

__all__ = [
    "TRAIN_PARTICLE",
    "TRAIN_PHASE",
    "run",
    "teacher_folder",
    "training_settings",
    "truth_digest",
]
