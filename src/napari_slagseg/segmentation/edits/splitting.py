"""Split a merged particle by one point in each of its parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, Triple
from napari_slagseg.segmentation.edits.climbing import LONGEST_WAY, climb
from napari_slagseg.segmentation.edits.dividing import depths, flood, numbered
from napari_slagseg.segmentation.edits.edited import (
    Edited,
    Point,
    check_box,
    check_new_labels,
    particle,
    voxel,
)


def split(
    labels: NDArray[np.uint32], label: int, points: Sequence[Point], new_labels: Sequence[int]
) -> Edited:
    """Divide a particle into one piece per point.

    A watershed of the distance to the background, from the points (the interactive
    splitting of Gotkowski et al. 2024, ParticleSeg3D, 3.1, with the particle's own necks
    in place of a drawn border). A point need not be in the middle of its part: it first climbs
    to where the particle is deepest around (see `climb`). Points that climb to the
    same place have no neck between them; what they share is divided halfway between them.
    Distances are in voxels.

    Parameters
    ----------
    labels : (z, y, x) uint32
        A box that holds the whole particle.
    label : int
        Particle to divide.
    points : sequence of (z, y, x)
        Two or more different voxels of the particle, in the box.
    new_labels : sequence of int
        Numbers for all pieces but the largest, which keeps `label`; in the order of points.

    Returns
    -------
    Edited
        The pieces together are the particle as it was; each holds its point and is connected
        by faces. Voxels of a particle that was not connected, which no point reaches, keep
        `label`; a note says so.

    Raises
    ------
    SlagsegError
        If there are fewer than two points, two are the same voxel, one is outside
        the particle, or the new numbers do not fit.
    """
    check_box(labels)
    box, inside = particle(labels, label)
    places = _places(labels, label, points)
    check_new_labels(labels, new_labels, len(points) - 1)
    local = [(z - box[0].start, y - box[1].start, x - box[2].start) for z, y, x in places]
    return numbered(labels, label, new_labels, box, _pieces(inside, local))


def _places(labels: NDArray[np.uint32], label: int, points: Sequence[Point]) -> list[Triple]:
    if len(points) < 2:
        raise SlagsegError(
            f"Particle {label} was given {len(points)} point(s) to be split by; "
            "put one into each of its parts, two or more in all."
        )
    places: list[Triple] = []
    for number, point in enumerate(points, start=1):
        at = voxel(point, labels.shape)
        there = int(labels[at])
        if there != label:
            where = f"in particle {there}" if there else "in the background"
            raise SlagsegError(
                f"Point {number} at {at} lies {where}, not in particle {label}; "
                "move it into the particle or remove it."
            )
        if at in places:
            raise SlagsegError(
                f"Points {places.index(at) + 1} and {number} are the same voxel; "
                "move one of them into the other part, or remove it."
            )
        places.append(at)
    return places


def _pieces(inside: NDArray[np.bool_], points: Sequence[Triple]) -> NDArray[np.uint32]:
    """Number of its point, from 1, at each voxel; 0 outside and where none reaches."""
    depth = depths(inside)
    markers = np.zeros(inside.shape, dtype=np.uint32)
    flat = markers.reshape(-1)
    group = list(range(len(points) + 1))
    way = np.empty(LONGEST_WAY, dtype=np.int32)
    for number, point in enumerate(points, start=1):
        steps = way[: climb(depth, np.array(point, dtype=np.int64), way)]
        for met in np.unique(flat[steps]):
            if met:
                old, new = sorted((group[met], group[number]))
                group = [old if g == new else g for g in group]
        flat[steps[flat[steps] == 0]] = number
    markers = np.array(group, dtype=np.uint32)[markers]
    if len(set(group[1:])) == 1:
        return _halfway(inside, np.array(points))
    basins = flood(inside, depth, markers)
    pieces = basins.copy()
    for first in {g for g in group[1:] if group.count(g) > 1}:
        members = [number for number in range(1, len(points) + 1) if group[number] == first]
        box, shared = particle(basins, first, margin=0)
        local = [np.subtract(points[number - 1], [b.start for b in box]) for number in members]
        halves = _halfway(shared, np.array(local))
        table = np.array([0, *members], dtype=np.uint32)
        np.copyto(pieces[box], table[halves], where=shared)
    return pieces


def _halfway(inside: NDArray[np.bool_], points: NDArray[np.intp]) -> NDArray[np.uint32]:
    """Divide a connected part of a particle halfway between points that no neck separates."""
    markers = np.zeros(inside.shape, dtype=np.uint32)
    markers[tuple(points.T)] = np.arange(1, len(points) + 1)
    away = _from_halfway(inside, points.astype(np.float64))
    return flood(inside, away, markers)


@njit(cache=True, nogil=True)
def _from_halfway(inside: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Distance to the plane halfway between a voxel's two nearest points."""
    away = np.zeros(inside.shape, dtype=np.float32)
    depth, rows, columns = inside.shape
    apart = np.empty((len(points), len(points)))
    for i in range(len(points)):
        for j in range(len(points)):
            apart[i, j] = 2 * np.sqrt(((points[i] - points[j]) ** 2).sum())
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                if not inside[z, y, x]:
                    continue
                near, next_ = np.inf, np.inf
                first, second = 0, 0
                for k in range(len(points)):
                    d = (points[k, 0] - z) ** 2 + (points[k, 1] - y) ** 2 + (points[k, 2] - x) ** 2
                    if d < near:
                        next_, second = near, first
                        near, first = d, k
                    elif d < next_:
                        next_, second = d, k
                away[z, y, x] = (next_ - near) / apart[first, second]
    return away


__all__ = ["split"]
