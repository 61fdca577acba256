"""Which edits hold and which are undone, as the records of a journal say it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from sys import intern

from napari_slagseg.data import Box, Triple
from napari_slagseg.project.edits.records import Head

DIGITS = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """An action in the journal; its parameters and arrays stay on disk.

    Attributes
    ----------
    id, kind : str
    group : str
        Of actions that are undone together.
    start : int
        Byte in the journal.
    when, who : str
        Time (UTC, ISO 8601) and user.
    labels_before, labels_after : tuple of int
        Particles that it touched, as they were called before and after.
    changed : tuple of (str, int)
        How many voxels it changed of which array.
    low, high : (z, y, x)
        Box around all that it changed, its first voxel and the one beyond it.
    """

    id: str
    kind: str
    group: str
    start: int
    when: str = ""
    who: str = ""
    labels_before: tuple[int, ...] = ()
    labels_after: tuple[int, ...] = ()
    changed: tuple[tuple[str, int], ...] = ()
    low: Triple = (0, 0, 0)
    high: Triple = (0, 0, 0)

    @property
    def voxels(self) -> int:
        """Voxels that it changed, counted once for every array."""
        return sum(count for _, count in self.changed)

    def voxels_of(self, array: str) -> int:
        """Voxels that it changed of an array."""
        return sum(count for name, count in self.changed if name == array)

    @property
    def box(self) -> Box:
        """Around all that it changed; empty where it changed nothing."""
        z, y, x = (slice(a, b) for a, b in zip(self.low, self.high))
        return z, y, x

    @property
    def touches(self) -> bool:
        """Whether it changed voxels; one that locks or judges does not."""
        return self.voxels > 0

    @classmethod
    def of(cls, head: Head, start: int) -> Entry:
        """Entry of the record at a byte, from its head alone."""
        boxes = [(d["start"], d["shape"]) for d in head["deltas"] if d["count"]]
        low = (min(a[k] for a, _ in boxes) for k in range(3)) if boxes else (0, 0, 0)
        high = (max(a[k] + n[k] for a, n in boxes) for k in range(3)) if boxes else (0, 0, 0)
        return cls(
            id=str(head["id"]),
            kind=intern(str(head["kind"])),
            group=str(head["group"]),
            start=start,
            when=str(head["when"]),
            who=intern(str(head["who"])),
            labels_before=tuple(int(n) for n in head["labels_before"]),
            labels_after=tuple(int(n) for n in head["labels_after"]),
            changed=tuple((intern(str(d["array"])), int(d["count"])) for d in head["deltas"]),
            low=tuple(int(n) for n in low),  # type: ignore[arg-type]
            high=tuple(int(n) for n in high),  # type: ignore[arg-type]
        )


@dataclass
class Course:
    """Actions that hold and those that can be done again; grows record by record.

    Attributes
    ----------
    done : list of Entry
        Oldest first.
    undone : list of Entry
        The next one to be done again last.
    largest : int
        Largest label that a particle ever had.
    records : int
    """

    done: list[Entry] = field(default_factory=list)
    undone: list[Entry] = field(default_factory=list)
    largest: int = 0
    records: int = 0

    def follow(self, head: Head, start: int) -> None:
        """Take the record at a byte into account.

        Raises
        ------
        KeyError, TypeError, ValueError, IndexError
            If it does not fit those before, or says something unknown.
        """
        if head["type"] == "action":
            self.did(Entry.of(head, start), int(head["largest_label"]))
            return
        if head["type"] not in ("undo", "redo"):
            raise ValueError(f"a record of type {head['type']}")
        undo = head["type"] == "undo"
        source = self.done if undo else self.undone
        names = list(head["ids"])
        if [e.id for e in source[: -len(names) - 1 : -1]] != names:
            raise ValueError(f"{head['type']} of {', '.join(names)}, which were not the last")
        self.moved(len(names), undo=undo)

    def did(self, entry: Entry, largest: int) -> None:
        """Take a new action into account: what was undone is forgotten."""
        self.done.append(entry)
        self.undone.clear()
        self.largest = max(self.largest, largest)
        self.records += 1

    def moved(self, count: int, *, undo: bool) -> None:
        """Take a number of actions as undone, or done again."""
        source, target = (self.done, self.undone) if undo else (self.undone, self.done)
        for _ in range(count):
            target.append(source.pop())
        self.records += 1

    def digest(self) -> str:
        """Of the edits that changed voxels and hold; empty where there are none."""
        digest = Digest()
        for entry in self.done:
            digest.add(entry)
        return digest.text


class Digest:
    """Short fingerprint of actions, grown by one after the other; those without voxels count not.

    Examples
    --------
    >>> Digest().text
    ''
    """

    def __init__(self) -> None:
        self._hashed, self.count = hashlib.sha256(), 0

    def add(self, entry: Entry) -> None:
        """Take the next action into account."""
        if entry.touches:
            self._hashed.update((b"\n" if self.count else b"") + entry.id.encode())
            self.count += 1

    def copy(self) -> Digest:
        """One that grows on its own."""
        made = Digest()
        made._hashed, made.count = self._hashed.copy(), self.count
        return made

    @property
    def text(self) -> str:
        """The fingerprint; empty as long as no action changed voxels."""
        return self._hashed.hexdigest()[:DIGITS] if self.count else ""


__all__ = ["Course", "Digest", "Entry"]
