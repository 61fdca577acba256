"""Brush strokes of a viewer's own tools, made to fit: every voxel of a particle has a phase."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Box, SlagsegError
from napari_slagseg.segmentation.edits import Edited
from napari_slagseg.segmentation.edits.phased import phases_after

PhaseOf = Callable[[int], int]
"""Phase for new voxels of a particle that has none of them nearby."""


def stroke_values(values: Any, dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """What a viewer painted, in the type of the volume.

    Raises
    ------
    SlagsegError
        If it is not whole numbers, or one does not fit the type.
    """
    found = np.asarray(values)
    if found.ndim != 3 or found.dtype.kind not in "iub":
        raise SlagsegError(
            f"The painted {what} are a {found.ndim}-D array of type {found.dtype}; they must be "
            "whole numbers with three axes (z, y, x)."
        )
    if found.size and not 0 <= int(found.min()) <= int(found.max()) <= np.iinfo(dtype).max:
        raise SlagsegError(
            f"Painted were {what} from {int(found.min())} to {int(found.max())}; numbers from 0 "
            f"(background) to {np.iinfo(dtype).max} can be stored. Choose another number for "
            "the brush."
        )
    return found.astype(dtype, copy=False)


def check_stroke(found: NDArray[Any], before: NDArray[Any], after: NDArray[Any]) -> None:
    """Refuse a stroke that was painted on labels that are not there (any more)."""
    if before.shape != after.shape or found.shape != before.shape:
        raise SlagsegError(
            f"The stroke's box was {before.shape} voxels before it and is {after.shape} after; "
            f"there are {found.shape}. The painted box must lie in the volume."
        )
    differs = int(np.count_nonzero(found != before))
    if differs:
        raise SlagsegError(
            f"The stroke was painted on labels that have changed since ({differs} voxels differ). "
            "Nothing was changed; paint it again."
        )


def painted_particles(
    labels: NDArray[np.uint32],
    phases: NDArray[np.uint8],
    inner: Box,
    after: NDArray[np.uint32],
    phase: int | None,
    phase_of: PhaseOf,
) -> Edited:
    """Particles as a brush left them, and phases that fit.

    Voxels that became background lose their phase. Voxels that became part of a particle keep
    a phase that they have; the others get `phase`, or that of the nearest voxel of the same
    particle, or what `phase_of` says where there is none nearby.

    Parameters
    ----------
    labels, phases : (z, y, x)
        The stroke's box with a voxel around it, as far as the volume reaches.
    inner : Box
        The stroke's box within it.
    after : (z, y, x) uint32
        The particles of the stroke's box as painted.
    phase : int, optional
    phase_of : callable
    """
    new = labels.copy()
    new[inner] = after
    changed = new != labels
    fitting = np.where(changed & (new == 0), np.uint8(0), phases)
    bare = changed & (new > 0) & (phases == 0)
    for label in np.unique(new[bare]).tolist():
        stays = (labels == label) & (new == label)
        added = phase
        if added is None and not (stays & (phases > 0)).any():
            added = phase_of(label)
        # only the particle's own bare voxels: those that others lost were cleared above
        mine = stays | (bare & (new == label))
        made = phases_after(fitting, stays, mine, added_phase=added)
        assert made is not None
        fitting = made
    return Edited(new, fitting)


def painted_phases(
    labels: NDArray[np.uint32], phases: NDArray[np.uint8], after: NDArray[np.uint8]
) -> Edited:
    """Phases as a brush left them, where there are particles; phase 0 takes voxels from these.

    Parameters
    ----------
    labels, phases, after : (z, y, x)
        Of the stroke's box.
    """
    drawn = after != phases
    inside = drawn & (labels > 0)
    outside = int(np.count_nonzero(drawn & (labels == 0)))
    if drawn.any() and not inside.any():
        raise SlagsegError(
            "No painted voxel belongs to a particle, so no phase can be changed. Paint inside "
            "particles, or add the voxels to a particle first."
        )
    notes: tuple[str, ...] = ()
    if outside:
        notes = (f"{outside} painted voxels outside of all particles were left as they are.",)
    new = np.where(inside & (after == 0), np.uint32(0), labels)
    return Edited(new, np.where(inside, after, phases), notes)


__all__ = ["PhaseOf", "check_stroke", "painted_particles", "painted_phases", "stroke_values"]
