"""Commands on made-up samples: demo and phantom."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_slagseg.cli.console import Console
from napari_slagseg.cli.running import ctrl_c_cancels, framed

if TYPE_CHECKING:
    from napari_slagseg.workflow import Step, StepResult
    from napari_slagseg.workflow.demo import DemoResult

# as in the phantom room, which must not be imported for the help alone; a test compares
PRESETS = ("tiny", "sample", "512", "slab", "coarse", "full")
DEGRADATIONS = ("easy", "medium", "hard", "extreme")


def _degradation(default: str) -> Any:
    return click.option(
        "--degradation",
        type=click.Choice(DEGRADATIONS),
        default=default,
        show_default=True,
        help="How noisy the CT and how damaged the maps are.",
    )


_seed = click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="The same seed gives the same sample.",
)


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    default="tiny",
    show_default=True,
    help="Size: 56 x 96 x 96, 144 x 224 x 224 or 512 x 512 x 512 voxels; for registration, slab "
    "and coarse (with the coarse fraction) 160 x 416 x 416, full 400 x 1000 x 1000.",
)
@_degradation("easy")
@_seed
@framed
def phantom(console: Console, out: Path, **values: Any) -> None:
    """Make a sample with exactly known truth.

    OUT gets the CT, the maps (false colour and raster), the legend and the truth.
    """
    from napari_slagseg.workflow.demo import write_sample

    with ctrl_c_cancels(console) as cancel:
        sample = write_sample(out, **values, progress=console.progress, cancel=cancel)
    maps = " ".join(f"--map {out / m['name']}.png" for m in sample["maps"])
    console.result(
        {"out": str(out), "sample": sample},
        f"Sample written to {out}. Make a project of it:\n"
        f"  slagseg new PROJECT --ct {out / 'ct.tif'} {maps} --legend {out / 'legend.csv'} "
        f"--pixel-size {sample['pixel_size_um']:g} --target {sample['target']}",
    )


@click.command()
@click.argument("out", type=click.Path(path_type=Path), default=Path("slagseg-demo"))
@_degradation("easy")
@_seed
@click.option(
    "--view/--no-view",
    "view",
    default=None,
    help="Open napari at the end; by default on a terminal with a display.",
)
@framed
def demo(console: Console, out: Path, view: bool | None, **values: Any) -> None:
    """Run the whole job on a made-up sample and score it.

    Takes some minutes on two cores; a second run does only what is missing. OUT
    (slagseg-demo, if not given) gets the sample, the project and the scores.
    """
    from napari_slagseg.cli.display import has_display, open_viewer, take_screenshot
    from napari_slagseg.workflow import PIPELINE
    from napari_slagseg.workflow.demo import run_demo

    def tell(step: Step, result: StepResult | None) -> None:
        if result is None:
            console.announce(f"{list(PIPELINE).index(step.name) + 1}/{len(PIPELINE)} {step.title}")
        else:
            console.heading(f"    {result.message}")
            for text in result.warnings:
                console.warn(text)

    console.heading("A made-up sample, so that the truth is known (a phantom, no real scan)")
    with ctrl_c_cancels(console) as cancel:
        found = run_demo(out, **values, progress=console.progress, cancel=cancel, on_step=tell)
    picture = found.project / "figures" / "screenshot.png"
    why_not = ""
    if found.steps_run or not picture.is_file():
        console.heading("Taking a picture of napari on the project")
        why_not = take_screenshot(found.project, picture)
        if why_not:
            console.warn(f"No screenshot was taken: {why_not}.")
    shown = None if why_not else picture
    console.result(
        {
            "sample": str(found.sample),
            "project": str(found.project),
            "tables": str(found.project / "tables"),
            "figures": str(found.project / "figures"),
            "report": str(found.project / "report.html"),
            "screenshot": None if shown is None else str(shown),
            "scores": found.scores,
            "scores_file": str(found.scores_path),
            "steps_run": list(found.steps_run),
            "seconds": found.seconds,
        },
        _text(found, shown),
    )
    if view is None:
        view = has_display() and sys.stdout.isatty() and not console.as_json
    if view:
        console.heading("Opening napari; close its window to end")
        open_viewer(found.project)


def _shown(value: Any, digits: int = 3) -> str:
    return "not defined" if value is None else f"{value:.{digits}f}"


def _text(found: DemoResult, picture: Path | None) -> str:
    """Where everything lies and how good it is."""
    scores = found.scores
    lines = ["", "Scores against the sample's truth"]
    for name, error in scores["registration_error_voxels"].items():
        if error["placed"]:
            lines.append(
                f"  {name:<20} median registration error {_shown(error['median'], 2)} voxels, "
                f"95 % below {_shown(error['p95'], 2)}"
            )
        else:
            lines.append(f"  {name:<20} not placed: {error['reason']}")
    phases, particles = scores["phases"], scores["particles"]
    iou = ", ".join(f"{name} {_shown(value, 2)}" for name, value in phases["iou"].items())
    lines += [
        f"  {'phases':<20} Dice {_shown(phases['dice'])}, accuracy {_shown(phases['accuracy'])}",
        f"  {'IoU by phase':<20} {iou}",
        f"  {'particles':<20} F1_match {_shown(particles['f1_match'])}, "
        f"F1_instance {_shown(particles['f1_instance'])} "
        f"({particles['n_predicted']:,} found, {particles['n_reference']:,} true)",
        f"  {'':<20} merger ratio {_shown(particles['merger_ratio'])}, "
        f"splitter ratio {_shown(particles['splitter_ratio'])}",
    ]
    for by, error in scores["liberation_curve_error"].items():
        lines.append(
            f"  {by.replace('_', ' '):<20} curve differs by {_shown(error['max_abs'])} at most, "
            f"{_shown(error['mean_abs'])} on average"
        )
    project = found.project
    lines += [
        "",
        f"This is a made-up sample. {scores['small']}",
        "",
        f"Sample      {found.sample}",
        f"Project     {project}",
        f"Tables      {project / 'tables'} (particles.csv and the curves)",
        f"Figures     {project / 'figures'}",
        f"Report      {project / 'report.html'}",
        f"Scores      {found.scores_path}",
        f"Screenshot  {picture if picture is not None else 'not taken'}",
        f"Took        {found.seconds:,.0f} s"
        + ("" if found.steps_run else " (everything was up to date)"),
        "",
        f"Look at it: slagseg view {project}",
    ]
    return "\n".join(lines)


__all__ = ["DEGRADATIONS", "PRESETS", "demo", "phantom"]
