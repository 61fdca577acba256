"""The border weight D of K Eq. 2, after Ronneberger et al. 2015."""

from __future__ import annotations

import edt
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects


def nearest_two(
    labels: NDArray[np.int32], reach: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distances from every pixel to the nearest and second-nearest particle.

    Parameters
    ----------
    labels : (rows, columns) int32
        Particles; 0 and below is none.
    reach : float
        Distances beyond it are not needed and come back as infinity, so each
        particle is looked at inside its own box only.

    Returns
    -------
    first, second : (rows, columns) float32
        Pixels, between pixel centres.
    """
    first = np.full(labels.shape, np.inf, dtype=np.float32)
    second = np.full(labels.shape, np.inf, dtype=np.float32)
    margin = int(np.ceil(reach)) + 1
    for i, box in enumerate(find_objects(np.maximum(labels, 0))):
        if box is None:
            continue
        wide = tuple(
            slice(max(0, s.start - margin), min(n, s.stop + margin))
            for s, n in zip(box, labels.shape)
        )
        outside = labels[wide] != i + 1
        distance = edt.edt(np.ascontiguousarray(outside).view(np.uint8), black_border=False)
        distance = np.where(distance > reach, np.inf, distance).astype(np.float32)
        near, next_near = first[wide], second[wide]
        second[wide] = np.minimum(next_near, np.maximum(near, distance))
        first[wide] = np.minimum(near, distance)
    return first, second


def border_weight(
    labels: NDArray[np.int32], *, sigma: float = 5.0, reach: float = 5.0
) -> NDArray[np.float32]:
    """D on a plane of particles.

    ``exp(-(d1 + d2)^2 / (2 sigma^2))``, scaled to 1 where both distances are one
    pixel, and 0 where the second-nearest particle is more than `reach` away.

    Parameters
    ----------
    labels : (rows, columns) int32
        Particles at CT pitch; 0 background, -1 unknown.
    sigma : float
        Pixels; 5 as in Ronneberger et al.
    reach : float
        Pixels; 5 as in K 2.3.3.

    Returns
    -------
    weight : (rows, columns) float32
        0 inside particles.
    """
    first, second = nearest_two(labels, reach)
    weight = np.zeros(labels.shape, dtype=np.float32)
    near = (labels <= 0) & (second <= reach)
    total = first[near] + second[near]
    weight[near] = np.exp((4.0 - total**2) / (2 * sigma**2))
    return weight


__all__ = ["border_weight", "nearest_two"]
