"""Phases and particles of a volume of any size, block by block, into one store."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import (
    Block,
    BlockResult,
    BlockRun,
    CancelToken,
    GroundTruth,
    Progress,
    ProgressEvent,
    SlagsegError,
    Volume,
    VolumeLike,
    VoxelSize,
    part_of,
)
from napari_slagseg.project import Project
from napari_slagseg.segmentation import SeparationCounts, separate_blocks
from napari_slagseg.workflow.blockwise import BlockCosts, DiskRun, Resources, open_run
from napari_slagseg.workflow.blockwise.costs import PREDICTED_BYTES
from napari_slagseg.workflow.blockwise.memory import STEP
from napari_slagseg.workflow.configs import SegmentConfig
from napari_slagseg.workflow.marker_threshold import ThresholdChoice, choose_threshold

if TYPE_CHECKING:
    from napari_slagseg.networks import PredictBlock, PredictionSettings

ARRAYS = {"phases": "uint8", "particles": "uint32", "particle_probability": "uint8"}
"""What a segmentation holds."""

SEPARATION_COSTS = BlockCosts(
    bytes_per_voxel=24, scratch_bytes_per_voxel=4, result_bytes_per_voxel=2.5
)
"""Of `separate_blocks`; disk as measured on packings, whose labels shrink tenfold and more."""

PREDICTED, CHOSEN, SEPARATED = 0.8, 0.86, 0.97
"""Shares of the progress bar up to the end of each part."""


@dataclass(frozen=True)
class Segmented:
    """How a segmentation came about.

    Attributes
    ----------
    counts : SeparationCounts
    choice : ThresholdChoice
        The marker threshold.
    phase_voxels : dict of int to int
        Voxels of each phase.
    predicted_with : mapping
        Backend, precision, device, tile, halo and passes over each voxel.
    """

    counts: SeparationCounts
    choice: ThresholdChoice
    phase_voxels: dict[int, int]
    predicted_with: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CountPhases:
    """Voxels of each phase in a block; a `BlockTask`."""

    phases: VolumeLike

    def __call__(self, block: Block, given: Any = None, /) -> BlockResult:
        """Count a block."""
        values = np.asarray(self.phases[block.box]).reshape(-1)
        return {"voxels": np.bincount(values, minlength=256)}


def count_phases(
    phases: VolumeLike, run: BlockRun, part: tuple[float, float] = (0.0, 1.0)
) -> dict[int, int]:
    """Voxels of each phase of a volume, phases that do not occur left out."""
    found = run.stage("count phases", CountPhases(phases), says="counting the phases", part=part)
    total = np.sum([result["voxels"] for result in found.values()], axis=0)
    return {int(i): int(total[i]) for i in np.flatnonzero(total)}


def prediction_settings(config: SegmentConfig) -> PredictionSettings:
    """Settings of the prediction as a configuration asks for them."""
    from napari_slagseg.networks import PredictionSettings

    return PredictionSettings(
        tile=config.tile,
        halo=config.halo,
        backend=config.engine,
        precision=config.precision,
        device=config.device,
        threads=config.threads,
        average=config.average,
        mirrored=config.mirrored,
    )


def segment_to(
    place: Project | Path,
    target: Path,
    volume: Volume,
    networks: Mapping[str, tuple[Path, ...]],
    config: SegmentConfig,
    *,
    depends_on: Mapping[str, Any],
    attributes: Callable[[Segmented], Mapping[str, Any]],
    truth: GroundTruth | Sequence[GroundTruth] | None = None,
    resources: Resources | None = None,
    progress: Progress,
    cancel: CancelToken | None,
) -> Segmented:
    """Predict, separate and store; a run that was ended goes on where it was.

    Parameters
    ----------
    place : Project or path
        Unfinished work lies there, see `open_run`.
    target : path
        Store with the arrays `ARRAYS`; appears whole or not at all, an older one stays
        until then.
    volume : Volume
    networks : mapping of "phase" and "particle" to folders of trained networks
        Several of a kind are averaged.
    config : SegmentConfig
    depends_on : mapping
        Fingerprints of the CT and the networks.
    attributes : callable
        JSON values for the store.
    truth : GroundTruth, sequence of them, or None
        To choose the marker threshold by, where the configuration gives none.
    resources : Resources or None
    progress, cancel
        See `napari_slagseg.data.running`.

    Returns
    -------
    Segmented
    """
    from napari_slagseg.networks import planned_prediction, prediction_task
    from napari_slagseg.networks.prediction.settings import in_words

    io.check_zarr_volume(volume.data)
    shape = volume.shape
    settings, bytes_needed = planned_prediction(networks, prediction_settings(config))
    _check_tile(settings.edge, shape)
    decides = {**depends_on, "prediction": settings.to_json()}
    here = one_for_each_device(settings.device, resources)
    with open_run(
        place,
        "predict",
        decides,
        shape,
        BlockCosts(bytes_per_voxel=bytes_needed / 256**3, result_bytes_per_voxel=PREDICTED_BYTES),
        here,
        part_of(progress, 0.0, PREDICTED),
        cancel,
    ) as predicting:
        store, number = store_of(predicting, ARRAYS, shape, volume.voxel_size_um)
        made = {name: io.ZarrVolume(str(store), f"{name}/0") for name in ARRAYS}
        task = prediction_task(
            io.shared_volume(volume.data),
            networks["phase"],
            networks["particle"],
            made["phases"],
            made["particle_probability"],
            settings,
            voxel_size_um=volume.voxel_size_um,
        )
        alone = here.backend == "threads" and here.workers == 1
        tiles = predicting.stage(
            "predict", _Watched(task, predicting) if alone else task, says="predicting"
        )
        manner = {
            **in_words(settings, task.passes),
            "tile": min(int(t["tile"]) for t in tiles.values()),
        }
        choice = ThresholdChoice(config.threshold or 0.0)
        if config.threshold is None:
            choice = choose_threshold(
                made["phases"],
                made["particle_probability"],
                truth,
                minimum_voxels=config.minimum_voxels,
                progress=part_of(progress, PREDICTED, CHOSEN),
                cancel=cancel,
            )
        with open_run(
            place,
            "separate",
            {**decides, "store": number, "choice": asdict(choice), "least": config.minimum_voxels},
            shape,
            SEPARATION_COSTS,
            resources,
            part_of(progress, CHOSEN, 1.0),
            cancel,
        ) as separating:
            counts = separate_blocks(
                made["phases"],
                made["particle_probability"],
                made["particles"],
                separating,
                threshold=choice.threshold,
                minimum_voxels=config.minimum_voxels,
                part=(0.0, 0.85),
            )
            voxels = count_phases(made["phases"], separating, (0.85, 0.88))
            for i, name in enumerate(ARRAYS):
                part = (0.88 + 0.04 * i, 0.92 + 0.04 * i)
                io.add_levels(
                    store,
                    name,
                    "grey" if name == "particle_probability" else "labels",
                    separating,
                    part=part,
                )
            segmented = Segmented(counts, choice, voxels, manner)
            progress(ProgressEvent("storing the segmentation", 1.0))
            io.write_zarr_attributes(store, attributes(segmented))
            io.replace_folder(store, target)
    return segmented


def _check_tile(edge: int, shape: tuple[int, int, int]) -> None:
    """Blocks are made of whole tiles, so that results do not depend on the blocks."""
    if max(shape) > STEP and STEP % edge:
        fitting = [tile for tile in (16, 32, 64, 128, STEP) if STEP % tile == 0]
        raise SlagsegError(
            f"--tile {edge}: volumes longer than {STEP} voxels are predicted in blocks of "
            f"{STEP}, which must be whole tiles. Use {', '.join(map(str, fitting[:-1]))} or "
            f"{fitting[-1]}, or leave it out."
        )


def store_of(
    run: DiskRun,
    arrays: Mapping[str, Any],
    shape: tuple[int, int, int],
    voxel_size_um: VoxelSize | None,
) -> tuple[Path, str]:
    """Store that the blocks of a run are written into, and a name for this making of it.

    A store that is gone (moved to its place by a run that was killed right after) or that
    was not made to the end is made anew, and its blocks are done again.

    Parameters
    ----------
    run : DiskRun
    arrays : mapping of name to dtype
    shape : (z, y, x)
    voxel_size_um : (z, y, x) or None
    """
    store, note = run.folder / "result.zarr", run.folder / "store.json"
    if not (note.is_file() and store.is_dir()):
        run.forget()
        shutil.rmtree(store, ignore_errors=True)
        io.create_result_arrays(store, arrays, shape, voxel_size_um)
        io.write_json(note, {"number": uuid.uuid4().hex})
    return store, str(io.read_json(note, "a piece of work")["number"])


@dataclass(frozen=True)
class _Watched:
    """Prediction in this process, which tells of its tiles and can be stopped between them."""

    task: PredictBlock
    run: DiskRun

    def __call__(self, block: Block, given: Any = None, /) -> BlockResult:
        used = self.task.predict(block, lambda tile, tiles: self.run.tell_within(tile / tiles))
        return {"tile": np.array(used.edge)}


def one_for_each_device(device: str, resources: Resources | None) -> Resources:
    """Resources for prediction: its networks fill a device by themselves.

    One process for each GPU; on a CPU one predictor with all threads. A scheduler's
    workers are left as they are.
    """
    from napari_slagseg.networks import device_count

    chosen = resources or Resources()
    if chosen.scheduler is not None:
        return chosen
    n = device_count(device)
    return chosen.model_copy(update={"workers": n, "backend": "processes" if n > 1 else "threads"})


__all__ = [
    "ARRAYS",
    "SEPARATION_COSTS",
    "CountPhases",
    "Segmented",
    "count_phases",
    "one_for_each_device",
    "prediction_settings",
    "segment_to",
    "store_of",
]
