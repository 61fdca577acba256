"""The edits of a project as a list: when, who, what, where, how many voxels."""

from __future__ import annotations

from dataclasses import dataclass

from napari_slagseg.data import Triple, VoxelSize
from napari_slagseg.project import Project
from napari_slagseg.project.edits import EarlierEdits


@dataclass(frozen=True)
class ListedEdit:
    """An edit in a list.

    Attributes
    ----------
    number : int
        From 1, in the order in which they were made.
    id, kind, when, who
        See `Entry`; `when` is in UTC.
    state : {"done", "undone"}
    particles : tuple of int
        That it touched, as they were called before and after.
    particle_voxels, phase_voxels : int
        That got another particle, and another phase.
    middle : (z, y, x) or None
        Voxel in the middle of the box around what it changed; None where it changed none.
    middle_um : (z, y, x) or None
    """

    number: int
    id: str
    kind: str
    when: str
    who: str
    state: str
    particles: tuple[int, ...]
    particle_voxels: int
    phase_voxels: int
    middle: Triple | None
    middle_um: tuple[float, float, float] | None


@dataclass(frozen=True)
class ListedSegmentation:
    """Edits of one segmentation.

    Attributes
    ----------
    id : str
    present : bool
        Whether it is the one that the project has now.
    edits : tuple of ListedEdit
    """

    id: str
    present: bool
    edits: tuple[ListedEdit, ...]


def listed_edits(project: Project, *, every: bool = False) -> list[ListedSegmentation]:
    """Edits of the present segmentation, last, and before it those of earlier ones.

    Edits that were undone and then replaced by others are not listed: they cannot come back.

    Parameters
    ----------
    project : Project
    every : bool
        With those of earlier segmentations.

    Raises
    ------
    SlagsegError
        If there is no segmentation (and nothing else was asked for), or a journal cannot be read.
    """
    found = [_listed(e, project.voxel_size_um, False) for e in project.earlier_edits() if every]
    if every and not project.segmentation_path.exists():
        return found
    edits = project.present_edits()
    if edits is not None:
        return [*found, _listed(edits, project.voxel_size_um, True)]
    return [*found, ListedSegmentation(project.segmentation_id(), True, ())]


def _listed(edits: EarlierEdits, size: VoxelSize, present: bool) -> ListedSegmentation:
    undone = {entry.id for entry in edits.undone}
    rows = []
    entries = sorted([*edits.done, *edits.undone], key=lambda entry: entry.start)
    for number, entry in enumerate(entries, 1):
        middle = middle_um = None
        if entry.touches:
            z, y, x = ((a + b - 1) // 2 for a, b in zip(entry.low, entry.high))
            middle = (z, y, x)
            middle_um = (z * size[0], y * size[1], x * size[2])
        rows.append(
            ListedEdit(
                number=number,
                id=entry.id,
                kind=entry.kind,
                when=entry.when,
                who=entry.who,
                state="undone" if entry.id in undone else "done",
                particles=tuple(sorted({*entry.labels_before, *entry.labels_after})),
                particle_voxels=entry.voxels_of("particles"),
                phase_voxels=entry.voxels_of("phases"),
                middle=middle,
                middle_um=middle_um,
            )
        )
    return ListedSegmentation(edits.id, present, tuple(rows))


__all__ = ["ListedEdit", "ListedSegmentation", "listed_edits"]
