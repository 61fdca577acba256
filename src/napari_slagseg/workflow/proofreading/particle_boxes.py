"""Where every particle lies, kept right from edit to edit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Box, Delta, SlagsegError
from napari_slagseg.data.box_around import box_around
from napari_slagseg.segmentation.label_boxes import label_boxes

Ends = tuple[int, int, int, int, int, int]
"""First voxel (z, y, x) of a box, and the voxel after its last."""

Reader = Callable[[Box], NDArray[Any]]


class ParticleBoxes:
    """The smallest box around every particle.

    Parameters
    ----------
    labels : (n,) int64
        Rising.
    boxes : (n, 6) int64
        First voxel (z, y, x) of each, and the voxel after its last.
    """

    def __init__(self, labels: NDArray[np.int64], boxes: NDArray[np.int64]) -> None:
        self._labels, self._boxes = labels, boxes
        self._changed: dict[int, Ends | None] = {}
        self._lock = threading.Lock()  # a window reads while an edit is made

    def get(self, label: int) -> Ends | None:
        """Ends of a particle's box; None where there is no such particle."""
        with self._lock:
            if label in self._changed:
                return self._changed[label]
            at = int(np.searchsorted(self._labels, label))
            if at == len(self._labels) or self._labels[at] != label:
                return None
            return tuple(self._boxes[at].tolist())

    def __contains__(self, label: int) -> bool:
        return self.get(label) is not None

    def box(self, label: int) -> Box:
        """Box of a particle.

        Raises
        ------
        SlagsegError
            If there is none of that number.
        """
        if int(label) == 0:
            raise SlagsegError(
                "That is background (0), not a particle; click inside the particle that is meant."
            )
        ends = self.get(int(label))
        if ends is None:
            raise SlagsegError(
                f"There is no particle {label}: it was deleted or merged, or never was. Click the "
                "particle that is meant, or undo the edit that removed it."
            )
        return box_of(ends)

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All particles, rising, and their boxes, as the index is made from."""
        with self._lock:
            return self._merged()

    def _merged(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self._changed:
            kept = ~np.isin(self._labels, list(self._changed))
            there = {n: ends for n, ends in self._changed.items() if ends is not None}
            labels = np.concatenate([self._labels[kept], np.array(list(there), dtype=np.int64)])
            new = np.array(list(there.values()), dtype=np.int64).reshape(-1, 6)
            boxes = np.concatenate([self._boxes[kept], new])
            order = np.argsort(labels)
            self._labels, self._boxes, self._changed = labels[order], boxes[order], {}
        return self._labels, self._boxes

    def after(self, deltas: Iterable[Delta], read: Reader) -> dict[int, Ends | None]:
        """Boxes of the particles that lose or win voxels by edits; None for those then gone.

        A particle is only read again where it loses voxels at the sides of its box.

        Parameters
        ----------
        deltas : iterable of Delta
            Of the particles, in order, upon the volume that the index is of.
        read : callable
            Gives boxes of the particles as they are after all of these edits.
        """
        found: dict[int, Ends | None] = {}
        unsure: set[int] = set()
        for delta in deltas:
            for label, lost in _boxes_in(delta, delta.old):
                ends = found[label] if label in found else self.get(label)
                found[label] = ends
                if ends is not None and _at_side(lost, ends):
                    unsure.add(label)
            for label, won in _boxes_in(delta, delta.new):
                ends = found[label] if label in found else self.get(label)
                found[label] = won if ends is None else union(ends, won)
        for label in unsure:
            ends = found[label]
            if ends is not None:
                found[label] = read_again(label, ends, read)
        return found

    def take(self, changed: Mapping[int, Ends | None]) -> None:
        """Note boxes as `after` gave them."""
        with self._lock:
            self._changed.update(changed)


def box_of(ends: Ends) -> Box:
    """Slices between the ends."""
    z, y, x = (slice(a, b) for a, b in zip(ends[:3], ends[3:]))
    return z, y, x


def around(boxes: Iterable[Box], margin: int, shape: Iterable[int]) -> Box:
    """The smallest box around boxes, with a margin as far as the volume reaches."""
    every = list(boxes)
    z, y, x = (
        slice(
            max(0, min(b[k].start for b in every) - margin),
            min(n, max(b[k].stop for b in every) + margin),
        )
        for k, n in enumerate(shape)
    )
    return z, y, x


def _boxes_in(delta: Delta, values: NDArray[Any]) -> list[tuple[int, Ends]]:
    """Labels among the voxels of a delta, with the box of each one's in the volume."""
    where = np.zeros(delta.shape, dtype=values.dtype)
    where.reshape(-1)[delta.places] = values
    labels, boxes = label_boxes(where)
    boxes = boxes + np.tile(delta.start, 2)
    return [(label, tuple(ends)) for label, ends in zip(labels.tolist(), boxes.tolist())]


def _at_side(part: Ends, ends: Ends) -> bool:
    return any(a <= b for a, b in zip(part[:3], ends[:3])) or any(
        a >= b for a, b in zip(part[3:], ends[3:])
    )


def union(one: Ends, other: Ends) -> Ends:
    """The smallest box around two."""
    low = [min(a, b) for a, b in zip(one[:3], other[:3])]
    high = [max(a, b) for a, b in zip(one[3:], other[3:])]
    return (*low, *high)  # type: ignore[return-value]


def read_again(label: int, ends: Ends, read: Reader) -> Ends | None:
    """The smallest box around a particle that lies within a box; None if it is not there."""
    cut = box_around(np.asarray(read(box_of(ends))) == label, margin=0)
    if cut is None:
        return None
    starts = ends[:3]
    return (  # type: ignore[return-value]
        *(a + s.start for a, s in zip(starts, cut)),
        *(a + s.stop for a, s in zip(starts, cut)),
    )


__all__ = ["Ends", "ParticleBoxes", "Reader", "around", "box_of", "read_again", "union"]
