"""Fields of a stitched map: which pixels they hold, and where the surface has these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FieldShift:
    """How far one field of a stitched map lies off its place in the map.

    Microscopes stitch maps from fields; a field that was put down wrongly shows
    what lies ``(row_shift, column_shift)`` pixels away on the polished surface.

    Attributes
    ----------
    row, column, height, width : int
        The field in map pixels.
    row_shift, column_shift : float
        Its pixel (r, c) lies where the surface has (r + row_shift, c + column_shift).
    """

    row: int
    column: int
    height: int
    width: int
    row_shift: float
    column_shift: float

    def holds_rows(self, rows: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Which of these map rows run through the field; pixels reach half a pixel around."""
        first = self.row - 0.5
        return np.asarray((rows >= first) & (rows < first + self.height))

    def holds_columns(self, columns: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Which of these map columns run through the field."""
        first = self.column - 0.5
        return np.asarray((columns >= first) & (columns < first + self.width))


def on_surface(
    fields: Sequence[FieldShift],
    rows: NDArray[np.floating[Any]],
    columns: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Map positions moved by the offset of the field that they lie in.

    Parameters
    ----------
    fields : sequence of FieldShift
        Empty for a map that counts as one piece.
    rows, columns : (n,) float64
        Map pixels.

    Returns
    -------
    rows, columns : (n,) float64
        Where the surface has them.
    """
    moved_rows, moved_columns = np.array(rows, np.float64), np.array(columns, np.float64)
    for f in fields:
        inside = f.holds_rows(rows) & f.holds_columns(columns)
        moved_rows[inside] += f.row_shift
        moved_columns[inside] += f.column_shift
    return moved_rows, moved_columns


__all__ = ["FieldShift", "on_surface"]
