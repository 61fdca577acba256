"""A proposed segmentation: the user's particles on top, its scores, and the user's word on it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from napari_slagseg import io
from napari_slagseg.data import CancelToken, Progress, VolumeLike, no_progress
from napari_slagseg.evaluation.changes import changes_between
from napari_slagseg.project import Project, StepRecord
from napari_slagseg.project.edits import History
from napari_slagseg.project.edits.segmented import SegmentationEdits
from napari_slagseg.segmentation.edits.carrying import CarryingRules
from napari_slagseg.workflow.annotate import split
from napari_slagseg.workflow.proofreading.carry_over import carry_over
from napari_slagseg.workflow.proofreading.conflicts import (
    Conflict,
    read_conflicts,
    write_conflicts,
)
from napari_slagseg.workflow.proofreading.proposal_words import VERSIONS
from napari_slagseg.workflow.report import scores_of
from napari_slagseg.workflow.step import digest


def edits_mark(history: History) -> str:
    """Short fingerprint of the actions that hold, locks and judgements included."""
    return digest([entry.id for entry in history.done])


def proposal_edits(project: Project) -> SegmentationEdits:
    """Edits of the proposed segmentation."""
    proposal = project.proposal

    return SegmentationEdits(
        proposal.edits,
        proposal.segmentation,
        fingerprint=lambda: io.fingerprint(proposal.segmentation),
        lock=project.lock,
        require_lock=project.require_lock,
    )


def lay_edits_on_proposal(
    project: Project,
    rules: CarryingRules,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> dict[str, Any]:
    """Put the user's particles on the proposed segmentation, anew.

    Returns
    -------
    dict
        What came of it, JSON values: ``edits`` (mark of the edits that it was done with),
        ``from`` (id of their segmentation), ``rules``, and the numbers of `CarriedOver`.
    """
    edits = proposal_edits(project)
    folder = edits.folder_of()
    shutil.rmtree(folder, ignore_errors=True)
    old = project.edits()
    came_from = project.segmentation_id()
    found = carry_over(
        old,
        edits.history(),
        project.voxel_size_um,
        came_from=came_from,
        rules=rules,
        progress=progress,
        cancel=cancel,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_conflicts(folder, found.conflicts)
    kinds = [c.kind for c in found.conflicts]
    return {
        "edits": edits_mark(old),
        "from": came_from,
        "rules": asdict(rules),
        "particles": found.particles,
        "deletions": found.deletions,
        "rims": found.rims,
        "absorbed": found.absorbed,
        "trimmed": found.trimmed,
        "conflicts": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
    }


def compared(project: Project) -> dict[str, Any]:
    """Scores of the present and of the proposed segmentation, and what changed between them.

    Scores are those of the report (K 3.1, P Eq. 2-6) on the known voxels of the maps, trained
    on and held out.

    Returns
    -------
    dict
        ``scores``: for each of `VERSIONS` those of the report; ``changes``: see
        `ParticleChanges`, of the two with hand edits.
    """
    present, proposed = project.edits().volumes, proposal_edits(project).history().volumes
    volumes: dict[str, tuple[VolumeLike, VolumeLike]] = {
        "present": (present["phases"].base, present["particles"].base),
        "present_edited": (present["phases"], present["particles"]),
        "proposal": (proposed["phases"].base, proposed["particles"].base),
        "proposal_edited": (proposed["phases"], proposed["particles"]),
    }
    training, validation = split(project.ground_truth(), project)
    return {
        "scores": {name: scores_of(training, validation, *volumes[name]) for name in VERSIONS},
        "changes": asdict(changes_between(present["particles"], proposed["particles"])),
    }


def proposal_conflicts(project: Project) -> tuple[Conflict, ...]:
    """Conflicts of the proposal that waits, or else those of the present segmentation."""
    if project.proposal.ready:
        return read_conflicts(proposal_edits(project).folder_of())
    if not project.segmentation_path.exists():
        return ()
    return read_conflicts(project.edits_folder())


def accept_proposal(
    project: Project,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> dict[str, Any]:
    """Put the proposed segmentation in the place of the present one.

    Edits that were made since it was proposed are carried over first. After a kill, it is
    finished when the project is opened for writing next.

    Returns
    -------
    dict
        The proposal, as `Proposal.found`; ``carried`` is how it is now.

    Raises
    ------
    SlagsegError
        If none waits.
    """
    proposal = project.proposal
    found = proposal.found()
    with project.writing():
        carried = found["carried"]
        if (carried["edits"], carried["from"]) != (
            edits_mark(project.edits()),
            project.segmentation_id(),
        ):
            found["carried"] = lay_edits_on_proposal(
                project, CarryingRules(**carried["rules"]), progress, cancel
            )
            proposal.finish(found)
        origin = found["correction"]["origin"]
        taught = proposal.correction.exists()
        name = project.correction_name(origin) if taught else ""
        records = [StepRecord.model_validate(r) for r in found["records"]]
        if taught:
            records = [_with_correction(r, project, name) for r in records]
        run = project.next_model_folder("particle").name
        new = proposal_edits(project).segmentation_id()
        project.journal.append("proposal taken", segmentation=new, particle_run=run)
        proposal.accept(correction=name, run=run, edits=new, records=records)
    return found


def discard_proposal(project: Project) -> str:
    """Keep the present segmentation, and the network that it was made with.

    Returns
    -------
    str
        Where the taught network lies now, from the project's folder; no step uses it from there.

    Raises
    ------
    SlagsegError
        If none waits.
    """
    proposal = project.proposal
    proposal.found()
    with project.writing():
        kept = proposal.discard()
        project.journal.append("proposal declined", network=kept)
    return kept


def _with_correction(record: StepRecord, project: Project, name: str) -> StepRecord:
    """Record of 'annotate' that knows what the edits taught under the name that it gets."""
    if record.step != "annotate":
        return record
    inputs: Mapping[str, str] = {
        **record.inputs,
        f"correction {name.removesuffix('.zarr')}": io.fingerprint(project.proposal.correction),
    }
    return record.model_copy(update={"inputs": dict(inputs)})


__all__ = [
    "accept_proposal",
    "compared",
    "discard_proposal",
    "edits_mark",
    "lay_edits_on_proposal",
    "proposal_conflicts",
    "proposal_edits",
]
