"""Step on request: which particles to look at first."""

from __future__ import annotations

import pandas as pd

from napari_slagseg import io
from napari_slagseg.data import CancelToken, Progress, SlagsegError, part_of
from napari_slagseg.evaluation.suspects import features_of_blocks, ranked
from napari_slagseg.project import Project
from napari_slagseg.project.edits import as_segmented
from napari_slagseg.workflow.blockwise import BlockCosts, Resources, open_run
from napari_slagseg.workflow.configs import SuspectsConfig
from napari_slagseg.workflow.step import Step, StepResult, edits_input
from napari_slagseg.workflow.suspect_tables import MadeFrom, SuspectTables

SUSPECTS_COSTS = BlockCosts(bytes_per_voxel=32, halo=1, scratch_bytes_per_voxel=0.3)
"""Of `features_of_blocks`: 30 bytes a voxel were measured in a block whose interfaces are summed;
the box of a particle, which is thinned out if it is large, takes 25 MB at most."""


def _inputs(project: Project) -> dict[str, str]:
    if not project.segmentation_path.exists():
        raise SlagsegError(
            f"Project {project.folder} has no segmentation yet. Run 'segment' first."
        )
    return {"segmentation": project.fingerprint("segmentation.zarr"), **edits_input(project)}


def run(
    project: Project,
    config: SuspectsConfig,
    progress: Progress,
    cancel: CancelToken | None,
    resources: Resources | None = None,
) -> StepResult:
    """Rank what may be wrong, and store the queue and what single rows are made anew from."""
    # before anything is read: an edit made meanwhile is then made up for later
    made_from = MadeFrom.of(project)
    particles = project.segmentation_volume("particles")
    phases = project.segmentation_volume("phases")
    probability = project.segmentation_volume("particle_probability")
    for volume in (particles, phases, probability):
        io.check_zarr_volume(as_segmented(volume))
    z, y, x = particles.shape
    with open_run(
        project,
        "suspects",
        {
            **_inputs(project),
            "voxel_size_um": list(project.voxel_size_um),
            **config.model_dump(mode="json"),
        },
        (z, y, x),
        SUSPECTS_COSTS,
        resources,
        part_of(progress, 0.0, 0.98),
        cancel,
    ) as blocks:
        features = features_of_blocks(
            particles,
            probability,
            blocks,
            phases=phases,
            voxel_size_um=project.voxel_size_um,
            missed=config.missed,
            smallest_missed=config.smallest_missed,
        )
    queue = ranked(features)
    SuspectTables.of(project).write(queue, features, made_from)
    return StepResult(
        summary={"particles": len(features.particles), "likely": likely(queue)},
        message=_said(queue),
    )


LIKELY = 0.5
"""Score from which on a suspect is more likely wrong than right."""


def likely(queue: pd.DataFrame) -> dict[str, int]:
    """Suspects of each kind whose score is at least `LIKELY`."""
    counts = queue.loc[queue["score"] >= LIKELY, "kind"].value_counts()
    return {str(kind): int(counts[kind]) for kind in sorted(counts.index)}


def _said(queue: pd.DataFrame) -> str:
    found = likely(queue)
    if not found:
        return f"{len(queue):,} suspects were ranked; none is more likely wrong than right."
    kinds = ", ".join(f"{n:,} {WORDS[kind]}" for kind, n in found.items())
    return (
        f"{len(queue):,} suspects were ranked; {sum(found.values()):,} are more likely wrong than "
        f"right: {kinds}."
    )


WORDS = {
    "merger": "may be two particles in one",
    "splitter": "may be one particle cut in two",
    "shape": "have holes or an odd shape",
    "doubt": "are doubtful",
    "missed": "may be particles that were missed",
}
"""Kinds in a sentence, after their number."""

STEP = Step(
    name="suspects",
    blockwise=True,
    on_request=True,
    title="Find suspects",
    config=SuspectsConfig,
    run=run,
    inputs=_inputs,
    exists=lambda project: SuspectTables.of(project).queue_path.exists(),
)

__all__ = ["LIKELY", "STEP", "SUSPECTS_COSTS", "WORDS", "likely", "run"]
