"""Blocks by the workers of a dask scheduler, on this machine or many.

Only what to do and whether it was done goes through the scheduler: workers read and
write the project's folder themselves, which all must see under the same path.
"""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import platform
import queue
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_slagseg.data import (
    BlockTask,
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    stop_if_cancelled,
)
from napari_slagseg.workflow.blockwise.jobs import Failure, Job, Outcome, do_block, explain
from napari_slagseg.workflow.blockwise.store import StageRecords

ANSWER_WITHIN_S = 8.0
"""A scheduler that has not answered by then is not there."""

SEEN_WITHIN_S = 30.0
"""A shared folder may show a file so much later to other machines."""

_ADDRESS = re.compile(r"[a-z]+://\S+:\d+")
_AGAIN = "Start one with 'slagseg cluster', or leave --scheduler out to work on this machine."


# -- what runs on the workers ------------------------------------------------------

_BUSY: list[str] = []
_TASKS: dict[str, BlockTask] = {}
_LOCK = threading.Lock()


def _versions(dask_worker: Any = None) -> dict[str, str]:
    from napari_slagseg.workflow.step import installed_versions

    found = {"python": ".".join(platform.python_version_tuple()[:2]), **installed_versions()}
    # a build for another processor is no other version
    return {name: version.split("+")[0] for name, version in found.items()}


def _sees(folder: str, nonce: str, number: int) -> str:
    """Whether a worker sees a file of the driver's, and can write beside it; empty if so."""
    end = time.monotonic() + SEEN_WITHIN_S / 3
    while True:
        with suppress(OSError):
            if Path(folder, "probe").read_text() == nonce:
                break
        if time.monotonic() > end:
            return "does not see it"
        time.sleep(0.2)
        with suppress(OSError):
            list(Path(folder).iterdir())  # has a network's file system look again
    try:
        Path(folder, f"probe-{number}-{secrets.token_hex(4)}").write_text(nonce)
    except OSError as error:
        return f"cannot write there ({error.strerror})"
    return ""


def _busy_with(folder: str) -> bool:
    return folder in _BUSY


def _do(folder: str, task: tuple[str, str], records: StageRecords, job: Job) -> Failure | None:
    """One block, on a worker."""
    _BUSY.append(folder)
    try:
        return do_block(_task(*task), job, records)
    except Exception as error:  # noqa: BLE001 - told to the driver
        return explain(error)
    finally:
        _BUSY.remove(folder)


def _task(path: str, check: str) -> BlockTask:
    with _LOCK:
        if check not in _TASKS:
            raw = _appeared(Path(path))
            # nobody else's file is unpickled: the check comes from the driver itself
            if hashlib.sha256(raw).hexdigest() != check:
                raise SlagsegError(f"{path} is not what was written there. Run the step again.")
            _TASKS.clear()
            _TASKS[check] = pickle.loads(raw)
        return _TASKS[check]


def _appeared(path: Path) -> bytes:
    end = time.monotonic() + SEEN_WITHIN_S
    while True:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
            with suppress(OSError):
                list(path.parent.iterdir())


# -- what runs here ----------------------------------------------------------------


class DaskBackend:
    """Jobs as futures of a client.

    Parameters
    ----------
    client : distributed.Client
    address : str
    folder : Path
        Of the work; all workers see it.
    workers : int
        Blocks at the same time.
    progress
        Told when there are no workers.
    """

    def __init__(
        self, client: Any, address: str, folder: Path, workers: int, progress: Progress
    ) -> None:
        self.slots = max(1, workers)
        self._client, self._address = client, address
        self._folder, self._progress = folder, progress
        self._ended: queue.SimpleQueue[tuple[Job, Any]] = queue.SimpleQueue()
        self._running: dict[Any, Job] = {}
        self._task: tuple[str, str] = ("", "")
        self._records: StageRecords | None = None
        self._looked = time.monotonic()

    def begin(self, task: BlockTask, records: StageRecords) -> None:
        """See `Backend`."""
        raw = pickle.dumps(task)
        check = hashlib.sha256(raw).hexdigest()
        path = self._folder / "tasks" / check[:16]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw)
        self._task, self._records = (str(path), check), records

    def submit(self, job: Job) -> None:
        """See `Backend`."""
        future = self._client.submit(
            _do, str(self._folder), self._task, self._records, job, pure=False, retries=0
        )
        self._running[future] = job
        future.add_done_callback(lambda done: self._ended.put((job, done)))

    def next(self, timeout: float) -> Outcome | None:
        """See `Backend`."""
        try:
            job, future = self._ended.get(timeout=timeout)
        except queue.Empty:
            self._look()
            return None
        self._running.pop(future, None)
        if future.status == "finished":
            failure = future.result()
            if failure is None and self._records is not None:
                with suppress(OSError):
                    _appeared(self._records.path(job.block))
            return Outcome(job, failure)
        if future.status == "cancelled":
            raise SlagsegError(self._gone())
        error = future.exception()
        if type(error).__name__ == "KilledWorker":
            return Outcome(job, Failure("the workers that did it ended by themselves", str(error)))
        return Outcome(job, explain(error))

    def stop(self) -> None:
        """Take back what has not begun; a block that runs on a worker runs to its end there."""
        with suppress(Exception):
            self._client.cancel(list(self._running), asynchronous=False)
        self._running.clear()

    def close(self) -> None:
        """See `Backend`; the client is closed by who opened it."""
        self._running.clear()

    def _look(self) -> None:
        if self._client.status not in ("running", "connecting"):
            raise SlagsegError(self._gone())
        if time.monotonic() - self._looked > 5:
            self._looked = time.monotonic()
            if self._running and not _threads_of(self._client):
                self._progress(ProgressEvent(f"waiting for workers at {self._address}"))

    def _gone(self) -> str:
        return (
            f"The scheduler at {self._address} is gone. What is done is kept: run the step again "
            f"when it is back. {_AGAIN}"
        )


class DaskCluster:
    """A scheduler that answers, with workers that run the same versions."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address

    def room(self) -> tuple[int, int]:
        """Blocks that can be worked on at the same time, and bytes of memory for each."""
        workers = _workers(self._client)
        slots = sum(int(w["nthreads"]) for w in workers.values())
        each = [
            int(w["memory_limit"] or 1 << 40) // max(1, int(w["nthreads"]))
            for w in workers.values()
        ]
        return slots, min(each)

    def backend(
        self, folder: Path, workers: int, progress: Progress, cancel: CancelToken | None
    ) -> DaskBackend:
        """What works on the blocks of a folder, once all workers were seen to reach it.

        Raises
        ------
        SlagsegError
            If one does not.
        """
        folder = folder.resolve()
        self._probe(folder)
        while any(self._client.run(_busy_with, str(folder)).values()):
            # a run that was killed left blocks on the workers, which end by themselves
            progress(ProgressEvent("waiting for blocks of an earlier run"))
            stop_if_cancelled(cancel)
            time.sleep(0.5)
        return DaskBackend(self._client, self._address, folder, workers, progress)

    def _probe(self, folder: Path) -> None:
        nonce = secrets.token_hex(16)
        (folder / "probe").write_text(nonce)
        said = self._client.run(_sees, str(folder), nonce, 0)
        wrong = {worker: words for worker, words in said.items() if words}
        if wrong:
            worker, words = next(iter(wrong.items()))
            raise SlagsegError(
                f"The folder {folder} must be on a disk that all workers share, under the same "
                f"path: worker {worker} {words} ({len(wrong)} of {len(said)} workers). Move the "
                "project to a shared disk."
            )
        for path in folder.glob("probe*"):
            path.unlink(missing_ok=True)


@contextmanager
def connect(address: str) -> Iterator[DaskCluster]:
    """Cluster behind a scheduler's address.

    Parameters
    ----------
    address : str
        ``tcp://host:port``

    Raises
    ------
    SlagsegError
        If dask is not installed, nobody answers, there are no workers, or they run other
        versions than this process.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise SlagsegError(
            f"--scheduler {address} needs dask: pip install 'napari-slagseg[cluster]'."
        ) from error
    try:
        _ask(address)
        client = Client(address, timeout=ANSWER_WITHIN_S, set_as_default=False)
    except (OSError, ValueError, TypeError, TimeoutError) as error:
        raise SlagsegError(
            f"No dask scheduler answers at {address!r} within {ANSWER_WITHIN_S:g} s. Check the "
            f"address (tcp://host:port) and that it runs. {_AGAIN}"
        ) from error
    try:
        _check_workers(client, address)
        yield DaskCluster(client, address)
    finally:
        client.close()


def _ask(address: str) -> None:
    """Raise if no scheduler answers: a client would wait for one that takes calls in silence."""
    from distributed import rpc

    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is no address")

    async def ask() -> None:
        async with rpc(address) as scheduler:
            await scheduler.identity()

    said: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def listen() -> None:
        try:
            asyncio.run(ask())
        except Exception as error:  # noqa: BLE001 - handed over
            said.put(error)
        else:
            said.put(None)

    # a thread that is left behind: the library takes its time to give up, and the event loop
    # of this thread may be running already, as in a notebook
    threading.Thread(target=listen, daemon=True).start()
    try:
        error = said.get(timeout=ANSWER_WITHIN_S)
    except queue.Empty:
        raise TimeoutError(address) from None
    if error is not None:
        raise error


def _workers(client: Any) -> dict[str, dict[str, Any]]:
    # without a number it tells of the first five
    found: dict[str, dict[str, Any]] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def _threads_of(client: Any) -> int:
    with suppress(Exception):
        return sum(int(w["nthreads"]) for w in _workers(client).values())
    return 0


def _check_workers(client: Any, address: str) -> None:
    end = time.monotonic() + ANSWER_WITHIN_S
    while not _workers(client):
        if time.monotonic() > end:
            raise SlagsegError(
                f"The scheduler at {address} has no workers. Start some: dask worker {address}"
            )
        time.sleep(0.2)
    here = _versions()
    try:
        found = client.run(_versions)
    except Exception as error:  # an import on the worker may raise anything
        raise SlagsegError(
            f"The workers of {address} cannot load napari-slagseg "
            f"({type(error).__name__}: {error}). Install it there in the same version "
            f"({here.get('napari-slagseg')}, Python {here['python']})."
        ) from error
    for worker, versions in found.items():
        differ = [
            f"{name} {versions.get(name, 'missing')} instead of {version}"
            for name, version in here.items()
            if versions.get(name) != version
        ]
        if differ:
            raise SlagsegError(
                f"Worker {worker} of {address} has other versions than this process: "
                f"{', '.join(differ)}. Results could differ; use one environment for all."
            )


__all__ = ["DaskBackend", "DaskCluster", "connect"]
