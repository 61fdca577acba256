"""Step 2: placed maps to sparse ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import CancelToken, GroundTruth, Progress, ProgressEvent, SlagsegError
from napari_slagseg.ground_truth import (
    TruthSettings,
    add_known,
    apply_corrections,
    build_ground_truth,
    hold_out,
    weight_balance,
)
from napari_slagseg.project import Correction, Project
from napari_slagseg.workflow.configs import AnnotateConfig
from napari_slagseg.workflow.register import require_placed
from napari_slagseg.workflow.step import Step, StepResult, last_config

UNBALANCED = 3.0
"""From this ratio of the total weights on, a user is told."""

MAPS_FOR_A_HELD_OUT_MAP = 3
"""From this many placed maps on, `hold_out="auto"` keeps a whole one from training (K 3.1)."""


def _inputs(project: Project) -> dict[str, str]:
    placed = require_placed(project)
    found = {f"placed {name}": project.fingerprint(f"placed/{name}.json") for name in placed}
    corrections = sorted((project.folder / "corrections").glob("*.zarr"))
    found.update(
        {f"correction {p.stem}": project.fingerprint(f"corrections/{p.name}") for p in corrections}
    )
    return {"phases": project.fingerprint("phases.json"), **found}


def make_truth(
    project: Project,
    config: AnnotateConfig,
    corrections: Sequence[Correction],
    progress: Progress,
    cancel: CancelToken | None,
) -> GroundTruth:
    """Ground truth of the placed maps and of corrections, which may not be stored yet."""
    placed = require_placed(project)
    settings = TruthSettings(
        lambda_background=config.lambda_background,
        lambda_foreground=config.lambda_foreground,
        border_reach=config.border_reach,
        balance_phases=config.balance_phases,
        trust_borders=config.trust_borders,
        follow=config.follow,
        group=config.group,
    )
    truth = build_ground_truth(
        project.description.ct.shape,
        project.voxel_size_um,
        [project.mineral_map(name) for name in placed],
        list(placed.values()),
        project.phase_table(),
        settings=settings,
        progress=progress,
        cancel=cancel,
    )
    for correction in corrections:
        truth = apply_corrections(truth, correction.voxels, correction.predicted_foreground)
    for correction in reversed(corrections):  # what is known last counts, but errors count first
        truth = add_known(truth, correction.known, correction.kinds)
    return truth


def run(
    project: Project, config: AnnotateConfig, progress: Progress, cancel: CancelToken | None
) -> StepResult:
    """Rasterise the placed maps, weigh the voxels, apply the painted corrections."""
    corrections = project.corrections()
    truth = make_truth(project, config, corrections, progress, cancel)
    training, validation = split(truth, project, config)
    progress(ProgressEvent("storing the ground truth", 0.95))
    io.write_ground_truth(truth, project.ground_truth_path)
    counts = {phase.name: int(np.count_nonzero(truth.phases == phase.id)) for phase in truth.table}
    warnings = tuple(
        f"Phase '{name}' does not occur in the ground truth; the network cannot learn it."
        for name, count in counts.items()
        if count == 0
    )
    held = len(validation) if validation is not None else 0
    weights = weight_balance(truth)
    warnings += balance_warnings(weights, config)
    return StepResult(
        summary={
            "known_voxels": len(truth),
            "voxels_by_class": counts,
            "particles": len(np.unique(truth.particles[truth.particles > 0])),
            "weights": weights,
            "training_voxels": len(training),
            "held_out_voxels": held,
            "corrections": len(corrections),
        },
        message=f"{len(truth):,} voxels are known, {held:,} of them held out for validation.",
        warnings=warnings,
    )


def balance_warnings(weights: Mapping[str, float], config: AnnotateConfig) -> tuple[str, ...]:
    """What to do where particle and background voxels weigh very differently (K Eq. 2)."""
    of_particles, of_background = weights["foreground"], weights["background"]
    if config.lambda_foreground is None or of_particles <= 0 or of_background <= 0:
        return ()
    ratio = of_background / of_particles
    if 1 / UNBALANCED < ratio < UNBALANCED:
        return ()
    wanted = config.lambda_foreground * ratio
    return (
        f"For the particle network background weighs {ratio:.2g} times as much as particles; the "
        f"paper's constants made both about equal. Here --lambda-foreground {wanted:.2g} would, or "
        "leave it out.",
    )


def split(
    truth: GroundTruth, project: Project, config: AnnotateConfig | None = None
) -> tuple[GroundTruth, GroundTruth | None]:
    """Training and held-out part of the ground truth, as the step's settings say.

    Parameters
    ----------
    config : AnnotateConfig or None
        None takes the settings that the ground truth was made with.
    """
    if config is None:
        recorded = last_config(project, STEP)
        if not isinstance(recorded, AnnotateConfig):
            raise TypeError(f"not a configuration of 'annotate': {recorded!r}")
        config = recorded
    placed = require_placed(project)
    way = config.hold_out
    if way == "auto":
        way = "map" if len(placed) >= MAPS_FOR_A_HELD_OUT_MAP else "cutouts"
        if config.held_out_map is not None:
            way = "map"
    if way == "none":
        return truth, None
    if way == "map":
        name = config.held_out_map or truth.map_names[-1]
        if len(placed) < 2:
            raise SlagsegError(
                f"Only map '{name}' is placed: holding it out leaves nothing to train on. "
                "Hold out cutouts instead."
            )
        return hold_out(truth, list(placed.values()), held_out_map=name)
    return hold_out(truth, list(placed.values()), share=config.held_out_share, seed=config.seed)


STEP = Step(
    name="annotate",
    title="Ground truth",
    config=AnnotateConfig,
    run=run,
    inputs=_inputs,
    exists=lambda project: project.ground_truth_path.exists(),
)

__all__ = ["STEP", "balance_warnings", "make_truth", "run", "split"]
