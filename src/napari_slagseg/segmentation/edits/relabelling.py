"""Give a region of particles another phase."""

from __future__ import annotations

from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.data.box_around import box_around
from napari_slagseg.segmentation.edits.edited import Edited, Point, check_box, voxel
from napari_slagseg.segmentation.edits.reaching import reached_from


def relabel_painted(
    labels: NDArray[np.uint32],
    phases: NDArray[np.uint8],
    painted: NDArray[Any],
    phase: int,
    *,
    label: int | None = None,
) -> Edited:
    """Give painted voxels of particles another phase.

    Parameters
    ----------
    labels : (z, y, x) uint32
        A box around what was painted.
    phases : (z, y, x) uint8
    painted : (z, y, x) bool or integer
        What is not 0 was painted. Voxels of no particle are left as they are: foreground
        is added by painting or growing a particle.
    phase : int
        0, background, also takes the voxels from their particles.
    label : int, optional
        Only voxels of this particle change.

    Returns
    -------
    Edited

    Raises
    ------
    SlagsegError
        If nothing would change.
    """
    painted = np.asarray(painted) != 0
    check_box(labels, phases=phases, painted=painted)
    where = painted & (labels > 0 if label is None else labels == label)
    if not where.any():
        whose = "a particle" if label is None else f"particle {label}"
        raise SlagsegError(
            f"No painted voxel belongs to {whose}, so no phase can be changed. Paint inside "
            "it, or add the voxels to a particle first."
        )
    return _relabelled(labels, phases, where, phase)


def relabel_region(
    labels: NDArray[np.uint32], phases: NDArray[np.uint8], point: Point, phase: int
) -> Edited:
    """Give the grain at a point another phase.

    The grain is what is connected with the point by faces, in the same particle and of the
    same phase.

    Parameters
    ----------
    labels : (z, y, x) uint32
        A box that holds the whole particle.
    phases : (z, y, x) uint8
    point : (z, y, x)
        A voxel of the grain, in the box.
    phase : int
        0, background, also takes the voxels from the particle.

    Returns
    -------
    Edited

    Raises
    ------
    SlagsegError
        If the point lies in no particle or nothing would change.
    """
    check_box(labels, phases=phases)
    at = voxel(point, labels.shape)
    if labels[at] == 0:
        raise SlagsegError(
            f"The point {at} lies in no particle, so there is no grain to change; click inside one."
        )
    grain = (labels == labels[at]) & (phases == phases[at])
    return _relabelled(labels, phases, reached_from(grain, at), phase)


def _relabelled(
    labels: NDArray[np.uint32], phases: NDArray[np.uint8], where: NDArray[np.bool_], phase: int
) -> Edited:
    if not 0 <= phase < 256:
        raise SlagsegError(f"There is no phase {phase}; ids of phases go from 0 to 255.")
    if (phases[where] == phase).all() and phase > 0:
        raise SlagsegError(
            f"The whole region is of phase {phase} already; choose another phase or region."
        )
    changed = phases.copy()
    changed[where] = phase
    if phase:
        return Edited(labels, changed)
    left = labels.copy()
    left[where] = 0
    notes = []
    for label in np.unique(labels[where]):
        box = box_around(left == label)
        if box is None:
            notes.append(f"Particle {label} is gone: all of it became background.")
            continue
        rest = np.ascontiguousarray(left[box] == label)
        n = cc3d.connected_components(rest, connectivity=6, return_N=True)[1]
        if n > 1:
            notes.append(f"Particle {label} is now in {n} pieces that do not touch.")
    return Edited(left, changed, tuple(notes))


__all__ = ["relabel_painted", "relabel_region"]
