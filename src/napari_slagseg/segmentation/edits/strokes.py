"""Split a merged particle by a stroke along the border in one slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slagseg.data import SlagsegError
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

_WIDEST = 3
_SMALLEST_SHARE = 0.01
_CROSS = ndimage.generate_binary_structure(2, 1)


def split_by_stroke(
    labels: NDArray[np.uint32],
    label: int,
    stroke: Sequence[Point],
    axis: int,
    new_label: int,
) -> Edited:
    """Divide a particle in two along a stroke that is drawn in one slice.

    The stroke divides the particle's section in its slice into sides. The two largest are
    markers, led on to the middles of their parts (see `climb`), and a watershed in 3D floods the
    rest from them by the distance to background and stroke. So the border is the stroke in
    its slice, stays near to it in the next ones and follows the particle's neck farther away.
    (In Gotkowski et al. 2024, ParticleSeg3D, 3.1, the user also places the markers.) A stroke
    that ends up to three voxels short of the particle's surface, or has gaps as small, is
    widened until it divides. The farther its slice passes from the middles of the parts, the less
    sure is the border elsewhere.
    Distances are in voxels.

    Parameters
    ----------
    labels : (z, y, x) uint32
        A box that holds the whole particle.
    label : int
        Particle to divide.
    stroke : sequence of (z, y, x)
        Voxels of one slice, in any order; those outside the particle count for nothing.
    axis : int
        Axis across the slice: the voxels agree in it.
    new_label : int
        Number of the smaller piece; the larger one keeps `label`.

    Returns
    -------
    Edited
        Both pieces together are the particle as it was, and each is connected by faces
        (for particles that were not connected, see `split`).

    Raises
    ------
    SlagsegError
        If the stroke is not in one slice, misses the particle or does not divide its section,
        or the new number does not fit.
    """
    check_box(labels)
    if axis not in (0, 1, 2):
        raise SlagsegError(f"The stroke's slice lies across axis {axis}; it must be 0, 1 or 2.")
    box, inside = particle(labels, label)
    check_new_labels(labels, [new_label], 1)
    places = np.array([voxel(point, labels.shape) for point in stroke]).reshape(-1, 3)
    level = _slice_of(places, axis, label)
    local = places - [b.start for b in box]
    within = ((local >= 0) & (local < inside.shape)).all(axis=1)
    drawn = np.zeros(inside.shape, dtype=bool)
    drawn[tuple(local[within].T)] = True
    if not (drawn & inside).any():
        raise SlagsegError(
            f"The stroke does not touch particle {label}; draw it inside the particle, along the "
            "border between its parts."
        )
    place: list[int | slice] = [slice(None)] * 3
    place[axis] = level - box[axis].start
    at = tuple(place)
    cut, sides, sizes = _sides(inside[at], drawn[at] & inside[at])
    if len(sizes) < 2:
        raise SlagsegError(
            f"The stroke does not divide the section of particle {label} in its slice: both its "
            "ends must reach the particle's surface. Draw it across the whole neck, or split the "
            "particle by points."
        )
    notes = []
    if len(sizes) > 2:
        notes.append(
            f"The stroke divides the section of particle {label} into {len(sizes)} sides; its "
            "two largest were taken apart. Draw another stroke for the rest."
        )
    markers = np.zeros(inside.shape, dtype=np.uint32)
    for number, side in enumerate(sorted(sizes[:2]), start=1):
        markers[at][sides == side] = number
    open_ = inside.copy()
    open_[at] &= ~cut
    depth = depths(open_)
    _lead_to_middles(markers, depth)
    pieces = flood(inside, depth, markers)
    return numbered(labels, label, [new_label], box, pieces, notes)


def _lead_to_middles(markers: NDArray[np.uint32], depth: NDArray[np.float32]) -> None:
    """Extend the sides' markers to the middles of their parts.

    A slice may graze a part: its side is shallow then, and the other side's flood would
    come through the neck and fill the part's middle first. Where the ways of both meet
    neither is taken.
    """
    flat = markers.reshape(-1)
    ways = []
    for number in (1, 2):
        deepest = np.where(markers == number, depth, 0).argmax()
        start = np.array(np.unravel_index(deepest, depth.shape), dtype=np.int64)
        way = np.empty(LONGEST_WAY, dtype=np.int32)
        ways.append(way[: climb(depth, start, way)])
    first, second = ways
    if (flat[first] == 2).any() or (flat[second] == 1).any() or len(np.intersect1d(first, second)):
        return
    flat[first], flat[second] = 1, 2


def _slice_of(places: NDArray[np.intp], axis: int, label: int) -> int:
    if not len(places):
        raise SlagsegError(
            f"The stroke that should split particle {label} is empty; draw along the border."
        )
    levels = np.unique(places[:, axis])
    if len(levels) > 1:
        raise SlagsegError(
            f"The stroke goes over {levels[-1] - levels[0] + 1} slices across axis {axis}; draw it "
            "in one slice."
        )
    return int(levels[0])


def _sides(
    section: NDArray[np.bool_], stroke: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.int32], list[int]]:
    """The stroke as wide as it must be, sides of the section, and the numbers of those that count.

    They are sorted by size, large ones first. Specks under a hundredth of what the stroke divides
    are none.
    """
    cut = stroke
    sides = np.zeros(section.shape, dtype=np.int32)
    for width in range(_WIDEST + 1):
        if width:
            cut = ndimage.binary_dilation(cut, _CROSS) & section
        sides, n = ndimage.label(section & ~cut, _CROSS)
        beside = np.unique(sides[ndimage.binary_dilation(cut, _CROSS)])
        sizes = np.bincount(sides.reshape(-1), minlength=n + 1)
        counted = [int(side) for side in beside if side]
        least = max(2.0, _SMALLEST_SHARE * float(sizes[counted].sum()))
        counted = sorted((s for s in counted if sizes[s] >= least), key=lambda s: -sizes[s])
        if len(counted) >= 2:
            return cut, sides, counted
    return cut, sides, []


__all__ = ["split_by_stroke"]
