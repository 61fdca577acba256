"""All edits of a project's labels, in the order they were made, undoable without limit."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np

from napari_slagseg.data import Action, EditedVolume, SlagsegError
from napari_slagseg.project.edits.course import Course, Entry
from napari_slagseg.project.edits.earlier import read_action
from napari_slagseg.project.edits.journal import CutTail, EditJournal
from napari_slagseg.project.edits.laid import LaidVolumes, packed_chunks
from napari_slagseg.project.edits.overlays import StoredOverlay, stored_overlays, write_overlay
from napari_slagseg.project.edits.reading import read_journal
from napari_slagseg.project.edits.records import Head, action_head, packed_deltas
from napari_slagseg.project.journal import now, user

LABELS = "particles"
"""The array whose new values are names of particles."""

STORE_EVERY = 200
"""Steps after which the edited chunks are stored, so that opening never does more of them again."""

HELD_BYTES = 1 << 28
"""Memory of edited chunks from which on they are stored sooner, and held compressed then."""

_LEAST_STORED = 10
"""Steps that are stored at once at least."""

_BATCH = 64
"""Edits laid over the base at once when opening, which copies a chunk once for all of them."""


class History:
    """One history over all kinds of edits, kept in the edit journal.

    Opening it lays all edits that hold over the volumes: the chunks that were stored last
    (`store`) and what came after. `do`, `undo` and `redo` return
    when the step is on disk; it is shown to readers of the volumes then, whole. What was
    undone can be done again until something new is done; also after closing and opening.

    Memory: an `Entry` an action (about 1 kB), whatever it changed; and the edited chunks, see
    `EditedVolume`: those of the last steps as arrays, `HELD_BYTES` and a few steps more at most,
    all others compressed.

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
    store_every : int
        Steps after which the edited chunks are stored, in a thread, or sooner where they take
        much memory; 0: only by `store`.

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
        store_every: int = STORE_EVERY,
    ) -> None:
        self.journal = journal
        self.volumes = dict(volumes)
        self._laid = LaidVolumes(self.volumes)
        self.cut: CutTail | None = None
        self._require_lock = require_lock
        self._belongs_to = belongs_to
        self._first_largest = largest_label
        self._known_largest = False
        self._store_every = store_every
        self._course = Course()
        self._heads = hashlib.sha256()
        self._overlay: StoredOverlay | None = None
        self._stored_records = 0
        self._storing = threading.Lock()
        self._group = ""
        self._end = 0
        self._seen = journal.size if journal.exists else 0
        self._one_at_a_time = threading.RLock()
        if journal.exists:
            self._read()

    # -- what a user sees --------------------------------------------------------

    @property
    def done(self) -> Sequence[Entry]:
        """Actions that hold, oldest first."""
        return tuple(self._course.done)

    @property
    def undone(self) -> Sequence[Entry]:
        """Actions that can be done again, the next one last."""
        return tuple(self._course.undone)

    @property
    def can_undo(self) -> bool:
        """Whether there is an action to undo."""
        return bool(self._course.done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone action to do again."""
        return bool(self._course.undone)

    @property
    def behind(self) -> bool:
        """Whether something else has written to the journal since it was read."""
        return (self.journal.size if self.journal.exists else 0) not in (self._end, self._seen)

    @property
    def largest_label(self) -> int:
        """Largest label that a particle ever had, undone edits included."""
        if not self._known_largest:
            first = self._first_largest
            self._course.largest = int(first() if callable(first) else first)
            self._known_largest = True
        return self._course.largest

    @property
    def count(self) -> int:
        """How many actions that changed voxels hold."""
        return sum(entry.touches for entry in self._course.done)

    def digest(self) -> str:
        """Of the edits that changed voxels and hold; empty where there are none."""
        return self._course.digest()

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
        return read_action(self.journal, entry)

    def actions(self) -> Iterator[Action]:
        """Actions that hold, oldest first, read one by one."""
        return (self.action(entry) for entry in self.done)

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
            staged = self._laid.stage(action.deltas)
            heads, body = packed_deltas(action.deltas)
            largest = max([self.largest_label, *_labels(action)])
            head = {
                **action_head(action),
                "group": self._group,
                "largest_label": largest,
                "deltas": heads,
            }
            start = self._append(head, body)
            self._laid.commit(staged)
            self._course.did(Entry.of(head, start), largest)
            self._store_now_and_then()
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
            return self._step("undo", self._course.done)

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
            return self._step("redo", self._course.undone)

    def _step(self, kind: str, source: Sequence[Entry]) -> tuple[Action, ...]:
        if self._group:
            raise RuntimeError(f"{kind} within a group of actions")
        self.recover()
        if not source:
            return ()
        count = _last_group(source)
        entries = source[: -count - 1 : -1]
        actions = tuple(self.action(e) for e in entries)
        changes = [a.inverse() for a in actions] if kind == "undo" else actions
        staged = self._laid.stage([d for a in changes for d in a.deltas])
        self._append({"type": kind, "ids": [e.id for e in entries], "who": user(), "when": now()})
        self._laid.commit(staged)
        self._course.moved(count, undo=kind == "undo")
        self._store_now_and_then()
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
            if self.journal.size < self._end or self.journal.whole_size(self._end) != self._end:
                raise self._changed()
            self.cut = self.journal.mend(self._end)

    # -- stored chunks -----------------------------------------------------------

    @property
    def stored(self) -> StoredOverlay | None:
        """Edited chunks on disk, where they are up to date."""
        overlay = self._overlay
        return overlay if overlay is not None and overlay.offset == self._end else None

    def store(self) -> StoredOverlay | None:
        """Store the edited chunks, so that opening and other processes need not edit again.

        Edits go on meanwhile. What was stored is held compressed from then on.

        Returns
        -------
        StoredOverlay or None
            None where nothing was ever edited.

        Raises
        ------
        SlagsegError
            If it cannot be written; nothing else is lost then.
        """
        self._require_lock()
        with self._storing:
            with self._one_at_a_time:
                if self.stored is not None or not self._end:
                    return self.stored
                end, heads = self._end, self._heads.hexdigest()
                records = self._course.records
                upon = self._laid.now()
            chunks = packed_chunks(upon)
            overlay = write_overlay(self.journal.path.parent, self._belongs_to, end, heads, chunks)
            with self._one_at_a_time:
                self._laid.swap(upon, chunks)
                self._overlay, self._stored_records = overlay, records
            return overlay

    @property
    def unstored(self) -> int:
        """Steps since the edited chunks were stored."""
        return self._course.records - self._stored_records

    def _store_now_and_then(self) -> None:
        if not self._store_every or self._storing.locked():
            return
        much = self._laid.held_bytes > HELD_BYTES and self.unstored >= _LEAST_STORED
        if much or self.unstored >= self._store_every:
            # an edit does not wait for it; if the process ends meanwhile, the older chunks stay
            threading.Thread(target=self._store_quietly, daemon=True).start()

    def _store_quietly(self) -> None:
        # nothing depends on it: whoever needs the chunks in files stores them, and is told why not
        with suppress(SlagsegError, RuntimeError):
            self.store()

    # -- journal -----------------------------------------------------------------

    def _append(self, head: Mapping[str, Any], body: bytes = b"") -> int:
        record = self.journal.append(head, body, at=self._end)
        self._end = record.stop
        self._heads.update(record.lead)
        return record.start

    def _facts(self) -> Head:
        return {
            "belongs_to": self._belongs_to,
            "arrays": self._laid.facts(),
            "largest_label": self.largest_label,
            "made": now(),
        }

    def _read(self) -> None:
        facts = self.journal.facts()
        if facts.get("belongs_to") != self._belongs_to or facts.get("arrays") != self._laid.facts():
            raise SlagsegError(
                f"{self.journal.path} holds edits of another segmentation than the present one. "
                "Move the file away to begin anew."
            )
        folder = self.journal.path.parent
        found = read_journal(self.journal, stored_overlays(folder), self._laid.lay)
        self._course, self._end, self._heads = found.course, found.end, found.heads
        self._known_largest = True
        self._overlay, self._stored_records = found.overlay, found.stored_records
        # back to where the stored chunks and the present agree, and on from there
        laid, done = found.laid, self._course.done
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(laid, done)))
        self._replay(laid[same:][::-1], back=True)
        self._replay(done[same:])

    def _replay(self, entries: Sequence[Entry], *, back: bool = False) -> None:
        for first in range(0, len(entries), _BATCH):
            actions = (self.action(e) for e in entries[first : first + _BATCH])
            changes = (a.inverse() if back else a for a in actions)
            self._laid.commit(self._laid.stage(d for a in changes for d in a.deltas))

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
