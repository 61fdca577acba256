"""Grey images as maps to be placed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import GreyMap


def grey_map(
    grey: NDArray[np.float32],
    pixel_size_um: float,
    name: str,
    known: NDArray[np.bool_] | None = None,
) -> GreyMap:
    """A grey map, NaN where nothing is known."""
    if known is not None:
        grey = np.where(known, grey, np.nan)
    return GreyMap(grey.astype(np.float32), pixel_size_um, name)
