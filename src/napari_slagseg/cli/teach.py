"""The command teach: train on hand edits, and take or keep what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_slagseg.cli.console import Console
from napari_slagseg.cli.options import config_options, given, resource_options, resources
from napari_slagseg.cli.projects import project_argument
from napari_slagseg.cli.running import ctrl_c_cancels, framed
from napari_slagseg.data import SlagsegError
from napari_slagseg.workflow.configs import ProposalConfig, TeachConfig

if TYPE_CHECKING:
    from napari_slagseg.project import Project

FIRST_CONFLICTS = 20


@click.command()
@project_argument
@click.option("--accept", is_flag=True, help="Take the segmentation that was proposed.")
@click.option("--discard", is_flag=True, help="Keep the present one; the network is set aside.")
@click.option("--show", is_flag=True, help="Show what was proposed; nothing is trained.")
@config_options(TeachConfig)
@resource_options
@framed
def teach(
    console: Console, project: Path, accept: bool, discard: bool, show: bool, **values: Any
) -> None:
    """Train the particle network on hand edits and propose a new segmentation.

    The network goes on from its last weights, with the places that you corrected added to the
    maps' truth. The new segmentation gets your particles on top and lies in proposal/ until
    you take it with --accept or give it up with --discard; scores of both are shown.
    """
    from napari_slagseg.project import Project
    from napari_slagseg.workflow import STEPS, last_config, make_config, run_step

    said = given(values, TeachConfig)
    if accept + discard + show > 1 or ((accept or discard or show) and said):
        raise SlagsegError(
            "--accept, --discard and --show each stand alone: they are about a segmentation that "
            "was proposed already. Leave the other options out."
        )
    opened = Project(project)
    if show:
        _tell(console, opened, "")
        return
    step = STEPS["proposal" if accept or discard else "teach"]
    config: Any = ProposalConfig(answer="take" if accept else "keep")
    if not (accept or discard):
        config = make_config(step, said) if said else last_config(opened, step)
    with ctrl_c_cancels(console) as cancel:
        result = run_step(opened, step, config, console.progress, cancel, resources(values))
    for text in result.warnings:
        console.warn(text)
    if accept or discard:
        console.result({"message": result.message, **result.summary}, result.message)
        return
    _tell(console, opened, result.message, result.warnings)


def _tell(console: Console, project: Project, message: str, warnings: tuple[str, ...] = ()) -> None:
    """Show the proposal that waits."""
    from dataclasses import asdict

    from napari_slagseg.workflow.proofreading.proposal_words import change_sentence
    from napari_slagseg.workflow.proofreading.proposing import proposal_conflicts

    found = project.proposal.found()
    conflicts = proposal_conflicts(project)
    lines = [message] if message else []
    lines += [*score_lines(found["scores"]), change_sentence(found["changes"])]
    lines += [f"{len(conflicts)} conflicts" + (":" if conflicts else ".")]
    lines += [
        f"  {c.place[0]}, {c.place[1]}, {c.place[2]} (z, y, x)  {c.sentence}"
        for c in conflicts[:FIRST_CONFLICTS]
    ]
    if len(conflicts) > FIRST_CONFLICTS:
        lines.append(f"  ... and {len(conflicts) - FIRST_CONFLICTS} more in the proposal's folder")
    lines.append("Take it with --accept, or keep the present one with --discard.")
    values = {name: value for name, value in found.items() if name not in ("records", "key")}
    console.result(
        {
            "message": message,
            "warnings": list(warnings),
            **values,
            "list_of_conflicts": [asdict(c) for c in conflicts],
        },
        "\n".join(lines),
    )


def score_lines(scores: Mapping[str, Any]) -> list[str]:
    """Scores on known truth as a table, one row for each part and version."""
    from napari_slagseg.workflow.proofreading.proposal_words import SHOWN_SCORES, score_rows

    rows = [["scores on known truth", *SHOWN_SCORES.values()], *score_rows(scores)]
    return [f"{name:<36}" + "".join(f"{text:>11}" for text in found) for name, *found in rows]


__all__ = ["score_lines", "teach"]
