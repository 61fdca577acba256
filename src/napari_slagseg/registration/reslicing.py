"""Looking at a placement: the CT on the map's surface, and the error against a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from napari_slagseg.data import PlacedMap, SlagsegError


def reslice(
    volume: NDArray[np.generic], placed: PlacedMap, *, step: int = 1, order: int = 1
) -> NDArray[np.float32]:
    """CT sampled on the map's surface, in the map's own frame.

    Parameters
    ----------
    volume : (z, y, x) array
        CT, or labels with ``order=0``.
    placed : PlacedMap
    step : int
        Every so manieth map pixel.
    order : int
        Of the interpolation.

    Returns
    -------
    image : (rows / step, columns / step) float32
        NaN outside of the CT.
    """
    if placed.surface is None:
        raise SlagsegError(f"Map {placed.map_name} is not placed, so it has no surface to look at.")
    rows = np.arange(0, placed.map_shape[0], step, dtype=np.float64)
    columns = np.arange(0, placed.map_shape[1], step, dtype=np.float64)
    zyx = placed.surface.on_grid(rows, columns)
    return np.asarray(
        map_coordinates(
            np.asarray(volume),
            np.moveaxis(zyx, -1, 0),
            order=order,
            mode="constant",
            cval=np.nan,
            output=np.float32,
        )
    )


def placement_error(placed: PlacedMap, true_coordinates: NDArray[Any]) -> dict[str, float]:
    """Distance between placed and true positions of the map's pixels, in voxels.

    Parameters
    ----------
    placed : PlacedMap
    true_coordinates : (rows, columns, 3) array
        CT (z, y, x) voxel coordinates.

    Returns
    -------
    error : dict
        ``median``, ``p95``, ``worst`` over placed pixels inside the CT,
        ``share_within_1``, and ``share_placed`` of the pixels inside the CT; NaN
        for a refused map.
    """
    true = np.asarray(true_coordinates, dtype=np.float64)
    inside = np.all((true >= -0.5) & (true <= np.array(placed.ct_shape) - 0.5), axis=-1)
    found = placed.coordinates().astype(np.float64)
    distance = np.linalg.norm(found - true, axis=-1)[inside]
    known = np.isfinite(distance)
    if not known.any():
        nan = float("nan")
        return {"median": nan, "p95": nan, "worst": nan, "share_within_1": 0.0, "share_placed": 0.0}
    d = distance[known]
    return {
        "median": float(np.median(d)),
        "p95": float(np.percentile(d, 95)),
        "worst": float(d.max()),
        "share_within_1": float((d <= 1).mean()),
        "share_placed": float(known.mean()),
    }


__all__ = ["placement_error", "reslice"]
