"""Tasks whose results are known beforehand, and some that go wrong on purpose."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg.data import Block, BlockResult, BlockStore, WritableVolume


def number_at(block: Block, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """C-order numbers of a block's voxels, counted from 1."""
    z, y, x = np.ogrid[block.box]
    return (1 + x + shape[2] * (y + shape[1] * z)).astype(np.uint32)


@dataclass(frozen=True)
class Fill:
    """Write numbers; give their sum, and keep the lowest face for other blocks."""

    out: WritableVolume
    store: BlockStore
    calls: Path
    seconds: float = 0.0

    def __call__(self, block: Block, given: Any) -> BlockResult:
        name = "-".join(map(str, block.index))
        (self.calls / f"{name}.{os.getpid()}.{time.monotonic_ns()}").touch()
        time.sleep(self.seconds)
        values = number_at(block, self.out.shape)
        self.out[block.box] = values
        self.store.put("face", block, {"low": values[0]})
        return {"sum": np.array([values.sum(dtype=np.uint64)]), "given": np.array(given or 0)}


@dataclass(frozen=True)
class AddFaces:
    """Write each number plus that at the low face above it, which another block kept."""

    source: WritableVolume
    out: WritableVolume
    store: BlockStore
    grid: Any
    seconds: float = 0.0

    def __call__(self, block: Block, given: Any) -> None:
        time.sleep(self.seconds)
        values = self.source[block.box]
        above = self.grid.neighbour(block, 0, 1)
        if above is not None:
            values = values + self.store.get("face", above)["low"]
        self.out[block.box] = values


@dataclass(frozen=True)
class Kill:
    """End the own process with SIGKILL, the first `times` times that block (0, 0, 0) is done."""

    marks: Path
    times: int

    def __call__(self, block: Block, given: Any) -> BlockResult:
        if block.index == (0, 0, 0) and len(list(self.marks.iterdir())) < self.times:
            (self.marks / str(time.monotonic_ns())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"start": np.array(block.start)}


@dataclass(frozen=True)
class Fail:
    """Fail at one block, the first `times` times; `how` says in what way."""

    marks: Path
    times: int
    how: str = "value"
    at: tuple[int, int, int] = (0, 0, 1)

    def __call__(self, block: Block, given: Any) -> BlockResult:
        if block.index == self.at and len(list(self.marks.iterdir())) < self.times:
            (self.marks / str(time.monotonic_ns())).touch()
            if self.how == "full":
                raise OSError(errno.ENOSPC, "No space left on device", "/data/chunk")
            if self.how == "denied":
                raise PermissionError(errno.EACCES, "Permission denied", "/data/chunk")
            if self.how == "memory":
                raise MemoryError
            raise ValueError("seven is no even number")
        return {"start": np.array(block.start)}


@dataclass(frozen=True)
class Wait:
    """Say that a block was begun, and sleep."""

    marks: Path
    seconds: float

    def __call__(self, block: Block, given: Any) -> None:
        (self.marks / "-".join(map(str, block.index))).touch()
        time.sleep(self.seconds)


@dataclass(frozen=True)
class Big:
    """Read the block, and hold `bytes_per_voxel` bytes for each voxel for half a second."""

    bytes_per_voxel: int
    source: Any

    def __call__(self, block: Block, given: Any) -> BlockResult:
        read = self.source[block.box]
        held = np.ones((self.bytes_per_voxel, *block.shape), dtype=np.uint8)
        held += read
        time.sleep(0.5)
        return {"n": np.array([held.sum(dtype=np.int64)])}


def job(folder: Path, run: Any, calls: Path, seconds: float = 0.0) -> np.ndarray[Any, Any]:
    """Two stages over a scratch volume each; the sums of the first one, in the order of blocks."""
    first, second = run.scratch("first", np.uint32), run.scratch("second", np.uint32)
    sums = run.stage("fill", Fill(first, run.store, calls, seconds))
    run.stage("add", AddFaces(first, second, run.store, run.grid, seconds))
    return np.array([sums[b.index]["sum"][0] for b in run.grid])


def expected(grid: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """What `job` gives: the sums of the first volume's blocks, and the second volume."""
    first = np.arange(1, np.prod(grid.shape) + 1, dtype=np.uint32).reshape(grid.shape)
    second = first.copy()
    edge = grid.edges[0]
    for start in range(0, grid.shape[0], edge):
        if start + edge < grid.shape[0]:
            second[start : start + edge] += first[start + edge]
    return np.array([first[b.box].sum(dtype=np.uint64) for b in grid]), second


@dataclass(frozen=True)
class GivesObjects:
    """Give what may not be kept."""

    def __call__(self, block: Block, given: Any) -> BlockResult:
        return {"a": np.array([{}], dtype=object)}


def drive(folder: str, calls: str, out: str, shape: tuple[int, int, int], edge: int) -> None:
    """Body of a process that the tests kill: `job`, and its result as one file at the end."""
    from napari_slagseg.data import BlockGrid
    from napari_slagseg.workflow.blockwise import DiskRun
    from napari_slagseg.workflow.blockwise.processes import ProcessBackend

    grid = BlockGrid.of(shape, edge)
    work = Path(folder)
    run = DiskRun(work, grid, ProcessBackend(2, work / "logs"))
    sums = job(work, run, Path(calls), seconds=0.02)
    second = run.scratch("second", np.uint32)[...]
    run.close()
    np.savez(out, sums=sums, second=second)


def drive_within(folder: str, shape: tuple[int, int, int], backend: str, memory: int) -> None:
    """Body of a process whose memory the tests measure: `Big` over a volume on disk."""
    from napari_slagseg.workflow.blockwise import BlockCosts, Resources, open_run

    costs = BlockCosts(bytes_per_voxel=12)
    resources = Resources(memory=memory, workers=2, backend=backend)  # type: ignore[arg-type]
    with open_run(Path(folder), "big", {}, shape, costs, resources) as run:
        source = run.scratch("source", np.uint8)
        counts = run.stage("hold", Big(9, source))
        held = sum(int(r["n"][0]) for r in counts.values())
        sys.stdout.write(f"{len(run.grid)} {run.backend.slots} {held}\n")


def write_until_full(folder: str, backend: str) -> None:
    """Body of a process that may write small files only: the error, and which blocks are done."""
    from napari_slagseg.data import BlockGrid, SlagsegError
    from napari_slagseg.workflow.blockwise import DiskRun
    from napari_slagseg.workflow.blockwise.processes import ProcessBackend
    from napari_slagseg.workflow.blockwise.threads import ThreadBackend

    work = Path(folder)
    made = ThreadBackend(1) if backend == "threads" else ProcessBackend(1, work / "logs")
    run = DiskRun(work, BlockGrid.of((8, 64, 320), 64), made)
    out = run.scratch("noise", np.uint8)
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    if backend == "processes":
        made.close()  # those that start now have the limit, too
    try:
        run.stage("noise", Noise(out))
    except SlagsegError as error:
        sys.stdout.write(f"{error}\n")
    run.close()
    done = sorted(p.name for p in (work / "done" / "noise").iterdir())
    sys.stdout.write(f"{done}\n")


@dataclass(frozen=True)
class Noise:
    """Write what does not compress to block (0, 0, 2), zeros elsewhere."""

    out: WritableVolume

    def __call__(self, block: Block, given: Any) -> None:
        values = np.zeros(block.shape, np.uint8)
        if block.index == (0, 0, 2):
            values = np.random.default_rng(0).integers(0, 256, block.shape, np.uint8)
        self.out[block.box] = values
