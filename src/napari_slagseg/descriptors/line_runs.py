"""Lines of voxels as runs of one label and one phase: encoded, counted, and where they end.

Most voxels are like the one before them. Where they differ is found for a whole line at
once, without branches; everything else is done once a run.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FULL = -1
"""Given back where a block holds more labels, or contacts, than there is room for."""

AHEAD = 16
"""Codes written at a time: most runs then are one store. Lines have so many places to spare."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: spreads labels that follow each other
HIGH_BITS = np.uint64(32)


@njit(cache=True, nogil=True)
def run_starts(labels, phases, flags, words, starts):  # type: ignore[no-untyped-def]
    """Where runs begin, and the end of the last; how many there are.

    `words` is `flags` seen as 64-bit numbers; flags from ``labels.size - 1`` on are 0.
    """
    n = labels.size
    next_labels = labels[1:]
    next_phases = phases[1:]
    for x in range(n - 1):
        flags[x] = (next_labels[x] != labels[x]) | (next_phases[x] != phases[x])
    count = 1
    starts[0] = 0
    for w in range(words.size):
        if words[w] != 0:
            for x in range(8 * w, 8 * w + 8):
                starts[count] = x + 1
                count += flags[x]
    starts[count] = n
    return count


@njit(cache=True, nogil=True)
def row_of_label(label, keys, rows, found, n_found):  # type: ignore[no-untyped-def]
    """Row of a label, from 1; the next free one for a new label, `FULL` if there is none.

    An open table of twice as many places as rows: no larger for larger labels.
    """
    mask = np.uint64(keys.size - 1)
    place = ((np.uint64(label) * GOLDEN) >> HIGH_BITS) & mask
    while keys[place] != label:
        if keys[place] == 0:
            if n_found[0] == found.size:
                return FULL
            keys[place] = label
            found[n_found[0]] = label
            n_found[0] += 1
            rows[place] = n_found[0]
            break
        place = (place + np.uint64(1)) & mask
    return np.int64(rows[place])


@njit(cache=True, nogil=True)
def _fill(out, first, last, code):  # type: ignore[no-untyped-def]
    """Write a code from first to last, and up to `AHEAD` places beyond."""
    for start in range(first, last, AHEAD):
        part = out[start : start + AHEAD]
        for x in range(AHEAD):
            part[x] = code


@njit(cache=True, nogil=True)
def encode_line(  # type: ignore[no-untyped-def]
    labels, phases, starts, n_runs, own_from, own_to, place, slot_of, bits, last_slot, out,
    line_before, keys, rows, found, n_found, sums, extents, last_extent, first_extent,
    in_plane, n_extents,
):  # fmt: skip
    """Codes of one line, and its runs added to the sums.

    The code of a voxel is 0 outside of particles, else its row with its phase slot (no more
    than `last_slot`) in the `bits` below it; up to `AHEAD` zeros follow the last.
    `line_before` has those of the line at y - 1. What lies in ``own_from`` to ``own_to``
    belongs to the block and is counted; `place` is (z, y, x) of the line's first voxel in
    the volume, then its y and x in the block.

    Extents (y, first, last + 1, next one of the same row) are the stretches that
    rows cover in the lines of this plane: one for each row and line.
    """
    z, y, x0 = place[0], place[1], place[2]
    own_y, shift = place[3], place[4]
    slots = slot_of.size - 1
    last_label = np.int64(0)
    row = np.int64(0)
    for i in range(n_runs):
        a = starts[i]
        b = starts[i + 1]
        label = np.int64(labels[a])
        if label <= 0:
            _fill(out, a, b, 0)
            continue
        if label != last_label:
            # as a rule it is that of the line before
            row = np.int64(line_before[a]) >> bits
            if row == 0 or found[row - 1] != label:
                row = row_of_label(label, keys, rows, found, n_found)
                if row == FULL:
                    return False
            last_label = label
        # a mask, as -1 (unknown) stands at the end
        slot = slot_of[np.int64(phases[a]) & slots]
        code = (row << bits) | min(np.int64(slot), last_slot)
        _fill(out, a, b, code)
        low = max(a, own_from)
        high = min(b, own_to)
        length = high - low
        if length <= 0:
            continue
        sums[row, 0] += z * length
        sums[row, 1] += y * length
        sums[row, 2] += x0 * length + (low + high - 1) * length // 2
        sums[row, 3 + slot] += length
        extent = last_extent[row]
        if extent >= 0 and extents[extent, 0] == own_y:
            extents[extent, 2] = high + shift
            continue
        new = n_extents[0]
        n_extents[0] = new + 1
        extents[new, 0] = own_y
        extents[new, 1] = low + shift
        extents[new, 2] = high + shift
        extents[new, 3] = -1
        if extent < 0:
            first_extent[row] = new
            in_plane[n_extents[1]] = row
            n_extents[1] += 1
        else:
            extents[extent, 3] = new
        last_extent[row] = new
    _fill(out, starts[n_runs], starts[n_runs] + 1, 0)
    return True


__all__ = ["AHEAD", "FULL", "GOLDEN", "HIGH_BITS", "encode_line", "row_of_label", "run_starts"]
