"""Pairs of neighbours of which one lies outside of a set, by 2x2x2 cubes of voxels.

Every cube owns 13 pairs (its three low edges, both diagonals of its three low faces, four
space diagonals), so that the cubes together own every pair of neighbours once. Which of
the eight corners belong to a set is a number below 256; a table holds the
weight of all its pairs with one end in the set.

Voxels have codes: which particle, and which phase of it. Pairs between two codes a and b are
those that a cuts and those that b cuts, less those that both together cut, all twice.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.descriptors.line_runs import FULL, GOLDEN, HIGH_BITS
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


@njit(cache=True, nogil=True)
def first_code(left, k0, k1, k2, k3, k4, k5, k6, k7):  # type: ignore[no-untyped-def]
    """Code of the first corner that is in the mask `left`, which is not 0."""
    if left & 1:
        return k0
    if left & 2:
        return k1
    if left & 4:
        return k2
    if left & 8:
        return k3
    if left & 16:
        return k4
    if left & 32:
        return k5
    if left & 64:
        return k6
    return k7


@njit(cache=True, nogil=True, inline="always")
def corners_of(code, k0, k1, k2, k3, k4, k5, k6, k7):  # type: ignore[no-untyped-def]
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


@njit(cache=True, nogil=True, inline="always")
def _contact_key(one, two, bits):  # type: ignore[no-untyped-def]
    """Two codes of one particle as a number, whichever comes first; never 0."""
    low = min(one, two)
    high = max(one, two)
    return (low << bits) | (high & ((1 << bits) - 1))


@njit(cache=True, nogil=True)
def _contact_place(key, keys, n_contacts):  # type: ignore[no-untyped-def]
    """Place of a contact in the open table `keys`, a new one where there is none; `FULL`.

    Without `keys` every contact has a place of its own.
    """
    if keys.size == 0:
        return np.int64(key)
    mask = np.uint64(keys.size - 1)
    place = ((np.uint64(key) * GOLDEN) >> HIGH_BITS) & mask
    while keys[place] != key:
        if keys[place] == 0:
            # half of the places stay free, so that searches are short
            if 2 * n_contacts[0] >= keys.size:
                return np.int64(FULL)
            keys[place] = key
            n_contacts[0] += 1
            break
        place = (place + np.uint64(1)) & mask
    return np.int64(place)


@njit(cache=True, nogil=True)
def add_rare_cubes(  # type: ignore[no-untyped-def]
    a, b, c, d, places, n, cut, edges, bits, keys, weights, n_contacts, codes, corners
):
    """`add_cubes` for cubes of three codes or more; `codes` and `corners` have room for 8."""
    for i in range(n):
        x = places[i]
        k0 = np.int64(a[x])
        k1 = np.int64(a[x + 1])
        k2 = np.int64(b[x])
        k3 = np.int64(b[x + 1])
        k4 = np.int64(c[x])
        k5 = np.int64(c[x + 1])
        k6 = np.int64(d[x])
        k7 = np.int64(d[x + 1])
        left = np.int64(255)
        count = 0
        while left:
            code = first_code(left, k0, k1, k2, k3, k4, k5, k6, k7)
            own = corners_of(code, k0, k1, k2, k3, k4, k5, k6, k7)
            left &= ~own
            edges[code] += cut[own]
            for m in range(count):
                if codes[m] >> bits == code >> bits:
                    # pairs between two parts of a particle are in the edges of both
                    theirs = corners[m]
                    weight = (cut[own] + cut[theirs] - cut[own | theirs]) >> 1
                    if weight:
                        key = _contact_key(code, codes[m], bits)
                        place = _contact_place(key, keys, n_contacts)
                        if place == FULL:
                            return False
                        weights[place] += weight
            codes[count] = code
            corners[count] = own
            count += 1
    return True


@njit(cache=True, nogil=True)
def add_cubes(  # type: ignore[no-untyped-def]
    a, mixed, other, many, places, n, cut, edges, bits, keys, weights, n_contacts, rare, inner
):
    """Add what cubes of two codes cut to these (`edges`) and to the contacts inside particles.

    Contacts are an open table, `keys` and `weights`, or `weights` alone. Cubes of more codes
    go to `rare`; how many they are, or `FULL` where there is no room for a contact. `inner`
    has room for n.
    """
    slots = (1 << bits) - 1
    n_rare = 0
    n_inner = 0
    for i in range(n):
        x = places[i]
        if many[x]:
            rare[n_rare] = x
            n_rare += 1
            continue
        weight = cut[mixed[x]]
        one = np.int64(a[x])
        two = np.int64(other[x])
        edges[one] += weight
        edges[two] += weight
        # those inside a particle come later: a branch here would often be guessed wrong
        inner[n_inner] = x
        n_inner += one ^ two <= slots
    if keys.size == 0:
        for i in range(n_inner):
            x = inner[i]
            key = _contact_key(np.int64(a[x]), np.int64(other[x]), bits)
            weights[key] += cut[mixed[x]]
        return n_rare
    last_key = np.int64(0)
    last_place = np.int64(0)
    for i in range(n_inner):
        x = inner[i]
        key = _contact_key(np.int64(a[x]), np.int64(other[x]), bits)
        if key != last_key:
            # as a rule it is that of the cube before
            last_place = _contact_place(key, keys, n_contacts)
            if last_place == FULL:
                return FULL
            last_key = key
        weights[last_place] += cut[mixed[x]]
    return n_rare


@njit(cache=True, nogil=True)
def surface_flags(here, up, down, below, above, part, flags):  # type: ignore[no-untyped-def]
    """Voxels of particles with one of six neighbours outside of the same particle.

    `here` begins one voxel before the others. Codes of one particle differ in the bits of
    `part` alone, which is of the type of the codes.
    """
    for x in range(flags.size):
        code = here[x + 1]
        differs = (
            (code ^ here[x]) | (code ^ here[x + 2]) | (code ^ up[x])
            | (code ^ down[x]) | (code ^ below[x]) | (code ^ above[x])
        )  # fmt: skip
        flags[x] = (differs > part) & (code > part)


@njit(cache=True, nogil=True)
def add_surface(here, places, n, surface):  # type: ignore[no-untyped-def]
    """Count voxels by their code."""
    for i in range(n):
        surface[here[places[i]]] += 1


__all__ = [
    "add_cubes",
    "add_rare_cubes",
    "add_surface",
    "corners_of",
    "cubes_of_many",
    "cut_weights",
    "first_code",
    "mixed_cubes",
    "not_zero",
    "other_codes",
    "surface_flags",
]
