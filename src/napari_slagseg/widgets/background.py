"""Work beside the window: one job at a time, and of those that wait only the newest."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from qtpy.QtCore import QObject, Signal

from napari_slagseg.data import SlagsegError

_LOG = logging.getLogger(__name__)

Job = Callable[[], object]


class Latest(QObject):
    """Does jobs in one thread; a job that waits gives way to one that comes after it.

    So a picture follows a slider or a held key as fast as it can be made, and never
    lags behind by a queue of old ones.

    Signals
    -------
    done : (str, object)
        Name of the job, and what it gave.
    failed : (str)
        What went wrong, in words.
    idle : ()
        Nothing is running or waiting.
    """

    done = Signal(str, object)
    failed = Signal(str)
    idle = Signal()
    _ended = Signal(str, object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="slagseg-picture")
        self._running = False
        self._waiting: dict[str, Job] = {}
        self._closed = False
        self._ended.connect(self._end)

    @property
    def busy(self) -> bool:
        """Whether something is running or waiting."""
        return self._running or bool(self._waiting)

    def ask(self, name: str, job: Job) -> None:
        """Do a job; one of the same name that still waits is forgotten."""
        if self._closed:
            return
        self._waiting.pop(name, None)
        self._waiting[name] = job
        self._next()

    def forget(self) -> None:
        """Drop what waits; what runs ends by itself."""
        self._waiting.clear()

    def close(self) -> None:
        """Take no more jobs and wait for the one that runs."""
        self._closed = True
        self._waiting.clear()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _next(self) -> None:
        if self._running or not self._waiting:
            return
        name = next(iter(self._waiting))
        job = self._waiting.pop(name)
        self._running = True
        self._thread.submit(self._do, name, job)

    def _do(self, name: str, job: Job) -> None:
        result: object = None
        problem: BaseException | None = None
        try:
            result = job()
        except Exception as error:  # noqa: BLE001  it is told in the window's thread
            problem = error
        if not self._closed:
            self._ended.emit(name, result, problem)

    def _end(self, name: str, result: object, problem: BaseException | None) -> None:
        self._running = False
        if self._closed:
            return
        self._next()
        if problem is None:
            self.done.emit(name, result)
        elif isinstance(problem, (SlagsegError, MemoryError, OSError)):
            self.failed.emit(str(problem) or type(problem).__name__)
        else:
            _LOG.error("%s failed", name, exc_info=problem)
            self.failed.emit(f"{name} failed: {problem}. The details are in napari's log.")
        if not self.busy:
            self.idle.emit()


__all__ = ["Latest"]
