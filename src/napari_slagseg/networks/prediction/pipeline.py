"""Reading ahead and writing behind, so that the device never waits for either."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Work = TypeVar("Work")
Read = TypeVar("Read")

AHEAD = 2
"""Tiles read before they are needed; what bounds the memory of reading."""

BEHIND = 2
"""Answers that may wait to be written."""


def flow(
    work: Iterable[Work],
    read: Callable[[Work], Read],
    compute: Callable[[Work, Read], Callable[[], None]],
    ahead: int = AHEAD,
    behind: int = BEHIND,
) -> Iterator[Work]:
    """Read each piece of work in one thread, compute it here, write it in another.

    Parameters
    ----------
    work : iterable
    read : function of a piece of work
        Called in a thread, in order.
    compute : function of a piece of work and what was read
        Called here, in order; gives what is to be called in the writing thread.
    ahead, behind : int
        Pieces read but not computed, computed but not written.

    Yields
    ------
    piece
        After its computation was begun. When the iterator ends, all is written.

    Raises
    ------
    Exception
        The first of any thread; the rest is let go of.
    """
    pieces = iter(work)
    reading: deque[tuple[Work, Future[Read]]] = deque()
    writing: deque[Future[None]] = deque()
    reader = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
    writer = ThreadPoolExecutor(1, thread_name_prefix="write-behind")
    try:
        while True:
            while len(reading) <= ahead:
                piece = next(pieces, None)
                if piece is None:
                    break
                reading.append((piece, reader.submit(read, piece)))
            if not reading:
                break
            piece, future = reading.popleft()
            writing.append(writer.submit(compute(piece, future.result())))
            while len(writing) > behind:
                writing.popleft().result()
            yield piece
        while writing:
            writing.popleft().result()
    finally:
        for pool in (reader, writer):
            pool.shutdown(wait=True, cancel_futures=True)


__all__ = ["AHEAD", "BEHIND", "flow"]
