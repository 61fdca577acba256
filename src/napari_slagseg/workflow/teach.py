"""Train the particle network on hand edits, and propose the segmentation that comes of it.

Everything lies in ``proposal/`` until the user takes it (see `project.proposal`): a network that
got worse changes nothing.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    GroundTruth,
    Progress,
    ProgressEvent,
    SlagsegError,
    part_of,
)
from napari_slagseg.ground_truth.taught import BORDER
from napari_slagseg.networks.preview_file import PreviewBoxes, boxes_around
from napari_slagseg.networks.settings import EPOCHS, TrainingSettings
from napari_slagseg.project import Correction, Project, StepRecord
from napari_slagseg.project.corrections import write_correction
from napari_slagseg.project.journal import now
from napari_slagseg.workflow import annotate, segment, train
from napari_slagseg.workflow.blockwise import Resources
from napari_slagseg.workflow.configs import (
    AnnotateConfig,
    SegmentConfig,
    TeachConfig,
    TrainConfig,
)
from napari_slagseg.workflow.lesson import Lesson, lesson_of, particles_in_space
from napari_slagseg.workflow.marker_threshold import note_threshold
from napari_slagseg.workflow.proofreading.proposal_words import worse
from napari_slagseg.workflow.segment_blocks import Segmented, segment_to
from napari_slagseg.workflow.step import (
    Step,
    StepResult,
    digest,
    installed_versions,
    last_config,
)

READ, LEARNT, SEGMENTED, CARRIED = 0.04, 0.7, 0.92, 0.97
"""Shares of the progress bar up to the end of each part."""

LARGEST_RATE = 3e-3
"""Learning rate of Adam, at most, if none is given. On a phantom a network of quick settings learnt
too little of its edits at 1e-3 in a hundred steps, and enough at this rate in two hundred."""


# what edits are made of imports numba, which asking for help must not wait for: it is imported
# where it is used


def _inputs(project: Project) -> dict[str, str]:
    from napari_slagseg.workflow.proofreading.proposing import edits_mark

    return {
        "ct": project.ct_fingerprint(),
        "ground truth": _known(project),
        "segmentation": project.segmentation_id(),
        "edits": edits_mark(project.edits()),
    }


def _known(project: Project) -> str:
    if not project.ground_truth_path.exists():
        project.ground_truth()  # says what to do
    return project.fingerprint(project.ground_truth_path.name)


def run(
    project: Project,
    config: TeachConfig,
    progress: Progress,
    cancel: CancelToken | None,
    resources: Resources | None = None,
) -> StepResult:
    """Teach the particle network, segment with it, and lay the user's particles on top.

    A run that was ended goes on where it was, as long as the edits teach the same.
    """
    from napari_slagseg.segmentation.edits.carrying import CarryingRules
    from napari_slagseg.workflow.proofreading.proposing import compared, lay_edits_on_proposal

    lesson = lesson_of(project, part_of(progress, 0.0, READ), cancel, config.trust)
    initial = starting_run(project, config.particle_run)
    settings = settings_of(project, config, initial)
    if not len(lesson.correction.known):
        # around errors alone nothing but errors is known: they must not be all that is seen
        settings = replace(settings, focus=0.0)
    of_segmenting = last_config(project, segment.STEP)
    assert isinstance(of_segmenting, SegmentConfig)
    truth, of_user, validation = _truth(project, lesson.correction, progress, cancel)
    training = lesson.added_to(of_user)
    inputs = {
        "ct": project.ct_fingerprint(),
        "training": train.truth_digest(of_user, "particle"),
        "validation": "" if validation is None else train.truth_digest(validation, "particle"),
    }
    free = {"device", "threads", "loaders", "cache_gb", "precision"}
    settled = {k: v for k, v in vars(settings).items() if k not in free}
    learnt = train.truth_digest(training, "particle")
    key = digest([inputs, learnt, settled, project.weights_fingerprint(initial)])
    proposal = project.proposal
    if proposal.making.get("key") != key:
        proposal.discard()
        proposal.begin({"key": key, "initial": initial.name, "begun": now()})
    if not proposal.ground_truth.exists():
        if lesson.correction.teaches:
            write_correction(proposal.correction, lesson.correction)
        io.write_ground_truth(truth, proposal.ground_truth)
    clock = time.perf_counter()
    _train(project, config, settings, initial, training, validation, lesson, inputs, progress,
           cancel)  # fmt: skip
    chosen_by = (of_user, particles_in_space(training, lesson))
    note = _segment(project, of_segmenting, chosen_by, key, resources, progress, cancel)
    rules = CarryingRules(rim=config.rim, trim=config.trim)
    carried = lay_edits_on_proposal(project, rules, part_of(progress, SEGMENTED, CARRIED), cancel)
    progress(ProgressEvent("scoring the old and the new segmentation", CARRIED))
    found = {
        "key": key,
        "made": now(),
        "seconds": round(time.perf_counter() - clock, 1),
        "initial": initial.name,
        "correction": {
            "origin": lesson.correction.origin,
            "voxels": lesson.errors.to_background + lesson.errors.to_particle,
            "known": len(lesson.correction.known),
            "trusted_particles": lesson.trusted,
            "trusted_voxels": len(lesson.others.voxels),
            **asdict(lesson.errors),
        },
        "carried": carried,
        **note,
        **compared(project),
        "records": [
            r.model_dump(mode="json")
            for r in _records(project, config, settings, of_segmenting, inputs, note)
        ],
    }
    proposal.finish(found)
    n = sum(carried["conflicts"].values())
    return StepResult(
        summary={k: v for k, v in found.items() if k not in ("records", "key")},
        message=(
            f"The network had {found['correction']['voxels']:,} voxels of your particles wrong; "
            f"it learnt from {found['correction']['known']:,} in and around your particles"
            f"{_trusted_words(lesson, config.trust)}. "
            f"{carried['particles']:,} of your particles lie on top of the new segmentation, with "
            f"{n:,} conflict{'' if n == 1 else 's'}. Nothing is changed until you take it."
        ),
        warnings=worse(found["scores"]),
    )


def _trusted_words(lesson: Lesson, trust: float) -> str:
    if lesson.trusted:
        return f", and from {lesson.trusted:,} others that are most likely right"
    hint = " (others that are most likely right teach, too, once suspects were looked for)"
    return f" alone{hint if trust else ''}"


def starting_run(project: Project, name: str | None) -> Path:
    """Training run to start from: the named one, or that of the present segmentation."""
    if name is not None:
        return segment.chosen_runs(project, "particle", name, 1)[0]
    runs = project.trained_runs("particle")
    if not runs:
        raise SlagsegError(
            f"Project {project.folder} has no trained particle network. Run 'train' first."
        )
    record = project.record("segment")
    used = "" if record is None else str(record.config.get("particle_run") or "")
    wanted = "" if record is None else record.inputs.get("particle network", "")
    for folder in reversed(runs):
        if folder.name == used or (not used and project.weights_fingerprint(folder) == wanted):
            return folder
    return runs[-1]


def settings_of(project: Project, config: TeachConfig, initial: Path) -> TrainingSettings:
    """Settings of the training: those that the network was trained with before, but for some."""
    before = last_config(project, train.TRAIN_PARTICLE)
    assert isinstance(before, TrainConfig)
    size = train.run_note(initial).get("size", before.size)
    rate = min(before.learning_rate, LARGEST_RATE)
    usual = EPOCHS["particle"][1] if before.epochs is None else before.epochs
    made = before.model_copy(
        update={
            "size": size,
            "epochs": config.epochs or usual,
            "steps": config.steps or before.steps,
            "learning_rate": config.learning_rate or rate,
            "teacher": None,
            "device": config.device,
            "threads": config.threads,
            "seed": config.seed,
        }
    )
    return replace(
        train.training_settings("particle", made, second_run=True),
        focus=config.focus,
        teacher_share=config.remember,
    )


def _truth(
    project: Project,
    correction: Correction,
    progress: Progress,
    cancel: CancelToken | None,
) -> tuple[GroundTruth, GroundTruth, GroundTruth | None]:
    """Ground truth with what the edits teach, and its parts; old truth is kept (K Eq. 3)."""
    config = last_config(project, annotate.STEP)
    assert isinstance(config, AnnotateConfig)
    stored = project.corrections()
    origins = [c.origin for c in stored]
    if correction.origin in origins:  # what the same edits taught before counts once
        stored[origins.index(correction.origin)] = correction
    else:
        stored.append(correction)
    truth = annotate.make_truth(
        project,
        config,
        [c for c in stored if c.teaches],
        part_of(progress, READ / 2, READ),
        cancel,
    )
    return truth, *annotate.split(truth, project, config)


def _train(
    project: Project,
    config: TeachConfig,
    settings: TrainingSettings,
    initial: Path,
    training: GroundTruth,
    validation: GroundTruth | None,
    lesson: Lesson,
    inputs: dict[str, str],
    progress: Progress,
    cancel: CancelToken | None,
) -> None:
    from napari_slagseg.networks import train_network

    proposal = project.proposal
    shape = project.description.ct.shape
    borders = lesson.mine.voxels[lesson.mine.kinds == BORDER]
    taught = np.concatenate([lesson.correction.voxels, borders])
    if not len(taught):  # nothing but particles that were joined or painted
        taught = lesson.correction.known
    places = np.stack(np.unravel_index(taught, shape), axis=1)
    preview = None
    if config.preview and len(places):
        preview = PreviewBoxes(boxes_around(places, shape), config.preview)
    proposal.network.mkdir(parents=True, exist_ok=True)
    corrections = len({c.origin or str(i) for i, c in enumerate(project.corrections())}
                      | {lesson.correction.origin})  # fmt: skip
    io.write_json(
        proposal.network / "run.json",
        {
            "key": proposal.making["key"],
            "size": settings.size,
            "corrections": corrections,
            "initial": initial.relative_to(project.folder).as_posix(),
            "teacher": None,
            "taught": lesson.correction.origin,
        },
    )
    train_network(
        project.volume(),
        training,
        validation,
        settings,
        proposal.network,
        initial=initial,
        teacher=initial if config.remember else None,
        resume=True,
        provenance={"project": project.description.name, "inputs": inputs},
        preview=preview,
        progress=part_of(progress, READ, LEARNT),
        cancel=cancel,
    )


def _segment(
    project: Project,
    config: SegmentConfig,
    truths: tuple[GroundTruth, ...],
    key: str,
    resources: Resources | None,
    progress: Progress,
    cancel: CancelToken | None,
) -> dict[str, Any]:
    """Segment into the proposal, unless that was done; what is noted of it."""
    from napari_slagseg.networks import load_network

    proposal = project.proposal
    if proposal.segmentation.exists():
        attributes = io.read_zarr_attributes(proposal.segmentation)
        if attributes.get("taught") == key:
            return dict(attributes["note"])
    phase = segment.chosen_runs(project, "phase", config.phase_run, 1)
    networks = {"phase": phase, "particle": (proposal.network,)}
    table = load_network(phase[-1]).card.table.with_target(project.description.target)
    inputs = {
        "ct": project.ct_fingerprint(),
        "phase network": project.weights_fingerprint(phase[-1]),
        "particle network": project.weights_fingerprint(proposal.network),
    }

    def note(found: Segmented) -> dict[str, Any]:
        return {
            "particles": found.counts.n_particles,
            "threshold": found.choice.threshold,
            "segment_inputs": inputs,
            "predicted_with": dict(found.predicted_with),
        }

    found = segment_to(
        project,
        proposal.segmentation,
        project.volume(),
        networks,
        config.model_copy(update={"ensemble": 1}),
        depends_on={**inputs, "taught": key},
        attributes=lambda found: {
            **segment.attributes_of(found, table),
            "taught": key,
            "note": note(found),
        },
        truth=truths,
        resources=resources,
        progress=part_of(progress, LEARNT, SEGMENTED),
        cancel=cancel,
    )
    note_threshold(proposal.network, found.choice)
    return note(found)


def _records(
    project: Project,
    config: TeachConfig,
    settings: TrainingSettings,
    of_segmenting: SegmentConfig,
    inputs: dict[str, str],
    note: dict[str, Any],
) -> list[StepRecord]:
    """Records of the steps whose results the proposal brings, once it is taken."""
    versions, summary = installed_versions(), {"taught": True, "warnings": []}

    def record(step: str, values: dict[str, Any], reads: dict[str, str], **more: Any) -> StepRecord:
        return StepRecord(
            step=step, config=values, inputs=reads, started=now(), seconds=0.0, versions=versions,
            summary={**summary, **more},
        )  # fmt: skip

    truth_config = last_config(project, annotate.STEP)
    train_config = last_config(project, train.TRAIN_PARTICLE)
    segmented = record(
        "segment",
        of_segmenting.model_copy(update={"particle_run": None, "ensemble": 1}).model_dump(
            mode="json"
        ),
        note["segment_inputs"],
        particles=note["particles"],
        threshold=note["threshold"],
    )
    return [
        record("annotate", truth_config.model_dump(mode="json"), annotate.STEP.inputs(project)),
        record("train-particle", train_config.model_dump(mode="json"), inputs),
        segmented,
    ]


STEP = Step(
    name="teach",
    blockwise=True,
    on_request=True,
    title="Teach the particle network",
    config=TeachConfig,
    run=run,
    inputs=_inputs,
    exists=lambda project: project.proposal.ready,
)

__all__ = ["STEP", "run", "settings_of", "starting_run"]
