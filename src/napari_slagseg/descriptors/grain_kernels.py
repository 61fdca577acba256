"""Sums over the grains of one block, compiled: voxels, and pairs of neighbours that are cut."""

from __future__ import annotations

import numpy as np
from numba import njit

from napari_slagseg.descriptors.cube_pairs import (
    corners_of,
    cubes_of_many,
    first_code,
    mixed_cubes,
    not_zero,
    other_codes,
)


@njit(cache=True, nogil=True)
def particle_phase_values(labels, phases, slot_of, n_phases, bits, values):  # type: ignore[no-untyped-def]
    """A number of particle and phase for each voxel; 0 where there is no particle or no phase."""
    last = slot_of.size - 1
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            line = values[z, y]
            for x in range(labels.shape[2]):
                label = np.int64(labels[z, y, x])
                slot = np.int64(slot_of[np.int64(phases[z, y, x]) & last])
                if label > 0 and slot < n_phases:
                    line[x] = (label << bits) | slot
                else:
                    line[x] = 0


@njit(cache=True, nogil=True)
def paint_and_sum(  # type: ignore[no-untyped-def]
    of_rows, begin, end, piece, code_of, start, labels, phases, slot_of, codes, owner, slots, sums
):
    """Write the codes of grains into `codes`, and add what is a sum over their voxels.

    Runs are those of the block, `labels` and `phases` those of the same voxels; `codes` has a
    voxel more on each side. `owner` and `slots` get the particle and the phase of each code,
    `sums` its voxels and the sums of their z, y and x.
    """
    rows = labels.shape[1]
    last = slot_of.size - 1
    for row in range(of_rows.size - 1):
        z = row // rows
        y = row - z * rows
        line = codes[z + 1, y + 1, 1:]
        for k in range(of_rows[row], of_rows[row + 1]):
            a = np.int64(begin[k])
            b = np.int64(end[k])
            code = code_of[piece[k]]
            for x in range(a, b):
                line[x] = code
            owner[code] = labels[z, y, a]
            slots[code] = slot_of[np.int64(phases[z, y, a]) & last]
            n = b - a
            sums[code, 0] += n
            sums[code, 1] += n * (start[0] + z)
            sums[code, 2] += n * (start[1] + y)
            sums[code, 3] += n * start[2] + (a + b - 1) * n // 2


@njit(cache=True, nogil=True)
def _add_many(k0, k1, k2, k3, k4, k5, k6, k7, cut, owner, pairs, codes, corners):  # type: ignore[no-untyped-def]
    """`add_grain_cubes` for a cube of three codes or more."""
    left = np.int64(255)
    n = 0
    while left:
        code = first_code(left, k0, k1, k2, k3, k4, k5, k6, k7)
        own = corners_of(code, k0, k1, k2, k3, k4, k5, k6, k7)
        left &= ~own
        pairs[code, 0] += cut[own]
        for i in range(n):
            if owner[codes[i]] == owner[code]:
                weight = (cut[own] + cut[corners[i]] - cut[own | corners[i]]) >> 1
                pairs[code, 1] += weight
                pairs[codes[i], 1] += weight
        codes[n] = code
        corners[n] = own
        n += 1


@njit(cache=True, nogil=True)
def add_grain_cubes(codes, first, cut, owner, pairs):  # type: ignore[no-untyped-def]
    """Add the weighted pairs that cubes cut.

    Parameters
    ----------
    codes : (z, y, x)
        Voxels with a voxel more on each side.
    first : (z, y, x)
        Cubes with a lower corner are not added: 0 where the volume begins, else 1.
    cut : (256,) int64
        From `cube_pairs.cut_weights`.
    owner : (n,) int64
        Particle of each code; that of code 0, the outside, is no particle's.
    pairs : (n, 2) int64
        Pairs with one end in a code; of these, those with the other end in its particle.
    """
    n_x = codes.shape[2] - 1 - first[2]
    wide = (n_x + 7) // 8
    words = np.zeros(wide, dtype=np.uint64)
    flags = words.view(np.uint8)
    places = np.empty(8 * wide + 1, dtype=np.uint32)
    other = np.empty(8 * wide, dtype=codes.dtype)
    many = np.empty(8 * wide, dtype=np.bool_)
    seen = np.empty(8, dtype=np.int64)
    corners = np.empty(8, dtype=np.int64)
    for z in range(first[0], codes.shape[0] - 1):
        for y in range(first[1], codes.shape[1] - 1):
            a = codes[z, y, first[2] :]
            b = codes[z, y + 1, first[2] :]
            c = codes[z + 1, y, first[2] :]
            d = codes[z + 1, y + 1, first[2] :]
            mixed_cubes(a, b, c, d, flags[:n_x])
            n = not_zero(flags, words, places)
            if n == 0:
                continue
            other_codes(a, b, c, d, other[:n_x])
            cubes_of_many(a, b, c, d, other, many[:n_x])
            for i in range(n):
                x = places[i]
                if many[x]:
                    _add_many(
                        np.int64(a[x]), np.int64(a[x + 1]), np.int64(b[x]), np.int64(b[x + 1]),
                        np.int64(c[x]), np.int64(c[x + 1]), np.int64(d[x]), np.int64(d[x + 1]),
                        cut, owner, pairs, seen, corners,
                    )  # fmt: skip
                    continue
                weight = cut[flags[x]]
                one = np.int64(a[x])
                two = np.int64(other[x])
                pairs[one, 0] += weight
                pairs[two, 0] += weight
                within = weight * (owner[one] == owner[two])
                pairs[one, 1] += within
                pairs[two, 1] += within


__all__ = ["add_grain_cubes", "paint_and_sum", "particle_phase_values"]
