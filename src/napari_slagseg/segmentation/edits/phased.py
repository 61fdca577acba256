"""Phases of the voxels that an edit adds to particles or takes from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.segmentation.edits.edited import box_around
from napari_slagseg.segmentation.edits.reaching import spread


def phases_after(
    phases: NDArray[np.uint8] | None,
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    *,
    added_phase: int | None = None,
) -> NDArray[np.uint8] | None:
    """Phases that fit a particle's new voxels: its foreground is where it lies.

    Voxels that it loses become background. Voxels that it gains keep a phase that they
    have; the others get `added_phase` or, without one, that of the nearest voxel
    of the particle as it was.

    Parameters
    ----------
    phases : (z, y, x) uint8, optional
        Not changed.
    before, after : (z, y, x) bool
        The particle.
    added_phase : int, optional
    """
    if phases is None:
        return None
    lost = before & ~after
    bare = after & ~before & (phases == 0)
    if not lost.any() and not bare.any():
        return phases
    changed = phases.copy()
    changed[lost] = 0
    box = box_around(bare)
    if box is not None:
        if added_phase is not None:
            changed[bare] = added_phase
        else:
            given = before[box] & (phases[box] > 0)
            near = spread(phases[box], given, bare[box])
            changed[box] = np.where(bare[box], near, changed[box])
            left = bare & (changed == 0)
            if left.any():
                # no way across the added voxels: the phase that most of the particle is of
                counts = np.bincount(phases[before & (phases > 0)], minlength=2)
                changed[left] = max(1, int(counts.argmax()))
    return changed


__all__ = ["phases_after"]
