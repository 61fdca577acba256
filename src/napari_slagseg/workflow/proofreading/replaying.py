"""A copy of the segmentation with edits in it: those made on it, or on an earlier one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    EditedVolume,
    Progress,
    ProgressEvent,
    SlagsegError,
    VolumeLike,
    no_progress,
    part_of,
    stop_if_cancelled,
)
from napari_slagseg.project import Project
from napari_slagseg.project.edits import EarlierEdits, Entry
from napari_slagseg.project.edits.segmented import EDITED, ID, LARGEST
from napari_slagseg.workflow.proofreading.labelled_copies import copied, require_new, write_copies
from napari_slagseg.workflow.proofreading.refitting import Refit, Refitted

_REFITTED = 0.4
"""Share of the progress bar up to the writing, where edits of another segmentation are fitted."""


@dataclass(frozen=True)
class Replayed:
    """What a copy holds.

    Attributes
    ----------
    out : Path
    came_from : str
        Id of the segmentation that the edits were made on.
    edits : int
        Of that segmentation that are in the copy, in whole or in part.
    of_present : int
        Edits of the present segmentation, which are in the copy in any case.
    not_whole : tuple of (Entry, Refitted)
        Those that are in it with other voxels, in part, or not at all.
    without_voxels : int
        Edits that change no voxel, as locks; a copy of labels has no place for them.
    """

    out: Path
    came_from: str
    edits: int
    of_present: int
    not_whole: tuple[tuple[Entry, Refitted], ...]
    without_voxels: int


def replay(
    project: Project,
    out: str | Path,
    *,
    came_from: str | None = None,
    at_least: float = 1.0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Replayed:
    """Write the segmentation with edits in it, as a store like ``segmentation.zarr``.

    Those made on the present segmentation are in it exactly. Those of an earlier one are done
    again, one by one, on top of that; see `Refit`.

    Parameters
    ----------
    project : Project
    out : path
        ``.zarr``; must not exist. Appears whole or not at all.
    came_from : str, optional
        Id of an earlier segmentation, or the start of it.
    at_least : float
        Share of the voxels of an earlier edit that must fit.
    progress, cancel
        See `napari_slagseg.data.running`.

    Raises
    ------
    SlagsegError
        If `out` exists or is no Zarr store, there are no such edits, or something is damaged.
    CancelledError
    """
    out = Path(out)
    if out.suffix.lower() != ".zarr":
        raise SlagsegError(f"{out} must end in .zarr: the copy is stored by blocks.")
    require_new(out)
    volumes: dict[str, VolumeLike] = {n: project.segmentation_volume(n) for n in EDITED}  # type: ignore[arg-type]
    present = project.segmentation_id()
    history = project.edits()
    largest, without = history.largest_label, [e for e in history.done if not e.touches]
    not_whole: list[tuple[Entry, Refitted]] = []
    count = of_present = len(history.done) - len(without)
    source, begin = present, 0.0
    if came_from is not None:
        earlier = chosen_edits(project, came_from)
        _check_shape(earlier, volumes)
        laid = {name: EditedVolume(volume, name) for name, volume in volumes.items()}
        refit = Refit(laid, int(earlier.facts["largest_label"]), largest, at_least)
        begin, source = _REFITTED, earlier.id
        without = [e for e in earlier.done if not e.touches]
        done = [e for e in earlier.done if e.touches]
        for n, entry in enumerate(done):
            stop_if_cancelled(cancel)
            progress(ProgressEvent("doing earlier edits again", _REFITTED * n / len(done)))
            found = refit.do(earlier.action(entry))
            if found.fate != "whole":
                not_whole.append((entry, found))
        count = len(done) - sum(found.fate == "conflict" for _, found in not_whole)
        largest, volumes = refit.largest, dict(laid)
    arrays = {name: copied(volume) for name, volume in volumes.items()}
    probability = project.segmentation_volume("particle_probability")
    arrays["particle_probability"] = copied(probability, "grey")
    z, y, x = volumes["particles"].shape
    write_copies(
        out,
        arrays,
        (z, y, x),
        project.voxel_size_um,
        {
            **io.read_zarr_attributes(project.segmentation_path),
            ID: uuid.uuid4().hex,
            LARGEST: largest,
            "edited": {"segmentation": present, "edits": project.edits_digest(), "from": source},
        },
        part_of(progress, begin, 1.0),
        cancel,
    )
    return Replayed(out, source, count, of_present, tuple(not_whole), len(without))


def chosen_edits(project: Project, name: str) -> EarlierEdits:
    """Edits of an earlier segmentation by its id, or by the start of it.

    Raises
    ------
    SlagsegError
        If there are none, or several begin so.
    """
    earlier = project.earlier_edits()
    found = [edits for edits in earlier if edits.id.startswith(name)]
    if name and len(found) == 1:
        return found[0]
    listed = ", ".join(edits.id for edits in earlier) or "none"
    what = f"begin with '{name}'" if len(found) > 1 else f"are '{name}'"
    raise SlagsegError(
        f"{len(found) or 'No'} earlier segmentations of {project.folder} {what}. Those with edits "
        f"are: {listed} ('slagseg edits {project.folder} --all' lists them)."
    )


def _check_shape(earlier: EarlierEdits, volumes: dict[str, VolumeLike]) -> None:
    for name, volume in volumes.items():
        was = tuple(earlier.facts.get("arrays", {}).get(name, {}).get("shape", volume.shape))
        if was != tuple(volume.shape):
            raise SlagsegError(
                f"{earlier.path} holds edits of {name} of {_edges(was)} voxels; the present "
                f"segmentation has {_edges(volume.shape)}. They cannot be done again on it."
            )


def _edges(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape)


__all__ = ["Replayed", "chosen_edits", "replay"]
