"""Work on the blocks of arrays in memory, by threads."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.blocks import (
    Block,
    BlockGrid,
    BlockResult,
    BlockTask,
    Triple,
)
from napari_slagseg.data.running import (
    CancelToken,
    Progress,
    ProgressEvent,
    no_progress,
    stop_if_cancelled,
)


class MemoryStore:
    """`BlockStore` in this process's memory."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Triple], BlockResult] = {}

    def put(self, name: str, block: Block, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays of a block under a name."""
        self._kept[name, block.index] = dict(arrays)

    def get(self, name: str, block: Block) -> BlockResult:
        """Arrays kept."""
        return self._kept[name, block.index]


class ThreadRun:
    """`BlockRun` over numpy arrays; nothing lasts longer than the object.

    Parameters
    ----------
    grid : BlockGrid
    threads : int
        Blocks that are worked on at the same time.
    progress, cancel
        See `napari_slagseg.data.running`. A token stops the work between blocks.
    """

    def __init__(
        self,
        grid: BlockGrid,
        threads: int = 1,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
    ) -> None:
        self.grid = grid
        self.store = MemoryStore()
        self.threads = max(1, threads)
        self._progress, self._cancel = progress, cancel
        self._scratch: dict[str, NDArray[Any]] = {}
        self._lock = threading.Lock()

    def scratch(self, name: str, dtype: Any) -> NDArray[Any]:
        """Array of the grid's shape, zero at first."""
        with self._lock:
            if name not in self._scratch:
                self._scratch[name] = np.zeros(self.grid.shape, dtype=dtype)
            return self._scratch[name]

    def forget(self, name: str) -> None:
        """Let go of a scratch volume."""
        self._scratch.pop(name, None)

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
        """Call `task` on every block; the first error ends the stage."""
        chosen = list(self.grid if blocks is None else blocks)
        arguments = {} if given is None else given
        results: dict[Triple, BlockResult] = {}
        says = says or name

        def tell() -> None:
            share = len(results) / max(1, len(chosen))
            self._progress(ProgressEvent(says, part[0] + share * (part[1] - part[0])))

        def work(block: Block) -> BlockResult:
            return task(block, arguments.get(block.index)) or {}

        if self.threads == 1 or len(chosen) <= 1:
            for block in chosen:
                stop_if_cancelled(self._cancel)
                results[block.index] = work(block)
                tell()
            return results
        with ThreadPoolExecutor(max_workers=self.threads) as pool:
            waiting: dict[Future[BlockResult], Block] = {pool.submit(work, b): b for b in chosen}
            try:
                while waiting:
                    done, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                    for future in done:
                        results[waiting.pop(future).index] = future.result()
                    stop_if_cancelled(self._cancel)
                    tell()
            finally:
                for future in waiting:
                    future.cancel()
        # as if they had been done one after the other
        return {block.index: results[block.index] for block in chosen}


__all__ = ["MemoryStore", "ThreadRun"]
