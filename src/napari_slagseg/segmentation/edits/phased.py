"""Phases of the voxels that an edit adds to particles or takes from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Box, SlagsegError
from napari_slagseg.data.box_around import box_around
from napari_slagseg.segmentation.edits.edited import check_phase
from napari_slagseg.segmentation.edits.reaching import spread


def phases_after(
    phases: NDArray[np.uint8] | None,
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    *,
    box: Box | None = None,
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
    box : tuple of slices, optional
        Where these two lie in the phases; the whole if not given.
    added_phase : int, optional
    """
    if phases is None:
        return None
    here = phases if box is None else phases[box]
    lost = before & ~after
    bare = after & ~before & (here == 0)
    if not lost.any() and not bare.any():
        return phases
    changed = phases.copy()
    part = changed if box is None else changed[box]
    part[lost] = 0
    cut = box_around(bare)
    if cut is None:
        return changed
    if added_phase is not None:
        part[bare] = added_phase
        return changed
    given = before & (here > 0)
    part[cut] = np.where(bare[cut], spread(here[cut], given[cut], bare[cut]), part[cut])
    left = bare & (part == 0)
    if left.any():
        # no way across the added voxels: the phase that most of the particle is of
        counts = np.bincount(here[given], minlength=2)
        part[left] = max(1, int(counts.argmax()))
    return changed


def check_added_phase(
    phases: NDArray[np.uint8] | None,
    added: NDArray[np.bool_],
    phase: int | None,
    *,
    label: int,
    is_new: bool,
) -> None:
    """Refuse voxels of a new particle that would have no phase, and phases that there are not."""
    if phase is not None:
        check_phase(phase)
    elif phases is not None and is_new and (phases[added] == 0).any():
        raise SlagsegError(
            f"Particle {label} is new and some of its voxels have no phase; choose the phase "
            "that they get."
        )


__all__ = ["check_added_phase", "phases_after"]
