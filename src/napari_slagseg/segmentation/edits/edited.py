"""What an edit hands back, and what all edits ask of the box that they are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Box, SlagsegError, Triple
from napari_slagseg.data.box_around import box_around

Point = Sequence[int]
"""A voxel (z, y, x) of the box."""


@dataclass(frozen=True)
class Edited:
    """A box after an edit.

    An array with changes is a copy; one without any may be the one that was handed in.

    Attributes
    ----------
    labels : (z, y, x) uint32
        Particles, 0 background.
    phases : (z, y, x) uint8, optional
        Phases, 0 background; None where none were handed in or the edit takes none.
    notes : tuple of str
        What the user should know of, one sentence each.
    """

    labels: NDArray[np.uint32]
    phases: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()


def check_box(labels: NDArray[Any], **others: NDArray[Any] | None) -> None:
    """Refuse what is not a 3D box of particles with arrays of the same shape beside it."""
    if labels.ndim != 3 or labels.dtype != np.uint32:
        raise SlagsegError(
            f"The particles of the box are a {labels.ndim}-D array of type {labels.dtype}; "
            "edits need 3-D arrays (z, y, x) of type uint32."
        )
    for name, array in others.items():
        if array is not None and array.shape != labels.shape:
            raise SlagsegError(
                f"The {name} of the box have the shape {array.shape} and its particles "
                f"{labels.shape}; both must come from the same box."
            )
    phases = others.get("phases")
    if phases is not None and phases.dtype != np.uint8:
        raise SlagsegError(f"The phases of the box are of type {phases.dtype}, not uint8.")


def check_label(label: int) -> None:
    """Refuse numbers that no particle can have."""
    if not 0 < label < 2**32:
        raise SlagsegError(f"A particle cannot have the number {label}; take 1 to {2**32 - 1}.")


def check_new_labels(labels: NDArray[np.uint32], new_labels: Sequence[int], n: int) -> None:
    """Refuse numbers for new particles that are too few, the same, or used in the box."""
    if len(new_labels) != n or len(set(new_labels)) != n:
        raise SlagsegError(
            f"{n} new particles need {n} different numbers, one each; "
            f"given were {list(new_labels)}."
        )
    for new in new_labels:
        check_label(new)
        if (labels == new).any():
            raise SlagsegError(
                f"The number {new} belongs to another particle already; new particles need "
                "numbers above all that were ever used."
            )


def check_phase(phase: int) -> None:
    """Refuse ids that a particle's voxels cannot have."""
    if not 0 < phase < 256:
        raise SlagsegError(
            f"Voxels of a particle cannot have the phase {phase}; choose one from 1 to 255."
        )


def voxel(point: Point, shape: Sequence[int]) -> Triple:
    """The point as a triple of indices, refused outside the box."""
    at = tuple(int(p) for p in point)
    if len(at) != 3 or not all(0 <= a < n for a, n in zip(at, shape)):
        raise SlagsegError(
            f"The point {at} does not lie in the box of shape {tuple(shape)}; "
            "click inside the particle."
        )
    return at  # type: ignore[return-value]


def particle(labels: NDArray[np.uint32], label: int, margin: int = 1) -> tuple[Box, NDArray[Any]]:
    """Box around a particle in `labels`, and its voxels there as a boolean array.

    Raises
    ------
    SlagsegError
        If it is not there.
    """
    check_label(label)
    inside = labels == label
    box = box_around(inside, margin)
    if box is None:
        raise SlagsegError(
            f"Particle {label} does not lie in the box; it may have been deleted or merged. "
            "Select it again in the viewer."
        )
    return box, np.ascontiguousarray(inside[box])


__all__ = [
    "Edited",
    "Point",
    "check_box",
    "check_label",
    "check_new_labels",
    "check_phase",
    "particle",
    "voxel",
]
