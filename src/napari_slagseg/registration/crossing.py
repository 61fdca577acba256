"""Cuts of one sample lie above each other: two that cross cannot both be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import PlacedMap, PlacementSurface

CLEARLY_VOXELS = 3.0
"""Surfaces cross if each lies above the other by this much somewhere."""

_LATTICE = 25


def cross(a: PlacedMap, b: PlacedMap) -> bool:
    """Whether the surfaces of two placements pass through each other inside the CT.

    Heights are compared where both maps lie, as quadratic functions of (y, x).
    """
    if a.surface is None or b.surface is None:
        return False
    low = np.maximum(*(s.zyx[..., 1:].min(axis=(0, 1)) for s in (a.surface, b.surface)))
    high = np.minimum(*(s.zyx[..., 1:].max(axis=(0, 1)) for s in (a.surface, b.surface)))
    low, high = np.maximum(low, 0), np.minimum(high, np.array(a.ct_shape[1:]) - 1)
    if np.any(high <= low):
        return False
    axes = [np.linspace(lo, hi, _LATTICE) for lo, hi in zip(low, high)]
    y, x = (g.ravel() for g in np.meshgrid(*axes, indexing="ij"))
    apart = _heights(a.surface, y, x) - _heights(b.surface, y, x)
    return bool(apart.max() > CLEARLY_VOXELS and apart.min() < -CLEARLY_VOXELS)


def _heights(
    surface: PlacementSurface, y: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    zyx = surface.zyx.reshape(-1, 3)
    middle = zyx.mean(axis=0)

    def terms(v: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
        v, u = (v - middle[1]) / 100.0, (u - middle[2]) / 100.0
        return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)

    fitted, *_ = np.linalg.lstsq(terms(zyx[:, 1], zyx[:, 2]), zyx[:, 0], rcond=None)
    return np.asarray(terms(y, x) @ fitted, np.float64)


def with_crossings(placed: Sequence[PlacedMap], others: Sequence[PlacedMap]) -> list[PlacedMap]:
    """Placements that cross another one, with a warning that names it.

    Parameters
    ----------
    placed : sequence of PlacedMap
        Those that may be given a warning.
    others : sequence of PlacedMap
        Further ones of the sample.

    Returns
    -------
    list of PlacedMap
        Only those that are warned of.
    """
    found = []
    everyone = [p for p in (*placed, *others) if p.placed]
    for p in placed:
        names = [o.map_name for o in everyone if o.map_name != p.map_name and cross(p, o)]
        if p.placed and names:
            text = (
                f"Its surface crosses that of {' and '.join(names)}, which two cuts of one sample "
                "cannot do: one of them is probably in the wrong place."
            )
            found.append(replace(p, reason=f"{p.reason} {text}".strip()))
    return found


__all__ = ["cross", "with_crossings"]
