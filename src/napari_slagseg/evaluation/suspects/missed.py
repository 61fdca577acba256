"""Particles that were missed: phases that belong to no particle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects

from napari_slagseg.data import Block, BlockResult, BlockRun, VolumeLike, VoxelSize
from napari_slagseg.segmentation.pieces import BlockPieces, joined_pieces
from napari_slagseg.segmentation.places import Place

MISSED_COLUMNS = (
    "first", "voxels", "chance", "contact", "z0", "y0", "x0", "z1", "y1", "x1",
    "place_z", "place_y", "place_x",
)  # fmt: skip
"""Columns of `missed_pieces`."""


@dataclass(frozen=True)
class Unclaimed:
    """Source of pieces: voxels that have a phase but no particle."""

    particles: VolumeLike
    phases: VolumeLike
    by_value: bool = False

    def values(self, block: Block) -> NDArray[np.uint8]:
        """1 where a voxel of a block has a phase but no particle."""
        return unclaimed(self.particles[block.box], self.phases[block.box]).view(np.uint8)


def unclaimed(particles: Any, phases: Any) -> NDArray[np.bool_]:
    """Where there is a phase but no particle."""
    return (np.asarray(phases) > 0) & (np.asarray(particles) == 0)


@dataclass(frozen=True)
class _MeasurePieces:
    """Stage: sums over the pieces of a block; `given` numbers those that are large enough."""

    pieces: BlockPieces
    particles: VolumeLike
    probability: VolumeLike

    def __call__(self, block: Block, given: Any, /) -> BlockResult:
        numbers = np.unique(given[given > 0])
        if not len(numbers):
            return {}
        own = np.searchsorted(numbers, given) + 1
        own[given == 0] = 0
        labels = np.zeros(block.shape, dtype=np.uint32)
        self.pieces.again(block).paint(own.astype(np.uint32), Place.of(labels))
        shape = self.particles.shape
        outer, inner = block.around(1, (shape[0], shape[1], shape[2]))
        near = binary_dilation(np.asarray(self.particles[outer]) > 0)[inner]
        chance = np.asarray(self.probability[block.box])
        rows, at = [], []
        for k, found in enumerate(find_objects(labels.astype(np.int32))):
            if found is None:
                continue
            mine = labels[found] == k + 1
            sure = chance[found]
            low = np.array([part.start for part in found]) + block.start
            high = np.array([part.stop for part in found]) + block.start
            middle = np.argwhere(mine).sum(axis=0) + np.count_nonzero(mine) * low
            total = [np.count_nonzero(mine), sure[mine].sum(dtype=np.float64) / 255,
                     np.count_nonzero(mine & near[found])]  # fmt: skip
            rows.append([*total, *middle, *low, *high])
            at.append(int(numbers[k]))
        return {"number": np.array(at), "values": np.array(rows)}


def missed_pieces(
    particles: VolumeLike,
    probability: VolumeLike,
    phases: VolumeLike,
    spacing: VoxelSize,
    least: int,
    run: BlockRun,
    part: tuple[float, float],
) -> pd.DataFrame:
    """Connected pieces (6 neighbours) of phases without a particle.

    Parameters
    ----------
    particles, probability, phases : (z, y, x) volumes
    spacing : (z, y, x)
        Of the voxels, in um.
    least : int
        Voxels of the smallest piece that counts.
    run : BlockRun
    part
        See `BlockRun.stage`.

    Returns
    -------
    DataFrame
        Columns `MISSED_COLUMNS`, one row a piece: ``first`` (number of its first voxel in the
        volume, counted from 1 in C order: a name that no other piece has), ``voxels``,
        ``chance`` (mean probability, 0 to 1), ``contact`` (share of its voxels that
        touch a particle), its box, and its middle as its place (in um).
    """
    middle = part[0] + 0.6 * (part[1] - part[0])
    joined = joined_pieces(
        Unclaimed(particles, phases),
        run,
        name="suspects-missed",
        count=True,
        says="looking for missed particles",
        part=(part[0], middle),
    )
    large = np.concatenate([[False], joined.voxels >= max(1, least)])
    given = {
        index: np.where(large[table], table, 0).astype(np.int64)
        for index, table in joined.tables.items()
    }
    given = {index: table for index, table in given.items() if table.any()}
    results = run.stage(
        "suspects-missed-measure",
        _MeasurePieces(joined.blocks, particles, probability),
        given=given,
        blocks=[run.grid.block(index) for index in given],
        says="looking for missed particles",
        part=(middle, part[1]),
    ).values()
    filled = [r for r in results if len(r)]
    if not filled:
        return pd.DataFrame(columns=list(MISSED_COLUMNS), dtype=np.float64)
    numbers, at = np.unique(np.concatenate([r["number"] for r in filled]), return_inverse=True)
    values = np.concatenate([r["values"] for r in filled])
    sums = np.zeros((len(numbers), 6))
    np.add.at(sums, at, values[:, :6])
    low = np.full((len(numbers), 3), np.inf)
    high = np.zeros((len(numbers), 3))
    np.minimum.at(low, at, values[:, 6:9])
    np.maximum.at(high, at, values[:, 9:12])
    frame = pd.DataFrame(
        {
            "first": joined.first[numbers - 1] + 1,
            "voxels": sums[:, 0].astype(np.int64),
            "chance": sums[:, 1] / sums[:, 0],
            "contact": sums[:, 2] / sums[:, 0],
        }
    )
    for k, axis in enumerate("zyx"):
        frame[f"{axis}0"], frame[f"{axis}1"] = low[:, k].astype(int), high[:, k].astype(int)
        frame[f"place_{axis}"] = (sums[:, 3 + k] / sums[:, 0] + 0.5) * spacing[k]
    return frame[list(MISSED_COLUMNS)]


__all__ = ["MISSED_COLUMNS", "Unclaimed", "missed_pieces", "unclaimed"]
