"""What a step will take, told before it is run."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slagseg.data import Box, SlagsegError, Triple, VolumeLike
from napari_slagseg.io import create_result_arrays, free_disk
from napari_slagseg.project import Project
from napari_slagseg.workflow.blockwise.costs import PREDICTED_BYTES, BlockCosts
from napari_slagseg.workflow.blockwise.memory import BASE_BYTES
from napari_slagseg.workflow.blockwise.opening import (
    backend_name,
    connected,
    plan_blocks,
)
from napari_slagseg.workflow.blockwise.resources import Resources

if TYPE_CHECKING:
    from napari_slagseg.networks import TrainedNetwork
    from napari_slagseg.workflow.blockwise.memory import BlockPlan

PLANNED = ("segment", "suspects", "measure")
"""Steps that work on blocks."""

SEPARATED_EDGE = 160
"""Edge of the box of made-up particles that a probe separates."""

PROBE_EDGE = 96
"""Edge of the box that a probe works on: a second or so on one core."""


@dataclass(frozen=True)
class StepPlan:
    """What a step will take.

    Attributes
    ----------
    step : str
    shape, block : (z, y, x)
        Voxels of the volume and of a block.
    blocks, workers : int
    backend : str
    bytes_per_worker, bytes_in_all : int
        Memory, at most.
    scratch_bytes, result_bytes, free_bytes : int
        Disk for the work, for the results before they are compressed, and free now.
    seconds : float or None
        Estimated; None where it cannot be known yet.
    how : str
        How the time was estimated, or why it was not.
    """

    step: str
    shape: Triple
    block: Triple
    blocks: int
    workers: int
    backend: str
    bytes_per_worker: int
    bytes_in_all: int
    scratch_bytes: int
    result_bytes: int
    free_bytes: int
    seconds: float | None
    how: str

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.scratch_bytes + self.result_bytes <= self.free_bytes

    def as_values(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "fits": self.fits}

    def text(self) -> str:
        """Lines for a person."""
        shape, block = (" x ".join(map(str, t)) for t in (self.shape, self.block))
        took = "not known yet" if self.seconds is None else f"about {_duration(self.seconds)}"
        lines = [
            self.step,
            f"  blocks   {self.blocks} of {block} voxels (volume {shape})",
            f"  workers  {self.workers} ({self.backend})",
            f"  memory   at most {_gb(self.bytes_in_all)} in all, {_gb(self.bytes_per_worker)} a "
            f"worker; a process alone takes {_gb(BASE_BYTES)}",
            f"  disk     {_gb(self.result_bytes)} for results, {_gb(self.scratch_bytes)} "
            f"meanwhile; {_gb(self.free_bytes)} are free{'' if self.fits else ': NOT ENOUGH'}",
            f"  time     {took} ({self.how})",
        ]
        return "\n".join(lines)


def plan_step(project: Project, step: str, resources: Resources, *, probe: bool = True) -> StepPlan:
    """Blocks, workers, memory, disk and time of a step.

    Parameters
    ----------
    project : Project
    step : {"segment", "suspects", "measure"}
    resources : Resources
    probe : bool
        Work on a box of the project's own volume for a second or so, to estimate the time.

    Raises
    ------
    SlagsegError
        If the memory is not enough, or the step does not work on blocks.
    """
    if step not in PLANNED:
        raise SlagsegError(
            f"'{step}' does not work on blocks; these steps do: {', '.join(PLANNED)}."
        )
    costs, shape = _costs(project, step), project.description.ct.shape
    with connected(resources) as cluster:
        plan = plan_blocks(
            shape, costs, resources, cluster=None if cluster is None else cluster.room()
        )
    backend = backend_name(shape, resources)
    if plan.workers == 1 and cluster is None:
        backend = "threads"
    seconds, how = _time(project, step, plan) if probe else (None, "no probe was asked for")
    predicting = _predicting_bytes(project) if step == "segment" else 0
    return StepPlan(
        step=step,
        shape=shape,
        block=plan.grid.edges,
        blocks=len(plan.grid),
        workers=plan.workers,
        backend=backend,
        bytes_per_worker=plan.bytes_per_worker,
        bytes_in_all=max(plan.bytes_in_all, BASE_BYTES + predicting),
        scratch_bytes=costs.scratch_bytes(shape),
        result_bytes=costs.result_bytes(shape),
        free_bytes=free_disk(project.folder),
        seconds=seconds,
        how=how,
    )


def _costs(project: Project, step: str) -> BlockCosts:
    """What the steps themselves reckon with."""
    from napari_slagseg.workflow.configs import MeasureConfig
    from napari_slagseg.workflow.measure import STEP, measuring_costs
    from napari_slagseg.workflow.segment_blocks import SEPARATION_COSTS
    from napari_slagseg.workflow.step import last_config
    from napari_slagseg.workflow.suspects import SUSPECTS_COSTS

    if step == "suspects":
        return SUSPECTS_COSTS
    if step == "segment":
        results = SEPARATION_COSTS.result_bytes_per_voxel + PREDICTED_BYTES
        return replace(SEPARATION_COSTS, result_bytes_per_voxel=results)
    config = last_config(project, STEP)
    assert isinstance(config, MeasureConfig)
    return measuring_costs(
        config.erosion_voxels,
        grains=config.grains,
        accessible_depth_um=config.accessible_depth_um,
        voxel_size_um=project.voxel_size_um,
    )


def _networks(project: Project) -> dict[str, TrainedNetwork]:
    from napari_slagseg.networks import load_network

    phase, particle = project.model_folder("phase"), project.model_folder("particle")
    if phase is None or particle is None:
        raise SlagsegError("the networks are not trained yet, and theirs is most of it")
    return {"phase": load_network(phase), "particle": load_network(particle)}


def _predicting_bytes(project: Project) -> int:
    """Memory for the networks' tiles; 0 where there are no networks yet."""
    from napari_slagseg.networks import PredictionSettings, planned_prediction

    try:
        networks = _networks(project)
    except SlagsegError:
        return 0
    return planned_prediction(networks, PredictionSettings())[1]


def _time(project: Project, step: str, plan: BlockPlan) -> tuple[float | None, str]:
    """Estimated seconds of a step, and how they were found."""
    times = {"segment": _time_of_segment, "suspects": _time_of_suspects}
    try:
        return times.get(step, _time_of_measure)(project, plan)
    except SlagsegError as error:
        return None, str(error)


def _time_of_segment(project: Project, plan: BlockPlan) -> tuple[float, str]:
    from napari_slagseg.networks import estimate_seconds, prediction_task

    networks = _networks(project)
    volume = project.volume()
    nothing = np.broadcast_to(np.uint8(0), volume.shape)
    task = prediction_task(
        volume.data,
        networks["phase"],
        networks["particle"],
        nothing,
        nothing,
        voxel_size_um=volume.voxel_size_um,
    )
    predicting = estimate_seconds(task)
    separating = _in_rounds(plan, _rate_of_separation())
    manner = task.settings
    return predicting + separating, (
        f"networks {_duration(predicting)} with {manner.backend} in {manner.precision} on "
        f"{manner.device}, from one tile; separation {_duration(separating)}, from a probe"
    )


def _rate_of_separation() -> float:
    """Voxels a second of one worker, stores on disk included, from made-up particles."""
    from napari_slagseg.segmentation import separate_blocks, separate_particles
    from napari_slagseg.workflow.blockwise.opening import open_run
    from napari_slagseg.workflow.segment_blocks import SEPARATION_COSTS

    # a ball in every cell of a lattice: what separation takes hardly depends on what it separates
    shape = (SEPARATED_EDGE,) * 3
    away = np.linalg.norm(np.indices(shape, dtype=np.float32) % 24 - 11.5, axis=0)
    sure = np.rint(255 * np.clip(1 - away / 24, 0, 1)).astype(np.uint8)
    solid = (away < 13).astype(np.uint8)
    separate_particles(solid[:8], sure[:8], threads=1)  # compiles
    alone = Resources(workers=1, backend="threads")
    with tempfile.TemporaryDirectory(prefix="slagseg-plan-") as folder:
        made = create_result_arrays(
            f"{folder}/p.zarr", {"solid": "uint8", "sure": "uint8", "found": "uint32"}, shape, None
        )
        made["solid"][:], made["sure"][:] = solid, sure
        with (
            _timed() as took,
            open_run(Path(folder), "probe", {}, shape, SEPARATION_COSTS, alone) as run,
        ):
            separate_blocks(made["solid"], made["sure"], made["found"], run)
    return float(sure.size / took[0])


def _time_of_measure(project: Project, plan: BlockPlan) -> tuple[float, str]:
    if not project.segmentation_path.exists():
        raise SlagsegError("there is no segmentation yet; run 'segment' first")
    from napari_slagseg.descriptors import describe_particles
    from napari_slagseg.workflow.segment import segmented_phase_table

    table = segmented_phase_table(project).with_target(project.description.target)
    particles = _middle(project.segmentation_volume("particles"))
    phases = _middle(project.segmentation_volume("phases"))
    describe_particles(particles[:8], phases[:8], project.voxel_size_um, table)  # compiles
    with _timed() as took:
        describe_particles(particles, phases, project.voxel_size_um, table)
    rate = particles.size / took[0]
    return _in_rounds(plan, rate), (
        f"from a probe of {particles.size:,} voxels on one worker: {rate / 1e6:.2g} Mvoxel/s"
    )


def _time_of_suspects(project: Project, plan: BlockPlan) -> tuple[float, str]:
    if not project.segmentation_path.exists():
        raise SlagsegError("there is no segmentation yet; run 'segment' first")
    from napari_slagseg.evaluation.suspects import find_suspects

    particles, phases = (_middle(project.segmentation_volume(n)) for n in ("particles", "phases"))
    sure = _middle(project.segmentation_volume("particle_probability"))
    find_suspects(particles[:8], sure[:8], phases=phases[:8], threads=1)  # compiles
    with _timed() as took:
        find_suspects(particles, sure, phases=phases, threads=1)
    rate = particles.size / took[0]
    return _in_rounds(plan, rate), (
        f"from a probe of {particles.size:,} voxels on one worker: {rate / 1e6:.2g} Mvoxel/s"
    )


def _in_rounds(plan: BlockPlan, rate: float) -> float:
    """Seconds for all blocks: they are done in rounds, the last of which may leave workers idle."""
    rounds = math.ceil(len(plan.grid) / plan.workers)
    return rounds * math.prod(plan.grid.edges) / rate


def _middle(volume: VolumeLike) -> np.ndarray[Any, Any]:
    """Box of `PROBE_EDGE` in the middle, where the sample is."""
    box: Box = tuple(  # type: ignore[assignment]
        slice(max(0, (n - PROBE_EDGE) // 2), max(0, (n - PROBE_EDGE) // 2) + PROBE_EDGE)
        for n in volume.shape
    )
    stops = [slice(s.start, min(s.stop, n)) for s, n in zip(box, volume.shape)]
    return np.ascontiguousarray(volume[tuple(stops)])


@contextmanager
def _timed() -> Iterator[list[float]]:
    took = [0.0]
    began = time.perf_counter()
    yield took
    took[0] = max(time.perf_counter() - began, 1e-6)


def _gb(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 50_000_000 else f"{n / 1e6:.1f} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


__all__ = ["PLANNED", "PROBE_EDGE", "StepPlan", "plan_step"]
