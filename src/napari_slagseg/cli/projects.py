"""Commands about a project as a whole: new, status, view."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_slagseg.cli.console import Console
from napari_slagseg.cli.options import ct_options, raw_layout, voxel_size
from napari_slagseg.cli.running import framed

if TYPE_CHECKING:
    from napari_slagseg.project import Project

project_argument = click.argument("project", type=click.Path(path_type=Path))

MUCH_UNMATCHED = 0.02
"""Share of unmatched map pixels from which a user is told."""


@click.command()
@project_argument
@click.option(
    "--ct",
    required=True,
    type=click.Path(path_type=Path),
    help="CT volume: TIFF (file or folder of slices), NPY, Zarr, raw.",
)
@ct_options
@click.option(
    "--map",
    "maps",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="Mineral map: false-colour image or raster of phase ids. May be given several times.",
)
@click.option(
    "--legend",
    required=True,
    type=click.Path(path_type=Path),
    help="Phases of the maps: CSV (colour,phase,symbol,formula,density_g_cm3,group) or JSON.",
)
@click.option(
    "--pixel-size",
    required=True,
    type=float,
    metavar="UM",
    help="Edge of a map pixel in micrometres.",
)
@click.option(
    "--target", required=True, metavar="PHASE", help="Phase whose liberation is asked for."
)
@framed
def new(console: Console, project: Path, **values: Any) -> None:
    """Make a project from a CT, mineral maps and a legend.

    Everything is read and checked first; the CT is referred to, not copied.
    """
    from napari_slagseg.project import Project

    made = Project.create(
        project,
        ct=values["ct"],
        maps=values["maps"],
        legend=values["legend"],
        pixel_size_um=values["pixel_size"],
        target=values["target"],
        voxel_size_um=voxel_size(values),
        raw=raw_layout(values),
    )
    description = made.description
    for entry in description.maps:
        if entry.unmatched_fraction > MUCH_UNMATCHED:
            console.warn(
                f"{entry.unmatched_fraction:.1%} of the pixels of {entry.name} match no colour of "
                "the legend; they count as unknown."
            )
    maps = {
        m.name: {"shape": m.shape, "unmatched_fraction": m.unmatched_fraction}
        for m in description.maps
    }
    ct = description.ct
    console.result(
        {
            "project": str(project),
            "ct": {"shape": ct.shape, "dtype": ct.dtype, "voxel_size_um": ct.voxel_size_um},
            "maps": maps,
            "phases": list(made.phase_table().names),
            "target": description.target,
        },
        f"Project {project}: a CT of {' x '.join(map(str, ct.shape))} voxels "
        f"({', '.join(f'{v:g}' for v in ct.voxel_size_um)} um in z, y, x) and "
        f"{len(maps)} {'map' if len(maps) == 1 else 'maps'} ({', '.join(maps)}).\n"
        f"Next: slagseg run {project}",
    )


@click.command()
@project_argument
@framed
def status(console: Console, project: Path) -> None:
    """Show which steps are up to date.

    And how many edits by hand there are. And of each map: whether it is placed, by a run
    or by hand, how probable that is, and how many of its cutouts are accepted.
    """
    from napari_slagseg.data import SlagsegError
    from napari_slagseg.project import Project
    from napari_slagseg.workflow import PIPELINE, states
    from napari_slagseg.workflow.placing import describe

    opened = Project(project)
    steps: dict[str, dict[str, Any]] = {}
    lines = [f"Project {project}, target {opened.description.target}"]
    words = {"done": "up to date", "stale": "out of date", "missing": "not done"}
    for name, state in states(opened).items():
        record = opened.record(name)
        if name not in PIPELINE and record is None:
            continue  # asked for when it is wanted; not having done so is no lack
        steps[name] = {
            "state": state,
            "started": None if record is None else record.started,
            "seconds": None if record is None else record.seconds,
            "summary": {} if record is None else record.summary,
        }
        when = "" if record is None else f"  {record.started}  {record.seconds:,.1f} s"
        lines.append(f"  {name:<16} {words[state]:<12}{when}")
    maps: dict[str, dict[str, Any]] = {}
    lines.append("Maps")
    for name in opened.map_names():
        try:
            maps[name] = describe(opened.placed_map(name))
        except SlagsegError as error:
            maps[name] = {"state": "damaged", "placed": False, "reason": str(error)}
        lines.append(f"  {name:<16} {_in_words(maps[name])}")
    edits, said = _edits(opened)
    console.result(
        {
            "project": str(project),
            "target": opened.description.target,
            "steps": steps,
            "edits": edits,
            "maps": maps,
        },
        "\n".join([*lines, *said]),
    )


def _edits(project: Project) -> tuple[dict[str, Any], list[str]]:
    """Numbers of the edits by hand, and a line about them; none where there are none."""
    from napari_slagseg.data import SlagsegError

    found: dict[str, Any] = {"done": 0, "undone": 0, "earlier": 0}
    try:
        if project.segmentation_path.exists():
            present = project.present_edits()
            if present is not None:
                found.update(done=len(present.done), undone=len(present.undone))
        found["earlier"] = sum(len(edits.done) for edits in project.earlier_edits())
    except SlagsegError as error:
        return {"reason": str(error)}, [f"Edits by hand cannot be read: {error}"]
    if not any(found.values()):
        return found, []
    words = [f"{found['done']:,} hold"]
    words += [f"{found['undone']:,} undone"] if found["undone"] else []
    words += [f"{found['earlier']:,} of earlier segmentations"] if found["earlier"] else []
    return found, [f"Edits by hand: {', '.join(words)} (slagseg edits {project.folder})"]


def _in_words(found: dict[str, Any]) -> str:
    """A map's placement in one line."""
    words = [found["state"]]
    if found.get("probability") is not None:
        words.append(f"probability {found['probability']:.3f}")
    if found.get("cutouts"):
        words.append(f"{found['accepted_cutouts']} of {found['cutouts']} cutouts accepted")
    if found.get("locked_cutouts"):
        words.append(f"{found['locked_cutouts']} locked")
    if found.get("reason"):
        words.append(found["reason"])
    return ", ".join(words[:1]).ljust(12) + ", ".join(words[1:])


@click.command()
@project_argument
@framed
def view(console: Console, project: Path) -> None:
    """Open a project in napari."""
    from napari_slagseg.cli.display import open_viewer
    from napari_slagseg.project import Project

    Project(project)  # a clear error before a window opens
    console.heading(f"Opening {project} in napari ...")
    open_viewer(project)
    console.result({"project": str(project)}, "")


__all__ = ["new", "project_argument", "status", "view"]
