"""Overlap-tile prediction of volumes (K 2.3.5; Ronneberger et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    BlockGrid,
    CancelToken,
    Progress,
    ProgressEvent,
    VolumeLike,
    VoxelSize,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.networks.prediction.block_task import prediction_task
from napari_slagseg.networks.prediction.references import Given
from napari_slagseg.networks.prediction.settings import (
    HALO,
    Backend,
    PredictionSettings,
    in_words,
)
from napari_slagseg.networks.settings import Precision

BLEND_BLOCK = 256
"""Edge of the blocks that averaged predictions are summed in, in voxels, at least."""


@dataclass(frozen=True)
class Prediction:
    """What the networks say about every voxel.

    Attributes
    ----------
    phases : (z, y, x) uint8 or None
        Class of the highest probability.
    particle_probability : (z, y, x) uint8 or None
        0 to 255 for probabilities 0 to 1.
    manner : mapping
        How it was done: backend, precision, device, tile, halo, passes per voxel.
    """

    phases: NDArray[np.uint8] | None
    particle_probability: NDArray[np.uint8] | None
    manner: Mapping[str, Any] = field(default_factory=dict)


def predict_volume(
    ct: VolumeLike,
    *,
    phase: Given | Iterable[Given] | None,
    particle: Given | Iterable[Given] | None,
    voxel_size_um: VoxelSize | None = None,
    tile: int | None = None,
    halo: int | None = None,
    average: bool = False,
    mirrored: bool = False,
    device: str = "auto",
    threads: int | None = None,
    backend: Backend = "auto",
    precision: Precision = "auto",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Prediction:
    """Predict with one or both networks in one pass over tiles, into arrays in memory.

    The same as `prediction_task` does block by block, bit for bit. Tiles start at
    multiples of their edge, so pooling falls on the same voxels as in a whole-volume
    run; only a tile's core is kept, and written once. The arg-max is taken per
    tile: no volume of probabilities is ever held but the particle network's, in 8 bit.
    Memory: 2 bytes a voxel, beside one tile's features.

    Parameters
    ----------
    ct : (z, y, x) VolumeLike
        Grey values; may be memory-mapped or on disk.
    phase, particle : TrainedNetwork or folder of a run, several of them, or None
        At least one. The probabilities of several are averaged.
    voxel_size_um : (z, y, x) or None
        Checked against what the networks were trained on.
    tile, halo : int or None
        Edge of a core and context around it, multiples of 8; None is chosen by
        device (`napari_slagseg.networks.prediction.settings.TILES`), and `HALO`.
    average : bool
        Overlap tiles by half and weigh them with a Gaussian window (as nnU-Net);
        8 times the work and 4 (channels + 1) bytes a voxel of a block.
    mirrored : bool
        Average over the 8 mirror images; 8 times the work.
    device, threads
        As in `TrainingSettings`.
    backend : {"auto", "torch", "openvino"}
    precision : {"auto", "fp32", "bf16", "fp16"}
        See `PredictionSettings`.
    progress, cancel
        See `napari_slagseg.data.running`; both once a tile. The first event's values
        say what was chosen, and how many passes over each voxel it takes.

    Returns
    -------
    prediction : Prediction

    Raises
    ------
    SlagsegError
        If no network is given or the voxel sizes differ by more than 5 %.
    """
    shape = (int(ct.shape[0]), int(ct.shape[1]), int(ct.shape[2]))
    phases = None if phase is None else np.zeros(shape, np.uint8)
    probability = None if particle is None else np.zeros(shape, np.uint8)
    asked = PredictionSettings(
        tile, halo, backend, precision, device, threads, average=average, mirrored=mirrored
    )
    task = prediction_task(
        ct, phase, particle, phases, probability, asked, voxel_size_um=voxel_size_um
    )
    manner = in_words(task.settings, task.passes)
    stop_if_cancelled(cancel)
    progress(ProgressEvent("predicting", 0.0, manner))
    edge = max(shape)
    if average:
        # the sums of a block are held in floating point
        edge = -(-BLEND_BLOCK // task.settings.edge) * task.settings.edge
    grid = BlockGrid.of(shape, edge)
    used = task.settings.edge
    for number, block in enumerate(grid):

        def each_tile(tile: int, tiles: int, number: int = number) -> None:
            stop_if_cancelled(cancel)
            progress(ProgressEvent("predicting", (number + tile / tiles) / len(grid)))

        used = min(used, task.predict(block, each_tile).edge)
    if used < task.settings.edge:
        manner = {**manner, "tile": used, "note": "smaller tiles, as memory was short"}
    progress(ProgressEvent("predicting", 1.0, manner))
    return Prediction(phases, probability, manner)


__all__ = ["HALO", "Prediction", "predict_volume"]
