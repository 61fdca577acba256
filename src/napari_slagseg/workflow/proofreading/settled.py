"""Where the voxels are that a user settled: kept particles, and what was deleted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Action, Box, Triple, VolumeLike
from napari_slagseg.project.edits import History
from napari_slagseg.workflow.proofreading.masks import mask_from_json
from napari_slagseg.workflow.proofreading.standing import DELETE

CARRY = "carry"
"""Kind of actions that lay a piece over another segmentation."""

PARTICLES = "particles"


@dataclass(frozen=True)
class KeptPiece:
    """Voxels of a settled particle, read when they are needed."""

    label: int
    box: Box
    labels: VolumeLike
    deleted: ClassVar[bool] = False

    def inside(self) -> NDArray[np.bool_]:
        """Its voxels in its box."""
        return np.asarray(self.labels[self.box]) == self.label


@dataclass(frozen=True)
class DeletedPiece:
    """Voxels that were made background by hand, packed to bits."""

    label: int
    box: Box
    bits: NDArray[np.uint8]
    deleted: ClassVar[bool] = True

    @classmethod
    def of(cls, label: int, box: Box, inside: NDArray[np.bool_]) -> DeletedPiece:
        """Pack voxels."""
        return cls(label, box, np.packbits(inside))

    def inside(self) -> NDArray[np.bool_]:
        """Its voxels in its box."""
        shape = [s.stop - s.start for s in self.box]
        return np.unpackbits(self.bits, count=math.prod(shape)).astype(bool).reshape(shape)


Piece = KeptPiece | DeletedPiece
"""What is carried over in one go."""


def deleted_pieces(history: History) -> list[DeletedPiece]:
    """What deletions that hold made background, where it is background still, by particle."""
    labels = history.volumes[PARTICLES]
    found: list[DeletedPiece] = []
    for entry in history.done:
        if entry.kind not in (DELETE, CARRY):
            continue
        action = history.action(entry)
        if entry.kind == CARRY and not action.parameters.get("deleted"):
            continue
        for label, start, mask in _made_background(action):
            box = _box(start, mask.shape)
            mask = mask & (np.asarray(labels[box]) == 0)
            if mask.any():
                found.append(DeletedPiece.of(label, box, mask))
    return _one_each(found)


def _made_background(action: Action) -> Iterator[tuple[int, Triple, NDArray[np.bool_]]]:
    if action.kind == CARRY:  # its voxels may have been background in the new segmentation
        start, mask = mask_from_json(action.parameters["mask"])
        yield int(action.parameters["label"]), start, mask
        return
    for delta in action.deltas:
        if delta.array != PARTICLES:
            continue
        gone = delta.new == 0
        for label in np.unique(delta.old[gone]).tolist():
            mask = np.zeros(math.prod(delta.shape), dtype=bool)
            mask[delta.places[gone & (delta.old == label)]] = True
            yield label, delta.start, mask.reshape(delta.shape)


def _one_each(pieces: Sequence[DeletedPiece]) -> list[DeletedPiece]:
    """Pieces without common voxels: of two deletions of the same place, the later one counts."""
    kept: list[DeletedPiece] = []
    for piece in reversed(pieces):
        inside = piece.inside()
        for other in kept:
            shared = _overlap(piece.box, other.box)
            if shared is not None:
                inside[shared[0]] &= ~other.inside()[shared[1]]
        if inside.any():
            kept.append(DeletedPiece.of(piece.label, piece.box, inside))
    return kept[::-1]


def _overlap(one: Box, other: Box) -> tuple[Box, Box] | None:
    """Where two boxes meet, in each of them."""
    low = [max(a.start, b.start) for a, b in zip(one, other)]
    high = [min(a.stop, b.stop) for a, b in zip(one, other)]
    if any(a >= b for a, b in zip(low, high)):
        return None
    return tuple(  # type: ignore[return-value]
        _box([a - s.start for a, s in zip(low, box)], [b - a for a, b in zip(low, high)])
        for box in (one, other)
    )


def corner(box: Box) -> Triple:
    """First voxel of a box."""
    z, y, x = (s.start for s in box)
    return z, y, x


def _box(start: Sequence[int], shape: Sequence[int]) -> Box:
    z, y, x = (slice(a, a + n) for a, n in zip(start, shape))
    return z, y, x


__all__ = ["CARRY", "DeletedPiece", "KeptPiece", "Piece", "corner", "deleted_pieces"]
