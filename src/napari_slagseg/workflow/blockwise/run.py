"""Stages on the blocks of volumes on disk, which a later run takes up where this one ended."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_slagseg.data import (
    Block,
    BlockGrid,
    BlockResult,
    BlockTask,
    CancelledError,
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    Triple,
    WritableVolume,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.io import write_error
from napari_slagseg.workflow.blockwise.jobs import Backend, Failure, Job, Outcome
from napari_slagseg.workflow.blockwise.scratch import make_scratch
from napari_slagseg.workflow.blockwise.seal import Seal
from napari_slagseg.workflow.blockwise.store import (
    FileStore,
    StageRecords,
    block_file,
    file_name,
)

ATTEMPTS = 2
"""A block that fails so often is given up."""

LOOK_EVERY_S = 0.1
"""How often the cancel token is looked at."""

FINISH_WITHIN_S = 5.0
"""Blocks that have not ended so long after a cancel are ended."""

NAMED_FAILURES = 5
"""An error names so many failed blocks at most."""


class BlockFailuresError(Exception):
    """Tracebacks of the blocks that failed."""


class DiskRun:
    """`BlockRun` whose state is a folder: what is done stays done, whoever is killed.

    A task may be killed anywhere and is then done again from the start, so it must not read
    what it writes itself, unless it notes that in the store before.

    Parameters
    ----------
    folder : Path
        For this work alone; see `opening.open_run`.
    grid : BlockGrid
    backend : Backend
        Where the tasks run.
    progress, cancel
        See `napari_slagseg.data.running`.
    """

    def __init__(
        self,
        folder: Path,
        grid: BlockGrid,
        backend: Backend,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
    ) -> None:
        self.folder = folder
        self.grid = grid
        self.backend = backend
        (folder / "done").mkdir(parents=True, exist_ok=True)
        self.store = FileStore(folder / "store")
        self._progress, self._cancel = progress, cancel
        self._seal = Seal(folder / "sealed.json")
        self._stages: set[str] = set()
        self._bar: _Bar | None = None

    def scratch(self, name: str, dtype: Any) -> WritableVolume:
        """Volume of the grid's shape, zero at first, that lasts as long as the work."""
        path = self.folder / "scratch" / f"{file_name(name)}.zarr"
        try:
            return make_scratch(path, self.grid, dtype)
        except OSError as error:
            raise write_error(path, error) from error

    def stage(
        self,
        name: str,
        task: BlockTask,
        *,
        given: Mapping[Triple, Any] | None = None,
        blocks: Iterable[Block] | None = None,
        says: str = "",
        part: tuple[float, float] = (0.0, 1.0),
    ) -> dict[Triple, BlockResult]:
        """Call `task` on every block that is not done yet; see `BlockRun.stage`."""
        if name in self._stages:
            raise ValueError(f"stage '{name}' was run already; stages have a name each")
        self._stages.add(name)
        records = StageRecords(self.folder / "done" / file_name(name))
        chosen = list(self.grid if blocks is None else blocks)
        results = self._kept(name, records, chosen)
        todo = [block for block in chosen if block.index not in results]
        bar = _Bar(self._progress, says or name, part, len(chosen), len(results))
        bar.tell()
        self._bar = bar
        if todo:
            try:
                records.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise write_error(records.folder, error) from error
            arguments = {} if given is None else given
            self.backend.begin(task, records)
            jobs = [Job(block, arguments.get(block.index)) for block in todo]
            self._work(name, jobs, records, results, bar)
        return {block.index: results[block.index] for block in chosen}

    def tell_within(self, share: float) -> None:
        """Say how much of the block that is worked on is done, where it is one at a time.

        Raises
        ------
        CancelledError
            If the work is to stop: a long task that runs in this process need not end first.
        """
        stop_if_cancelled(self._cancel)
        if self._bar is not None:
            self._bar.tell(share)

    def forget(self) -> None:
        """Begin again: nothing counts as done any more."""
        for name in ("done", "store", "scratch"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "done").mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Let go of the workers."""
        self.backend.close()

    def _kept(
        self, name: str, records: StageRecords, chosen: list[Block]
    ) -> dict[Triple, BlockResult]:
        there = records.names()
        found = {}
        for block in chosen:
            file = block_file(block.index)
            if file in there and self._seal.trusts(name, file):
                result = records.read(block)
                if result is not None:
                    found[block.index] = result
        return found

    def _work(
        self,
        name: str,
        jobs: list[Job],
        records: StageRecords,
        results: dict[Triple, BlockResult],
        bar: _Bar,
    ) -> None:
        """Do the jobs; what they gave goes into `results`."""
        waiting, running = deque(jobs), 0
        attempts: dict[Triple, int] = {}
        failed: dict[Triple, Failure] = {}
        full: Failure | None = None
        try:
            while running or (waiting and full is None):
                while waiting and running < self.backend.slots and full is None:
                    self.backend.submit(waiting.popleft())
                    running += 1
                self._stop_if_cancelled(name, running)
                outcome = self.backend.next(LOOK_EVERY_S)
                if outcome is None:
                    continue
                running -= 1
                block = outcome.job.block
                failure = self._take(name, outcome, records, results)
                if failure is None:
                    bar.add()
                    continue
                attempts[block.index] = attempts.get(block.index, 0) + 1
                if failure.full:
                    full = failure
                if attempts[block.index] < ATTEMPTS and full is None:
                    waiting.append(outcome.job)
                else:
                    failed[block.index] = failure
        except BaseException:
            self.backend.stop()
            raise
        if failed:
            raise self._error(bar.says, failed, full)

    def _take(
        self,
        name: str,
        outcome: Outcome,
        records: StageRecords,
        results: dict[Triple, BlockResult],
    ) -> Failure | None:
        block = outcome.job.block
        if outcome.failure is not None:
            return outcome.failure
        result = records.read(block)
        if result is None:
            return Failure(f"{records.path(block)} is not there or damaged, though it was written")
        results[block.index] = result
        self._seal.done(name, block_file(block.index))
        return None

    def _stop_if_cancelled(self, name: str, running: int) -> None:
        if self._cancel is None or not self._cancel.is_set():
            return
        end = time.monotonic() + FINISH_WITHIN_S
        while running and (left := end - time.monotonic()) > 0:
            running -= self.backend.next(min(left, LOOK_EVERY_S)) is not None
        raise CancelledError(f"cancelled by the user during '{name}'")

    def _error(
        self, says: str, failed: Mapping[Triple, Failure], full: Failure | None
    ) -> SlagsegError:
        kept = "What is done is kept: run the step again, and only what is missing is done."
        if full is not None:
            words = full.cause
            if full.path:
                words = str(write_error(Path(full.path), OSError(full.errno, full.cause)))
            error = SlagsegError(f"{words} {kept}")
        else:
            named = "; ".join(
                f"{_where(self.grid.block(index))}: {failure.cause}"
                for index, failure in list(failed.items())[:NAMED_FAILURES]
            )
            more = len(failed) - NAMED_FAILURES
            error = SlagsegError(
                f"{says}: {len(failed)} of {len(self.grid)} blocks failed {ATTEMPTS} times, the "
                f"others are done. {named}{f'; and {more} more' if more > 0 else ''}. {kept}"
            )
        error.__cause__ = BlockFailuresError("\n".join(f.detail for f in failed.values()))
        return error


def _where(block: Block) -> str:
    ranges = ", ".join(f"{axis} {a}-{b - 1}" for axis, a, b in zip("zyx", block.start, block.stop))
    return f"block {block.index} (voxels {ranges})"


class _Bar:
    """Progress of one stage: blocks done, and how long the others may take."""

    def __init__(
        self,
        progress: Progress,
        says: str,
        part: tuple[float, float],
        blocks: int,
        done: int,
    ) -> None:
        self.says = says
        self._progress, self._part = progress, part
        self._blocks, self._done, self._before = blocks, done, done
        self._began = time.monotonic()

    def add(self) -> None:
        """One more block is done."""
        self._done += 1
        self.tell()

    def tell(self, within: float = 0.0) -> None:
        """Tell how far the stage is, with a share of one more block."""
        share = min(1.0, (self._done + within) / self._blocks) if self._blocks else 1.0
        values: dict[str, Any] = {"blocks": self._done, "of": self._blocks}
        fresh = self._done - self._before
        if fresh:
            took = time.monotonic() - self._began
            values["seconds_left"] = round(took / fresh * (self._blocks - self._done))
        start, end = self._part
        self._progress(ProgressEvent(self.says, start + share * (end - start), values))


__all__ = ["ATTEMPTS", "BlockFailuresError", "DiskRun"]
