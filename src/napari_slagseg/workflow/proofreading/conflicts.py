"""What could not be decided when particles were carried over, as it is shown and stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from napari_slagseg import io
from napari_slagseg.data import SlagsegError, Triple, VoxelSize
from napari_slagseg.segmentation.edits.carrying import Clash

CONFLICTS = "conflicts"
"""Files beside a journal: ``conflicts.json`` and ``conflicts.csv``."""

_SENTENCES = {
    "remainder": "Your particle {label} takes most of the new particle {partner}, of which "
    "{voxels:,} voxels are left beside it.",
    "cut": "Your particle {label} takes {voxels:,} voxels of the new particle {partner} beside it.",
    "background": "The new network sees background in {voxels:,} voxels of your particle {label}.",
    "found again": "The particle {label} that you deleted was found again, as {partner}; "
    "{voxels:,} voxels were made background.",
    "joined": "The new network joins your particle {label} with others of yours, in its particle "
    "{partner} of {voxels:,} voxels.",
    "overlap": "{voxels:,} voxels of your particle {label} belong to particle {partner}, which "
    "was settled in the new segmentation already, and were left to it.",
}


@dataclass(frozen=True)
class Conflict:
    """What was not decided without the user.

    Attributes
    ----------
    kind : str
        See `segmentation.edits.carrying.Clash`.
    label : int
        The user's particle, as it was called before.
    new_label : int
        As it is called now; 0 for one that was deleted.
    partner : int
        The particle of the new segmentation that it is about; 0 for none.
    voxels : int
    place : (z, y, x)
        A voxel to look at.
    place_um : (z, y, x)
    sentence : str
    """

    kind: str
    label: int
    new_label: int
    partner: int
    voxels: int
    place: Triple
    place_um: tuple[float, float, float]
    sentence: str


def told(clash: Clash, numbers: Mapping[int, int], voxel_size_um: VoxelSize) -> Conflict:
    """A clash in the user's words.

    Parameters
    ----------
    clash : Clash
    numbers : mapping of int to int
        What carried particles are called now.
    voxel_size_um : (z, y, x)
    """
    z, y, x = (round((p + 0.5) * s, 3) for p, s in zip(clash.place, voxel_size_um))
    return Conflict(
        kind=clash.kind,
        label=clash.label,
        new_label=0 if clash.kind == "found again" else numbers.get(clash.label, 0),
        partner=clash.partner,
        voxels=clash.voxels,
        place=clash.place,
        place_um=(z, y, x),
        sentence=_SENTENCES[clash.kind].format(**vars(clash)),
    )


def write_conflicts(folder: Path, conflicts: Sequence[Conflict]) -> None:
    """Write ``conflicts.json`` and ``conflicts.csv`` into a folder."""
    rows = [asdict(c) for c in conflicts]
    io.write_json(folder / f"{CONFLICTS}.json", rows)
    columns = ["kind", "label", "new_label", "partner", "voxels"]
    frame = pd.DataFrame(rows, columns=[*columns, "place", "place_um", "sentence"])
    for name, ends in (("place", "voxel"), ("place_um", "um")):
        for axis, letter in enumerate("zyx"):
            frame[f"{letter}_{ends}"] = [row[name][axis] for row in rows]
    frame = frame.drop(columns=["place", "place_um"])
    io.write_frame(folder / f"{CONFLICTS}.csv", frame)


def read_conflicts(folder: Path) -> tuple[Conflict, ...]:
    """Conflicts of a folder; none where nothing was carried over.

    Raises
    ------
    SlagsegError
        If the file is damaged.
    """
    path = folder / f"{CONFLICTS}.json"
    if not path.is_file():
        return ()
    try:
        return tuple(
            Conflict(**{**row, "place": tuple(row["place"]), "place_um": tuple(row["place_um"])})
            for row in io.read_json(path, "the list of conflicts")
        )
    except (TypeError, KeyError) as error:
        raise SlagsegError(f"{path} holds no list of conflicts ({error}). Delete it.") from error


__all__ = ["CONFLICTS", "Conflict", "read_conflicts", "told", "write_conflicts"]
