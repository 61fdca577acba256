"""The command edits: what was changed in the segmentation by hand."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_slagseg.cli.console import Console
from napari_slagseg.cli.projects import project_argument
from napari_slagseg.cli.running import ctrl_c_cancels, framed

if TYPE_CHECKING:
    from napari_slagseg.workflow.proofreading.listing import ListedEdit, ListedSegmentation
    from napari_slagseg.workflow.proofreading.refitting import Refitted
    from napari_slagseg.workflow.proofreading.replaying import Replayed

_FILE = click.Path(path_type=Path)

NOT_ALL = 4
"""Exit code: some edits do not fit the present segmentation."""

_PARTICLES_SHOWN = 4


@click.command()
@project_argument
@click.option("--all", "every", is_flag=True, help="With the edits of earlier segmentations.")
@click.option(
    "--replay",
    type=_FILE,
    metavar="OUT.zarr",
    help="Write a copy of the segmentation with the edits in it.",
)
@click.option(
    "--from",
    "came_from",
    metavar="ID",
    help="With --replay: do the edits of this earlier segmentation again, one by one, on the "
    "present one. The start of its id is enough; --all shows the ids.",
)
@click.option(
    "--at-least",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SHARE",
    help="With --from: share of an edit's voxels that must fit; the others are left as they are.",
)
@click.option(
    "--export",
    type=_FILE,
    metavar="OUT",
    help="Write the corrections alone as labels, and what was there before (.zarr or .tif).",
)
@framed
def edits(
    console: Console,
    project: Path,
    every: bool,
    replay: Path | None,
    came_from: str | None,
    at_least: float,
    export: Path | None,
) -> int:
    """List what was changed by hand, or write it to files.

    The list says of every edit when, by whom, what, which particles, where, how many
    voxels, and whether it holds. Ends with code 4 if --replay --from has edits that do not
    fit the present segmentation; they are listed. To carry whole particles over to a new
    segmentation, rather than edit by edit, use 'teach'.
    """
    from napari_slagseg.project import Project

    if replay is not None and export is not None:
        raise click.UsageError("--replay and --export write different files; give one of them.")
    if came_from is not None and replay is None:
        raise click.UsageError("--from ID says whose edits --replay writes; add --replay OUT.zarr.")
    if every and (replay is not None or export is not None):
        raise click.UsageError("--all is for the list; leave it out.")
    opened = Project(project)
    if replay is not None:
        return _replay(console, opened, replay, came_from, at_least)
    if export is not None:
        _export(console, opened, export)
    else:
        _list(console, opened, every)
    return 0


def _list(console: Console, opened: Any, every: bool) -> None:
    from napari_slagseg.workflow.proofreading.listing import listed_edits

    found = listed_edits(opened, every=every)
    console.result(
        {
            "project": str(opened.folder),
            "voxel_size_um": opened.voxel_size_um,
            "segmentations": [asdict(segmentation) for segmentation in found],
        },
        "\n".join(line for segmentation in found for line in _lines(segmentation, every)),
    )


def _lines(found: ListedSegmentation, every: bool) -> list[str]:
    which = "present" if found.present else "earlier"
    lines = [f"Segmentation {found.id} ({which})"] if every else []
    if not found.edits:
        return [*lines, "Nothing was edited."]
    count = len(found.edits)
    undone = sum(edit.state == "undone" for edit in found.edits)
    lines.append(
        f"{'no.':>5}  {'when (UTC)':<19}  {'who':<10}  {'what':<14}  {'state':<6}  {'voxels':>9}  "
        f"{'of phase':>9}  {'middle z, y, x (voxels)':<23}  {'(um)':<24}  particles"
    )
    lines += [_line(edit) for edit in found.edits]
    lines.append(
        f"{_edits(count)}: {count - undone:,} done" + (f", {undone:,} undone." if undone else ".")
    )
    return lines


def _edits(count: int) -> str:
    return f"{count:,} {'edit' if count == 1 else 'edits'}"


def _line(edit: ListedEdit) -> str:
    voxel = "" if edit.middle is None else ", ".join(map(str, edit.middle))
    um = "" if edit.middle_um is None else ", ".join(f"{n:.1f}" for n in edit.middle_um)
    shown = " ".join(map(str, edit.particles[:_PARTICLES_SHOWN]))
    more = len(edit.particles) - _PARTICLES_SHOWN
    return (
        f"{edit.number:>5}  {edit.when[:19].replace('T', ' '):<19}  {edit.who:<10.10}  "
        f"{edit.kind:<14}  {edit.state:<6}  {edit.particle_voxels:>9,}  {edit.phase_voxels:>9,}  "
        f"{voxel:<23}  {um:<24}  "
        f"{shown}{f' and {more} more' if more > 0 else ''}"
    ).rstrip()


def _replay(
    console: Console, opened: Any, out: Path, came_from: str | None, at_least: float
) -> int:
    from napari_slagseg.workflow.proofreading.replaying import replay

    with ctrl_c_cancels(console) as cancel:
        found = replay(
            opened,
            out,
            came_from=came_from,
            at_least=at_least,
            progress=console.progress,
            cancel=cancel,
        )
    conflicts = [
        {
            "id": entry.id,
            "kind": entry.kind,
            "when": entry.when,
            "particles": sorted({*entry.labels_before, *entry.labels_after}),
            "low": entry.low,
            "high": entry.high,
            "fate": fitted.fate,
            "fits": fitted.fits,
            "voxels": fitted.voxels,
            "why": fitted.why,
        }
        for entry, fitted in found.not_whole
    ]
    console.result(
        {
            "out": str(found.out),
            "from": found.came_from,
            "edits": found.edits,
            "of_present": found.of_present,
            "without_voxels": found.without_voxels,
            "not_whole": conflicts,
        },
        "\n".join(_replayed(found, came_from)),
    )
    return NOT_ALL if any(f.fate != "again" for _, f in found.not_whole) else 0


def _replayed(found: Replayed, came_from: str | None) -> list[str]:
    lines = []
    for entry, fitted in found.not_whole:
        labels = ", ".join(map(str, sorted({*entry.labels_before, *entry.labels_after})))
        where = ", ".join(str((a + b - 1) // 2) for a, b in zip(entry.low, entry.high))
        what = f"{entry.kind} of {labels} at {where}"
        lines.append(f"  {_FATES[fitted.fate]}: {what}: {_what(fitted)}")
    if lines:
        many = "edit does" if len(lines) == 1 else "edits do"
        lines.insert(0, f"{len(lines):,} {many} not fit as they were (numbers of then):")
    others = (
        "" if came_from is None else f" of {found.came_from} and {found.of_present:,} of its own"
    )
    lines.append(f"{found.out} holds the segmentation with {_edits(found.edits)}{others} in it.")
    return lines


_FATES = {"again": "done again", "in part": "done in part", "conflict": "not done"}


def _what(fitted: Refitted) -> str:
    if fitted.fate == "again":
        return f"{fitted.fits:,} of its {fitted.voxels:,} voxels are those of the particles now"
    return fitted.why or f"{fitted.fits:,} of its {fitted.voxels:,} voxels fitted"


def _export(console: Console, opened: Any, out: Path) -> None:
    from napari_slagseg.workflow.proofreading.exporting import export_corrections

    with ctrl_c_cancels(console) as cancel:
        found = export_corrections(opened, out, progress=console.progress, cancel=cancel)
    console.result(
        {
            "files": [str(path) for path in found.files],
            "particle_voxels": found.particles,
            "phase_voxels": found.phases,
        },
        f"Corrected are the particles of {found.particles:,} voxels and the phases of "
        f"{found.phases:,}; written to {', '.join(map(str, found.files))}.",
    )


__all__ = ["NOT_ALL", "edits"]
