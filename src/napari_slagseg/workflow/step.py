"""What a step is, and how one is run and recorded."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal

from pydantic import ValidationError

from napari_slagseg.data import CancelToken, Progress, SlagsegError, no_progress
from napari_slagseg.project import Project, StepRecord
from napari_slagseg.project.journal import now
from napari_slagseg.workflow.blockwise.resources import Resources
from napari_slagseg.workflow.configs import StepConfig

StepState = Literal["missing", "stale", "done"]

_VERSIONED = ("napari-slagseg", "numpy", "scipy", "scikit-image", "torch", "numba", "zarr")


@dataclass(frozen=True)
class StepResult:
    """What a step hands back.

    Attributes
    ----------
    summary : mapping
        Numbers worth showing, JSON values.
    message : str
        One or two sentences for a user.
    warnings : tuple of str
        What a user should look at.
    """

    summary: Mapping[str, Any]
    message: str
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Step:
    """One step of the workflow.

    Attributes
    ----------
    name, title : str
        ``train-phase``; "Train the phase network".
    config : type of StepConfig
    run : callable(project, config, progress, cancel) -> StepResult
        One that works on blocks takes `resources`, too.
    inputs : callable(project) -> dict of str to str
        Fingerprints of all that the step reads; a clear error where an earlier
        step is missing.
    exists : callable(project) -> bool
        Whether the step's results lie in the project.
    blockwise : bool
        Whether it works on blocks, within given resources.
    on_request : bool
        Whether it is left out where all steps are run, unless it is named.
    """

    name: str
    title: str
    config: type[StepConfig]
    run: Callable[..., StepResult]
    inputs: Callable[[Project], dict[str, str]]
    exists: Callable[[Project], bool]
    blockwise: bool = False
    on_request: bool = False

    def state(self, project: Project, config: StepConfig | None = None) -> StepState:
        """Whether the last run still holds.

        Parameters
        ----------
        config : StepConfig or None
            None asks whether it holds for the configuration it was run with.

        Returns
        -------
        "missing" (never finished), "stale" (its inputs or the configuration
        changed since) or "done".
        """
        record = project.record(self.name)
        if record is None or not self.exists(project):
            return "missing"
        if config is not None and config.model_dump(mode="json") != record.config:
            return "stale"
        try:
            inputs = self.inputs(project)
        except SlagsegError:
            return "stale"
        return "done" if inputs == record.inputs else "stale"


def edits_input(project: Project) -> dict[str, str]:
    """Edits of the segmentation, for the inputs of a step that reads it; none, no entry.

    So that what was run before there were edits counts as done until there are some.
    """
    if not project.segmentation_path.exists():
        return {}
    edits = project.edits_digest()
    return {"edits": edits} if edits else {}


def digest(values: Any) -> str:
    """Short fingerprint of JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def installed_versions() -> dict[str, str]:
    """Versions of the packages that decide over results."""
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def make_config(step: Step, values: Mapping[str, Any]) -> StepConfig:
    """Configuration of a step from plain values, with errors in a user's words."""
    try:
        return step.config.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        own = first.get("ctx", {}).get("error")
        if isinstance(own, SlagsegError) and not first["loc"]:  # said in full already
            raise SlagsegError(str(own)) from error
        where = " ".join(str(part) for part in first["loc"]) or "the settings"
        raise SlagsegError(
            f"{step.title}: {where.replace('_', ' ')} = {first.get('input')!r}: {first['msg']}."
        ) from error


def run_step(
    project: Project,
    step: Step,
    config: StepConfig | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    resources: Resources | None = None,
) -> StepResult:
    """Run one step on a project and record it.

    Holds the project's lock meanwhile. Nothing is recorded if the step fails or
    is cancelled, so it counts as not done; what it had stored before stays.

    Parameters
    ----------
    project : Project
    step : Step
    config : StepConfig or None
        None takes that of the last run, else the defaults.
    progress, cancel
        See `napari_slagseg.data.running`.
    resources : Resources or None
        Memory, workers and where they are, for a step that works on blocks. Not recorded:
        results do not depend on them.

    Raises
    ------
    SlagsegError, CancelledError
    """
    chosen = config if config is not None else last_config(project, step)
    with project.writing():
        inputs = step.inputs(project)
        started, clock = now(), time.perf_counter()
        more = {"resources": resources or Resources()} if step.blockwise else {}
        result = step.run(project, chosen, progress, cancel, **more)
        project.save_record(
            StepRecord(
                step=step.name,
                config=chosen.lasting().model_dump(mode="json"),
                inputs=inputs,
                started=started,
                seconds=round(time.perf_counter() - clock, 2),
                versions=installed_versions(),
                summary={**result.summary, "warnings": list(result.warnings)},
            )
        )
    return result


def last_config(project: Project, step: Step) -> StepConfig:
    """Configuration of the last finished run, or the defaults."""
    record = project.record(step.name)
    if record is None:
        return step.config()
    try:
        return step.config.model_validate(record.config)
    except ValidationError:  # recorded by a version with other fields
        return step.config()


__all__ = [
    "Step",
    "StepResult",
    "StepState",
    "digest",
    "edits_input",
    "installed_versions",
    "last_config",
    "make_config",
    "run_step",
]
