"""Where else a piece of the map could lie: every shift of it, coarsely.

Gauss-Newton finds a place from a few voxels off; a piece that slipped farther it never
sees. So a piece is compared with the CT at every shift by whole voxels of a coarse level,
in all three directions. The interpolation between voxels is then the same for all
shifts, and the linear terms that do not count (a constant, slopes, a radial term) are the
same, too: they are projected out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.registration.pyramid import Block, FloatArray, PreparedCT
from napari_slagseg.registration.rigid_cutouts import Window, indices_within, thinned
from napari_slagseg.registration.surface import MapPoints, PolynomialSurface

IN_PLANE, IN_HEIGHT = 12.0, 20.0
"""Reach of the search, as lengths."""

MOST_POINTS = 600
"""Map pixels of a piece that take part, if not stated otherwise."""

_MOST_OUTSIDE = 0.2
"""Share of a piece that may leave the CT at a shift that is considered."""


@dataclass(frozen=True)
class Shifts:
    """What the search found for pieces of a map.

    Attributes
    ----------
    off : (n, 3) float64
        Lengths (z, y, x) from where each piece began to where it fits best, between the
        voxels by parabolas.
    best, begun : (n,) float64
        Correlation there and where it began; -1 where it was not seen.
    within : (n,) bool
        Whether the best place is a peak, not the end of what was searched.
    """

    off: FloatArray
    best: FloatArray
    begun: FloatArray
    within: NDArray[np.bool_]


def search_shifts(
    prepared: PreparedCT,
    block: Block,
    points: MapPoints,
    pieces: Sequence[tuple[Window, PolynomialSurface]],
    greys: FloatArray,
    reach: tuple[float, float] = (IN_HEIGHT, IN_PLANE),
    most_points: int = MOST_POINTS,
) -> Shifts:
    """Correlation of pieces with the CT at all shifts.

    Parameters
    ----------
    prepared, block
        The CT, and one level of it.
    points : MapPoints
        Map pixels at about the pitch of `block`, sorted by row.
    pieces : sequence of (Window, PolynomialSurface)
        Each with its surface to begin with, in the window's coordinates.
    greys : (phases,) float64
        Grey value of each phase above the background, as `surface.SurfaceFit.greys`.
    reach : (float, float)
        Largest shift in height and in the CT's plane, as lengths; the shifts are whole
        voxels of `block`.
    most_points : int
        Map pixels of a piece that take part.

    Returns
    -------
    Shifts
    """
    n = len(pieces)
    axis = np.asarray(prepared.rings.centre, np.float64)
    expected = points.fractions @ greys
    positions, terms, templates, weights = [], [], [], []
    for window, surface in pieces:
        own = indices_within(points, window)
        own = thinned(
            own[prepared.holds(surface.at(points.rows[own], points.columns[own]))], most_points
        )
        q = surface.at(points.rows[own], points.columns[own])
        weight = np.sqrt(points.known[own])
        u, v = surface.normalised(points.rows[own], points.columns[own])
        radial = ((q[:, 1:] - axis) ** 2).sum(axis=1)
        radial = radial / max(float(radial.max(initial=0.0)), 1e-9)
        nuisance = np.linalg.qr(np.stack([np.ones(len(own)), u, v, radial], 1) * weight[:, None])[0]
        template = expected[own] * weight
        template = template - nuisance @ (nuisance.T @ template)
        positions.append(q)
        weights.append(weight)
        terms.append(nuisance)
        templates.append(template / max(float(np.linalg.norm(template)), 1e-12))
    if n == 0:
        return Shifts(np.zeros((0, 3)), np.zeros(0), np.zeros(0), np.zeros(0, bool))
    first = np.concatenate([[0], np.cumsum([len(q) for q in positions])]).astype(np.int64)
    reaches = np.array([reach[0], reach[1], reach[1]])
    counts = np.maximum(np.round(reaches / block.pitch), 1).astype(np.int64)
    scores = _search_all(
        block.data,
        block.origin,
        block.pitch,
        axis,
        min(prepared.rings.radius, 1e9),
        np.concatenate(positions),
        np.concatenate(terms),
        np.concatenate(templates),
        np.concatenate(weights),
        first,
        counts,
    )
    flat = scores.reshape(n, -1)
    best = flat.argmax(axis=1)
    at = np.stack(np.unravel_index(best, scores.shape[1:]), axis=1)
    off = np.stack([_between(scores[i], at[i]) for i in range(n)]) - counts
    begun = scores[:, counts[0], counts[1], counts[2]]
    within = np.all((at > 0) & (at < 2 * counts), axis=1)
    return Shifts(off * block.pitch, flat[np.arange(n), best], begun, within)


def _between(scores: NDArray[np.float64], at: NDArray[np.int64]) -> FloatArray:
    """Peak near the highest score, by a parabola along each axis."""
    out = at.astype(np.float64)
    for k, middle in enumerate(at):
        if not 0 < middle < scores.shape[k] - 1:
            continue
        near = [scores[tuple(at + step * (np.arange(3) == k))] for step in (-1, 0, 1)]
        bend = near[0] - 2 * near[1] + near[2]
        if min(near) > -1 and bend < 0:
            out[k] += float(np.clip(0.5 * (near[0] - near[2]) / bend, -0.5, 0.5))
    return out


@numba.njit(cache=True, nogil=True)
def _search(  # type: ignore[no-untyped-def]
    data, origin, pitch, axis, radius, positions, terms, template, weights, counts
):
    """Correlations (2 nz + 1, 2 ny + 1, 2 nx + 1) of one piece."""
    nz, ny, nx = 2 * counts[0] + 1, 2 * counts[1] + 1, 2 * counts[2] + 1
    depth, height, width = data.shape
    n_terms = terms.shape[1]
    plane = ny * nx
    size = nz * plane
    values = np.empty(size)
    square = np.zeros(size)
    along = np.zeros((n_terms, size))
    match = np.zeros(size)
    outside = np.zeros(size)
    lines = np.empty((nz + 1, ny + 1, nx))
    sheets = np.empty((nz + 1, ny, nx))
    columns = np.empty(nx + 1, np.int64)
    beyond = np.empty(plane)
    known = 0.0
    for p in range(positions.shape[0]):
        w = weights[p]
        known += w * w
        z = (positions[p, 0] - origin[0]) / pitch[0] - 0.5 - counts[0]
        y = (positions[p, 1] - origin[1]) / pitch[1] - 0.5 - counts[1]
        x = (positions[p, 2] - origin[2]) / pitch[2] - 0.5 - counts[2]
        k, j, i = int(np.floor(z)), int(np.floor(y)), int(np.floor(x))
        a, b, c = z - k, y - j, x - i
        for s in range(nx + 1):
            columns[s] = min(max(i + s, 0), width - 1)
        for r in range(nz + 1):
            kk = min(max(k + r, 0), depth - 1)
            for q in range(ny + 1):
                jj = min(max(j + q, 0), height - 1)
                for s in range(nx):
                    low, high = data[kk, jj, columns[s]], data[kk, jj, columns[s + 1]]
                    lines[r, q, s] = low + c * (high - low)
            for q in range(ny):
                for s in range(nx):
                    sheets[r, q, s] = lines[r, q, s] + b * (lines[r, q + 1, s] - lines[r, q, s])
        for q in range(ny):
            for s in range(nx):
                dy = positions[p, 1] + (q - counts[1]) * pitch[1] - axis[0]
                dx = positions[p, 2] + (s - counts[2]) * pitch[2] - axis[1]
                gone = dy * dy + dx * dx > radius * radius
                gone = gone or y + q < -0.5 or y + q > height - 0.5
                gone = gone or x + s < -0.5 or x + s > width - 0.5
                beyond[q * nx + s] = w * w if gone else 0.0
        for r in range(nz):
            gone = z + r < -0.5 or z + r > depth - 0.5
            for q in range(ny):
                for s in range(nx):
                    m = r * plane + q * nx + s
                    low = sheets[r, q, s]
                    values[m] = w * (low + a * (sheets[r + 1, q, s] - low))
                    outside[m] += w * w if gone else beyond[q * nx + s]
        expected = template[p]
        for m in range(size):
            square[m] += values[m] * values[m]
            match[m] += expected * values[m]
        for t in range(n_terms):
            term = terms[p, t]
            for m in range(size):
                along[t, m] += term * values[m]
    out = np.full(size, -1.0)
    for m in range(size):
        rest = square[m]
        for t in range(n_terms):
            rest -= along[t, m] * along[t, m]
        if outside[m] <= _MOST_OUTSIDE * known and rest > 1e-9 * square[m] and square[m] > 0.0:
            out[m] = match[m] / np.sqrt(rest)
    return out.reshape((nz, ny, nx))


@numba.njit(parallel=True, cache=True, nogil=True)
def _search_all(  # type: ignore[no-untyped-def]
    data, origin, pitch, axis, radius, positions, terms, templates, weights, first, counts
):
    pieces = len(first) - 1
    out = np.empty((pieces, 2 * counts[0] + 1, 2 * counts[1] + 1, 2 * counts[2] + 1))
    for i in numba.prange(pieces):
        part = slice(first[i], first[i + 1])
        out[i] = _search(
            data, origin, pitch, axis, radius, positions[part], terms[part], templates[part],
            weights[part], counts,
        )  # fmt: skip
    return out


__all__ = ["IN_HEIGHT", "IN_PLANE", "Shifts", "search_shifts"]
