"""How an edit is made: from a box of the volume to the journal, the boxes and who listens."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_slagseg.data import Action, Box, SlagsegError, Triple, delta_between
from napari_slagseg.segmentation.edits import Edited
from napari_slagseg.workflow.proofreading.finding import Finding
from napari_slagseg.workflow.proofreading.outcome import Outcome, changed_boxes
from napari_slagseg.workflow.proofreading.places import values_in
from napari_slagseg.workflow.proofreading.refitting import seen_of

Change = Callable[[NDArray[np.uint32], NDArray[np.uint8]], Edited]
"""What an edit does with particles and phases of a box."""

_NO_PHASES = np.empty((0, 0, 0), dtype=np.uint8)

_OVER_OTHERS = ("add", "paint")
"""Kinds of edits that may take the last voxel of a particle without that being meant."""

_SAVE_EVERY = 200
"""Steps after which the boxes are stored; opening reads the particles of as many again."""


Method = TypeVar("Method", bound=Callable[..., Outcome])


def one_at_a_time(method: Method) -> Method:
    """Let an edit find its box and be made before another one begins."""

    @functools.wraps(method)
    def alone(self: Editing, *given: Any, **named: Any) -> Outcome:
        with self._one_at_a_time:
            return method(self, *given, **named)

    return cast(Method, alone)


class Editing(Finding):
    """What all kinds of edits share.

    One edit is made at a time, from whatever thread; many may read meanwhile.
    """

    changed = Signal(Outcome)
    """After every edit, undo and redo, in the thread that made it."""

    def new_labels(self, count: int) -> list[int]:
        """Numbers that no particle ever had."""
        return list(self.history.new_labels(count)) if count else []

    def edit(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        box: Box,
        change: Change,
        *,
        needs_phases: bool = True,
    ) -> Outcome:
        """Make an edit in a box of the volume.

        Parameters
        ----------
        kind : str
        parameters : mapping
            See `Action`.
        box : Box
            All that changes lies in it.
        change : callable
            Given copies of particles and phases of the box.
        needs_phases : bool
            Whether it looks at phases; else they are not read, and it gets none.

        Raises
        ------
        SlagsegError
            If the project's lock is not held, nothing would change, or from `change`; nothing is
            changed then.
        """
        began = time.perf_counter()
        with self._one_at_a_time:
            self.require_lock()
            boxes = self.boxes
            particles = np.asarray(self.particles[box])
            phases = np.asarray(self.phases[box]) if needs_phases else _NO_PHASES
            made = change(particles, phases)
            start: Triple = tuple(s.start for s in box)  # type: ignore[assignment]
            deltas = [delta_between("particles", start, particles, made.labels)]
            touched = {*values_in(deltas[0].old), *values_in(deltas[0].new)}
            if made.phases is not None and made.phases is not phases:
                deltas.append(delta_between("phases", start, phases, made.phases))
                touched |= _where_phases_differ(particles, made.labels, phases, made.phases)
            touched.discard(0)
            deltas = [d for d in deltas if len(d)]
            if not deltas:
                raise SlagsegError("Nothing would change: all voxels are as the edit leaves them.")
            moved = boxes.after(
                (d for d in deltas if d.array == "particles"),
                lambda where: self._as_after(where, box, made.labels),
            )
            before = sorted(n for n in touched if n in boxes)
            after = sorted(n for n in touched if (moved[n] if n in moved else boxes.get(n)))
            noted = {**parameters, **seen_of(deltas[0], particles, start)}
            action = self.history.do(
                Action(kind, noted, tuple(deltas), tuple(before), tuple(after))
            )
            boxes.take(moved)
            notes = made.notes
            if kind in _OVER_OTHERS:
                gone = sorted({*before} - {*after})
                notes += tuple(f"Particle {n} is gone: it was painted over." for n in gone)
            return self._tell("do", (action,), before, after, notes, began)

    def note(self, kind: str, parameters: Mapping[str, Any], labels: Iterable[int]) -> Outcome:
        """Store an action that changes no voxel."""
        began = time.perf_counter()
        with self._one_at_a_time:
            self.require_lock()
            about = sorted({int(n) for n in labels})
            for label in about:
                self.box_of(label)
            action = self.history.do(Action(kind, dict(parameters), (), tuple(about), tuple(about)))
            return self._tell("do", (action,), about, about, (), began)

    @contextmanager
    def group(self) -> Iterator[None]:
        """Have all edits of a ``with`` block undone and done again together."""
        with self._one_at_a_time, self.history.group():
            yield

    def undo(self) -> Outcome | None:
        """Take the last action, or group of actions, back; None if there is none.

        Raises
        ------
        SlagsegError
            If the project's lock is not held; nothing is changed then.
        """
        return self._step("undo")

    def redo(self) -> Outcome | None:
        """Do again what was undone last; None if there is nothing.

        Raises
        ------
        SlagsegError
            If the project's lock is not held; nothing is changed then.
        """
        return self._step("redo")

    def _step(self, step: Literal["undo", "redo"]) -> Outcome | None:
        began = time.perf_counter()
        with self._one_at_a_time:
            self.require_lock()
            boxes = self.boxes
            actions = self.history.undo() if step == "undo" else self.history.redo()
            if not actions:
                return None
            made = [a.inverse() for a in actions] if step == "undo" else actions
            moved = boxes.after(
                (d for a in made for d in a.deltas if d.array == "particles"),
                self.particles.__getitem__,
            )
            touched = sorted({n for a in made for n in (*a.labels_before, *a.labels_after)})
            before = [n for n in touched if n in boxes]
            boxes.take(moved)
            after = [n for n in touched if n in boxes]
            return self._tell(step, actions, before, after, (), began)

    def require_lock(self) -> None:
        """Refuse edits by who does not hold the project's lock, or of labels of the past."""
        if not self.project.lock.held:
            raise SlagsegError(
                f"Project {self.project.folder} is open for reading only, so its particles cannot "
                "be changed. Close it in the other window or program, then open it again here."
            )
        if self.project.edits() is not self.history:
            raise SlagsegError(
                f"Project {self.project.folder} was segmented anew, or edited elsewhere, since it "
                "was opened for corrections. Open it again to correct what there is now."
            )

    def _as_after(self, where: Box, box: Box, labels: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Particles of a box as they are after an edit in another."""
        low = [max(a.start, b.start) for a, b in zip(where, box)]
        high = [min(a.stop, b.stop) for a, b in zip(where, box)]
        source = tuple(slice(a - b.start, c - b.start) for a, c, b in zip(low, high, box))
        if all(a == b.start and c == b.stop for a, c, b in zip(low, high, where)):
            return labels[source]
        found: NDArray[np.uint32] = np.asarray(self.particles[where])
        if all(a < c for a, c in zip(low, high)):
            target = tuple(slice(a - b.start, c - b.start) for a, c, b in zip(low, high, where))
            found[target] = labels[source]
        return found

    def _tell(
        self,
        step: Literal["do", "undo", "redo"],
        actions: tuple[Action, ...],
        before: Sequence[int],
        after: Sequence[int],
        notes: tuple[str, ...],
        began: float,
    ) -> Outcome:
        self._unsaved += 1
        if self._unsaved >= _SAVE_EVERY:
            self.save_boxes()
        outcome = Outcome(
            step,
            actions,
            tuple(before),
            tuple(after),
            changed_boxes(actions),
            notes,
            time.perf_counter() - began,
        )
        self.changed.emit(outcome)
        return outcome


def _where_phases_differ(
    particles: NDArray[np.uint32],
    after: NDArray[np.uint32],
    phases: NDArray[np.uint8],
    phases_after: NDArray[np.uint8],
) -> set[int]:
    """Particles, as they were or as they are, whose voxels got another phase."""
    changed = phases != phases_after
    return {*values_in(particles[changed]), *values_in(after[changed])}


__all__ = ["Change", "Editing", "one_at_a_time"]
