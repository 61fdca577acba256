"""Edits of segmentations that are no longer there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from napari_slagseg.data import Action, SlagsegError
from napari_slagseg.project.edits.course import Course, Entry
from napari_slagseg.project.edits.journal import EditJournal
from napari_slagseg.project.edits.reading import read_course
from napari_slagseg.project.edits.records import DamagedRecordError, action_of

JOURNAL = "journal.slg"


@dataclass(frozen=True)
class EarlierEdits:
    """Edits of one segmentation, without its volumes: a `History` for reading.

    Attributes
    ----------
    id : str
        Of the segmentation.
    path : Path
        Of its edit journal.
    """

    id: str
    path: Path

    @property
    def journal(self) -> EditJournal:
        """The journal itself."""
        return EditJournal(self.path)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the journal says of the labels: ``arrays``, ``largest_label``, ``made``."""
        return self.journal.facts()

    @cached_property
    def course(self) -> Course:
        """Which edits hold and which are undone.

        Raises
        ------
        SlagsegError
            If the journal cannot be read.
        """
        return read_course(self.journal)

    @property
    def done(self) -> Sequence[Entry]:
        """Actions that hold, oldest first."""
        return tuple(self.course.done)

    @property
    def undone(self) -> Sequence[Entry]:
        """Actions that were undone, the last first undone first."""
        return tuple(self.course.undone)

    @property
    def began(self) -> str:
        """Time at which editing began (UTC, ISO 8601), as far as it is known."""
        entries = [*self.done, *self.undone]
        return str(self.facts.get("made", "")) or min((e.when for e in entries), default="")

    def action(self, entry: Entry) -> Action:
        """Read an action, with its arrays, from the journal."""
        return read_action(self.journal, entry)

    def actions(self) -> Iterator[Action]:
        """Actions that hold, oldest first, read one by one."""
        return (self.action(entry) for entry in self.done)


def read_action(journal: EditJournal, entry: Entry) -> Action:
    """Action of an entry, with its arrays.

    Raises
    ------
    SlagsegError
        If its record is damaged.
    """
    record = journal.record_at(entry.start)
    try:
        return action_of(record.head, record.body)
    except DamagedRecordError as error:
        raise SlagsegError(f"An edit in {journal.path} cannot be read: {error}.") from error


def edits_in(folder: Path) -> list[EarlierEdits]:
    """Edits of all segmentations of a project, oldest first.

    Parameters
    ----------
    folder : Path
        ``edits`` of the project.

    Raises
    ------
    SlagsegError
        If a journal cannot be read.
    """
    found = [EarlierEdits(path.parent.name, path) for path in folder.glob(f"*/{JOURNAL}")]
    return sorted(found, key=lambda edits: (edits.began, edits.id))


__all__ = ["JOURNAL", "EarlierEdits", "edits_in", "read_action"]
