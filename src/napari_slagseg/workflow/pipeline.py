"""All steps in order, and running those that are not up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from napari_slagseg.data import CancelToken, Progress, SlagsegError, no_progress
from napari_slagseg.project import Project
from napari_slagseg.workflow import (
    annotate,
    answer,
    measure,
    register,
    report,
    segment,
    suspects,
    teach,
    train,
)
from napari_slagseg.workflow.blockwise.resources import Resources
from napari_slagseg.workflow.configs import StepConfig
from napari_slagseg.workflow.step import Step, StepResult, StepState, last_config, run_step

STEPS: Mapping[str, Step] = {
    step.name: step
    for step in (
        register.STEP,
        annotate.STEP,
        train.TRAIN_PHASE,
        train.TRAIN_PARTICLE,
        segment.STEP,
        suspects.STEP,
        teach.STEP,
        answer.STEP,
        measure.STEP,
        report.STEP,
    )
}
"""Steps by name, in the order in which they are run."""

PIPELINE: Mapping[str, Step] = {n: step for n, step in STEPS.items() if not step.on_request}
"""Those that "run all" runs."""


def step_named(name: str) -> Step:
    """Step called `name`, or a clear error."""
    if name not in STEPS:
        raise SlagsegError(f"There is no step '{name}'. The steps are: {', '.join(STEPS)}.")
    return STEPS[name]


def states(project: Project) -> dict[str, StepState]:
    """State of every step of the pipeline and of the suspects, once listed, in order."""
    listed = suspects.STEP.name if project.record(suspects.STEP.name) is not None else None
    return {
        name: step.state(project)
        for name, step in STEPS.items()
        if not step.on_request or name == listed
    }


def run_pipeline(
    project: Project,
    configs: Mapping[str, StepConfig] | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    on_step: Callable[[Step, StepResult | None], None] = lambda step, result: None,
    resources: Resources | None = None,
) -> dict[str, StepResult]:
    """Run all steps that are not up to date; a stopped run goes on where it stopped.

    Parameters
    ----------
    project : Project
    configs : mapping of step name to StepConfig, optional
        A step not named keeps the configuration of its last run, else the defaults. Steps
        that are run on request alone are run if they are named here.
    progress, cancel
        See `napari_slagseg.data.running`.
    on_step : callable(step, result)
        Told before each step that runs (result None) and after it.
    resources : Resources or None
        For the steps that work on blocks; see `run_step`.

    Returns
    -------
    results : dict of str to StepResult
        Of the steps that were run.
    """
    chosen = dict(configs or {})
    results = {}
    with project.writing():
        for name, step in STEPS.items():
            if name not in PIPELINE and name not in chosen:
                continue
            config = chosen.get(name) or last_config(project, step)
            if step.state(project, config) == "done":
                continue
            on_step(step, None)
            results[name] = run_step(project, step, config, progress, cancel, resources)
            on_step(step, results[name])
    return results


__all__ = ["PIPELINE", "STEPS", "run_pipeline", "states", "step_named"]
