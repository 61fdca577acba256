"""How a volume is cut so that work on it stays within a bound of memory."""

from __future__ import annotations

import itertools
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from napari_slagseg.data import BlockGrid, SlagsegError, Triple

STEP = 256
"""Edges of blocks are multiples of this, the edge of a shard, so that no two share one."""

THREADS_STEP = 128
"""The same where threads of one process do the work: they may share a shard."""

LONGEST = 512
"""Longest edge of a block."""

BASE_BYTES = 350_000_000
"""A process with all libraries loaded and kernels compiled, before its first block."""

SHARE_OF_FREE = 0.8
"""Share of the free memory that is taken where no bound is given."""

BLOCKS_A_WORKER = 3
"""With fewer, workers wait for the last block for long; smaller blocks are taken then."""

_UNITS = {"": 1, "b": 1} | {
    f"{letter}{binary}b": (1024 if binary else 1000) ** power
    for power, letter in enumerate("kmgt", start=1)
    for binary in ("", "i")
}
_TEXT = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_memory(text: str) -> int:
    """Bytes from a text such as "8GB", "500 MB" or "1.5GiB".

    Raises
    ------
    SlagsegError
        If it says no amount.
    """
    found = _TEXT.fullmatch(text)
    unit = found[2].lower() if found else "?"
    unit = unit if unit in _UNITS else f"{unit}b"  # "8G"
    amount = float(found[1]) * _UNITS[unit] if found and unit in _UNITS else 0.0
    if amount < 1:
        raise SlagsegError(
            f"The memory {text!r} is not understood. Give a number with its unit, such as 8GB, "
            "500MB or 1.5GiB."
        )
    return int(amount)


def free_memory() -> int:
    """Bytes that this process could still take: of the machine, or of its container."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):
        folder = Path("/sys/fs/cgroup")
        limit = int((folder / "memory.max").read_text())
        used = int((folder / "memory.current").read_text())
        statistics = dict(
            line.split() for line in (folder / "memory.stat").read_text().splitlines()
        )
        # pages of files that the system drops when memory is short
        free = min(free, limit - used + int(statistics.get("inactive_file", 0)))
    return max(0, free)


@dataclass(frozen=True)
class BlockPlan:
    """How a volume is cut, and what working on it takes.

    Attributes
    ----------
    grid : BlockGrid
    workers : int
        Blocks at the same time.
    bytes_per_worker : int
        At most, its process included where it has one of its own.
    bytes_in_all : int
        At most, this process included.
    """

    grid: BlockGrid
    workers: int
    bytes_per_worker: int
    bytes_in_all: int


def block_bytes(grid: BlockGrid, bytes_per_voxel: float, halo: int) -> int:
    """Memory of a task on the largest block of a grid, with its halo."""
    voxels = math.prod(min(e + 2 * halo, n) for e, n in zip(grid.edges, grid.shape))
    return math.ceil(voxels * bytes_per_voxel)


def plan_for(
    grid: BlockGrid,
    bytes_per_voxel: float,
    memory: int,
    workers: int,
    *,
    halo: int = 0,
    own_processes: bool = True,
    each: int | None = None,
) -> BlockPlan | None:
    """As many workers, up to `workers`, as have room with a grid; None if not even one has."""
    task = block_bytes(grid, bytes_per_voxel, halo)
    if each is not None and BASE_BYTES + task > each:
        return None
    if each is not None:
        fitting = max(1, min(workers, len(grid), memory // (BASE_BYTES + task)))
        return BlockPlan(grid, fitting, BASE_BYTES + task, fitting * (BASE_BYTES + task))
    # a single worker is a thread of this process
    if BASE_BYTES + task > memory:
        return None
    own = task + (BASE_BYTES if own_processes else 0)
    fitting = max(1, min(workers, len(grid), (memory - BASE_BYTES) // own))
    if fitting == 1:
        return BlockPlan(grid, 1, task, BASE_BYTES + task)
    return BlockPlan(grid, fitting, own, BASE_BYTES + fitting * own)


def choose_blocks(
    shape: Triple,
    bytes_per_voxel: float,
    memory: int,
    workers: int,
    *,
    halo: int = 0,
    own_processes: bool = True,
    each: int | None = None,
    step: int = STEP,
) -> BlockPlan:
    """Blocks and workers for a volume.

    As many workers as have room come first, then the largest blocks that they have
    room for: larger blocks have less halo, but a worker should have some of them.

    Parameters
    ----------
    shape : (z, y, x)
    bytes_per_voxel : float
        Most that a task takes for a voxel of its block with halo.
    memory : int
        Bytes for all together.
    workers : int
        At most.
    halo : int
        Voxels around a block that a task reads.
    own_processes : bool
        Whether each worker is a process, which takes `BASE_BYTES` for itself.
    each : int or None
        Bytes that each worker has on its own machine, where workers are elsewhere.
    step : int
        Edges are multiples of it.

    Returns
    -------
    BlockPlan
        Edges are multiples of `step`, from it to `LONGEST`, or the volume's where
        that is smaller.

    Raises
    ------
    SlagsegError
        If not even one worker with the smallest block has room.
    """
    found = []
    for edges in itertools.product(range(step, LONGEST + 1, step), repeat=3):
        grid = BlockGrid.of(shape, edges)
        plan = plan_for(
            grid,
            bytes_per_voxel,
            memory,
            workers,
            halo=halo,
            own_processes=own_processes,
            each=each,
        )
        if plan is not None:
            even = len(grid) >= BLOCKS_A_WORKER * plan.workers
            voxels = math.prod(grid.edges)
            # of equal volume, the one whose rows along x are longest
            found.append((plan.workers, even, voxels if even else -voxels, edges[::-1], plan))
    if not found:
        smallest = BlockGrid.of(shape, step)
        least = BASE_BYTES + block_bytes(smallest, bytes_per_voxel, halo)
        if each is not None and each <= memory:
            raise SlagsegError(
                f"The workers of the cluster have {each / 1e9:.2g} GB of memory a thread; one "
                f"block of {' x '.join(map(str, smallest.edges))} voxels needs "
                f"{math.ceil(least / 1e8) / 10:g} GB. Start workers with fewer threads or more "
                "memory."
            )
        raise SlagsegError(
            f"{memory / 1e9:.2g} GB of memory are not enough: one block of "
            f"{' x '.join(map(str, smallest.edges))} voxels needs a memory limit of at least "
            f"--memory {math.ceil(least / 1e8) / 10:g}GB."
        )
    return max(found, key=lambda entry: entry[:-1])[-1]


__all__ = [
    "BASE_BYTES",
    "LONGEST",
    "STEP",
    "THREADS_STEP",
    "BlockPlan",
    "block_bytes",
    "choose_blocks",
    "free_memory",
    "parse_memory",
    "plan_for",
]
