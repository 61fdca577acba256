"""How far labels near a boundary can be trusted, given how uncertain the map's place is."""

from __future__ import annotations

import edt
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.special import erf

from napari_slagseg.data import UNKNOWN


def border_trust(
    labels: NDArray[np.integer], uncertainty: NDArray[np.floating]
) -> NDArray[np.float32]:
    """How much better than a guess a label is: 0 on a boundary, 1 far from all of them.

    A boundary at the distance d is carried across the pixel if the map is misplaced by
    more than d along the boundary's normal. The stated uncertainty u is that of the
    distance in space, so along one direction it is s = u / sqrt(3). The label is right
    with the probability p = (1 + erf(d / (sqrt(2) s))) / 2, and

        trust = 2 p - 1 = erf(d / (sqrt(2) s)).

    Parameters
    ----------
    labels : (rows, columns) integers
        At CT pitch; -1 where nothing is known, which makes no boundary.
    uncertainty : (rows, columns) float
        In pixels of `labels`; NaN or 0 leaves the label as it is.

    Returns
    -------
    trust : (rows, columns) float32
        From 0 to 1.
    """
    known = labels != UNKNOWN
    if not known.any():
        return np.ones(labels.shape, dtype=np.float32)
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = labels[tuple(nearest)]
    # from centre to centre of the next pixel that differs: the boundary is half a pixel nearer
    apart = edt.edt(np.ascontiguousarray(filled - filled.min() + 1, np.uint32), black_border=False)
    distance = np.maximum(np.where(np.isfinite(apart), apart, np.inf) - 0.5, 0.0)
    spread = np.asarray(uncertainty, np.float64) / np.sqrt(3.0)
    sure = ~(spread > 0)
    trust = erf(distance / (np.sqrt(2.0) * np.where(sure, 1.0, spread)))
    return np.where(sure, 1.0, trust).astype(np.float32)


__all__ = ["border_trust"]
