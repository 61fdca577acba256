"""One pass over a block's voxels: everything that is a sum over a particle's voxels.

Planes are read once and written as codes into three padded buffers that roll along z; the
padding is background, so a particle that reaches the border of the volume has a surface
there. A block owns its voxels and the cubes of 2x2x2 voxels whose low corner it owns;
cubes at -1, below the volume, belong to the block above them. So the sums of the
blocks add up to those of the whole, and as all are whole numbers, to the last bit.

A block's labels are numbered as they are met: neither time nor memory depends on how
large or how many the labels of the whole volume are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.data import Triple
from napari_slagseg.descriptors.corner_chains import plane_chains
from napari_slagseg.descriptors.cube_pairs import (
    add_cubes,
    add_rare_cubes,
    add_surface,
    cubes_of_many,
    mixed_cubes,
    not_zero,
    other_codes,
    surface_flags,
)
from napari_slagseg.descriptors.line_runs import AHEAD, FULL, encode_line, run_starts

_FEW_ROWS = 1 << 12  # labels in a block, as a rule
_DONE, _NO_ROWS, _NO_CONTACTS = 0, 1, 2
_EVERY_CONTACT = 1 << 19  # places at most where every contact that can be has its own
_FEW_CONTACTS = 1 << 15  # in a block; with a handful of phases there cannot be more


@dataclass(frozen=True)
class VoxelSums:
    """Sums over voxels of each label; row i belongs to ``labels[i]``.

    Sums of several blocks are added (`counts`, `moments`, `edges`, `surface`, `contacts`) or
    compared (`low`, `high`). A label that only touches the block may have rows with
    edges alone.

    Attributes
    ----------
    labels : (n,) int64
        Rising.
    counts : (n, phases + 2) int64
        Voxels by phase slot, see `labels_present.PhaseSlots`.
    moments : (n, 3) int64
        Sums of the z, y and x indices in the volume.
    low, high : (n, 3) int64
        Bounding box in the volume, both ends inside; high is below low where there
        are no voxels.
    edges : (n, phases + 1) int64
        Weighted pairs with one end in the voxels of a phase of the particle; the last
        column is of voxels of no phase.
    surface : (n, phases + 1) int64
        Surface voxels by phase.
    contacts : (m, 4) int64
        Label, two columns of `edges`, the lower first, and the weighted pairs between
        them, which are in the edges of both; rising.
    """

    labels: NDArray[np.int64]
    counts: NDArray[np.int64]
    moments: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    edges: NDArray[np.int64]
    surface: NDArray[np.int64]
    contacts: NDArray[np.int64]

    def moved(self, start: Triple) -> VoxelSums:
        """The sums of the same voxels, as many farther along (z, y, x) as `start` says."""
        shift = np.array(start, dtype=np.int64)
        return replace(
            self,
            moments=self.moments + self.counts.sum(axis=1)[:, None] * shift,
            low=self.low + shift,
            high=self.high + shift,
        )

    def outside(self) -> NDArray[np.int64]:
        """Weighted pairs from each phase of a particle to all outside, like `edges`."""
        found = self.edges.copy()
        rows = np.searchsorted(self.labels, self.contacts[:, 0])
        for column in (1, 2):
            np.subtract.at(found, (rows, self.contacts[:, column]), self.contacts[:, 3])
        return found

    def between(self, slot: int) -> NDArray[np.int64]:
        """Weighted pairs of each label between a phase and all else in the particle, (n,)."""
        total = np.zeros(len(self.labels), dtype=np.int64)
        mine = self.contacts[(self.contacts[:, 1:3] == slot).any(axis=1)]
        np.add.at(total, np.searchsorted(self.labels, mine[:, 0]), mine[:, 3])
        return total


@dataclass(frozen=True)
class CornerPieces:
    """Corners that can be corners of the hulls of particles, as `corner_chains` finds them.

    Attributes
    ----------
    labels : (p,) int64
        Label of each piece.
    pieces : (p, 3) int32
        Plane of voxels z in the block; points in its lower and its upper chain.
    points : (m, 2) uint16 or int32
        Corners (y, x) in the block, piece by piece; the corner of voxel i is i.
    """

    labels: NDArray[np.int64]
    pieces: NDArray[np.int32]
    points: NDArray[np.integer]


@njit(cache=True, nogil=True)
def _measure(  # type: ignore[no-untyped-def]
    labels, phases, labels_layout, phases_layout, outer, halo, own, start, slot_of, bits, cut,
    planes, keys, rows, found, n_found, sums, box, edges, surface, pairs, weights, n_contacts,
    points,
):  # fmt: skip
    """All sums of one block; labels and phases are flat, a layout is (first, plane, line).

    `outer` is the shape that is read, `halo` the voxels read below the block, `own`
    its own shape, `start` where it begins in the volume.
    """
    depth, height, width = own
    n_x = width + 1 - halo[2]  # cubes in a line
    first_x = halo[2]
    wide = (width + 2 + 7) // 8
    words = np.zeros(wide, dtype=np.uint64)
    flags = words.view(np.uint8)
    starts = np.empty(8 * wide + 2, dtype=np.int64)
    places = np.empty(8 * wide + 1, dtype=np.uint32)
    rare = np.empty(8 * wide, dtype=np.uint32)
    inner = np.empty(8 * wide, dtype=np.uint32)
    other = np.empty(8 * wide, dtype=planes.dtype)
    last_slot = np.int64(sums.shape[1] - 5)
    part = planes.dtype.type((1 << bits) - 1)
    codes = np.empty(8, dtype=np.int64)
    corners = np.empty(8, dtype=np.int64)
    many = np.empty(8 * wide, dtype=np.bool_)
    line_words = np.zeros(wide, dtype=np.uint64)
    line_flags = line_words.view(np.uint8)

    limit = found.size
    last_extent = np.full(limit + 1, -1, dtype=np.int32)
    first_extent = np.empty(limit + 1, dtype=np.int32)
    in_plane = np.empty(limit + 1, dtype=np.int32)
    extents = np.empty((min(limit, width) * height, 4), dtype=np.int32)
    n_extents = np.zeros(2, dtype=np.int64)
    chain_y = np.empty(2 * height + 2, dtype=np.int64)
    chain_x = np.empty(2 * height + 2, dtype=np.int64)
    pieces = np.empty((64, 4), dtype=np.int32)
    n_pieces = 0
    n_points = 0
    place = np.zeros(5, dtype=np.int64)

    for p in range(1 - halo[0], depth + 2):
        here = planes[p % 3]
        k = p - 1 + halo[0]
        if k >= outer[0]:
            here[:, :] = 0
        else:
            n_extents[:] = 0
            for j in range(outer[1]):
                q = j + 1 - halo[1]
                at = labels_layout[0] + k * labels_layout[1] + j * labels_layout[2]
                line = labels[at : at + outer[2]]
                at = phases_layout[0] + k * phases_layout[1] + j * phases_layout[2]
                beside = phases[at : at + outer[2]]
                n_runs = run_starts(line, beside, line_flags, line_words, starts)
                owned = 1 <= p <= depth and 1 <= q <= height
                place[0] = start[0] + p - 1
                place[1] = start[1] + q - 1
                place[2] = start[2] - halo[2]
                place[3] = q - 1
                place[4] = -halo[2]
                if not encode_line(
                    line, beside, starts, n_runs,
                    halo[2] if owned else 0, halo[2] + width if owned else 0,
                    place, slot_of, bits, last_slot,
                    here[q, 1 - halo[2] :], here[max(q - 1, 0), 1 - halo[2] :],
                    keys, rows, found, n_found, sums, extents, last_extent, first_extent,
                    in_plane, n_extents,
                ):  # fmt: skip
                    return _NO_ROWS, pieces[:0], points[:0]
            if n_extents[1]:
                if n_pieces + n_extents[1] > pieces.shape[0]:
                    more = np.empty((2 * pieces.shape[0] + n_extents[1], 4), dtype=np.int32)
                    more[:n_pieces] = pieces[:n_pieces]
                    pieces = more
                if n_points + 4 * n_extents[0] > points.shape[0]:
                    room = np.empty((2 * points.shape[0] + 4 * n_extents[0], 2), dtype=points.dtype)
                    room[:n_points] = points[:n_points]
                    points = room
                n_pieces, n_points = plane_chains(
                    p - 1, extents, in_plane, n_extents[1], first_extent, last_extent, box,
                    chain_y, chain_x, pieces, n_pieces, points, n_points,
                )  # fmt: skip
        below = planes[(p + 2) % 3]
        if p > 1 or (p == 1 and halo[0] == 0):
            for q in range(halo[1], height + 1):
                a = below[q, first_x : first_x + n_x + 1]
                b = below[q + 1, first_x : first_x + n_x + 1]
                c = here[q, first_x : first_x + n_x + 1]
                d = here[q + 1, first_x : first_x + n_x + 1]
                mixed_cubes(a, b, c, d, flags[:n_x])
                n = not_zero(flags, words, places)
                if n:
                    other_codes(a, b, c, d, other[:n_x])
                    cubes_of_many(a, b, c, d, other, many[:n_x])
                    n_rare = add_cubes(
                        a, flags, other, many, places, n, cut, edges, bits, pairs, weights,
                        n_contacts, rare, inner,
                    )  # fmt: skip
                    if n_rare == FULL:
                        return _NO_CONTACTS, pieces[:0], points[:0]
                    if n_rare and not add_rare_cubes(
                        a, b, c, d, rare, n_rare, cut, edges, bits, pairs, weights, n_contacts,
                        codes, corners,
                    ):  # fmt: skip
                        return _NO_CONTACTS, pieces[:0], points[:0]
        if p > 1:
            # flags of the cubes go further than those of the voxels
            words[:] = 0
            before = planes[(p + 1) % 3]
            for q in range(1, height + 1):
                surface_flags(
                    below[q, : width + 2], below[q - 1, 1 : width + 1],
                    below[q + 1, 1 : width + 1], before[q, 1 : width + 1], here[q, 1 : width + 1],
                    part, flags[:width],
                )  # fmt: skip
                n = not_zero(flags, words, places)
                add_surface(below[q, 1:], places, n, surface)
            words[:] = 0
    return _DONE, pieces[:n_pieces], points[:n_points]


Layout = tuple[NDArray[np.integer], Triple]
"""A flat array, and in it: the first voxel, the step from plane to plane and from line to line."""


def measure_voxels(
    particles: Layout,
    phases: Layout,
    outer: Triple,
    halo: Triple,
    own: Triple,
    start: Triple,
    slot_of: NDArray[np.int32],
    cut: NDArray[np.int64],
) -> tuple[VoxelSums, CornerPieces]:
    """Sum over the voxels of each label of one block.

    Parameters
    ----------
    particles : uint32 or int64, with its layout
    phases : uint8 or int16, with its layout
    outer : (z, y, x)
        Shape of what is read: the block and a voxel on each side, as far as the volume
        reaches.
    halo : (z, y, x)
        Voxels below the block in what is read: 0 where the volume begins, else 1.
    own, start : (z, y, x)
        Shape of the block, and its first voxel in the volume.
    slot_of : int32
        Column of `VoxelSums.counts` for each phase value; of 256 or 65536 entries.
    cut : (256,) int64
        From `cube_pairs.cut_weights`.

    Notes
    -----
    Working memory is three planes of codes, about 32 (4 + phases) bytes for each of 4096 labels
    (fewer of them where phases are many, more where labels are), up to 4 MB for contacts (more
    where particles have very many), and the corners found, about 0.2 bytes a voxel for
    particles of 24 voxels.
    """
    n_slots = int(slot_of.max()) + 1
    bits = (n_slots - 2).bit_length()  # the last two are one
    most_rows = (1 << (16 - bits)) - 1 if bits < 8 else 0  # that codes of 16 bits hold
    rows = max(_FEW_ROWS >> max(0, bits - 4), 64)
    rows = min(rows, most_rows) or rows
    n_pairs = (n_slots - 1) * (n_slots - 2) // 2
    contacts = _FEW_CONTACTS
    small = max(own) < 65535
    while True:
        codes = np.uint16 if rows <= most_rows else np.uint32
        places = 1 << (2 * rows - 1).bit_length()
        keys = np.zeros(places, dtype=np.int64)
        found = np.zeros(rows, dtype=np.int64)
        n_found = np.zeros(1, dtype=np.int64)
        sums = np.zeros((rows + 1, 3 + n_slots), dtype=np.int64)
        box = np.empty((rows + 1, 6), dtype=np.int32)
        box[:, :3] = np.iinfo(np.int32).max
        box[:, 3:] = -1
        edges = np.zeros((rows + 1) << bits, dtype=np.int64)
        surface = np.zeros((rows + 1) << bits, dtype=np.int64)
        every = (rows + 1) << 2 * bits
        if every <= _EVERY_CONTACT:
            size = 0
        else:
            size = every = 1 << (2 * min(contacts, rows * n_pairs)).bit_length()
        pairs = np.zeros(size, dtype=np.int64)
        weights = np.zeros(every, dtype=np.int64)
        done, pieces, points = _measure(
            particles[0], phases[0], particles[1], phases[1], outer, halo, own, start,
            slot_of, bits, cut,
            np.zeros((3, own[1] + 2, own[2] + 2 + AHEAD), dtype=codes),
            keys, np.zeros(places, dtype=np.int32), found, n_found, sums, box, edges,
            surface, pairs, weights, np.zeros(1, dtype=np.int64),
            np.empty((256, 2), dtype=np.uint16 if small else np.int32),
        )  # fmt: skip
        if done == _DONE:
            break
        if done == _NO_CONTACTS:
            contacts *= 8
        elif rows < most_rows:
            rows = min(8 * rows, most_rows)
        else:
            # every voxel a label of its own needs as many rows as there are voxels
            rows = min(8 * rows, outer[0] * outer[1] * outer[2])
    n = int(n_found[0])
    order = np.argsort(found[:n])
    at = order + 1
    origin = np.array(start, dtype=np.int64)
    sums_of = sums[at]
    box_of = box[at].astype(np.int64)
    measured = VoxelSums(
        labels=found[order],
        counts=np.ascontiguousarray(sums_of[:, 3:]),
        moments=np.ascontiguousarray(sums_of[:, :3]),
        low=box_of[:, :3] + origin,
        high=np.where(box_of[:, 3:] < 0, -1, box_of[:, 3:] + origin),
        edges=edges.reshape(-1, 1 << bits)[at, : n_slots - 1],
        surface=surface.reshape(-1, 1 << bits)[at, : n_slots - 1],
        contacts=_contacts(pairs, weights, found, bits),
    )
    corners = CornerPieces(
        labels=found[pieces[:, 0] - 1],
        pieces=np.ascontiguousarray(pieces[:, 1:]),
        points=points.copy(),
    )
    return measured, corners


def _contacts(
    pairs: NDArray[np.int64], weights: NDArray[np.int64], found: NDArray[np.int64], bits: int
) -> NDArray[np.int64]:
    """Rows of `VoxelSums.contacts`; places of `weights` are keys where there are no `pairs`."""
    used = np.flatnonzero(weights)
    key, slot = pairs[used] if pairs.size else used, (1 << bits) - 1
    rows = np.stack(
        [found[(key >> 2 * bits) - 1], key >> bits & slot, key & slot, weights[used]], axis=1
    )
    return rows[np.lexsort(rows.T[2::-1])]


__all__ = ["CornerPieces", "Layout", "VoxelSums", "measure_voxels"]
