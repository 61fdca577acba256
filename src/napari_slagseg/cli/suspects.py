"""The command suspects: what is likeliest to be wrong."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import click

from napari_slagseg.cli.console import Console
from napari_slagseg.cli.options import config_options, given, resource_options, resources
from napari_slagseg.cli.projects import project_argument
from napari_slagseg.cli.running import ctrl_c_cancels, framed
from napari_slagseg.workflow.configs import SuspectsConfig


@click.command()
@project_argument
@click.option(
    "--first",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="How many of the first suspects are listed; all are in tables/suspects.csv.",
)
@config_options(SuspectsConfig)
@resource_options
@framed
def suspects(console: Console, project: Path, first: int, **values: Any) -> None:
    """List what is likeliest to be wrong in the segmentation.

    Needs no truth: merged and split particles, holes, doubt and missed particles show in
    shapes and in the network's probability. What is up to date is not computed again.
    """
    from napari_slagseg.project import Project
    from napari_slagseg.workflow import STEPS, last_config, make_config, run_step
    from napari_slagseg.workflow.suspect_tables import SuspectTables
    from napari_slagseg.workflow.suspects import likely

    opened, step = Project(project), STEPS["suspects"]
    said = given(values, SuspectsConfig)
    config = make_config(step, said) if said else last_config(opened, step)
    message = "The suspects are up to date."
    warnings: tuple[str, ...] = ()
    if step.state(opened, config) != "done":
        with ctrl_c_cancels(console) as cancel:
            result = run_step(opened, step, config, console.progress, cancel, resources(values))
        message, warnings = result.message, result.warnings
        for text in warnings:
            console.warn(text)
    tables = SuspectTables.of(opened)
    queue = tables.queue()
    counts = {str(kind): int(n) for kind, n in queue["kind"].value_counts().items()}
    rows = queue.head(first).to_dict("records")
    console.result(
        {
            "message": message,
            "warnings": list(warnings),
            "table": str(tables.queue_path),
            "suspects": len(queue),
            "kinds": counts,
            "likely": likely(queue),
            "first": rows,
        },
        "\n".join([message, _kinds(counts), *_lines(rows), f"All rows: {tables.queue_path}"]),
    )


def _kinds(counts: dict[str, int]) -> str:
    return "Rows: " + (", ".join(f"{kind} {n:,}" for kind, n in counts.items()) or "none")


def _lines(rows: list[dict[Hashable, Any]]) -> list[str]:
    """The rows as a table; places in um, as the window shows them."""
    if not rows:
        return []
    head = f"{'score':>5}  {'kind':<8}  {'label':>9}  {'partner':>9}  {'z, y, x (um)':<23}  reasons"
    lines = [head]
    for row in rows:
        place = ", ".join(f"{row[f'{axis}_um']:.1f}" for axis in "zyx")
        # of a missed particle it is a voxel's number, which says nothing to a person
        partner = row["partner"] if row["kind"] == "splitter" else ""
        label = row["label"] or ""
        lines.append(
            f"{row['score']:5.2f}  {row['kind']:<8}  {label:>9}  {partner:>9}  {place:<23}  "
            f"{row['reasons']}"
        )
    return lines


__all__ = ["suspects"]
