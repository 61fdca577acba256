"""The command plan: what the long steps will take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from napari_slagseg.cli.console import Console
from napari_slagseg.cli.options import resource_options, resources
from napari_slagseg.cli.projects import project_argument
from napari_slagseg.cli.running import framed


@click.command()
@project_argument
@resource_options
@click.option(
    "--probe/--no-probe",
    default=True,
    help="Work on a small box of the volume for a second or so, to estimate the time.  "
    "[default: yes]",
)
@framed
def plan(console: Console, project: Path, probe: bool, **values: Any) -> None:
    """Tell what the long steps will take, before they are run.

    Of segment, suspects and measure: blocks, workers, memory, disk and time.
    """
    from napari_slagseg.project import Project
    from napari_slagseg.workflow.blockwise import plan_step
    from napari_slagseg.workflow.blockwise.plan import PLANNED

    opened, within = Project(project), resources(values)
    found = [plan_step(opened, name, within, probe=probe) for name in PLANNED]
    for step in found:
        if not step.fits:
            console.warn(
                f"The disk of {project} has no room for '{step.step}': it needs about "
                f"{(step.result_bytes + step.scratch_bytes) / 1e9:.1f} GB."
            )
    console.result(
        {"project": str(project), "steps": {step.step: step.as_values() for step in found}},
        "\n".join(step.text() for step in found),
    )


__all__ = ["plan"]
