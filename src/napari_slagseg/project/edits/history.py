"""All edits of a project's labels, in the order they were made, undoable without limit."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_slagseg.data import Action, Delta, EditedVolume, SlagsegError
from napari_slagseg.data.edited_volume import StagedWrite
from napari_slagseg.project.edits.journal import CutTail, EditJournal
from napari_slagseg.project.edits.records import (
    DamagedRecordError,
    Head,
    action_head,
    action_of,
    packed_deltas,
)
from napari_slagseg.project.journal import now, user

LABELS = "particles"
"""The array whose new values are names of particles."""

_BATCH = 64
"""Edits laid over the base at once when opening, which copies a chunk once for all of them."""


@dataclass(frozen=True)
class Entry:
    """An action in the journal; its arrays stay on disk.

    Attributes
    ----------
    id, kind : str
    group : str
        Of actions that are undone together.
    start : int
        Byte in the journal.
    """

    id: str
    kind: str
    group: str
    start: int


class History:
    """One history over all kinds of edits, kept in the edit journal.

    Opening it lays all edits that hold over the volumes. `do`, `undo` and `redo` return
    when the step is on disk; it is shown to readers of the volumes then, whole. What was
    undone can be done again until something new is done; also after closing and opening.

    Memory: an `Entry` an action (less than 1 kB), whatever it changed.

    Parameters
    ----------
    journal : EditJournal
    volumes : mapping of name to EditedVolume
        ``"particles"`` and ``"phases"``, or one of them, without edits.
    require_lock : callable
        Raises if the project may not be written to.
    belongs_to : str
        Fingerprint of the segmentation: a journal of another one is refused.
    largest_label : int or callable
        Largest label of the particles as segmented; a callable is asked only when the journal
        is made, as it may take long.

    Raises
    ------
    SlagsegError
        If the journal cannot be read, or belongs to other labels.
    """

    def __init__(
        self,
        journal: EditJournal,
        volumes: Mapping[str, EditedVolume],
        *,
        require_lock: Callable[[], None],
        belongs_to: str = "",
        largest_label: int | Callable[[], int] = 0,
    ) -> None:
        self.journal = journal
        self.volumes = dict(volumes)
        self.cut: CutTail | None = None
        self._require_lock = require_lock
        self._belongs_to = belongs_to
        self._first_largest = largest_label
        self._largest: int | None = None
        self._done: list[Entry] = []
        self._undone: list[Entry] = []
        self._group = ""
        self._end = 0
        self._one_at_a_time = threading.RLock()
        if journal.exists:
            self._read()

    # -- what a user sees --------------------------------------------------------

    @property
    def done(self) -> Sequence[Entry]:
        """Actions that hold, oldest first."""
        return tuple(self._done)

    @property
    def undone(self) -> Sequence[Entry]:
        """Actions that can be done again, the next one last."""
        return tuple(self._undone)

    @property
    def can_undo(self) -> bool:
        """Whether there is an action to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone action to do again."""
        return bool(self._undone)

    @property
    def largest_label(self) -> int:
        """Largest label that a particle ever had, undone edits included."""
        if self._largest is None:
            first = self._first_largest
            self._largest = int(first() if callable(first) else first)
        return self._largest

    def new_labels(self, count: int = 1) -> range:
        """Labels that no particle ever had, for the next action.

        Raises
        ------
        SlagsegError
            If the labels' type holds no more.
        """
        last = self.largest_label + count
        volume = self.volumes.get(LABELS)
        if volume is not None and last > np.iinfo(volume.dtype).max:
            raise SlagsegError(
                f"The particles are stored as {volume.dtype}, which has no room for label {last}. "
                "Run 'segment' again: it numbers the particles anew."
            )
        return range(last - count + 1, last + 1)

    def action(self, entry: Entry) -> Action:
        """Read an action, with its arrays, from the journal."""
        record = self.journal.record_at(entry.start)
        return self._action(record.head, record.body)

    def actions(self) -> Iterator[Action]:
        """Actions that hold, oldest first, read one by one."""
        return (self.action(entry) for entry in self._done)

    # -- steps -------------------------------------------------------------------

    def do(self, action: Action) -> Action:
        """Make an edit. It is on disk when this returns; undone ones are forgotten then.

        Parameters
        ----------
        action : Action
            Its deltas fit the volumes as they are.

        Returns
        -------
        Action
            As stored: with user and time, without deltas that change nothing.

        Raises
        ------
        SlagsegError
            If it does not fit the volumes or cannot be written; nothing is changed then.
        """
        with self._one_at_a_time:
            self.recover()
            action = replace(
                action,
                deltas=tuple(d for d in action.deltas if len(d)),
                who=action.who or user(),
                when=action.when or now(),
            )
            staged = self._stage(action.deltas)
            heads, body = packed_deltas(action.deltas)
            largest = max([self.largest_label, *_labels(action)])
            head = {
                **action_head(action),
                "group": self._group,
                "largest_label": largest,
                "deltas": heads,
            }
            record = self._append(head, body)
            self._commit(staged)
            self._done.append(Entry(action.id, action.kind, self._group, record))
            self._undone.clear()
            self._largest = largest
            return action

    @contextmanager
    def group(self) -> Iterator[None]:
        """Have all actions of a ``with`` block undone and redone together.

        Each is on disk by itself, so that a kill within the block loses none.
        """
        outer = self._group
        self._group = outer or uuid.uuid4().hex
        try:
            yield
        finally:
            self._group = outer

    def undo(self) -> tuple[Action, ...]:
        """Take the last action, or group of actions, back.

        Returns
        -------
        tuple of Action
            What was undone, last first; empty if there was nothing.

        Raises
        ------
        SlagsegError
            As `do`.
        """
        with self._one_at_a_time:
            return self._step("undo", self._done, self._undone)

    def redo(self) -> tuple[Action, ...]:
        """Do the action, or group of actions, again that was undone last.

        Returns
        -------
        tuple of Action
            What was done again, in order; empty if there was nothing.

        Raises
        ------
        SlagsegError
            As `do`.
        """
        with self._one_at_a_time:
            return self._step("redo", self._undone, self._done)

    def _step(self, kind: str, source: list[Entry], target: list[Entry]) -> tuple[Action, ...]:
        if self._group:
            raise RuntimeError(f"{kind} within a group of actions")
        self.recover()
        if not source:
            return ()
        count = _last_group(source)
        entries = source[: -count - 1 : -1]
        actions = tuple(self.action(e) for e in entries)
        changes = [a.inverse() for a in actions] if kind == "undo" else actions
        staged = self._stage([d for a in changes for d in a.deltas])
        self._append({"type": kind, "ids": [e.id for e in entries], "who": user(), "when": now()})
        self._commit(staged)
        del source[-count:]
        target += entries
        return actions

    def recover(self) -> None:
        """Make the journal ready to be written to: make it, or cut a damaged end off.

        Called by every step; call it when a project is opened for writing, to tell the
        user of `cut` at once.

        Raises
        ------
        SlagsegError
            If something else has written to the journal since it was opened.
        """
        self._require_lock()
        if not self.journal.exists:
            if self._end:
                raise self._changed()
            self.journal.create(self._facts())
            self._end = self.journal.size
        elif self.journal.size != self._end:
            if self.journal.whole_size() != self._end:
                raise self._changed()
            self.cut = self.journal.mend()

    # -- volumes -----------------------------------------------------------------

    def _stage(self, deltas: Iterable[Delta]) -> list[tuple[EditedVolume, StagedWrite]]:
        by_array: dict[str, list[Delta]] = {}
        for delta in deltas:
            by_array.setdefault(delta.array, []).append(delta)
        unknown = set(by_array) - set(self.volumes)
        if unknown:
            raise SlagsegError(
                f"There is no array {', '.join(sorted(unknown))} to edit; there are "
                f"{', '.join(sorted(self.volumes))}."
            )
        return [(self.volumes[name], self.volumes[name].stage(of)) for name, of in by_array.items()]

    @staticmethod
    def _commit(staged: list[tuple[EditedVolume, StagedWrite]]) -> None:
        for volume, write in staged:
            volume.commit(write)

    # -- journal -----------------------------------------------------------------

    def _append(self, head: Mapping[str, Any], body: bytes = b"") -> int:
        record = self.journal.append(head, body, at=self._end)
        self._end = record.stop
        return record.start

    def _facts(self) -> Head:
        return {
            "belongs_to": self._belongs_to,
            "arrays": self._arrays(),
            "largest_label": self.largest_label,
        }

    def _arrays(self) -> Head:
        return {
            name: {"shape": list(v.shape), "dtype": v.dtype.name}
            for name, v in sorted(self.volumes.items())
        }

    def _read(self) -> None:
        facts = self.journal.facts()
        if facts.get("belongs_to") != self._belongs_to or facts.get("arrays") != self._arrays():
            raise SlagsegError(
                f"{self.journal.path} holds edits of another segmentation than the present one. "
                "Replay them on it (`slagseg edits --replay`), or move the file away to begin anew."
            )
        self._largest = int(facts["largest_label"])
        self._end = self.journal.first_record
        for record in self.journal.records():
            head = record.head
            try:
                self._follow(head, record.start)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise SlagsegError(
                    f"{self.journal.path} has a record at byte {record.start} that this program "
                    f"does not understand ({type(error).__name__}: {error}). Update napari-slagseg."
                ) from error
            self._end = record.stop
        for first in range(0, len(self._done), _BATCH):
            batch = self._done[first : first + _BATCH]
            self._commit(self._stage(d for e in batch for d in self.action(e).deltas))

    def _follow(self, head: Head, start: int) -> None:
        """Take a record into account, but for what it changed."""
        if head["type"] == "action":
            entry = Entry(str(head["id"]), str(head["kind"]), str(head["group"]), start)
            self._done.append(entry)
            self._undone.clear()
            self._largest = max(self.largest_label, int(head["largest_label"]))
        elif head["type"] in ("undo", "redo"):
            undo = head["type"] == "undo"
            source, target = (self._done, self._undone)[:: 1 if undo else -1]
            for name in head["ids"]:
                if source[-1].id != name:
                    raise ValueError(f"{head['type']} of {name}, which was not the last")
                target.append(source.pop())
        else:
            raise ValueError(f"a record of type {head['type']}")

    def _action(self, head: Head, body: memoryview) -> Action:
        try:
            return action_of(head, body)
        except DamagedRecordError as error:
            raise SlagsegError(
                f"An edit in {self.journal.path} cannot be read: {error}."
            ) from error

    def _changed(self) -> SlagsegError:
        return SlagsegError(
            f"{self.journal.path} was written to by something else since it was opened. Open the "
            "project again."
        )


def _last_group(entries: Sequence[Entry]) -> int:
    """Number of entries at the end that belong together."""
    group, count = entries[-1].group, 1
    while group and count < len(entries) and entries[-1 - count].group == group:
        count += 1
    return count


def _labels(action: Action) -> Iterator[int]:
    yield from action.labels_before
    yield from action.labels_after
    yield from (int(d.new.max()) for d in action.deltas if d.array == LABELS)


__all__ = ["LABELS", "Entry", "History"]
