"""Round patches of a map: where they are taken, and how they look in the CT's frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slagseg.registration.fractions import FractionImages
from napari_slagseg.registration.pyramid import FloatArray


def choose_patches(
    images: FractionImages, grey: NDArray[np.float32], radius: float, maximum: int
) -> list[tuple[int, int]]:
    """Centres (pixels of the images) of round patches spread over the map.

    Patches need known pixels under most of the disc and some contrast; the first is the
    one with most contrast, each next one the farthest from those chosen.
    """
    rows, columns = grey.shape
    r = int(radius)
    disc = disc_of(radius)
    known = ndimage.convolve(images.known, disc / disc.sum(), mode="constant")
    local = images.known * grey
    mean = ndimage.convolve(local, disc, mode="constant")
    square = ndimage.convolve(local * grey, disc, mode="constant")
    area = np.maximum(known * disc.sum(), 1e-6)
    contrast = np.maximum(square / area - (mean / area) ** 2, 0.0) * known
    floor = min(0.75, 0.9 * float(known.max()))
    step = max(1, r // 3)
    grid = [
        (i, j)
        for i in range(0, rows, step)
        for j in range(0, columns, step)
        if known[i, j] >= floor and contrast[i, j] > 0.05 * contrast.max()
    ]
    if not grid:
        i, j = np.unravel_index(int(np.argmax(contrast)), contrast.shape)
        return [(int(i), int(j))]
    points = np.asarray(grid, dtype=np.float64)
    value = np.array([contrast[i, j] for i, j in grid])
    chosen = [int(np.argmax(value))]
    distance = np.full(len(grid), np.inf)
    while len(chosen) < min(maximum, len(grid)):
        distance = np.minimum(distance, np.hypot(*(points - points[chosen[-1]]).T))
        if distance.max() < 0.5 * radius:
            break
        chosen.append(int(np.argmax(distance * (0.5 + value / value.max()))))
    return [grid[i] for i in chosen]


def disc_of(radius: float) -> NDArray[np.float32]:
    """(edge, edge) image of ones inside a radius in pixels; edge is odd."""
    r = int(np.ceil(radius))
    y, x = np.mgrid[-r : r + 1, -r : r + 1]
    return (np.hypot(y, x) <= radius).astype(np.float32)


def template_of(
    grey: NDArray[np.float32],
    known: NDArray[np.float32],
    centre: tuple[int, int],
    matrix: FloatArray,
    disc: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The patch around `centre`, turned into the CT's frame, zero mean in the disc."""
    r = disc.shape[0] // 2
    y, x = np.mgrid[-r : r + 1, -r : r + 1].astype(np.float64)
    at = np.tensordot(matrix, np.stack([y, x]), axes=1)
    at[0] += centre[0]
    at[1] += centre[1]
    value = ndimage.map_coordinates(grey, at, order=1, mode="constant")
    weight = ndimage.map_coordinates(known, at, order=1, mode="constant") * disc
    total = float(weight.sum())
    if total <= 0:
        return np.zeros_like(disc)
    mean = float((value * weight).sum()) / total
    return ((value - mean) * weight).astype(np.float32)


__all__ = ["choose_patches", "disc_of", "template_of"]
