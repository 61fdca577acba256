"""What was said of suspects, and which of it an edit has overtaken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_slagseg.project.edits import Entry, History
from napari_slagseg.workflow.proofreading.standing import JUDGE, Suspect


@dataclass
class _Sums:
    """What the first `count` actions that hold come to."""

    count: int = 0
    last: str = ""
    judged: dict[Suspect, str] = field(default_factory=dict)
    of_label: dict[int, set[Suspect]] = field(default_factory=dict)


class Verdicts:
    """Last word on each suspect that no later edit of its particles has overtaken.

    New actions are added to what is known; after an undo all is summed up again, from notes
    in memory.

    Parameters
    ----------
    history : History
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._sums = _Sums()
        self._read: dict[str, Mapping[str, Any]] = {}

    def now(self) -> Mapping[Suspect, str]:
        """``"accept"``, ``"fix"`` or ``"skip"`` by suspect; none for those that are open."""
        done = self._history.done
        sums = self._sums
        if sums.count > len(done) or (sums.count and done[sums.count - 1].id != sums.last):
            sums = self._sums = _Sums()
        for entry in done[sums.count :]:
            self._add(sums, entry)
        sums.count, sums.last = len(done), done[-1].id if done else ""
        return dict(sums.judged)

    def _add(self, sums: _Sums, entry: Entry) -> None:
        if entry.touches:
            for label in {*entry.labels_before, *entry.labels_after}:
                for suspect in sums.of_label.pop(label, ()):
                    sums.judged.pop(suspect, None)
        elif entry.kind == JUDGE:
            said = self._said(entry)
            suspect = (int(said["label"]), str(said["kind"]), int(said["partner"]))
            if said["verdict"] == "open":
                sums.judged.pop(suspect, None)
                return
            sums.judged[suspect] = str(said["verdict"])
            for label in (suspect[0], suspect[2]) if suspect[0] else ():
                sums.of_label.setdefault(label, set()).add(suspect)

    def _said(self, entry: Entry) -> Mapping[str, Any]:
        if entry.id not in self._read:
            self._read[entry.id] = self._history.action(entry).parameters
        return self._read[entry.id]


__all__ = ["Verdicts"]
