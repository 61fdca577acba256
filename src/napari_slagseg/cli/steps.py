"""Commands that run the steps of a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from napari_slagseg.cli.console import Console
from napari_slagseg.cli.options import (
    config_options,
    given,
    placement_options,
    placement_values,
    resource_options,
    resources,
)
from napari_slagseg.cli.projects import project_argument
from napari_slagseg.cli.running import NOT_PLACED, ctrl_c_cancels, framed, tell_ways_out
from napari_slagseg.data import SlagsegError
from napari_slagseg.workflow import PIPELINE, STEPS, Step, StepConfig, StepResult, make_config
from napari_slagseg.workflow.configs import (
    QUICK_TRAINING,
    AnnotateConfig,
    MeasureConfig,
    ReportConfig,
    SegmentConfig,
    TrainConfig,
)

quick_option = click.option(
    "--quick",
    is_flag=True,
    help="Train small networks for a thousand steps: minutes on a CPU, for a first look. "
    "Settings given beside it count.",
)


def _told(console: Console, step: Step, result: StepResult) -> None:
    for text in result.warnings:
        console.warn(text)
    if step.name == "register" and _exit_code(result) == NOT_PLACED:
        tell_ways_out(console)


def _as_values(result: StepResult) -> dict[str, Any]:
    return {
        "message": result.message,
        "summary": dict(result.summary),
        "warnings": list(result.warnings),
    }


def _run_steps(
    console: Console, project: Path, names: tuple[str, ...], values: dict[str, Any]
) -> dict[str, StepResult]:
    """Run steps of one project, one after the other, with the options given."""
    from napari_slagseg.project import Project
    from napari_slagseg.workflow import run_step

    opened = Project(project)
    within = resources(values)
    results = {}
    with ctrl_c_cancels(console) as cancel, opened.writing():
        for name in names:
            step = STEPS[name]
            config = make_config(step, given(values, step.config))
            if len(names) > 1:
                console.announce(step.title)
            results[name] = run_step(opened, step, config, console.progress, cancel, within)
            _told(console, step, results[name])
    return results


def _one_step(console: Console, project: Path, name: str, values: dict[str, Any]) -> StepResult:
    result = _run_steps(console, project, (name,), values)[name]
    console.result({"step": name, **_as_values(result)}, result.message)
    return result


def _exit_code(result: StepResult | None) -> int:
    """Exit code of a registration: 3 if a map was refused."""
    maps = {} if result is None else result.summary.get("maps", {})
    return 0 if all(found["placed"] for found in maps.values()) else NOT_PLACED


@click.command()
@project_argument
@placement_options()
@framed
def register(console: Console, project: Path, **values: Any) -> int:
    """Place the mineral maps in the CT.

    Landmarks are kept with the project and used until others take their place; so are
    cutouts that were locked. Ends with code 3 if a map was refused; the others are
    placed all the same.
    """
    from napari_slagseg.project import Project
    from napari_slagseg.workflow.register import take_landmarks

    chosen = placement_values(values)
    make_config(STEPS["register"], chosen)  # a clear error before anything is stored
    if values["landmarks"] is not None:
        with Project(project).writing() as opened:
            take_landmarks(opened, values["landmarks"], tuple(chosen.get("maps", ())))
    return _exit_code(_one_step(console, project, "register", chosen))


@click.command()
@project_argument
@config_options(AnnotateConfig)
@framed
def annotate(console: Console, project: Path, **values: Any) -> None:
    """Turn the placed maps into sparse ground truth.

    Painted corrections of the project enter it, too.
    """
    _one_step(console, project, "annotate", values)


@click.command()
@project_argument
@click.option(
    "--network", type=click.Choice(["phase", "particle"]), help="Which one; none given: both."
)
@quick_option
@config_options(TrainConfig)
@framed
def train(console: Console, project: Path, network: str | None, quick: bool, **values: Any) -> None:
    """Train the phase and the particle network.

    The defaults are the paper's and meant for a GPU; --quick trains for minutes on
    a CPU. A stopped training goes on where it stopped, to the same result, if the
    settings are the same.
    """
    if quick:
        values = {**values, **QUICK_TRAINING, **given(values, TrainConfig)}
    names = ("train-phase", "train-particle") if network is None else (f"train-{network}",)
    results = _run_steps(console, project, names, values)
    console.result(
        {"steps": {name: _as_values(result) for name, result in results.items()}},
        "\n".join(result.message for result in results.values()),
    )


@click.command()
@project_argument
@config_options(SegmentConfig)
@resource_options
@framed
def segment(console: Console, project: Path, **values: Any) -> None:
    """Predict phases and particles everywhere."""
    _one_step(console, project, "segment", values)


@click.command()
@project_argument
@config_options(MeasureConfig)
@resource_options
@framed
def measure(console: Console, project: Path, **values: Any) -> None:
    """Measure every particle and the sections."""
    _one_step(console, project, "measure", values)


@click.command()
@project_argument
@config_options(ReportConfig)
@framed
def report(console: Console, project: Path, **values: Any) -> None:
    """Draw the liberation curves and write the report."""
    _one_step(console, project, "report", values)


def _settings(path: Path | None) -> dict[str, StepConfig]:
    """Configurations from a JSON file: step names to their settings."""
    from napari_slagseg.io import read_json
    from napari_slagseg.workflow import step_named

    if path is None:
        return {}
    content = read_json(path, "the settings of the steps")
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise SlagsegError(
            f"{path} must hold a JSON object of step names and their settings, for example "
            '{"train-phase": {"size": "tiny", "epochs": 5}}.'
        )
    return {name: make_config(step_named(name), values) for name, values in content.items()}


@click.command()
@project_argument
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    help='JSON file with the settings of steps: {"train-phase": {"size": "tiny"}}. '
    "A step that is not in it keeps those of its last run; suspects is run only if it is in it.",
)
@quick_option
@resource_options
@framed
def run(console: Console, project: Path, settings: Path | None, quick: bool, **values: Any) -> int:
    """Run every step that is not up to date.

    A run that was stopped goes on where it stopped.
    """
    from napari_slagseg.project import Project
    from napari_slagseg.workflow import run_pipeline

    opened = Project(project)
    configs = _settings(settings)
    within = resources(values)
    if quick:
        training = TrainConfig(**QUICK_TRAINING)
        configs = {"train-phase": training, "train-particle": training, **configs}

    running = [name for name in STEPS if name in PIPELINE or name in configs]

    def tell(step: Step, result: StepResult | None) -> None:
        if result is None:
            console.announce(f"{running.index(step.name) + 1}/{len(running)} {step.title}")
        else:
            _told(console, step, result)

    with ctrl_c_cancels(console) as cancel:
        results = run_pipeline(opened, configs, console.progress, cancel, tell, within)
    console.result(
        {
            "steps": {name: _as_values(result) for name, result in results.items()},
            "report": str(_report_of(project)),
        },
        "\n".join(result.message for result in results.values()) or "Everything is up to date.",
    )
    return _exit_code(results.get("register"))


def _report_of(project: Path) -> Path:
    """The page with everything, or the short one where that was not wished for."""
    page = project / "report.html"
    return page if page.exists() else project / "report.md"


__all__ = ["annotate", "measure", "register", "report", "run", "segment", "train"]
