"""Opening a run: its folder, its blocks, and what works on them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from napari_slagseg.data import (
    BlockGrid,
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    Triple,
    no_progress,
)
from napari_slagseg.data.cores import cores
from napari_slagseg.io import check_disk, read_json, write_error, write_json
from napari_slagseg.project import Project
from napari_slagseg.workflow.blockwise.costs import BlockCosts
from napari_slagseg.workflow.blockwise.jobs import Backend
from napari_slagseg.workflow.blockwise.memory import (
    SHARE_OF_FREE,
    STEP,
    THREADS_STEP,
    BlockPlan,
    choose_blocks,
    free_memory,
    plan_for,
)
from napari_slagseg.workflow.blockwise.processes import ProcessBackend
from napari_slagseg.workflow.blockwise.resources import Resources
from napari_slagseg.workflow.blockwise.run import DiskRun
from napari_slagseg.workflow.blockwise.threads import ThreadBackend
from napari_slagseg.workflow.step import digest, installed_versions

FORMAT = 1
"""Of a work folder; another one is not taken up."""

PROCESSES_FROM = 8
"""From so many of the smallest blocks on, processes are worth their seconds of start-up."""


def work_folder(place: Project | Path) -> Path:
    """Folder that unfinished work lies in."""
    return place / ".work" if isinstance(place, Path) else place.folder / ".work"


def backend_name(shape: Triple, resources: Resources) -> str:
    """Which backend works on a volume's blocks."""
    if resources.scheduler is not None:
        if resources.backend not in ("auto", "dask"):
            raise SlagsegError(
                f"--scheduler {resources.scheduler} and --backend {resources.backend} exclude each "
                "other: the scheduler's workers do the blocks. Leave one of them out."
            )
        return "dask"
    if resources.backend == "dask":
        raise SlagsegError(
            "The backend dask needs the address of a scheduler: --scheduler tcp://host:port. "
            "'slagseg cluster' starts one on this machine."
        )
    if resources.backend != "auto":
        return resources.backend
    return "processes" if len(BlockGrid.of(shape, STEP)) >= PROCESSES_FROM else "threads"


def plan_blocks(
    shape: Triple,
    costs: BlockCosts,
    resources: Resources,
    begun: BlockGrid | None = None,
    cluster: tuple[int, int] | None = None,
) -> BlockPlan:
    """Blocks and workers for a volume within the resources.

    Parameters
    ----------
    begun : BlockGrid or None
        Blocks of work that was begun; kept if there is room for them.
    cluster : (int, int) or None
        Slots of a dask cluster and the memory of each, in bytes, where one does the work.

    Raises
    ------
    SlagsegError
        If the memory is not enough for one block.
    """
    voxel, each = costs.bytes_per_voxel, None
    own = backend_name(shape, resources) != "threads"
    workers = resources.workers or cores()
    memory = resources.memory or int(SHARE_OF_FREE * free_memory())
    if cluster is not None:
        slots, each = cluster
        workers = min(resources.workers or slots, slots)
        memory = resources.memory or each * workers
    plan = None
    if begun is not None:
        plan = plan_for(
            begun, voxel, memory, workers, halo=costs.halo, own_processes=own, each=each
        )
    if plan is None:
        plan = choose_blocks(
            shape,
            voxel,
            memory,
            workers,
            halo=costs.halo,
            own_processes=own,
            each=each,
            # several threads are to have something to do in a small volume, too
            step=STEP if own or workers == 1 else THREADS_STEP,
        )
    return plan


@contextmanager
def open_run(
    place: Project | Path,
    step: str,
    depends_on: Mapping[str, Any],
    shape: Triple,
    costs: BlockCosts,
    resources: Resources | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Iterator[DiskRun]:
    """Run for the stages of one piece of work; gone when the block ends without an error.

    Work that was begun by the same step with the same `depends_on` is taken up; any
    other of that step is removed. What it leaves must be in its final place, or moved
    there, before the block ends.

    Parameters
    ----------
    place : Project or path
        Unfinished work lies in its folder ``.work``.
    step : str
        "segment"
    depends_on : mapping of str to JSON values
        All that decides over the results: configuration, fingerprints of inputs. Versions
        of packages are added.
    shape : (z, y, x)
    costs : BlockCosts
    resources : Resources or None
    progress, cancel
        See `napari_slagseg.data.running`.

    Raises
    ------
    SlagsegError
        Before any work: if memory or disk are not enough, the place cannot be written to,
        a scheduler does not answer, or another process does the same work.
    """
    resources = resources or Resources()
    kind = backend_name(shape, resources)
    base = work_folder(place)
    name = digest([FORMAT, step, list(shape), dict(depends_on), installed_versions()])[:16]
    folder = base / f"{step}-{name}"
    with _only_one(base, step):
        begun = _begun(folder, shape)
        with connected(resources) as cluster:
            plan = plan_blocks(
                shape, costs, resources, begun, None if cluster is None else cluster.room()
            )
            if begun is None or plan.grid != begun:
                _remove_all(base, step)
                needed = costs.scratch_bytes(shape) + costs.result_bytes(shape)
                check_disk(base, needed, f"Results and unfinished work of '{step}'")
                _begin(folder, plan.grid)
            progress(ProgressEvent(in_words(plan, begun is not None), 0.0))
            backend: Backend
            if cluster is not None:
                backend = cluster.backend(folder, plan.workers, progress, cancel)
            elif plan.workers > 1 and kind == "processes":
                backend = ProcessBackend(plan.workers, folder / "logs")
            else:
                backend = ThreadBackend(plan.workers)
            run = DiskRun(folder, plan.grid, backend, progress, cancel)
            try:
                yield run
            finally:
                run.close()
        _remove_all(base, step)


def in_words(plan: BlockPlan, taken_up: bool = False) -> str:
    """A plan in one line."""
    edges = " x ".join(map(str, plan.grid.edges))
    blocks, workers = len(plan.grid), plan.workers
    return (
        f"{'taking up ' if taken_up else ''}{blocks} {'block' if blocks == 1 else 'blocks'} of "
        f"{edges} voxels, {workers} at a time, at most {plan.bytes_in_all / 1e9:.1f} GB of memory"
    )


@contextmanager
def connected(resources: Resources) -> Iterator[Any]:
    """The dask cluster that is asked for; None for this machine."""
    if resources.scheduler is None:
        yield None
        return
    from napari_slagseg.workflow.blockwise.dask_backend import connect

    with connect(resources.scheduler) as cluster:
        yield cluster


@contextmanager
def _only_one(base: Path, step: str) -> Iterator[None]:
    path = base / f"{step}.lock"
    try:
        base.mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(path), timeout=0)
        lock.acquire()
    except Timeout as error:
        raise SlagsegError(
            f"Another process does the step '{step}' in {base}. Wait for it, or end it."
        ) from error
    except OSError as error:
        raise write_error(base, error) from error
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            path.unlink(missing_ok=True)
            base.rmdir()  # if nothing is left to take up


def _begun(folder: Path, shape: Triple) -> BlockGrid | None:
    """Blocks of work that lies in a folder; None where there is none, or it is damaged."""
    path = folder / "work.json"
    if not path.is_file():
        return None
    with suppress(SlagsegError, KeyError, TypeError, ValueError):
        return BlockGrid.of(shape, [int(e) for e in read_json(path, "a piece of work")["edges"]])
    return None


def _begin(folder: Path, grid: BlockGrid) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise write_error(folder, error) from error
    write_json(folder / "work.json", {"shape": grid.shape, "edges": grid.edges})


def _remove_all(base: Path, step: str) -> None:
    for folder in base.glob(f"{step}-????????????????"):
        # first out of sight: what is half removed must not be taken up
        aside = folder.with_name(f".{folder.name}.removed")
        with suppress(OSError):
            folder.rename(aside)
    for folder in base.glob(f".{step}-*.removed"):
        shutil.rmtree(folder, ignore_errors=True)


__all__ = [
    "backend_name",
    "connected",
    "in_words",
    "open_run",
    "plan_blocks",
    "work_folder",
]
