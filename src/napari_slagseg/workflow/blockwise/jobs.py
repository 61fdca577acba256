"""One task on one block, wherever it runs, and what is said of it."""

from __future__ import annotations

import errno
import queue
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from napari_slagseg.data import Block, BlockTask
from napari_slagseg.workflow.blockwise.store import StageRecords

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Job:
    """One block of a stage that is to be done.

    Attributes
    ----------
    block : Block
    given : picklable
        Second argument of the task.
    """

    block: Block
    given: Any


@dataclass(frozen=True)
class Failure:
    """Why a block was not done.

    Attributes
    ----------
    cause : str
        One line for the user.
    detail : str
        Traceback, for the developer.
    errno : int
        Of the system, if it refused something; else 0.
    path : str
        File that could not be written or read; empty where `cause` names it, or that is not it.
    """

    cause: str
    detail: str = ""
    errno: int = 0
    path: str = ""

    @property
    def full(self) -> bool:
        """Whether the disk is full: no other block can be done either."""
        return self.errno in _FULL


@dataclass(frozen=True)
class Outcome:
    """A job that ended, and why it failed if it did."""

    job: Job
    failure: Failure | None


def drain(waiting: queue.SimpleQueue[Any]) -> None:
    """Take all out of a queue that nobody adds to."""
    with suppress(queue.Empty):
        while True:
            waiting.get_nowait()


class Backend(Protocol):
    """Where jobs run. One stage after the other; `begin`, `submit`, `next` by one thread only."""

    @property
    def slots(self) -> int:
        """How many jobs run at the same time."""
        ...

    def begin(self, task: BlockTask, records: StageRecords) -> None:
        """Say what is to be done with the jobs that follow."""
        ...

    def submit(self, job: Job) -> None:
        """Have a job done as soon as there is room for it."""
        ...

    def next(self, timeout: float) -> Outcome | None:
        """A job that ended; None if none did within `timeout` seconds."""
        ...

    def stop(self) -> None:
        """End what runs without waiting for it, if that can be."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


def do_block(task: BlockTask, job: Job, records: StageRecords) -> Failure | None:
    """Do one block and record it; whatever goes wrong is told, not raised."""
    try:
        result = task(job.block, job.given) or {}
        records.write(job.block, result)
    except BaseException as error:  # noqa: BLE001 - the other blocks go on
        return explain(error)
    return None


def explain(error: BaseException) -> Failure:
    """What a user and a developer should know of an error."""
    detail = "".join(traceback.format_exception(error))
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.errno is not None:
            # an error in a user's words names the file already
            path = at.filename if at is error and isinstance(at.filename, str) else ""
            return Failure(str(error), detail, at.errno, path)
        at = at.__cause__ or at.__context__
    if isinstance(error, MemoryError):
        cause = "the memory was not enough; use fewer --workers or a smaller --memory"
        return Failure(cause, detail)
    kind = "" if type(error).__name__ == "SlagsegError" else f"{type(error).__name__}: "
    return Failure(f"{kind}{error}", detail)


__all__ = ["Backend", "Failure", "Job", "Outcome", "do_block", "drain", "explain"]
