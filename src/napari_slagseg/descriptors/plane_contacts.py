"""The boundaries of phases in a plane, by partner: crossings of lines in four directions.

The length of a curve is its mean number of crossings by lines, over all directions
(Crofton). On a lattice of pixels those along rows, columns and both diagonals are counted; each
stands for the directions that are nearer to it than to another one. Lengths so measured add
up: what a phase shares with its partners is its whole boundary. The perimeter of Benkrid &
Crookes, which the other columns hold, does not.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, SECTION_CONTACT_COLUMNS

STEPS: tuple[tuple[int, int], ...] = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Steps (row, column) from one pixel to its eight neighbours, one of each opposite pair."""


def step_lengths(spacing: tuple[float, float]) -> NDArray[np.float64]:
    """Length of boundary that a pair of pixels along each of `STEPS` stands for.

    Parameters
    ----------
    spacing : (row, column)
        Edges of a pixel.

    Returns
    -------
    (4,) float64
        ``pi / 2 c A / |d|``: the step's share c of all directions, the area A of a pixel, the
        length of the step. Square pixels of edge 1: pi / 8 and, along diagonals, pi / 8 / 2^(1/2).

    Notes
    -----
    Large straight edges along an axis are measured at 0.948 of their length, along a
    diagonal at 0.948, at 22.5 degrees at 1.026; right on average over directions.
    """
    steps = np.array(STEPS, dtype=np.float64) * np.array(spacing)
    angles = np.arctan2(steps[:, 0], steps[:, 1])
    gaps = np.diff(np.append(angles, angles[0] + np.pi))
    shares = 0.5 * (gaps + np.roll(gaps, 1)) / np.pi
    lengths: NDArray[np.float64] = (
        0.5 * np.pi * shares * np.prod(spacing) / np.hypot(steps[:, 0], steps[:, 1])
    )
    return lengths


def plane_contacts(
    keys: NDArray[np.int32],
    slots: NDArray[np.integer],
    ids: NDArray[np.int64],
    present: NDArray[np.int64],
    spacing: tuple[float, float],
    section: int,
) -> pd.DataFrame:
    """Shared boundary of phases inside sections, and their boundary to the outside.

    Parameters
    ----------
    keys : (row, column) int32
        From `plane_keys`.
    slots : (row, column) integer
        Phase slot of each pixel.
    ids : (slots,) int64
        Phase id of each slot.
    present : (n,) int64
        Label of each key.
    spacing : (row, column)
        Edges of a pixel.
    section : int

    Returns
    -------
    DataFrame
        Columns `SECTION_CONTACT_COLUMNS`; rows in order of label, phase, partner.
    """
    n = len(ids)
    # one number a pixel: key and slot; a rim of nothing around the plane
    parts = np.pad(np.where(keys > 0, keys.astype(np.int64) * n + slots, 0), 1)
    found, pairs = [], []
    for number, (down, right) in enumerate(STEPS):
        rows, columns = parts.shape
        here = parts[: rows - down, max(0, -right) : columns - max(0, right)]
        there = parts[down:, max(0, right) : columns + min(0, right)]
        differ = here != there
        a, b = here[differ], there[differ]
        inside = a // n == b // n
        a_out, b_out = a[~inside], b[~inside]
        a, b = a[inside], b[inside]
        # twice n partners: the phases, and all outside as the last one
        codes = np.concatenate(
            [
                a * (n + 1) + b % n,
                b * (n + 1) + a % n,
                a_out[a_out > 0] * (n + 1) + n,
                b_out[b_out > 0] * (n + 1) + n,
            ]
        )
        code, count = np.unique(codes, return_counts=True)
        found.append(code)
        pairs.append((np.full(len(code), number), count))
    codes, at = np.unique(np.concatenate(found), return_inverse=True)
    counts = np.zeros((len(codes), len(STEPS)), dtype=np.int64)
    counts[at, np.concatenate([p[0] for p in pairs])] = np.concatenate([p[1] for p in pairs])
    part, partner = np.divmod(codes, n + 1)
    key, slot = np.divmod(part, n)
    partners = np.append(ids, BACKGROUND)[partner]
    labels, phases = present[key - 1], ids[slot]
    order = np.lexsort((partners, phases, labels))
    values = (
        np.full(len(codes), section, dtype=np.int64)[order],
        labels[order],
        phases[order],
        partners[order],
        (counts @ step_lengths(spacing))[order],
    )
    return pd.DataFrame(dict(zip(SECTION_CONTACT_COLUMNS, values, strict=True)))


__all__ = ["STEPS", "plane_contacts", "step_lengths"]
