"""Painted voxels become a particle, or part of one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits.edited import Edited, check_box, check_label
from napari_slagseg.segmentation.edits.phased import check_added_phase, phases_after


def add_by_painting(
    labels: NDArray[np.uint32],
    painted: NDArray[Any],
    label: int,
    *,
    phases: NDArray[np.uint8] | None = None,
    phase: int | None = None,
    overwrite: bool = False,
) -> Edited:
    """Give painted voxels to a particle.

    Parameters
    ----------
    labels : (z, y, x) uint32
        A box around what was painted.
    painted : (z, y, x) bool or integer
        What is not 0 was painted.
    label : int
        A new number for a new particle, or that of a particle of the box, which grows.
    phases : (z, y, x) uint8, optional
        Painted voxels keep a phase that they have.
    phase : int, optional
        Phase of those that have none. Without it they get that of the nearest voxel of the
        growing particle; a new particle needs it.
    overwrite : bool
        Whether voxels of other particles may be taken. Without it these are left out.

    Returns
    -------
    Edited
        A note says how many voxels were left to others, or taken from them.

    Raises
    ------
    SlagsegError
        If nothing would change, or a phase is needed and not given.
    """
    painted = np.asarray(painted) != 0
    check_box(labels, phases=phases, painted=painted)
    check_label(label)
    before = labels == label
    others = painted & (labels > 0) & ~before
    taken = painted if overwrite else painted & ~others
    after = before | taken
    n_others = int(np.count_nonzero(others))
    if not (after & ~before).any():
        if n_others:
            raise SlagsegError(
                f"All {n_others} newly painted voxels belong to other particles, so particle "
                f"{label} gets none. Allow to overwrite others, or merge with them."
            )
        raise SlagsegError(
            f"Nothing was painted that is not part of particle {label} already; paint in "
            "the background beside it."
        )
    check_added_phase(phases, taken, phase, label=label, is_new=not before.any())
    notes = []
    if n_others:
        says = "were taken from other particles" if overwrite else "were left to other particles"
        notes.append(f"{n_others} painted voxels {says}.")
    changed = labels.copy()
    changed[taken] = label
    return Edited(changed, phases_after(phases, before, after, added_phase=phase), tuple(notes))


__all__ = ["add_by_painting"]
