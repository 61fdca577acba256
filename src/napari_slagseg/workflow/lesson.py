"""What hand edits teach a particle network: errors, and particles that are known as wholes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_slagseg.data import CancelToken, GroundTruth, Progress, SlagsegError, part_of
from napari_slagseg.ground_truth.corrections import add_known
from napari_slagseg.project import Correction, Project
from napari_slagseg.workflow import annotate, segment, train
from napari_slagseg.workflow.configs import USUAL_TRUST

if TYPE_CHECKING:
    from napari_slagseg.workflow.proofreading import Proofreader
    from napari_slagseg.workflow.proofreading.taught import KnownParticles

MOST_TRUSTED = 16_000_000
"""Voxels of the boxes of trusted particles together; some 100 bytes are held for each."""

# what edits are made of imports numba, which asking for help must not wait for: it is imported
# where it is used


@dataclass(frozen=True)
class Errors:
    """Voxels where the edits show that the network was wrong.

    Attributes
    ----------
    to_background, to_particle : int
        What they become.
    on_maps : int
        Others that are left out: a map knows better there, or the particle is kept for a check.
    """

    to_background: int
    to_particle: int
    on_maps: int


@dataclass(frozen=True)
class Lesson:
    """What the edits of the present segmentation teach.

    Attributes
    ----------
    correction : Correction
        The user's word: errors, and what is known in and around the user's particles.
    errors : Errors
    mine : KnownParticles
        In and around the particles that the user edited, locked or accepted.
    others : KnownParticles
        In and around particles that nobody looked at and that are most likely right. They are
        learnt from, but not kept as truth.
    trusted : int
        How many these are.
    """

    correction: Correction
    errors: Errors
    mine: KnownParticles
    others: KnownParticles
    trusted: int

    def added_to(self, truth: GroundTruth) -> GroundTruth:
        """Ground truth that knows the others, too."""
        return add_known(truth, self.others.voxels, self.others.kinds)


def lesson_of(
    project: Project,
    progress: Progress,
    cancel: CancelToken | None = None,
    trust: float = USUAL_TRUST,
) -> Lesson:
    """Read what there is to learn from edits.

    Parameters
    ----------
    project : Project
    progress, cancel
        See `napari_slagseg.data.running`.
    trust : float
        See `trusted_particles`.

    Raises
    ------
    SlagsegError
        If there is nothing, or no ground truth or segmentation.
    """
    from napari_slagseg.workflow.proofreading import Proofreader
    from napari_slagseg.workflow.proofreading.taught import correction_of_edits, known_of_particles

    truth = project.ground_truth()
    reader = Proofreader(project)
    found = correction_of_edits(
        reader.particles,
        project.segmentation_volume("particle_probability"),
        segment.marker_threshold(project),
        progress=part_of(progress, 0.0, 0.5),
        cancel=cancel,
    )
    of_maps = truth.voxels[truth.map_index >= 0]
    kept = ~np.isin(found.voxels, of_maps)
    held_out = annotate.split(truth, project)[1]
    checked = np.empty(0, np.int64) if held_out is None else held_out.voxels
    known = known_of_particles(
        reader.particles,
        {label: reader.box_of(label) for label in reader.kept()},
        seen=of_maps,
        held_out=checked,
        progress=part_of(progress, 0.5, 0.7),
        cancel=cancel,
    )
    kept &= ~np.isin(found.voxels, known.left_out)
    to_background = int((kept & found.predicted_foreground).sum())
    errors = Errors(to_background, int(kept.sum()) - to_background, int((~kept).sum()))
    # where all that surrounds an error is shown as it is, the error needs no extra weight
    kept &= ~np.isin(found.voxels, known.voxels)
    correction = Correction(
        found.voxels[kept],
        found.predicted_foreground[kept],
        f"edits of {project.segmentation_id()}",
        known.voxels,
        known.kinds,
    )
    if not correction.teaches and not _painted_since(project):
        raise SlagsegError(
            "There is nothing to learn yet: no edit of the particles differs from what the "
            "network predicted, or all of them lie where a map is held out as a check. Split, "
            "merge, delete or paint particles first, or lock some that are right."
        )
    trusted = trusted_particles(project, reader, trust)
    others = known_of_particles(
        reader.particles,
        {label: reader.box_of(label) for label in trusted},
        seen=np.union1d(of_maps, known.voxels),
        held_out=checked,
        progress=part_of(progress, 0.7, 1.0),
        cancel=cancel,
    )
    return Lesson(correction, errors, known, others, len(trusted))


def trusted_particles(project: Project, reader: Proofreader, trust: float) -> list[int]:
    """Particles that nobody looked at and that are most likely right.

    Without them a network learns what is special about the places that were wrong: it cuts too
    much after many mergers were split.

    Parameters
    ----------
    project : Project
    reader : Proofreader
    trust : float
        Particles are trusted whose score among the suspects is below this; 0: none.

    Returns
    -------
    list of int
        Rising, without those that the user edited, locked or accepted; evenly many of all if their
        boxes hold more than `MOST_TRUSTED` voxels. None if the suspects of this segmentation
        were not looked for.
    """
    from napari_slagseg.workflow.suspect_tables import SuspectTables

    tables = SuspectTables.of(project)
    if trust <= 0 or not tables.folder.exists():
        return []
    if tables.made_from().segmentation != project.segmentation_id():
        return []
    queue = tables.queue()
    # of what was missed the partner is a voxel, no particle
    doubted = queue[(queue["score"] >= trust) & (queue["kind"] != "missed")]
    labels, boxes = reader.boxes.arrays()
    out = np.concatenate([doubted["label"], doubted["partner"], sorted(reader.kept())])
    free = ~np.isin(labels, out)
    labels, boxes = labels[free], boxes[free]
    size = int((boxes[:, 3:] - boxes[:, :3]).prod(axis=1).sum())
    return [int(n) for n in labels[:: max(1, -(-size // MOST_TRUSTED))]]


def _painted_since(project: Project) -> bool:
    """Whether errors were painted that the latest network has not seen."""
    latest = project.model_folder("particle")
    note = {} if latest is None else train.run_note(latest)
    return len(project.corrections()) > int(note.get("corrections", 0))


def particles_in_space(training: GroundTruth, lesson: Lesson) -> GroundTruth:
    """What is known of particles in 3D, to choose the marker threshold by beside the maps' cuts.

    Maps alone hardly tell thresholds apart, as few of their particles touch; and the user's
    particles alone speak for cutting too much where they are mergers that were split.

    Parameters
    ----------
    training : GroundTruth
        With the voxels of the lesson, the others' as well.
    lesson : Lesson

    Returns
    -------
    GroundTruth
        The voxels of the lesson alone, with the numbers of their particles.
    """
    known = (lesson.mine, lesson.others)
    voxels = np.concatenate([one.voxels for one in known])
    numbers = np.concatenate([one.numbers for one in known])
    there = np.isin(voxels, training.voxels)
    voxels, numbers = voxels[there], numbers[there]
    order = np.argsort(voxels)
    found = training.select(np.isin(training.voxels, voxels))
    return replace(found, particles=numbers[order].astype(found.particles.dtype))


__all__ = ["Errors", "Lesson", "lesson_of", "particles_in_space", "trusted_particles"]
