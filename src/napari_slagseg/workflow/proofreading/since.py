"""What was edited between an earlier state of the edits, known by its digest, and now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from napari_slagseg.data import SlagsegError
from napari_slagseg.project.edits import Entry, History
from napari_slagseg.project.edits.course import Course, Digest


def entries_since(history: History, digest: str) -> list[Entry] | None:
    """Actions that changed voxels and hold now but did not then, or held then and do not now.

    Parameters
    ----------
    history : History
    digest : str
        `History.digest` of the earlier state; empty for that before all edits.

    Returns
    -------
    list of Entry or None
        None if the edits were never in that state.
    """
    done = history.done
    found = _after_prefix(done, digest)
    if found is None:
        found = _from_the_journal(history, digest)
    return found


def labels_of(entries: Iterable[Entry]) -> set[int]:
    """Particles that actions touched, as they were called before or after."""
    return {n for e in entries for n in (*e.labels_before, *e.labels_after)}


def _after_prefix(done: Sequence[Entry], digest: str) -> list[Entry] | None:
    """Actions after those that the digest is of, if these are the first ones."""
    touching = [e for e in done if e.touches]
    if not digest:
        return touching
    growing = Digest()
    for entry in touching:
        growing.add(entry)
        if growing.text == digest:
            return touching[growing.count :]
    return None


def _from_the_journal(history: History, digest: str) -> list[Entry] | None:
    """As `entries_since`, for a state of which something was undone since.

    Every state of the past is gone through, its digest grown from that of the one before.
    """
    now = [e for e in history.done if e.touches]
    course = Course()
    digests = [Digest()]
    held: list[Entry] = []
    then: list[Entry] | None = None
    try:
        for record in history.journal.heads():
            course.follow(record.head, record.start)
            touching = course.done
            while held and (len(held) > len(touching) or held[-1].id != touching[len(held) - 1].id):
                held.pop()
                digests.pop()
            for entry in touching[len(held) :]:
                growing = digests[-1].copy()
                growing.add(entry)
                held.append(entry)
                digests.append(growing)
            if digests[-1].text == digest:
                then = [e for e in held if e.touches]
    except (SlagsegError, KeyError, TypeError, ValueError, IndexError):
        return None
    if then is None:
        return None
    same = 0
    while same < min(len(then), len(now)) and then[same].id == now[same].id:
        same += 1
    return [*then[same:], *now[same:]]


__all__ = ["entries_since", "labels_of"]
