"""Sums over the pixels of each particle section in one plane.

The perimeter is that of Benkrid & Crookes 2000, as `skimage.measure.perimeter`
computes it on one section alone: a border pixel counts by the border pixels of
*the same section* around it, so sections that touch do not disturb each other.

Where pixels are not square, the same three cases hold and the two links of a
border pixel get their true lengths (choice): two straight ones, two diagonal
ones or one of each. For square pixels this is scikit-image's number. A disc of 100
um radius reads 5.3 % long on square pixels of 1 um, 6.3 % at 1.5 : 1, 8.4 % at 2 : 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray


@dataclass(frozen=True)
class PlaneSums:
    """Sums over the pixels of each section; row i belongs to key i + 1.

    Attributes
    ----------
    counts : (n, phases + 2) int64
        Pixels by phase slot.
    moments : (n, 2) int64
        Sums of row and column indices.
    low, high : (n, 2) int32
        Bounding box, both ends inside.
    boundary : (n, phases + 2) int64
        Boundary pixels (4-neighbourhood) by phase slot.
    eroded : (n, phases + 2) int64
        The same after erosion; zeros where a section vanished or none was asked for.
    perimeter, target_perimeter, rest_perimeter : (n,) float64
        Of the section, its target pixels and its other pixels.
    """

    counts: NDArray[np.int64]
    moments: NDArray[np.int64]
    low: NDArray[np.int32]
    high: NDArray[np.int32]
    boundary: NDArray[np.int64]
    eroded: NDArray[np.int64]
    perimeter: NDArray[np.float64]
    target_perimeter: NDArray[np.float64]
    rest_perimeter: NDArray[np.float64]


@njit(cache=True, nogil=True)
def _mark_border(keys, eight, border):  # type: ignore[no-untyped-def]
    """Pixels with a neighbour of another key; outside the plane is another key."""
    height, width = keys.shape
    for r in range(height):
        for c in range(width):
            key = keys[r, c]
            if key == 0:
                border[r, c] = False
            elif r == 0 or c == 0 or r == height - 1 or c == width - 1:
                border[r, c] = True
            else:
                differs = (
                    keys[r - 1, c] != key
                    or keys[r + 1, c] != key
                    or keys[r, c - 1] != key
                    or keys[r, c + 1] != key
                )
                if eight and not differs:
                    differs = (
                        keys[r - 1, c - 1] != key
                        or keys[r - 1, c + 1] != key
                        or keys[r + 1, c - 1] != key
                        or keys[r + 1, c + 1] != key
                    )
                border[r, c] = differs


@njit(cache=True, nogil=True)
def _add_perimeters(keys, border, row_edge, column_edge, total):  # type: ignore[no-untyped-def]
    """Add the length of each border pixel to its key."""
    height, width = keys.shape
    diagonal = np.sqrt(row_edge * row_edge + column_edge * column_edge)
    for r in range(height):
        for c in range(width):
            if not border[r, c]:
                continue
            key = keys[r, c]
            along_rows = 0
            along_columns = 0
            diagonals = 0
            for dr in range(-1, 2):
                for dc in range(-1, 2):
                    a = r + dr
                    b = c + dc
                    if (
                        (dr == 0 and dc == 0)
                        or a < 0
                        or b < 0
                        or a >= height
                        or b >= width
                        or not border[a, b]
                        or keys[a, b] != key
                    ):
                        continue
                    if dr == 0:
                        along_columns += 1
                    elif dc == 0:
                        along_rows += 1
                    else:
                        diagonals += 1
            straight = along_rows + along_columns
            if straight:
                step = (along_rows * row_edge + along_columns * column_edge) / straight
            else:
                step = 0.0
            # the codes of Benkrid & Crookes: 1 + 2 straight + 10 diagonals
            code = 1 + 2 * straight + 10 * diagonals
            if code in (5, 7, 15, 17, 25, 27):
                total[key] += step
            elif code in (21, 33):
                total[key] += diagonal
            elif code in (13, 23):
                total[key] += 0.5 * (step + diagonal)


@njit(cache=True, nogil=True)
def _sum_plane(  # type: ignore[no-untyped-def]
    keys, phases, slot_of, target, layers, row_edge, column_edge, eight,
    counts, moments, box, boundary, eroded, perimeter, part_perimeter,
):  # fmt: skip
    height, width = keys.shape
    border = np.empty((height, width), dtype=np.bool_)
    _mark_border(keys, False, border)
    parts = np.empty((height, width), dtype=np.int32)
    for r in range(height):
        for c in range(width):
            key = keys[r, c]
            if key == 0:
                parts[r, c] = 0
                continue
            row = key - 1
            slot = slot_of[phases[r, c]]
            rest = 0 if slot == target else 1
            parts[r, c] = 2 * row + 1 + rest
            counts[row, slot] += 1
            moments[row, 0] += r
            moments[row, 1] += c
            box[row, 0] = min(box[row, 0], r)
            box[row, 1] = min(box[row, 1], c)
            box[row, 2] = max(box[row, 2], r)
            box[row, 3] = max(box[row, 3], c)
            if border[r, c]:
                boundary[row, slot] += 1
    if layers > 0:
        depth = np.zeros((height, width), dtype=np.uint8)
        for r in range(height):
            for c in range(width):
                if border[r, c]:
                    depth[r, c] = 1
        for layer in range(2, layers + 2):
            before = layer - 1
            for r in range(1, height - 1):
                for c in range(1, width - 1):
                    if (
                        keys[r, c]
                        and depth[r, c] == 0
                        and (
                            depth[r - 1, c] == before
                            or depth[r + 1, c] == before
                            or depth[r, c - 1] == before
                            or depth[r, c + 1] == before
                        )
                    ):
                        depth[r, c] = layer
                        if layer == layers + 1:
                            row = keys[r, c] - 1
                            eroded[row, slot_of[phases[r, c]]] += 1
    if eight:
        _mark_border(keys, True, border)
    _add_perimeters(keys, border, row_edge, column_edge, perimeter)
    _mark_border(parts, eight, border)
    _add_perimeters(parts, border, row_edge, column_edge, part_perimeter)


def plane_sums(
    keys: NDArray[np.int32],
    phases: NDArray[np.integer],
    slot_of: NDArray[np.int32],
    target_slot: int,
    n: int,
    spacing: tuple[float, float],
    *,
    layers: int = 0,
    neighborhood: int = 4,
) -> PlaneSums:
    """Sum over the pixels of the sections with keys 1 to `n` (0 is background)."""
    counts = np.zeros((n, int(slot_of.max()) + 1), dtype=np.int64)
    moments = np.zeros((n, 2), dtype=np.int64)
    box = np.empty((n, 4), dtype=np.int32)
    box[:, :2] = np.iinfo(np.int32).max
    box[:, 2:] = -1
    boundary = np.zeros_like(counts)
    eroded = np.zeros_like(counts)
    perimeter = np.zeros(n + 1)
    part_perimeter = np.zeros(2 * n + 1)
    _sum_plane(
        keys, phases, slot_of, target_slot, layers, spacing[0], spacing[1], neighborhood == 8,
        counts, moments, box, boundary, eroded, perimeter, part_perimeter,
    )  # fmt: skip
    return PlaneSums(
        counts=counts,
        moments=moments,
        low=box[:, :2],
        high=box[:, 2:],
        boundary=boundary,
        eroded=eroded,
        perimeter=perimeter[1:],
        target_perimeter=part_perimeter[1::2],
        rest_perimeter=part_perimeter[2::2],
    )


__all__ = ["PlaneSums", "plane_sums"]
