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


# Lines of a cube: `a` at its low corner, `b` after it along y, `c` and `d` the same along z;
# one place longer than there are cubes. Three plain loops rather than one: each is then done
# for many cubes at once, in the processor's wide registers, which the compiler gives up where
# a loop writes several arrays or where values are wider than the codes.


@njit(cache=True, nogil=True)
def mixed_cubes(a, b, c, d, mixed):  # type: ignore[no-untyped-def]
    """Which corners of each cube of a line differ from its first: 0 for most."""
    for x in range(mixed.size):
        o = a[x]
        mixed[x] = (
            np.uint8(a[x + 1] != o) << 1
            | np.uint8(b[x] != o) << 2
            | np.uint8(b[x + 1] != o) << 3
            | np.uint8(c[x] != o) << 4
            | np.uint8(c[x + 1] != o) << 5
            | np.uint8(d[x] != o) << 6
            | np.uint8(d[x + 1] != o) << 7
        )


@njit(cache=True, nogil=True)
def other_codes(a, b, c, d, other):  # type: ignore[no-untyped-def]
    """Second code of cubes of two codes; of others some number."""
    for x in range(other.size):
        o = a[x]
        # every difference is 0 or the same
        other[x] = o ^ (
            (a[x + 1] ^ o) | (b[x] ^ o) | (b[x + 1] ^ o) | (c[x] ^ o)
            | (c[x + 1] ^ o) | (d[x] ^ o) | (d[x + 1] ^ o)
        )  # fmt: skip


@njit(cache=True, nogil=True)
def cubes_of_many(a, b, c, d, other, many):  # type: ignore[no-untyped-def]
    """Whether cubes have more than two codes: a corner is neither the first nor the second."""
    for x in range(many.size):
        o = a[x]
        p = other[x]
        many[x] = (
            ((a[x + 1] != o) & (a[x + 1] != p))
            | ((b[x] != o) & (b[x] != p))
            | ((b[x + 1] != o) & (b[x + 1] != p))
            | ((c[x] != o) & (c[x] != p))
            | ((c[x + 1] != o) & (c[x + 1] != p))
            | ((d[x] != o) & (d[x] != p))
            | ((d[x + 1] != o) & (d[x + 1] != p))
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
    a, b, c, d, mixed, other, many, places, n, cut, edges, inner
):
    """Add what cubes cut to their codes (`edges`) and to the inside of particles (`inner`)."""
    for i in range(n):
        x = places[i]
        if many[x]:
            _add_many(
                np.int64(a[x]), np.int64(a[x + 1]), np.int64(b[x]), np.int64(b[x + 1]),
                np.int64(c[x]), np.int64(c[x + 1]), np.int64(d[x]), np.int64(d[x + 1]),
                cut, edges, inner,
            )  # fmt: skip
            continue
        weight = cut[mixed[x]]
        one = a[x]
        two = other[x]
        edges[one] += weight
        edges[two] += weight
        inner[one >> 1] += weight * (one >> 1 == two >> 1)


@njit(cache=True, nogil=True)
def surface_flags(here, up, down, below, above, flags):  # type: ignore[no-untyped-def]
    """Voxels of particles with one of six neighbours outside of the same particle.

    `here` begins one voxel before the others. Codes of one particle differ in the last bit alone.
    """
    for x in range(flags.size):
        code = here[x + 1]
        differs = (
            (code ^ here[x]) | (code ^ here[x + 2]) | (code ^ up[x])
            | (code ^ down[x]) | (code ^ below[x]) | (code ^ above[x])
        )  # fmt: skip
        flags[x] = (differs > 1) & (code > 1)


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
