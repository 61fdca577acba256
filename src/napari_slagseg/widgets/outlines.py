"""Cutouts as line segments over the map, coloured by how sure their place is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Cutout

GRADE_COLOURS = {"good": "#009e73", "doubtful": "#e69f00", "bad": "#d55e00", "unknown": "#9a9a9a"}
LOCKED_COLOUR = "#0072b2"
LOCKED_TEXT_COLOUR = "#56b4e9"
"""As text on a dark ground the blue of the frames cannot be read."""

CHOSEN_COLOUR = "#ffffff"

DASHES = 7
"""Dashes along each side of a rejected cutout's frame."""


@dataclass(frozen=True)
class Segments:
    """Lines for a napari Vectors layer.

    Attributes
    ----------
    lines : (n, 2, 2) float64
        Start (row, column) and extent, in map pixels.
    colours : list of str
        One a line.
    """

    lines: NDArray[np.float64]
    colours: list[str]


def colour_of(cutout: Cutout) -> str:
    """Blue where the user locked it, else by its grade."""
    return LOCKED_COLOUR if cutout.state == "locked" else GRADE_COLOURS[cutout.grade]


def text_colour_of(cutout: Cutout) -> str:
    """As `colour_of`, to be read."""
    return LOCKED_TEXT_COLOUR if cutout.state == "locked" else GRADE_COLOURS[cutout.grade]


def frames(cutouts: Sequence[Cutout]) -> NDArray[np.float64]:
    """Frame of each cutout: its own cell where cutouts overlap.

    Cutouts overlap by two thirds, and their whole outlines would be a thicket. The
    frame is the part that is nearer to this cutout's middle than to its neighbours',
    a little smaller, so that frames of different colours lie beside each other; the
    outermost cutouts reach to their own outer edges.

    Returns
    -------
    frames : (n, 4) float64
        First row, first column, last row, last column.
    """
    if not cutouts:
        return np.zeros((0, 4))
    size = np.array([[c.height, c.width] for c in cutouts], float)
    middle = np.array([[c.row, c.column] for c in cutouts]) + (size - 1) / 2
    before, after = size / 2, size / 2
    for axis in range(2):
        places = np.unique(np.round(middle[:, axis], 3))
        gaps = np.diff(places)
        gaps = gaps[gaps > 1]
        if len(gaps):
            half = np.minimum(size[:, axis] / 2, float(np.median(gaps)) / 2)
            first = middle[:, axis] <= places[0] + 0.5
            last = middle[:, axis] >= places[-1] - 0.5
            before[:, axis] = np.where(first, before[:, axis], half)
            after[:, axis] = np.where(last, after[:, axis], half)
    inset = 0.03 * np.minimum(before, after)
    return np.concatenate([middle - before + inset, middle + after - inset], axis=1)


def whole(cutouts: Sequence[Cutout]) -> NDArray[np.float64]:
    """Whole extent of each cutout, as `frames` gives its cell."""
    rows = [(c.row, c.column, c.row + c.height - 1, c.column + c.width - 1) for c in cutouts]
    return np.array(rows, float).reshape(-1, 4)


def rectangle(frame: NDArray[np.float64], dashes: int = 0) -> NDArray[np.float64]:
    """Four sides of a frame, or so many dashes along each, as (n, 2, 2) lines."""
    top, left, bottom, right = frame
    corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
    sides = np.roll(corners, -1, axis=0) - corners
    if not dashes:
        return np.stack([corners, sides], axis=1)
    starts = np.arange(dashes) / dashes
    at = corners[:, None] + starts[None, :, None] * sides[:, None]
    dash = np.broadcast_to(sides[:, None] * (0.55 / dashes), at.shape)
    return np.stack([at, dash], axis=2).reshape(-1, 2, 2)


def cutout_lines(cutouts: Sequence[Cutout], state: str) -> Segments:
    """Frames of all cutouts in a state: dashed where they are rejected."""
    lines, colours = [], []
    for cutout, frame in zip(cutouts, frames(cutouts)):
        if cutout.state == state:
            sides = rectangle(frame, DASHES if state == "rejected" else 0)
            lines.append(sides)
            colours += [colour_of(cutout)] * len(sides)
    return Segments(np.concatenate(lines) if lines else np.zeros((0, 2, 2)), colours)


def chosen_lines(cutouts: Sequence[Cutout], chosen: Sequence[int]) -> Segments:
    """Whole outlines of the chosen cutouts."""
    sides = [rectangle(f) for f in whole([cutouts[i] for i in chosen])]
    lines = np.concatenate(sides) if sides else np.zeros((0, 2, 2))
    return Segments(lines, [CHOSEN_COLOUR] * len(lines))


__all__ = [
    "CHOSEN_COLOUR",
    "DASHES",
    "GRADE_COLOURS",
    "LOCKED_COLOUR",
    "LOCKED_TEXT_COLOUR",
    "Segments",
    "chosen_lines",
    "colour_of",
    "cutout_lines",
    "frames",
    "rectangle",
    "text_colour_of",
    "whole",
]
