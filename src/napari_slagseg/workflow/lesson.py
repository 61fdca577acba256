"""What hand edits teach a particle network: errors, and particles that are known as wholes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import CancelToken, GroundTruth, Progress, SlagsegError, part_of
from napari_slagseg.project import Correction, Project
from napari_slagseg.workflow import annotate, segment, train

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
    errors : Errors
    numbers : (n,) int64
        Particle, 0 background, of each of the correction's known voxels.
    """

    correction: Correction
    errors: Errors
    numbers: NDArray[np.int64]


def lesson_of(project: Project, progress: Progress, cancel: CancelToken | None = None) -> Lesson:
    """Read what there is to learn from edits.

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
    known = known_of_particles(
        reader.particles,
        {label: reader.box_of(label) for label in reader.kept()},
        seen=of_maps,
        held_out=np.empty(0, np.int64) if held_out is None else held_out.voxels,
        progress=part_of(progress, 0.5, 1.0),
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
    return Lesson(correction, errors, known.numbers)


def _painted_since(project: Project) -> bool:
    """Whether errors were painted that the latest network has not seen."""
    latest = project.model_folder("particle")
    note = {} if latest is None else train.run_note(latest)
    return len(project.corrections()) > int(note.get("corrections", 0))


def with_kept(training: GroundTruth, lesson: Lesson) -> GroundTruth:
    """The truth to choose the marker threshold by: cuts of the maps, and the user's particles.

    Maps alone hardly tell thresholds apart, as few of their particles touch.
    """
    particles = training.particles.copy()
    at = np.searchsorted(training.voxels, lesson.correction.known)
    others = lesson.numbers + max(0, int(particles.max(initial=0)))
    particles[at] = np.where(lesson.numbers > 0, others, 0)
    return replace(training, particles=particles)


__all__ = ["Errors", "Lesson", "lesson_of", "with_kept"]
