"""Reading an edit journal: from the newest stored overlay on, else from its start."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from napari_slagseg.data import SlagsegError
from napari_slagseg.project.edits.course import Course, Entry
from napari_slagseg.project.edits.journal import EditJournal, Record
from napari_slagseg.project.edits.overlays import StoredOverlay


@dataclass
class Reading:
    """What a journal says.

    Attributes
    ----------
    course : Course
    end : int
        Bytes up to the first damaged record, or to the end.
    heads : hashlib hash
        Of all heads up to there.
    overlay : StoredOverlay or None
        Where it began.
    laid : tuple of Entry
        Actions that held there: their changes are in the overlay's chunks.
    stored_records : int
        Records up to there.
    """

    course: Course
    end: int
    heads: Any
    overlay: StoredOverlay | None = None
    laid: tuple[Entry, ...] = ()
    stored_records: int = 0


def read_journal(
    journal: EditJournal,
    overlays: Iterable[StoredOverlay] = (),
    accept: Callable[[StoredOverlay], bool] = lambda overlay: True,
) -> Reading:
    """Read which edits hold; bodies of records are read past the overlay only.

    Parameters
    ----------
    journal : EditJournal
        That exists.
    overlays : iterable of StoredOverlay
        To begin with, the best first; those that do not fit the journal are passed over.
    accept : callable
        Asked of one that does; it is passed over, too, if that is false.

    Raises
    ------
    SlagsegError
        If the journal cannot be read.
    """
    for overlay in overlays:
        found = _up_to(journal, overlay)
        if found is not None and accept(overlay):
            break
    else:
        facts = journal.facts()
        found = Reading(
            Course(largest=int(facts["largest_label"])), journal.first_record, hashlib.sha256()
        )
    for record in journal.records(found.end):
        _follow(journal, found, record)
    return found


def read_course(journal: EditJournal) -> Course:
    """Which edits hold, from the heads of the records alone.

    Raises
    ------
    SlagsegError
        If the journal cannot be read.
    """
    found = Reading(Course(largest=int(journal.facts()["largest_label"])), 0, hashlib.sha256())
    for record in journal.heads():
        _follow(journal, found, record)
    return found.course


def _up_to(journal: EditJournal, overlay: StoredOverlay) -> Reading | None:
    """What heads say up to an overlay; None where it is one of another journal."""
    facts = journal.facts()
    start = journal.first_record
    if overlay.belongs_to != facts.get("belongs_to") or not start <= overlay.offset <= journal.size:
        return None
    found = Reading(Course(largest=int(facts["largest_label"])), start, hashlib.sha256(), overlay)
    try:
        for record in journal.heads(overlay.offset):
            _follow(journal, found, record)
    except SlagsegError:
        return None
    if found.end != overlay.offset or found.heads.hexdigest() != overlay.heads:
        return None
    found.laid, found.stored_records = tuple(found.course.done), found.course.records
    return found


def _follow(journal: EditJournal, found: Reading, record: Record) -> None:
    try:
        found.course.follow(record.head, record.start)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SlagsegError(
            f"{journal.path} has a record at byte {record.start} that this program "
            f"does not understand ({type(error).__name__}: {error}). Update napari-slagseg."
        ) from error
    found.heads.update(record.lead)
    found.end = record.stop


__all__ = ["Reading", "read_course", "read_journal"]
