"""What a step of proofreading did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from napari_slagseg.data import Action, Box


@dataclass(frozen=True)
class Outcome:
    """One edit, or one undone or done again, with all that follows from it.

    Attributes
    ----------
    step : str
        ``"do"``, ``"undo"`` or ``"redo"``.
    actions : tuple of Action
        In the order in which they took effect: several where a group was undone or done again.
        Those of an undo are as they were done, not their inverses.
    labels_before, labels_after : tuple of int
        Particles that it touched: those that there were before, and those that there are now.
    boxes : tuple of Box
        Around the voxels that changed: what a viewer must draw again. None lies in another.
    notes : tuple of str
        What the user should know of, one sentence each.
    seconds : float
        That it took, with the wait for the disk.
    """

    step: Literal["do", "undo", "redo"]
    actions: tuple[Action, ...]
    labels_before: tuple[int, ...]
    labels_after: tuple[int, ...]
    boxes: tuple[Box, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def labels(self) -> tuple[int, ...]:
        """All particles that it touched, there or gone, rising."""
        return tuple(sorted({*self.labels_before, *self.labels_after}))


def changed_boxes(actions: Iterable[Action]) -> tuple[Box, ...]:
    """Boxes of the voxels that actions changed, without those that lie in another."""
    boxes = {d.start + d.stop: d.box for action in actions for d in action.deltas if len(d)}
    ends = sorted(boxes)
    return tuple(
        boxes[one] for one in ends if not any(one != other and _in(one, other) for other in ends)
    )


def _in(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(a >= b for a, b in zip(one[:3], other[:3])) and all(
        a <= b for a, b in zip(one[3:], other[3:])
    )


__all__ = ["Outcome", "changed_boxes"]
