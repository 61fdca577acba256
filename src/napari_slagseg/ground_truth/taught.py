"""What edited particles teach the particle network: where it was wrong, and what is right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from napari_slagseg.data import SlagsegError

REACH = 2
"""Voxels around a border that a merge removed in which the network is held to it, too.

Two particles that touch lose one voxel each, while the gap that a network leaves between them
is wider; taking a gap back needs all of it.
"""


MARGIN = 3
"""Voxels of background around a kept particle that are known with it."""

BACKGROUND, INSIDE, BORDER = 0, 1, 2
"""What is known of a voxel: background, inside a particle, or of a rim that touches another."""


def network_foreground(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """What the particle network is to call foreground: particles, less the rims that touch.

    The same rule as for the particles of maps (`touching.touching_particles`): a voxel with
    another particle among its 26 neighbours is background.

    Parameters
    ----------
    labels : (z, y, x) unsigned integer
        Particles, 0 background. At the sides of the box, what lies beyond is not seen.

    Returns
    -------
    (z, y, x) bool

    Examples
    --------
    >>> network_foreground(np.array([[[1, 1, 2, 2, 0, 3]]], np.uint32)).astype(int).tolist()
    [[[1, 0, 0, 1, 0, 1]]]
    """
    if labels.dtype.kind != "u":
        raise SlagsegError(f"Particles are unsigned whole numbers, not {labels.dtype}.")
    none = np.iinfo(labels.dtype).max
    largest = maximum_filter(labels, size=3, mode="nearest")
    least = minimum_filter(np.where(labels == 0, none, labels), size=3, mode="nearest")
    return np.asarray((labels > 0) & (largest == labels) & (least == labels))


def taught_errors(
    segmented: NDArray[np.uint32],
    edited: NDArray[np.uint32],
    predicted: NDArray[np.bool_],
    *,
    reach: int = REACH,
) -> NDArray[np.bool_]:
    """Voxels of a box that the network got wrong, as the edits show.

    These are the set E of K Eq. 3: voxels that edits made foreground or background for the
    network (added, deleted, borders of splits and of what was merged), and voxels of particles
    up to `reach` around borders that are gone, where what the network predicted differs from what
    the edited particles say.

    Parameters
    ----------
    segmented, edited : (z, y, x) uint32
        Particles before all edits and now. The box should reach `reach` + 1 voxels beyond all
        that was edited.
    predicted : (z, y, x) bool
        The binarised prediction of the network.
    reach : int

    Returns
    -------
    (z, y, x) bool

    Raises
    ------
    SlagsegError
        If the shapes differ.

    References
    ----------
    Kirstein et al. 2026, 2.3.4.
    """
    if not segmented.shape == edited.shape == predicted.shape:
        raise SlagsegError(
            f"Particles before and after edits and the prediction come in boxes of "
            f"{segmented.shape}, {edited.shape} and {predicted.shape} voxels; all must be the same."
        )
    wanted = network_foreground(edited)
    changed = wanted != network_foreground(segmented)
    # the other way round, a border that was drawn by hand is as thin as those of the truth are:
    # what the network left out beside it is part of a gap that it saw
    joined = maximum_filter(changed & wanted, size=2 * reach + 1, mode="constant")
    told = changed | (joined & wanted & (segmented > 0))
    return np.asarray(told & (wanted != predicted))


def known_around(labels: NDArray[np.uint32], label: int) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """What is known in a box where a user vouches for a particle.

    Its own voxels, and the background up to `MARGIN` voxels around it. Neighbours are not
    known: nobody looked at their other sides.

    Parameters
    ----------
    labels : (z, y, x) uint32
        Particles in the particle's box and `MARGIN` + 1 voxels around it.
    label : int

    Returns
    -------
    known : (z, y, x) bool
    kinds : (n,) uint8
        `BACKGROUND`, `INSIDE` or `BORDER`, of the known voxels in C order.

    Examples
    --------
    >>> known, kinds = known_around(np.array([[[0, 1, 1, 2, 2, 0]]], np.uint32), 1)
    >>> known.astype(int).tolist(), kinds.tolist()
    ([[[1, 1, 1, 0, 0, 1]]], [0, 1, 2, 0])
    """
    own = labels == label
    near = maximum_filter(own, size=2 * MARGIN + 1, mode="constant")
    known = own | (near & (labels == 0))
    kinds = np.where(own, np.where(network_foreground(labels), INSIDE, BORDER), BACKGROUND)
    return known, kinds[known].astype(np.uint8)


__all__ = [
    "BACKGROUND",
    "BORDER",
    "INSIDE",
    "MARGIN",
    "REACH",
    "known_around",
    "network_foreground",
    "taught_errors",
]
