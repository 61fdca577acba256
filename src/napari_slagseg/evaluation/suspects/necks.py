"""Where a particle is narrow: the valleys between the tops of a height map inside it.

Voxels are taken from the highest to the lowest. Each joins the basin of its highest
neighbour that was taken before it, or begins one; where two basins meet, the one with the
lower top ends in the other, and the height of that voxel is the saddle between them. For
the distance to the outside, tops are radii of inscribed balls and a saddle is half the width
of the neck; for a network's probability, every threshold between saddle and top splits the
particle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

FINEST = 1 / 64
"""Steps in which heights are told apart: numbers of 16 bits are sorted many times faster."""

LEAST_SHARE = 0.08
"""Share of the voxels that the smaller side of a cut must hold to halve a particle."""

LEAST_VOXELS = 30
"""Voxels that either side of a cut must hold; less is roughness of the surface."""


@dataclass(frozen=True)
class Cuts:
    """All ways to cut a particle at a saddle, one a basin but the highest.

    Attributes
    ----------
    basins : (z, y, x) int32
        Basin of each voxel of the particle, 1 and on; 0 outside.
    into : (n,) int64
        Basin (counted from 0) that each ends in; -1 for those that end in none.
    tops, saddles : (n,) float64
        Heights; the saddle is that at which a basin ends, 0 where it ends in none.
    shares : (n,) float64
        Share of the particle's voxels in the basin and those that end in it.
    """

    basins: NDArray[np.int32]
    into: NDArray[np.int64]
    tops: NDArray[np.float64]
    saddles: NDArray[np.float64]
    shares: NDArray[np.float64]

    def wide(self) -> NDArray[np.bool_]:
        """Cuts with at least `LEAST_SHARE` of the particle on both sides."""
        small = np.minimum(self.shares, 1 - self.shares)
        return (self.into >= 0) & (small >= LEAST_SHARE)

    def sound(self, voxels: float) -> NDArray[np.bool_]:
        """Cuts with at least `LEAST_VOXELS` on both sides, of a particle of so many voxels."""
        small = np.minimum(self.shares, 1 - self.shares)
        return (self.into >= 0) & (small * voxels >= LEAST_VOXELS)

    def narrowest(self, among: NDArray[np.bool_]) -> int:
        """Cut with the smallest saddle relative to the lower top; -1 without any."""
        cuts = np.flatnonzero(among)
        if not len(cuts):
            return -1
        return int(cuts[np.argmin(self.saddles[cuts] / self.tops[cuts])])

    def side(self, cut: int) -> NDArray[np.bool_]:
        """Voxels that a cut takes off."""
        inside = np.zeros(len(self.into) + 1, dtype=np.bool_)
        inside[cut + 1] = True
        # a basin ends in one with a higher top, which was found before it
        for basin in range(cut + 1, len(self.into)):
            if self.into[basin] >= 0:
                inside[basin + 1] |= inside[self.into[basin] + 1]
        return inside[self.basins]


def cuts_of(heights: NDArray[Any], inside: NDArray[np.bool_]) -> Cuts:
    """Basins of a height map inside a mask (6 neighbours), and how they end.

    Parameters
    ----------
    heights : (z, y, x) real
        Above 0 inside; told apart in steps of `FINEST`, up to 1023.
    inside : (z, y, x) bool
    """
    framed = np.zeros(tuple(n + 2 for n in inside.shape), dtype=np.uint16)
    steps_up = np.clip(np.rint(heights * np.float32(1 / FINEST)), 1, 65535)
    framed[1:-1, 1:-1, 1:-1] = np.where(inside, steps_up, 0)
    flat = framed.reshape(-1)
    places = np.flatnonzero(flat)
    places = places[np.argsort(np.uint16(65535) - flat[places], kind="stable")]
    basin = np.zeros(flat.shape, dtype=np.int32)
    steps = np.array([framed.shape[1] * framed.shape[2], framed.shape[2], 1], dtype=np.int64)
    n, into, tops, saddles, voxels = _flooded(flat, places, steps, basin)
    # the voxels of a basin go on to that which it ends in, lowest tops first
    for k in range(n - 1, -1, -1):
        if into[k] >= 0:
            voxels[into[k]] += voxels[k]
    shares = voxels[:n] / max(1, len(places))
    basins = np.ascontiguousarray(basin.reshape(framed.shape)[1:-1, 1:-1, 1:-1])
    return Cuts(basins, into[:n], tops[:n] * FINEST, saddles[:n] * FINEST, shares)


@njit(cache=True, nogil=True)
def _flooded(flat, places, steps, basin):  # type: ignore[no-untyped-def]
    """Basins in the order of their tops; `basin` is filled."""
    room = 256
    into = np.full(room, -1, np.int64)
    root = np.arange(room)
    tops = np.zeros(room)
    saddles = np.zeros(room)
    voxels = np.zeros(room)
    n = 0
    for place in places:
        height = flat[place]
        best = 0
        steepest = 0
        for axis in range(3):
            for sign in (-1, 1):
                other = place + sign * steps[axis]
                if basin[other] > 0 and flat[other] > steepest:
                    steepest = flat[other]
                    best = basin[other]
        if best == 0:
            if n == room:
                into = np.append(into, np.full(room, -1, np.int64))
                root = np.append(root, np.arange(room, 2 * room))
                tops = np.append(tops, np.zeros(room))
                saddles = np.append(saddles, np.zeros(room))
                voxels = np.append(voxels, np.zeros(room))
                room *= 2
            tops[n] = height
            voxels[n] = 1
            n += 1
            basin[place] = n
            continue
        basin[place] = best
        voxels[best - 1] += 1
        for axis in range(3):
            for sign in (-1, 1):
                other = place + sign * steps[axis]
                if basin[other] == 0:
                    continue
                a = _root(root, best - 1)
                b = _root(root, basin[other] - 1)
                if a != b:
                    # basins are numbered from the highest top to the lowest
                    low, high = max(a, b), min(a, b)
                    root[low] = high
                    into[low] = high
                    saddles[low] = height
    return n, into, tops, saddles, voxels


@njit(cache=True, nogil=True)
def _root(root, k):  # type: ignore[no-untyped-def]
    while root[k] != k:
        root[k] = root[root[k]]
        k = root[k]
    return k


__all__ = ["LEAST_SHARE", "LEAST_VOXELS", "Cuts", "cuts_of"]
