"""Things made ahead by threads and handed out in order, with the time waited for them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """What a function makes of the numbers of a range, made ahead by threads.

    Handed out in the order of the numbers, whatever the threads. No more than `ahead` things
    wait to be taken at a time. An error of the function is raised where its thing is taken.

    Threads and not processes: almost all of a patch is made by numpy and compiled loops, which
    let other threads run meanwhile, and cells of the CT are shared.

    Parameters
    ----------
    make : callable(int)
        Must give the same for the same number.
    numbers : range
    threads : int
        0 makes each thing when it is taken.
    ahead : int or None
        None: two more than there are threads.
    """

    def __init__(
        self, make: Callable[[int], T], numbers: range, *, threads: int, ahead: int | None = None
    ) -> None:
        self._make = make
        self._numbers = iter(numbers)
        self._pool = ThreadPoolExecutor(threads, "patches") if threads else None
        self._waiting: deque[Future[T]] = deque()
        self._waited = 0.0
        for _ in range(threads + 2 if ahead is None else ahead):
            self._order_next()

    @property
    def waited_s(self) -> float:
        """Seconds that `take` has kept its callers waiting."""
        return self._waited

    def _order_next(self) -> None:
        if self._pool is not None:
            number = next(self._numbers, None)
            if number is not None:
                self._waiting.append(self._pool.submit(self._make, number))

    def take(self) -> T:
        """Next thing; `StopIteration` after the last."""
        started = time.perf_counter()
        try:
            if self._pool is None:
                return self._make(next(self._numbers))
            if not self._waiting:
                raise StopIteration
            found = self._waiting.popleft().result()
            self._order_next()
            return found
        finally:
            self._waited += time.perf_counter() - started

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


__all__ = ["ReadAhead"]
