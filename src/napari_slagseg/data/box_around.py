"""The smallest box around what is set in a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.blocks import Box


def box_around(inside: NDArray[np.bool_], margin: int = 1) -> Box | None:
    """The smallest box around what is set with a margin, as far as the array reaches.

    Parameters
    ----------
    inside : (z, y, x) bool
    margin : int
        Voxels.

    Returns
    -------
    Box or None
        None where nothing is set.
    """
    cut = []
    for axis, others in enumerate(((1, 2), (0, 2), (0, 1))):
        where = np.flatnonzero(inside.any(axis=others))
        if not len(where):
            return None
        low, high = int(where[0]) - margin, int(where[-1]) + 1 + margin
        cut.append(slice(max(0, low), min(inside.shape[axis], high)))
    return cut[0], cut[1], cut[2]


__all__ = ["box_around"]
