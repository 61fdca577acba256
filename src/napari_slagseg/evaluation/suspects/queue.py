"""Suspects of a segmentation, in memory or block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import (
    BlockGrid,
    BlockRun,
    CancelToken,
    Progress,
    ThreadRun,
    VolumeLike,
    VoxelSize,
    checked_voxel_size,
    no_progress,
)
from napari_slagseg.data.cores import cores
from napari_slagseg.evaluation.suspects.boxes import LARGEST_BOX
from napari_slagseg.evaluation.suspects.features import features_of_blocks
from napari_slagseg.evaluation.suspects.ranking import SUSPECT_COLUMNS, ranked

_EDGE = 96


def suspects_of_blocks(
    particles: VolumeLike,
    probability: VolumeLike,
    run: BlockRun,
    *,
    phases: VolumeLike | None = None,
    voxel_size_um: VoxelSize = (1.0, 1.0, 1.0),
    largest_box: int = LARGEST_BOX,
    missed: bool = True,
    smallest_missed: int | None = None,
    part: tuple[float, float] = (0.0, 1.0),
) -> pd.DataFrame:
    """Which particles to look at first, and why.

    Needs no truth and no particle table: a segmentation can be proofread before it is measured.

    Parameters
    ----------
    particles : (z, y, x) integer volume
        0 background.
    probability : (z, y, x) uint8 volume
        Predicted probability of "inside a particle", 0 to 255 for 0 to 1.
    run : BlockRun
        Its grid has the shape of the volumes. Its stages are "suspects-faces",
        "suspects-particles", "suspects-pairs" and those of "suspects-missed". A worker holds one
        block, or one bounding box of a particle (or of two that touch), of no more than
        `largest_box` voxels, with some arrays of its size.
    phases : (z, y, x) uint8 volume, optional
        Predicted phases; where they and the network disagree, a particle is suspect.
    voxel_size_um : (z, y, x)
    largest_box : int
        Voxels; of larger bounding boxes every second (third ...) voxel is looked at.
    missed : bool
        Whether to look for phases that belong to no particle (needs `phases`).
    smallest_missed : int, optional
        Voxels of the smallest such piece that counts; by default of the smallest particle.
    part : (float, float)
        From where to where this goes in the whole work's progress bar.

    Returns
    -------
    DataFrame
        The highest score first; one row a particle, one more for each pair of
        neighbours that may be one particle, and one for each piece of a phase without a
        particle:

        - ``label``; 0 for "missed"
        - ``kind``: "merger" (two in one), "splitter" (one in two), "shape" (holes, odd
          shape), "doubt" or "missed" (a particle that was not found)
        - ``score``: 0 to 1, the rule's chance that it is wrong in this way (see `ranking`)
        - ``partner``: label of the other part of a splitter; of "missed", which voxel is its
          first (counted from 1, C order); 0 for other kinds
        - ``reasons``: in words
        - ``z_um``, ``y_um``, ``x_um``: where to look: the neck, the border between the
          two, else the middle of the particle

    Raises
    ------
    SlagsegError
        If the volumes differ in shape, or are of the wrong type.
    CancelledError
        If the run is told to stop.
    """
    features = features_of_blocks(
        particles,
        probability,
        run,
        phases=phases,
        voxel_size_um=voxel_size_um,
        largest_box=largest_box,
        missed=missed,
        smallest_missed=smallest_missed,
        part=part,
    )
    return ranked(features)


def find_suspects(
    particles: NDArray[Any],
    probability: NDArray[np.uint8],
    *,
    phases: NDArray[np.uint8] | None = None,
    voxel_size_um: float | VoxelSize = (1.0, 1.0, 1.0),
    threads: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> pd.DataFrame:
    """`suspects_of_blocks` of arrays in memory; all cores if `threads` is not given."""
    if not particles.size:
        return pd.DataFrame(columns=list(SUSPECT_COLUMNS))
    grid = BlockGrid.of(particles.shape, _EDGE)
    run = ThreadRun(grid, threads or cores(), progress, cancel)
    size = checked_voxel_size(voxel_size_um)
    return suspects_of_blocks(particles, probability, run, phases=phases, voxel_size_um=size)


__all__ = ["find_suspects", "suspects_of_blocks"]
