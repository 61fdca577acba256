"""Blocks by threads of this process: no start-up, one copy of all libraries."""

from __future__ import annotations

import queue
import sys
import threading
from contextlib import suppress
from typing import Any

from napari_slagseg.data import BlockTask
from napari_slagseg.workflow.blockwise.jobs import Failure, Job, Outcome, do_block, drain
from napari_slagseg.workflow.blockwise.store import StageRecords


class ThreadBackend:
    """Threads that take jobs from one queue.

    Parameters
    ----------
    workers : int
    """

    def __init__(self, workers: int) -> None:
        self.slots = max(1, workers)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._what: tuple[BlockTask, StageRecords] | None = None
        self._limit: Any = None

    def begin(self, task: BlockTask, records: StageRecords) -> None:
        """See `Backend`."""
        self._what = (task, records)
        if self.slots > 1 and self._limit is None:
            from threadpoolctl import threadpool_limits

            self._limit = threadpool_limits(1, user_api="blas")

    def submit(self, job: Job) -> None:
        """See `Backend`."""
        if len(self._threads) < self.slots:
            thread = threading.Thread(target=self._work, name="block", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)

    def next(self, timeout: float) -> Outcome | None:
        """See `Backend`."""
        with suppress(queue.Empty):
            return self._ended.get(timeout=timeout)
        return None

    def stop(self) -> None:
        """Threads cannot be ended: each finishes its block."""
        drain(self._jobs)
        self.close()
        # what ended meanwhile is of no use to the next run
        drain(self._ended)

    def close(self) -> None:
        """Wait for the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._limit is not None:
            self._limit.restore_original_limits()
            self._limit = None

    def _work(self) -> None:
        if self.slots > 1 and "numba" in sys.modules:
            # blocks are what runs in parallel; kernels within kernels only get in each other's way
            import numba

            numba.set_num_threads(1)
        while (job := self._jobs.get()) is not None:
            failure = Failure("no stage was begun")
            if self._what is not None:
                found = do_block(self._what[0], job, self._what[1])
                self._ended.put(Outcome(job, found))
            else:
                self._ended.put(Outcome(job, failure))


__all__ = ["ThreadBackend"]
