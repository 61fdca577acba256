"""Fill the holes of a particle."""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits.edited import Edited, check_box, particle
from napari_slagseg.segmentation.edits.phased import phases_after
from napari_slagseg.segmentation.edits.reaching import enclosed


def fill_holes(
    labels: NDArray[np.uint32],
    label: int,
    phases: NDArray[np.uint8] | None = None,
    *,
    maximum_voxels: int | None = None,
) -> Edited:
    """Fill the background that a particle encloses.

    A hole is a piece of background from which no way across faces leads out of the
    particle's box without crossing the particle. Other particles in a hole are left as they
    are; the background around them is filled. Background that a particle and the border of the
    volume enclose together is no hole.

    Parameters
    ----------
    labels : (z, y, x) uint32
        A box that holds the whole particle.
    label : int
    phases : (z, y, x) uint8, optional
        Filled voxels without a phase get that of the nearest voxel of the particle.
    maximum_voxels : int, optional
        Larger holes stay. All are filled if not given.

    Returns
    -------
    Edited
        A note says how many voxels were filled.

    Raises
    ------
    SlagsegError
        If there is no hole to fill.
    """
    check_box(labels, phases=phases)
    box, inside = particle(labels, label)
    holes = enclosed(~inside) & (labels[box] == 0)
    found = int(np.count_nonzero(holes))
    if found and maximum_voxels is not None:
        pieces = cc3d.connected_components(holes, connectivity=6)
        small = np.bincount(pieces.reshape(-1)) <= maximum_voxels
        small[0] = False
        holes = small[pieces]
    filled = int(np.count_nonzero(holes))
    if not filled:
        if found:
            raise SlagsegError(
                f"The holes of particle {label} are all larger than {maximum_voxels} voxels; "
                "allow larger ones."
            )
        raise SlagsegError(
            f"Particle {label} encloses no background. A hole that is open to the outside "
            "or to the border of the volume is filled by painting it or by smoothing."
        )
    changed = labels.copy()
    changed[box][holes] = label
    phases = phases_after(phases, inside, inside | holes, box=box)
    return Edited(changed, phases, (f"{filled} voxels were filled.",))


__all__ = ["fill_holes"]
