"""Where the pixels of a stitched map lie on its surface."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import FieldShift
from napari_slagseg.registration.pyramid import FloatArray


def on_surface(
    fields: Sequence[FieldShift], rows: FloatArray, columns: FloatArray
) -> tuple[FloatArray, FloatArray]:
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
        inside = _within(rows, f.row, f.height) & _within(columns, f.column, f.width)
        moved_rows[inside] += f.row_shift
        moved_columns[inside] += f.column_shift
    return moved_rows, moved_columns


def _within(places: FloatArray, first: int, count: int) -> NDArray[np.bool_]:
    return np.asarray((places >= first - 0.5) & (places < first + count - 0.5))


__all__ = ["on_surface"]
