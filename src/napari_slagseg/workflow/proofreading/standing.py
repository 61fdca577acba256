"""What holds now of all that a user did: locks, judgements, particles that were edited."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_slagseg.data import Delta, SlagsegError
from napari_slagseg.project.edits import Entry, History

Verdict = Literal["accept", "fix", "skip", "open"]
VERDICTS: tuple[Verdict, ...] = ("accept", "fix", "skip", "open")
"""What can be said of a suspect; ``"open"`` takes an earlier word back."""

LOCK, JUDGE, DELETE = "lock", "judge", "delete"
"""Kinds of actions that are told apart here."""

Suspect = tuple[int, str, int]
"""Label, kind of suspicion, and the other label of a pair (0 for none).

Of a particle that was missed: 0, "missed", and which voxel is its first.
"""


@dataclass
class _Sums:
    """What the first `count` actions that hold come to."""

    count: int = 0
    last: str = ""
    locked: set[int] = field(default_factory=set)
    edited: set[int] = field(default_factory=set)
    judged: dict[Suspect, str] = field(default_factory=dict)


class Standing:
    """What holds of a history's actions.

    New actions are added to what is known; after an undo it is summed up again, from short
    notes in memory, when it is next asked for.

    Parameters
    ----------
    history : History
    exists : callable
        Whether there is a particle of a number.
    """

    def __init__(self, history: History, exists: Callable[[int], bool]) -> None:
        self._history, self._exists = history, exists
        self._sums = _Sums()
        self._read: dict[str, Mapping[str, Any]] = {}

    def locked(self) -> frozenset[int]:
        """Particles that were locked and still are, and that there are."""
        return self._there(self._now().locked)

    def edited(self) -> frozenset[int]:
        """Particles that edits have left, and that there are."""
        return self._there(self._now().edited)

    def judgements(self) -> dict[Suspect, str]:
        """Last verdict of each suspect; without those that were opened again."""
        return dict(self._now().judged)

    def kept(self) -> frozenset[int]:
        """Particles that a new segmentation must not replace: edited, locked, or accepted."""
        accepted = {
            label
            for (one, _, other), verdict in self._now().judged.items()
            if verdict == "accept"
            for label in (one, other)
            if label and one  # without a first one, the other is a voxel
        }
        return self.edited() | self.locked() | self._there(accepted)

    def deleted(self) -> Iterator[Delta]:
        """Voxels that deletions which hold made background, oldest first, read from the journal."""
        for entry in self._history.done:
            if entry.kind == DELETE:
                yield from (d for d in self._history.action(entry).deltas if d.array == "particles")

    def _there(self, labels: Iterable[int]) -> frozenset[int]:
        return frozenset(n for n in labels if self._exists(n))

    def _now(self) -> _Sums:
        done = self._history.done
        sums = self._sums
        if sums.count > len(done) or (sums.count and done[sums.count - 1].id != sums.last):
            sums = self._sums = _Sums()
        for entry in done[sums.count :]:
            self._add(sums, entry)
        sums.count, sums.last = len(done), done[-1].id if done else ""
        return sums

    def _add(self, sums: _Sums, entry: Entry) -> None:
        if entry.touches:
            sums.edited.update(entry.labels_after)
        if entry.kind == LOCK:
            said = self._said(entry)
            labels = {int(n) for n in said["labels"]}
            sums.locked = sums.locked | labels if said["on"] else sums.locked - labels
        elif entry.kind == JUDGE:
            said = self._said(entry)
            suspect = (int(said["label"]), str(said["kind"]), int(said["partner"]))
            if said["verdict"] == "open":
                sums.judged.pop(suspect, None)
            else:
                sums.judged[suspect] = str(said["verdict"])

    def _said(self, entry: Entry) -> Mapping[str, Any]:
        if entry.id not in self._read:
            self._read[entry.id] = self._history.action(entry).parameters
        return self._read[entry.id]


def check_verdict(verdict: str) -> None:
    """Refuse words that are none."""
    if verdict not in VERDICTS:
        raise SlagsegError(f"'{verdict}' is no verdict; choose one of {', '.join(VERDICTS)}.")


__all__ = ["DELETE", "JUDGE", "LOCK", "VERDICTS", "Standing", "Suspect", "Verdict", "check_verdict"]
