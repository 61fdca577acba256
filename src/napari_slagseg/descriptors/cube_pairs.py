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


# Three plain loops rather than one: each is then done for many cubes at once, in the
# processor's wide registers, which the compiler gives up where a loop writes several arrays.


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
def other_codes(a0, a1, b0, b1, c0, c1, d0, d1, other):  # type: ignore[no-untyped-def]
    """By what the second code of cubes of two codes differs from the first, bit by bit."""
    for x in range(other.size):
        o = a0[x]
        other[x] = (
            (a1[x] ^ o) | (b0[x] ^ o) | (b1[x] ^ o) | (c0[x] ^ o)
            | (c1[x] ^ o) | (d0[x] ^ o) | (d1[x] ^ o)
        )  # fmt: skip


@njit(cache=True, nogil=True)
def cubes_of_many(a0, a1, b0, b1, c0, c1, d0, d1, many):  # type: ignore[no-untyped-def]
    """Whether cubes have more than two codes: differences that are neither 0 nor all bits."""
    for x in range(many.size):
        o = a0[x]
        e1 = a1[x] ^ o
        e2 = b0[x] ^ o
        e3 = b1[x] ^ o
        e4 = c0[x] ^ o
        e5 = c1[x] ^ o
        e6 = d0[x] ^ o
        e7 = d1[x] ^ o
        e = e1 | e2 | e3 | e4 | e5 | e6 | e7
        many[x] = (
            ((e1 != 0) & (e1 != e))
            | ((e2 != 0) & (e2 != e))
            | ((e3 != 0) & (e3 != e))
            | ((e4 != 0) & (e4 != e))
            | ((e5 != 0) & (e5 != e))
            | ((e6 != 0) & (e6 != e))
            | ((e7 != 0) & (e7 != e))
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


@njit(cache=True, nogil=True, inline="always")
def _corners_of(code, k0, k1, k2, k3, k4, k5, k6, k7):  # type: ignore[no-untyped-def]
    """Set of the corners that have a code."""
    return (
        np.int64(k0 == code)
        | np.int64(k1 == code) << 1
        | np.int64(k2 == code) << 2
        | np.int64(k3 == code) << 3
        | np.int64(k4 == code) << 4
        | np.int64(k5 == code) << 5
        | np.int64(k6 == code) << 6
        | np.int64(k7 == code) << 7
    )


@njit(cache=True, nogil=True)
def _add_many(k0, k1, k2, k3, k4, k5, k6, k7, cut, edges, inner):  # type: ignore[no-untyped-def]
    """`add_cubes` for a cube of three codes or more."""
    left = np.int64(255)
    while left:
        if left & 1:
            code = k0
        elif left & 2:
            code = k1
        elif left & 4:
            code = k2
        elif left & 8:
            code = k3
        elif left & 16:
            code = k4
        elif left & 32:
            code = k5
        elif left & 64:
            code = k6
        else:
            code = k7
        own = _corners_of(code, k0, k1, k2, k3, k4, k5, k6, k7)
        left &= ~own
        edges[code] += cut[own]
        if code & 1:
            # the other part of the same particle, once
            twin = _corners_of(code ^ 1, k0, k1, k2, k3, k4, k5, k6, k7)
            inner[code >> 1] += (cut[own] + cut[twin] - cut[own | twin]) >> 1


@njit(cache=True, nogil=True)
def add_cubes(  # type: ignore[no-untyped-def]
    a0, a1, b0, b1, c0, c1, d0, d1, mixed, other, many, places, n, cut, edges, inner
):
    """Add what cubes cut to their codes (`edges`) and to the inside of particles (`inner`)."""
    for i in range(n):
        x = places[i]
        if many[x]:
            _add_many(
                np.int64(a0[x]), np.int64(a1[x]), np.int64(b0[x]), np.int64(b1[x]),
                np.int64(c0[x]), np.int64(c1[x]), np.int64(d0[x]), np.int64(d1[x]),
                cut, edges, inner,
            )  # fmt: skip
            continue
        weight = cut[mixed[x]]
        one = a0[x]
        two = one ^ other[x]
        edges[one] += weight
        edges[two] += weight
        inner[one >> 1] += weight * (one >> 1 == two >> 1)


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
    "cubes_of_many",
    "cut_weights",
    "mixed_cubes",
    "not_zero",
    "other_codes",
    "surface_flags",
]
