"""The edit journal: a file that only grows, and that a kill at any moment leaves whole.

``edits/journal.slg`` begins with the mark ``SLGEDITS``, the format's version (4 bytes) and
a record that says which labels the edits belong to; one record an action, undo or redo
follows (`records.py`). A record is on the disk when `append` returns. What a kill or a
power cut leaves of one that was being written fails its check sum: reading stops before it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import atomic_file, write_error
from napari_slagseg.project.edits.records import (
    HEAD,
    PREFIX,
    DamagedRecordError,
    Head,
    framed,
    payload_of,
    unframed,
)

MARK = b"SLGEDITS"
VERSION = 1
_START = struct.Struct("<8sI")


@dataclass(frozen=True)
class Record:
    """A whole record.

    Attributes
    ----------
    start, stop : int
        Its bytes in the file.
    head : dict
    body : memoryview
        Empty where only the head was read.
    lead : bytes
        All of it before the body: lengths, check sum, head.
    """

    start: int
    stop: int
    head: Head
    body: memoryview
    lead: bytes


@dataclass(frozen=True)
class CutTail:
    """What `EditJournal.mend` cut off.

    Attributes
    ----------
    size : int
        Bytes.
    path : Path
        Where they lie now.
    """

    size: int
    path: Path

    def __str__(self) -> str:
        return (
            f"The end of the edit journal ({self.size:,} bytes) was damaged, as a crash in the "
            f"middle of an edit leaves it. It was cut off and put into {self.path}; all edits "
            "before it are there."
        )


class EditJournal:
    """An append-only file of edits.

    Reading is always possible; only the holder of the project's lock may write.

    Parameters
    ----------
    path : Path
        ``edits/journal.slg``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    # -- reading -----------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether anything was ever edited."""
        return self.path.is_file()

    @property
    def size(self) -> int:
        """Bytes."""
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise self._unreadable(error) from error

    def facts(self) -> Head:
        """What was said of the labels when the journal was made.

        Raises
        ------
        SlagsegError
            If the file is no journal, its start is damaged, or it is of a newer version.
        """
        return self._first().head

    @property
    def first_record(self) -> int:
        """Byte at which the first action's record begins."""
        return self._first().stop

    def records(self, start: int = 0) -> Iterator[Record]:
        """Whole records after the first, oldest first, up to the first damaged one.

        Parameters
        ----------
        start : int
            Byte at which a record begins, to leave out those before it.

        Raises
        ------
        SlagsegError
            As `facts`.
        """
        at = max(self.first_record, start)
        with self._opened() as file:
            while (record := _next(file, at)) is not None:
                yield record
                at = record.stop

    def heads(self, stop: int | None = None) -> Iterator[Record]:
        """Records after the first without their bodies, which takes next to no time.

        Check sums cover the bodies and are not looked at, but for that of the last record:
        a kill damages no other.

        Parameters
        ----------
        stop : int, optional
            Byte to end at; by default the end of the last whole record.

        Raises
        ------
        SlagsegError
            As `facts`.
        """
        at = self.first_record
        with self._opened() as file:
            end = file.seek(0, os.SEEK_END)
            last = end if stop is None else min(stop, end)
            while (record := _next_head(file, at, last)) is not None:
                if record.stop == end and _next(file, at) is None:
                    return
                yield record
                at = record.stop

    def record_at(self, start: int) -> Record:
        """The record that begins at a byte.

        Raises
        ------
        SlagsegError
            If there is none, or it was damaged since.
        """
        with self._opened() as file:
            record = _next(file, start)
        if record is None:
            raise self._damaged(f"the record at byte {start} is damaged")
        return record

    def whole_size(self, start: int = 0) -> int:
        """Bytes up to the first damaged record, or to the end.

        Parameters
        ----------
        start : int
            Byte up to which all is known to be whole.
        """
        stop = max(self.first_record, start)
        for record in self.records(stop):
            stop = record.stop
        return stop

    # -- writing -----------------------------------------------------------------

    def create(self, facts: Mapping[str, Any]) -> None:
        """Make the file; it is whole or not there at all.

        Parameters
        ----------
        facts : mapping of str to JSON values
            What the edits belong to.
        """
        if self.exists:
            raise RuntimeError(f"{self.path} is there already")
        with atomic_file(self.path) as temporary:
            temporary.write_bytes(_START.pack(MARK, VERSION) + framed({"type": "facts", **facts}))

    def append(self, head: Mapping[str, Any], body: bytes = b"", *, at: int) -> Record:
        """Write a record; it is on the disk when this returns.

        Parameters
        ----------
        head, body
        at : int
            Where the file ends, as far as the caller knows.

        Raises
        ------
        SlagsegError
            If it ends elsewhere (somebody else has written), or cannot be written to. The
            journal is as it was before.
        """
        record = framed(head, body)
        try:
            with self.path.open("r+b") as file:
                end = file.seek(0, os.SEEK_END)
                if end != at:
                    raise SlagsegError(
                        f"{self.path} has {end:,} bytes, not {at:,}: it was written to by "
                        "something else. Open the project again."
                    )
                try:
                    file.write(record)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    with suppress(OSError):
                        os.truncate(self.path, at)
                    raise
        except OSError as error:
            raise write_error(self.path, error) from error
        split = len(record) - len(body)
        return Record(
            at, at + len(record), dict(head), memoryview(record)[split:], bytes(record[:split])
        )

    def mend(self, start: int = 0) -> CutTail | None:
        """Cut a damaged end off, into a file beside the journal; None if all is whole.

        Parameters
        ----------
        start : int
            Byte up to which all is known to be whole.

        Raises
        ------
        SlagsegError
            If the start is damaged, or nothing can be written.
        """
        whole, size = self.whole_size(start), self.size
        if whole == size:
            return None
        with self._opened() as file:
            file.seek(whole)
            tail = file.read()
        number, side = 1, self._side(whole, 1)
        # a kill between the two steps below leaves the same tail in both
        while side.exists() and side.read_bytes() != tail:
            number += 1
            side = self._side(whole, number)
        with atomic_file(side) as temporary:
            temporary.write_bytes(tail)
        try:
            with self.path.open("r+b") as file:
                file.truncate(whole)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise write_error(self.path, error) from error
        return CutTail(len(tail), side)

    def _side(self, at: int, number: int) -> Path:
        return self.path.with_name(f"{self.path.stem}.cut-{at}-{number}{self.path.suffix}")

    # -- the file ----------------------------------------------------------------

    def _first(self) -> Record:
        with self._opened() as file:
            start = file.read(_START.size)
            if len(start) < _START.size or start[: len(MARK)] != MARK:
                raise self._damaged("it does not begin as an edit journal does")
            _, version = _START.unpack(start)
            if version > VERSION:
                raise SlagsegError(
                    f"{self.path} is of version {version}; this program reads up to {VERSION}. "
                    "Update napari-slagseg."
                )
            first = _next(file, _START.size)
        if version < 1 or first is None or first.head.get("type") != "facts":
            raise self._damaged("its first record is damaged")
        return first

    def _opened(self) -> Any:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> SlagsegError:
        return SlagsegError(f"{self.path} cannot be read: {error.strerror or error}.")

    def _damaged(self, why: str) -> SlagsegError:
        return SlagsegError(
            f"{self.path} cannot be read: {why}. Bring it back from a backup; or move it away to "
            "go on with the segmentation as it was before all edits."
        )


def _next(file: Any, at: int) -> Record | None:
    """The whole record at a byte; None at the end, and where it is damaged."""
    left = file.seek(0, os.SEEK_END) - at
    file.seek(at)
    if left < PREFIX.size:
        return None
    prefix = file.read(PREFIX.size)
    length = PREFIX.unpack(prefix)[0]
    if length > left - PREFIX.size:  # before so much is read
        return None
    try:
        payload = payload_of(prefix, file.read(length))
        head, body = unframed(payload)
    except DamagedRecordError:
        return None
    lead = prefix + payload[: len(payload) - len(body)]
    return Record(at, at + PREFIX.size + length, head, body, lead)


def _next_head(file: Any, at: int, end: int) -> Record | None:
    """As `_next`, up to a byte, without the body and without its check."""
    if at + PREFIX.size + HEAD.size > end:
        return None
    file.seek(at)
    prefix = file.read(PREFIX.size + HEAD.size)
    length = PREFIX.unpack_from(prefix)[0]
    stop = at + PREFIX.size + length
    n = HEAD.unpack_from(prefix, PREFIX.size)[0]
    if stop > end or n + HEAD.size > length:
        return None
    lead = prefix + file.read(n)
    try:
        head, body = unframed(lead[PREFIX.size :])
    except DamagedRecordError:
        return None
    return Record(at, stop, head, body, lead)


__all__ = ["MARK", "VERSION", "CutTail", "EditJournal", "Record"]
