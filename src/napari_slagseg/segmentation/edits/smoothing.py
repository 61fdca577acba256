"""Smooth the surface of a particle."""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits.edited import Edited, check_box, particle
from napari_slagseg.segmentation.edits.phased import phases_after

_REACH = 3.0
_LARGEST_LOSS = 0.05


def smooth(
    labels: NDArray[np.uint32],
    label: int,
    voxels: float = 1.0,
    phases: NDArray[np.uint8] | None = None,
) -> Edited:
    """Smooth a particle: a voxel belongs to it where more of its surroundings do than not.

    The surroundings are weighted by a Gaussian of standard deviation `voxels`; spikes
    and grooves less than about twice as wide vanish. A ball of radius R shrinks by
    about ``voxels**2 / R``. What other particles hold, and what lies beyond the box, counts
    neither for nor against, so borders between particles stay where they are.

    Parameters
    ----------
    labels : (z, y, x) uint32
        A box that holds the whole particle, with a margin of three times `voxels` as far as the
        volume reaches.
    label : int
    voxels : float
        How much, up to 20.
    phases : (z, y, x) uint8, optional
        Voxels that the particle loses become background; those it gains get the phase
        of its nearest voxel.

    Returns
    -------
    Edited
        Others are as they were. The particle is connected by faces if it was; bits that
        smoothing parts from it go.

    Raises
    ------
    SlagsegError
        If nothing would be left, or a twentieth or more would be parted from the rest.
    """
    check_box(labels, phases=phases)
    if not 0 < voxels <= 20:
        raise SlagsegError(f"A surface cannot be smoothed by {voxels} voxels; take 0.5 to 20.")
    box, inside = particle(labels, label, margin=int(np.ceil(_REACH * voxels)))
    here = labels[box]
    free = here == 0
    after = _majority(inside, free, voxels)
    after &= inside | free
    pieces, n = cc3d.connected_components(after, connectivity=6, return_N=True)
    if n == 0:
        raise SlagsegError(
            f"Particle {label} is so thin that smoothing by {voxels:g} voxels would leave nothing "
            "of it; take fewer voxels, or delete it."
        )
    if n > 1:
        sizes = np.bincount(pieces.reshape(-1))[1:]
        largest = int(sizes.argmax())
        parted = int(sizes.sum() - sizes[largest])
        if parted > _LARGEST_LOSS * sizes.sum():
            raise SlagsegError(
                f"Smoothing by {voxels:g} voxels would part {parted} of the "
                f"{int(inside.sum())} voxels of particle {label} from the rest; take fewer voxels, "
                "or split it first."
            )
        after = pieces == largest + 1
    changed = labels.copy()
    changed[box][inside & ~after] = 0
    changed[box][after] = label
    phases = phases_after(phases, inside, after, box=box)
    return Edited(changed, phases)


def _majority(
    inside: NDArray[np.bool_], free: NDArray[np.bool_], sigma: float
) -> NDArray[np.bool_]:
    """Where more of the weighted surroundings are inside than free."""
    # own voxels count 1 and free ones -1, so one filter says which are more
    signed = inside.astype(np.float32) - free.astype(np.float32)
    mean = gaussian_filter(signed, sigma, mode="constant", truncate=_REACH)
    majority: NDArray[np.bool_] = mean > 0
    # as many of one as of the other: the voxel stays what it is
    tie = np.abs(mean) < 1e-5
    majority[tie] = inside[tie]
    return majority


__all__ = ["smooth"]
