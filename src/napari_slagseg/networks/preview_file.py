"""What a training shows of itself while it runs: small boxes of its prediction, in a file.

This file needs no torch, so that a window can read what a training in another process wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, Triple
from napari_slagseg.io import atomic_file, read_json, write_json
from napari_slagseg.io.npy import read_npy

BOXES = "preview.json"
VALUES = "preview.npy"

EDGES: Triple = (64, 96, 96)
"""Of a box, in voxels."""

MOST_BOXES = 3

MOST_OF_THE_TIME = 0.05
"""Share of a training's time that its preview may take."""


@dataclass(frozen=True)
class PreviewBoxes:
    """Where a training is to show what it predicts.

    Attributes
    ----------
    starts : tuple of (z, y, x)
        First voxels of boxes of `EDGES`.
    share : float
        Of the time of the training that may be spent on it.
    """

    starts: tuple[Triple, ...]
    share: float = MOST_OF_THE_TIME

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise SlagsegError(f"The preview's share of the time is {self.share}, not in (0, 1].")


@dataclass(frozen=True)
class Preview:
    """What a training predicts in its boxes.

    Attributes
    ----------
    starts : tuple of (z, y, x)
        First voxels of the boxes.
    before, now : (boxes, z, y, x) uint8
        0 to 255 for foreground probabilities 0 to 1, with the weights that the training began
        with and with those that it has now.
    """

    starts: tuple[Triple, ...]
    before: NDArray[np.uint8]
    now: NDArray[np.uint8]


def boxes_around(
    places: NDArray[np.int64], shape: Triple, most: int = MOST_BOXES
) -> tuple[Triple, ...]:
    """Boxes that hold most of the places, one after the other.

    Parameters
    ----------
    places : (n, 3) int64
        Voxels (z, y, x).
    shape : (z, y, x)
        Of the volume.
    most : int
        Boxes.

    Returns
    -------
    tuple of (z, y, x)
        First voxels of boxes of `EDGES`, inside the volume where it is large enough.
    """
    found: list[Triple] = []
    left = places
    while len(left) and len(found) < most:
        _cells, which, counts = np.unique(
            left // np.array(EDGES), axis=0, return_inverse=True, return_counts=True
        )
        fullest = int(counts.argmax())
        middle = left[which.reshape(-1) == fullest].mean(axis=0)
        z, y, x = (
            min(max(round(float(m)) - e // 2, 0), max(n - e, 0))
            for m, e, n in zip(middle, EDGES, shape)
        )
        start = (z, y, x)
        if start in found:
            break
        found.append(start)
        inside = np.all((left >= start) & (left < np.add(start, EDGES)), axis=1)
        left = left[~inside]
    return tuple(found)


def write_boxes(folder: Path, starts: tuple[Triple, ...]) -> None:
    """Say where the boxes are."""
    write_json(folder / BOXES, {"starts": [list(start) for start in starts]})


def write_values(folder: Path, before: NDArray[np.uint8], now: NDArray[np.uint8]) -> None:
    """Store what is predicted; a reader finds the old or the new, whole."""
    with atomic_file(folder / VALUES) as temporary:
        np.save(temporary, np.stack([before, now]), allow_pickle=False)


def read_preview(folder: Path) -> Preview | None:
    """The preview of the training in a folder; None where there is none.

    Raises
    ------
    SlagsegError
        If it is damaged.
    """
    if not ((folder / BOXES).is_file() and (folder / VALUES).is_file()):
        return None
    content = read_json(folder / BOXES, "the places of a preview")
    values = np.array(read_npy(folder / VALUES).data)
    starts = tuple((int(z), int(y), int(x)) for z, y, x in content["starts"])
    if values.ndim != 5 or values.dtype != np.uint8 or values.shape[:2] != (2, len(starts)):
        raise SlagsegError(
            f"{folder / VALUES} holds {values.shape} values of type {values.dtype}, which are no "
            f"preview of {len(starts)} boxes. Delete it; the training writes it anew."
        )
    return Preview(starts, values[0], values[1])


__all__ = [
    "EDGES",
    "MOST_BOXES",
    "MOST_OF_THE_TIME",
    "Preview",
    "PreviewBoxes",
    "boxes_around",
    "read_preview",
    "write_boxes",
    "write_values",
]
