"""The voxel under the mouse, in slices and in 3D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Triple, VolumeLike

if TYPE_CHECKING:
    from napari.layers import Labels


def voxel_under(layer: Labels, particles: VolumeLike, event: Any, label: int = 0) -> Triple | None:
    """Voxel of the volume under the mouse; None beside the volume.

    Parameters
    ----------
    layer : Labels
        With the particles.
    particles : (z, y, x) VolumeLike
        The same at full resolution.
    event
        Of the mouse.
    label : int
        In 3D: the particle that is meant, which others may hide; 0 for the first one that the
        line of sight meets. None if it meets none.
    """
    if len(event.dims_displayed) < 3:
        return _inside(np.rint(layer.world_to_data(event.position)[-3:]), particles.shape)
    start, end = layer.get_ray_intersections(
        event.position, event.view_direction, list(event.dims_displayed)
    )
    if start is None or end is None:
        return None
    return _first_met(layer, particles, start[-3:], end[-3:], label)


def _inside(voxel: NDArray[Any], shape: Sequence[int]) -> Triple | None:
    z, y, x = (int(v) for v in voxel)
    return (z, y, x) if all(0 <= v < n for v, n in zip((z, y, x), shape)) else None


def _first_met(
    layer: Labels, particles: VolumeLike, start: NDArray[Any], end: NDArray[Any], label: int
) -> Triple | None:
    data = layer.data[-1] if layer.multiscale else layer.data
    shown = np.asarray(data)
    step = np.divide(particles.shape, shown.shape)
    # half a voxel of the level that is shown, so that thin parts are met
    count = max(2, int(2 * np.linalg.norm((end - start) / step)) + 1)
    line = start + np.linspace(0, 1, count)[:, None] * (end - start)
    at = np.floor((line + 0.5) / step).astype(int)
    at = at[np.all((at >= 0) & (at < shown.shape), axis=1)]
    values = shown[tuple(at.T)]
    met = np.flatnonzero(values == label if label else values)
    if not len(met):
        return None
    found, centre = int(values[met[0]]), (at[met[0]] + 0.5) * step - 0.5
    # the level leaves voxels out: the nearest one of that particle at full resolution
    reach = np.ceil(step).astype(int)
    low = np.maximum(np.floor(centre).astype(int) - reach, 0)
    high = np.minimum(np.ceil(centre).astype(int) + reach + 1, particles.shape)
    near = np.argwhere(particles[tuple(slice(a, b) for a, b in zip(low, high))] == found) + low
    if not len(near):
        return None
    return _inside(near[np.argmin(((near - centre) ** 2).sum(axis=1))], particles.shape)


def line_of_voxels(places: Sequence[Sequence[float]]) -> list[Triple]:
    """Voxels that a line through places meets, in order, each once.

    Examples
    --------
    >>> line_of_voxels([(3, 0, 0), (3, 2, 1)])
    [(3, 0, 0), (3, 1, 0), (3, 2, 1)]
    """
    found: dict[Triple, None] = {}
    points = [np.asarray(p, dtype=float) for p in places]
    for a, b in zip(points, points[1:] or points):
        count = int(np.ceil(np.abs(b - a).max())) + 1
        for at in np.rint(np.linspace(a, b, count)).astype(int):
            found[(int(at[0]), int(at[1]), int(at[2]))] = None
    return list(found)


__all__ = ["line_of_voxels", "voxel_under"]
