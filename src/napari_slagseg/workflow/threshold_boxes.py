"""Boxes around known voxels that a marker threshold is chosen on, in volumes too large to try."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import GroundTruth
from napari_slagseg.data.blocks import Box, Triple

MOST_VOXELS = 32_000_000
"""Voxels of all boxes together; volumes up to this size are taken whole."""

CELL = 128
"""Edge of the cells that the known voxels of one box lie in."""

MARGIN = 32
"""Voxels around the known voxels of a cell, so that particles are seen as they are in 3D."""


@dataclass(frozen=True)
class KnownBox:
    """A part of a volume and the voxels in it whose particle is known.

    Attributes
    ----------
    box : Box
        In the volume.
    voxels : (n,) int64
        Flat indices within the box of all its known voxels.
    particles : (n,) int64
        Their particles; 0 background.
    own : (n,) bool
        Which lie in the box's cell, the others in its margin.
    """

    box: Box
    voxels: NDArray[np.int64]
    particles: NDArray[np.int64]
    own: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Voxels of the box."""
        return math.prod(b.stop - b.start for b in self.box)

    def compared(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What is compared of a box: labels found and particles, in its cell.

        What the cell's border cuts off is no error of anyone, so it is left out (-1): particles
        that lie in the margin with more than half of their voxels in the box; and labels that
        reach over from the margin where none of the cell's particles is.

        Parameters
        ----------
        labels : (n,) int64
            Of the box's known voxels; 0 background.

        Returns
        -------
        found, wanted : (m,) int64
        """
        particles = self.particles.copy()
        numbers, which, counts = np.unique(particles, return_inverse=True, return_counts=True)
        inside = np.bincount(which, weights=self.own, minlength=len(numbers))
        particles[((numbers > 0) & (2 * inside < counts))[which]] = -1
        found = labels.copy()
        over = np.unique(labels[~self.own])
        at_home = np.unique(labels[self.own & (particles > 0)])
        strangers = np.setdiff1d(over[over > 0], at_home)
        found[np.isin(labels, strangers)] = -1
        return found[self.own], particles[self.own]


def known_boxes(truth: GroundTruth, most: int = MOST_VOXELS) -> list[KnownBox]:
    """The whole volume if it is small, else boxes spread over the maps.

    The volume is cut into cells of edge `CELL`. The known voxels of a cell, with `MARGIN` voxels
    around them, are a box: flat where the map lies flat. Of the cells of each map that hold at
    least half as many known voxels as its fullest, so many are taken, evenly spaced, that all
    boxes together have no more than `most` voxels (but one box at least). The boxes depend on
    the ground truth alone, not on how a volume is stored or predicted.

    Parameters
    ----------
    truth : GroundTruth
        At least one voxel of known particle.
    most : int

    Returns
    -------
    list of KnownBox
        In the order of their cells.
    """
    known = truth.particles >= 0
    voxels, particles = truth.voxels[known], truth.particles[known].astype(np.int64)
    shape = truth.shape
    if math.prod(shape) <= most:
        whole = (slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2]))
        return [KnownBox(whole, voxels, particles, np.ones(len(voxels), dtype=bool))]
    places = np.stack(np.unravel_index(voxels, shape), axis=1)
    counts = tuple(-(-n // CELL) for n in shape)
    cells = np.ravel_multi_index(tuple((places // CELL).T), counts)
    order = np.argsort(cells, kind="stable")
    numbers, first = np.unique(cells[order], return_index=True)
    members = dict(zip(numbers.tolist(), np.split(order, first[1:])))
    boxes = {cell: _box_around(places[which], shape) for cell, which in members.items()}
    chosen: list[KnownBox] = []
    for cell in _spread(cells, truth.map_index[known], boxes, most):
        box = boxes[cell]
        low, high = np.array([[b.start, b.stop] for b in box]).T
        which = np.flatnonzero(((places >= low) & (places < high)).all(axis=1))
        local = places[which] - low
        inner = tuple(b.stop - b.start for b in box)
        flat = np.ravel_multi_index(tuple(local.T), inner).astype(np.int64)
        chosen.append(KnownBox(box, flat, particles[which], cells[which] == cell))
    return chosen


def _box_around(places: NDArray[np.int64], shape: Triple) -> Box:
    low = np.maximum(places.min(axis=0) - MARGIN, 0)
    high = np.minimum(places.max(axis=0) + 1 + MARGIN, shape)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high))
    return (z, y, x)


def _spread(
    cells: NDArray[np.int64], maps: NDArray[np.int16], boxes: dict[int, Box], most: int
) -> list[int]:
    """Cells to take, of every map about as many voxels."""
    full: list[list[int]] = []
    for number in np.unique(maps):
        found, counts = np.unique(cells[maps == number], return_counts=True)
        full.append([int(c) for c in found[2 * counts >= counts.max()]])
    # the finest even spacing that fits
    for per_map in range(max(len(cells_) for cells_ in full), 0, -1):
        chosen = sorted({cell for cells_ in full for cell in _even(cells_, per_map)})
        if sum(math.prod(b.stop - b.start for b in boxes[c]) for c in chosen) <= most:
            return chosen
    # not even one of each map: as many of them as fit
    chosen, left = [], most
    for cell in sorted({_even(cells_, 1)[0] for cells_ in full}):
        left -= math.prod(b.stop - b.start for b in boxes[cell])
        if left >= 0 or not chosen:
            chosen.append(cell)
    return chosen


def _even(cells: list[int], count: int) -> list[int]:
    if count >= len(cells):
        return cells
    at = (np.arange(count) + 0.5) * len(cells) / count
    return [cells[int(i)] for i in at]


__all__ = ["CELL", "MARGIN", "MOST_VOXELS", "KnownBox", "known_boxes"]
