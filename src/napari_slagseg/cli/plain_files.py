"""Single steps on plain files, which other programs can call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from napari_slagseg.cli.console import Console
from napari_slagseg.cli.options import (
    Numbers,
    config_options,
    ct_options,
    given,
    placement_options,
    placement_values,
    raw_layout,
    resource_options,
    resources,
    voxel_size,
)
from napari_slagseg.cli.running import NOT_PLACED, ctrl_c_cancels, framed, tell_ways_out
from napari_slagseg.workflow import STEPS, make_config
from napari_slagseg.workflow.configs import RegisterConfig, SegmentConfig
from napari_slagseg.workflow.placing import describe as describe_placement

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("ct", type=_FILE)
@click.argument("map_file", metavar="MAP", type=_FILE)
@click.option("--legend", type=_FILE, help="Phases of the map (CSV or JSON).")
@click.option(
    "--grey",
    is_flag=True,
    help="The map is a grey image, such as BSE, and has no legend.",
)
@click.option(
    "--mask", type=_FILE, help="Image of the same size, zero where the map shows no sample."
)
@ct_options
@click.option(
    "--pixel-size",
    required=True,
    type=float,
    metavar="UM",
    help="Edge of a map pixel in micrometres.",
)
@click.option("--out", required=True, type=_FILE, help="JSON file for cutouts and surface.")
@click.option(
    "--coordinates",
    type=_FILE,
    help="NPY file for the CT (z, y, x) of every map pixel: float32 (rows, columns, "
    "3), NaN where not placed.",
)
@placement_options(leave_out=("maps", "again"))
@framed
def place(console: Console, ct: Path, map_file: Path, **values: Any) -> int:
    """Place one mineral map, or a grey image of a cut, in a CT.

    Ends with code 3 if the map was refused; the files then say so and why. With
    --from-here the placement to start from is the one that --out holds.
    """
    from napari_slagseg.workflow.plain import place_files

    config = make_config(STEPS["register"], placement_values(values))
    assert isinstance(config, RegisterConfig)
    with ctrl_c_cancels(console) as cancel:
        placed = place_files(
            ct,
            map_file,
            legend=values["legend"],
            grey=values["grey"],
            mask=values["mask"],
            pixel_size_um=values["pixel_size"],
            out=values["out"],
            coordinates=values["coordinates"],
            voxel_size_um=voxel_size(values),
            raw=raw_layout(values),
            landmarks=values["landmarks"],
            config=config,
            progress=console.progress,
            cancel=cancel,
        )
    found = describe_placement(placed)
    text = (
        f"{map_file.name} is placed: {_likely(placed.probability)}score {placed.score:.3f}, "
        f"{found['accepted_cutouts']} of {found['cutouts']} cutouts accepted."
    )
    if not placed.placed:
        text = f"{map_file.name} was refused: {placed.reason}"
        tell_ways_out(console)
    elif placed.reason:
        console.warn(placed.reason)
    console.result(
        {
            **found,
            "out": str(values["out"]),
            "coordinates": None if values["coordinates"] is None else str(values["coordinates"]),
        },
        text,
    )
    return 0 if placed.placed else NOT_PLACED


def _likely(probability: float | None) -> str:
    return "" if probability is None else f"probability {probability:.3f}, "


@click.command()
@click.argument("ct", type=_FILE)
@click.option(
    "--phase-model",
    required=True,
    type=_FILE,
    help="Weights file, folder of a training run, or PROJECT/models/phase (its latest run).",
)
@click.option(
    "--particle-model", required=True, type=_FILE, help="Likewise, of the particle network."
)
@click.option(
    "--out",
    required=True,
    type=_FILE,
    help="Zarr store for the arrays phases (uint8) and particles (uint32).",
)
@ct_options
@config_options(SegmentConfig, leave_out=("phase_run", "particle_run"))
@resource_options
@framed
def predict(console: Console, ct: Path, **values: Any) -> None:
    """Segment a CT with trained networks.

    Where neither the file nor --voxel-size says how large the voxels are, they
    are taken to be those that the networks were trained on. Without --threshold,
    the one that was chosen in the particle network's project is taken.
    """
    from napari_slagseg.workflow.plain import predict_files

    config = make_config(STEPS["segment"], given(values, SegmentConfig))
    assert isinstance(config, SegmentConfig)
    with ctrl_c_cancels(console) as cancel:
        found = predict_files(
            ct,
            phase_model=values["phase_model"],
            particle_model=values["particle_model"],
            out=values["out"],
            voxel_size_um=voxel_size(values),
            raw=raw_layout(values),
            config=config,
            progress=console.progress,
            cancel=cancel,
            resources=resources(values),
        )
    for text in found["warnings"]:
        console.warn(text)
    console.result(
        found,
        f"{found['particles']:,} particles were found, with markers above "
        f"{found['threshold']:g}; stored in {found['out']}.",
    )


@click.command()
@click.argument("phases", type=_FILE)
@click.argument("probability", type=_FILE)
@click.option("--out", required=True, type=_FILE, help="Zarr store for the array particles.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="Probability above which a voxel is part of a marker.",
)
@click.option(
    "--minimum-voxels",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Smaller particles are removed.",
)
@click.option(
    "--voxel-size",
    type=Numbers(float, (1, 3)),
    metavar="UM",
    help="Edge of a voxel in micrometres: one number, or three as Z,Y,X. Not needed "
    "where the phases' file states it.",
)
@resource_options
@framed
def separate(console: Console, phases: Path, probability: Path, **values: Any) -> None:
    """Separate touching particles by predictions of any network.

    PHASES holds a phase id per voxel (0: background), PROBABILITY how sure it is that
    a voxel lies inside a particle (0 to 255 for 0 to 1), both as uint8; each is a
    TIFF, an NPY or an array of a Zarr store.
    """
    from napari_slagseg.workflow.plain import separate_files

    with ctrl_c_cancels(console) as cancel:
        found = separate_files(
            phases,
            probability,
            out=values["out"],
            threshold=values["threshold"],
            minimum_voxels=values["minimum_voxels"],
            voxel_size_um=voxel_size(values),
            resources=resources(values),
            progress=console.progress,
            cancel=cancel,
        )
    console.result(
        found,
        f"{found['particles']:,} particles were found, with markers above "
        f"{found['threshold']:g}; stored in {found['out']}.",
    )


@click.command()
@click.argument("particles", type=_FILE)
@click.argument("phases", type=_FILE)
@click.option(
    "--voxel-size",
    type=Numbers(float, (1, 3)),
    metavar="UM",
    help="Edge of a voxel in micrometres: one number, or three as Z,Y,X. Not needed "
    "where the particles' file states it.",
)
@click.option(
    "--target", required=True, metavar="ID", help="Target phase: its id, or with --legend its name."
)
@click.option(
    "--legend",
    type=_FILE,
    help="Phase table (CSV or JSON); names the fraction_ columns. Without it they carry the ids.",
)
@click.option(
    "--section-axis",
    type=click.IntRange(0, 2),
    help="Measure 2D sections normal to this axis instead: 0 z, 1 y, 2 x.",
)
@click.option(
    "--sections",
    type=click.IntRange(0),
    default=0,
    help="How many sections, evenly spaced; 0: every slice.",
)
@click.option(
    "--erosion-voxels",
    type=click.IntRange(0, 10),
    default=0,
    show_default=True,
    help="Erosion for a second surface liberation (K 3.3).",
)
@click.option(
    "--grains/--no-grains",
    default=True,
    show_default=True,
    help="Find the grains: connected pieces of a phase in a particle (in volumes).",
)
@click.option(
    "--accessible-depth",
    "accessible_depth_um",
    type=click.FloatRange(0),
    default=0.0,
    metavar="UM",
    help="Depth in um below the surface to which phases count as accessible; 0: not measured.",
)
@click.option(
    "--out", required=True, type=_FILE, help="CSV file; a JSON file beside it defines the columns."
)
@resource_options
@framed
def describe(console: Console, particles: Path, phases: Path, **values: Any) -> None:
    """Measure labelled particles.

    PARTICLES holds a number per particle (0: none), PHASES a phase id per voxel;
    each is a TIFF, an NPY or an array of a Zarr store (STORE.zarr/particles).
    """
    from napari_slagseg.workflow.plain import describe_files

    with ctrl_c_cancels(console) as cancel:
        table = describe_files(
            particles,
            phases,
            target=values["target"],
            out=values["out"],
            voxel_size_um=voxel_size(values),
            legend=values["legend"],
            section_axis=values["section_axis"],
            sections=values["sections"],
            erosion_voxels=values["erosion_voxels"],
            grains=values["grains"],
            accessible_depth_um=values["accessible_depth_um"],
            progress=console.progress,
            cancel=cancel,
            resources=resources(values),
        )
    what = "particles" if table.dimension == 3 else "particle sections"
    console.result(
        {
            "rows": len(table),
            "dimension": table.dimension,
            "target": table.table.target,
            "out": str(values["out"]),
            "definitions": str(values["out"].with_suffix(".json")),
        },
        f"{len(table):,} {what} measured; the table is {values['out']}.",
    )


@click.command()
@click.argument("what", type=click.Choice(["particles", "phases"]))
@click.argument("predicted", type=_FILE)
@click.argument("truth", type=_FILE)
@click.option("--out", type=_FILE, help="JSON file for the scores.")
@framed
def score(console: Console, what: str, predicted: Path, truth: Path, out: Path | None) -> None:
    """Score a segmentation against the truth.

    Voxels that the truth marks as unknown (-1) are left out.
    """
    from napari_slagseg.workflow.plain import score_files

    scores = score_files(what, predicted, truth, out=out)
    lines = [f"{name}: {_shown(value)}" for name, value in scores.items()]
    console.result(scores, "\n".join(lines))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    if isinstance(value, float):
        return "not defined" if value != value else f"{value:.4f}"
    return str(value)


__all__ = ["describe", "place", "predict", "score", "separate"]
