"""Pairs of neighbours of which one lies outside of a set, by 2x2x2 cubes of voxels.

Every cube owns 13 pairs (its three low edges, both diagonals of its three low faces, four
space diagonals), so that the cubes together own every pair of neighbours once. Which of
the eight corners belong to a set is a number below 256; a table holds the
weight of all its pairs with one end in the set.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.descriptors.surface_weights import DIRECTIONS

# The corners of each pair inside the cube. Corner number: 4 z + 2 y + x. A direction
# with a negative step starts at the high end of that axis.
_PAIRS = tuple(
    (
        (2 if dy < 0 else 0) + (1 if dx < 0 else 0),
        4 * dz + (2 if dy > 0 else 0) + (1 if dx > 0 else 0),
    )
    for dz, dy, dx in DIRECTIONS
)


def cut_weights(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Weight of the pairs that each set of corners cuts.

    Parameters
    ----------
    weights : (13,) int64
        From `surface_weights.pair_weights`.

    Returns
    -------
    (256,) int64
        Bit ``4 z + 2 y + x`` of the index says whether that corner is in the set.
    """
    sets = np.arange(256)
    cut = np.zeros(256, dtype=np.int64)
    for weight, (first, last) in zip(weights, _PAIRS):
        cut += weight * (((sets >> first) ^ (sets >> last)) & 1)
    return cut


@njit(cache=True, nogil=True)
def mixed_cubes(a0, a1, b0, b1, c0, c1, d0, d1, mixed):  # type: ignore[no-untyped-def]
    """Which corners of each cube of a line differ from its first: 0 for most."""
    for x in range(mixed.size):
        o = a0[x]
        mixed[x] = (
            np.uint8(a1[x] != o) << 1
            | np.uint8(b0[x] != o) << 2
            | np.uint8(b1[x] != o) << 3
            | np.uint8(c0[x] != o) << 4
            | np.uint8(c1[x] != o) << 5
            | np.uint8(d0[x] != o) << 6
            | np.uint8(d1[x] != o) << 7
        )


@njit(cache=True, nogil=True)
def not_zero(flags, words, places):  # type: ignore[no-untyped-def]
    """Places of flags that are not zero; how many. `words` is `flags` by eight."""
    count = 0
    for w in range(words.size):
        if words[w] != 0:
            for x in range(8 * w, 8 * w + 8):
                places[count] = x
                count += flags[x] != 0
    return count


@njit(cache=True, nogil=True)
def add_cubes(  # type: ignore[no-untyped-def]
    a0, a1, b0, b1, c0, c1, d0, d1, mixed, places, n, cut, edges, inner
):
    """Add what cubes cut to their codes (`edges`) and to the inside of particles (`inner`)."""
    corner = np.empty(8, dtype=np.int64)
    for i in range(n):
        x = places[i]
        m = mixed[x]
        o = np.int64(a0[x])
        k1 = np.int64(a1[x])
        k2 = np.int64(b0[x])
        k3 = np.int64(b1[x])
        k4 = np.int64(c0[x])
        k5 = np.int64(c1[x])
        k6 = np.int64(d0[x])
        k7 = np.int64(d1[x])
        # if there is but one other code, this is it
        p = o ^ ((k1 ^ o) | (k2 ^ o) | (k3 ^ o) | (k4 ^ o) | (k5 ^ o) | (k6 ^ o) | (k7 ^ o))
        same = (
            np.int64(k1 == p) << 1
            | np.int64(k2 == p) << 2
            | np.int64(k3 == p) << 3
            | np.int64(k4 == p) << 4
            | np.int64(k5 == p) << 5
            | np.int64(k6 == p) << 6
            | np.int64(k7 == p) << 7
        )
        if same == m:
            weight = cut[m]
            edges[o] += weight
            edges[p] += weight
            if o >> 1 == p >> 1:
                inner[o >> 1] += weight
            continue
        corner[0] = o
        corner[1] = k1
        corner[2] = k2
        corner[3] = k3
        corner[4] = k4
        corner[5] = k5
        corner[6] = k6
        corner[7] = k7
        done = np.int64(0)
        for k in range(8):
            if (done >> k) & 1:
                continue
            code = corner[k]
            own = np.int64(0)
            twin = np.int64(0)
            for j in range(8):
                own |= np.int64(corner[j] == code) << j
                twin |= np.int64(corner[j] == code ^ 1) << j
            edges[code] += cut[own]
            # the other part of the same particle, once
            if code & 1 and twin:
                inner[code >> 1] += (cut[own] + cut[twin] - cut[own | twin]) >> 1
            done |= own


@njit(cache=True, nogil=True)
def surface_flags(here, before, after, up, down, below, above, flags):  # type: ignore[no-untyped-def]
    """Voxels of particles with one of six neighbours outside of the same particle."""
    for x in range(flags.size):
        c = here[x]
        differs = (
            (c ^ before[x]) | (c ^ after[x]) | (c ^ up[x])
            | (c ^ down[x]) | (c ^ below[x]) | (c ^ above[x])
        )  # fmt: skip
        flags[x] = (differs > 1) & (c > 1)


@njit(cache=True, nogil=True)
def add_surface(here, places, n, surface):  # type: ignore[no-untyped-def]
    """Count voxels by their code."""
    for i in range(n):
        surface[here[places[i]]] += 1


__all__ = [
    "add_cubes",
    "add_surface",
    "cut_weights",
    "mixed_cubes",
    "not_zero",
    "surface_flags",
]
