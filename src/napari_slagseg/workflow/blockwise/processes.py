"""Blocks by worker processes, any of which may die."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.spawn import get_executable
from pathlib import Path
from typing import Any

from napari_slagseg.data import BlockTask, SlagsegError
from napari_slagseg.workflow.blockwise.jobs import Failure, Job, Outcome, drain
from napari_slagseg.workflow.blockwise.store import StageRecords

_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "BLOSC_NTHREADS",
)
_START = (
    "import sys; sys.path[:] = {path!r}; "
    "from napari_slagseg.workflow.blockwise.worker import main; main()"
)


STARTS = 3
"""A worker that is killed so often while it starts is given up."""


class _NotStartedError(Exception):
    """A worker ended before it was ready."""


class _Worker:
    """One process, and the thread of this one that speaks to it."""

    def __init__(self, pool: ProcessBackend, number: int) -> None:
        self._pool, self._number = pool, number
        self._log = pool.logs / f"worker-{number}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._knows = -1
        self.thread = threading.Thread(target=self._serve, name=f"worker {number}", daemon=True)
        self.thread.start()

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()

    def _serve(self) -> None:
        while (job := self._pool.jobs.get()) is not None:
            try:
                failure = self._do(job)
            except _NotStartedError as error:
                # one that was killed because all were to stop says nothing of the next run
                if not self._pool.stopped:
                    self._pool.unusable = str(error)
                failure = Failure(str(error))
            except (EOFError, OSError, pickle.UnpicklingError):
                failure = self._died()
            except Exception as error:  # noqa: BLE001 - say of what cannot be pickled
                failure = Failure(f"{type(error).__name__}: {error}")
            self._pool.ended.put(Outcome(job, failure))
        self._end()

    def _do(self, job: Job) -> Failure | None:
        if self._process is None:
            self._process = self._started()
            self._knows = -1
        stage, pickled, records = self._pool.what
        if self._knows != stage:
            self._send((pickled, records))
            self._knows = stage
        self._send(job)
        return self._answer()

    def _started(self) -> subprocess.Popen[bytes]:
        """A worker that is ready; one that was killed while it started is started again."""
        for _ in range(STARTS):
            process = self._start()
            with suppress(EOFError, OSError, pickle.UnpicklingError):
                if self._answer() == "ready":
                    return process
            code = self._end()
            # by a signal: somebody ended it, or memory was short for a moment
            if code is None or code >= 0 or self._pool.stopped:
                break
        raise _NotStartedError(f"a worker could not be started (exit code {code}){self._last()}")

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
        # by its number a worker takes a GPU of its own
        environment["SLAGSEG_WORKER"] = str(self._number)
        path = [os.path.abspath(p) for p in sys.path]
        with self._log.open("wb") as log:
            # not multiprocessing: the window runs steps in daemonic processes, which may have
            # no children by it; and a death must be laid to one block
            process = subprocess.Popen(
                [get_executable(), "-c", _START.format(path=path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
        self._process = process
        if self._pool.stopped:
            process.kill()
        return process

    def _send(self, message: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        # pickled whole first: half a message would bring both out of step
        self._process.stdin.write(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))
        self._process.stdin.flush()

    def _answer(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)

    def _died(self) -> Failure:
        code = self._end()
        why = "it may have run out of memory" if code in (-9, 137) else f"exit code {code}"
        return Failure(f"the worker process ended by itself ({why}){self._last()}")

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        return process.wait()

    def _last(self) -> str:
        """Last words of a process."""
        with suppress(OSError):
            lines = self._log.read_text(errors="replace").strip().splitlines()
            if lines:
                return f": {lines[-1][:300]}"
        return ""


class ProcessBackend:
    """Worker processes that are started when they are first needed, and again when they die.

    Parameters
    ----------
    workers : int
    logs : Path
        Folder for what the workers write to stderr.
    """

    def __init__(self, workers: int, logs: Path) -> None:
        self.slots = max(1, workers)
        self.logs = logs
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.ended: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self.what: tuple[int, bytes, StageRecords | None] = (-1, b"", None)
        self.unusable = ""
        self.stopped = False
        self._workers: list[_Worker] = []
        self._stages = 0
        logs.mkdir(parents=True, exist_ok=True)

    def begin(self, task: BlockTask, records: StageRecords) -> None:
        """See `Backend`."""
        self._stages += 1
        self.stopped = False
        self.what = (self._stages, pickle.dumps(task), records)

    def submit(self, job: Job) -> None:
        """See `Backend`."""
        if len(self._workers) < self.slots:
            self._workers.append(_Worker(self, len(self._workers)))
        self.jobs.put(job)

    def next(self, timeout: float) -> Outcome | None:
        """See `Backend`."""
        with suppress(queue.Empty):
            outcome = self.ended.get(timeout=timeout)
            if self.unusable:
                raise SlagsegError(
                    f"No block can be worked on: {self.unusable}. Use --backend threads, or "
                    "install the package again."
                )
            return outcome
        return None

    def stop(self) -> None:
        """Kill the workers; their blocks are done again by the next run."""
        self.stopped = True
        drain(self.jobs)
        for worker in self._workers:
            worker.kill()
        self.close()
        # what ended meanwhile is of no use to the next run
        drain(self.ended)

    def close(self) -> None:
        """End the workers."""
        for _ in self._workers:
            self.jobs.put(None)
        for worker in self._workers:
            worker.thread.join()
        self._workers.clear()


__all__ = ["ProcessBackend"]
