"""What blocks say of particles: sizes, boxes, and the network's probability where they touch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from napari_slagseg.data import Block, BlockResult, BlockRun, VolumeLike, VoxelSize
from napari_slagseg.segmentation.label_blocks import counted, renumbered

UNSURE = (64, 192)
"""Probabilities (of 255) from the one to below the other are doubt: 0.25 to 0.75."""

HALF = 128
"""Probability (of 255) from which on the network says "inside a particle"."""


@dataclass(frozen=True)
class SumInterfaces:
    """Stage: sums over the voxels and voxel faces of a block.

    A face belongs to the block of its lower voxel, so a block is read with one more voxel on
    its upper sides.
    """

    particles: VolumeLike
    probability: VolumeLike
    phases: VolumeLike | None
    spacing: VoxelSize

    def __call__(self, block: Block, given: Any, /) -> BlockResult:
        """Sums of a block: one row a label, one row a pair of labels (0 is the outside)."""
        shape = self.particles.shape
        box = tuple(slice(a, min(b + 1, n)) for a, b, n in zip(block.start, block.stop, shape))
        labels = np.asarray(self.particles[box])
        chance = np.asarray(self.probability[box]).astype(np.float32)
        present, _ = counted(labels)
        n = len(present) + 1
        compact = renumbered(labels, present, np.arange(1, n))
        own = tuple(slice(0, k) for k in block.shape)
        mine, sure = compact[own], chance[own]
        flat = mine.reshape(-1)
        unsure = (sure >= UNSURE[0]) & (sure < UNSURE[1])
        denied = sure < HALF
        if self.phases is not None:
            denied |= np.asarray(self.phases[block.box]) == 0
        sums = np.stack(
            [
                np.bincount(flat, minlength=n).astype(np.float64),
                np.bincount(flat, sure.reshape(-1) / 255, n),
                np.bincount(flat, unsure.reshape(-1), n),
                np.bincount(flat, denied.reshape(-1), n),
            ],
            axis=1,
        )[1:]
        boxes = np.zeros((n - 1, 6), dtype=np.int64)
        for k, found in enumerate(find_objects(mine.astype(np.int32), max_label=n - 1)):
            if found is not None:
                boxes[k] = [*(s.start for s in found), *(s.stop for s in found)]
        boxes += np.tile(block.start, 2)
        pairs, faces = self._faces(compact, chance, block, np.concatenate([[0], present]))
        here = sums[:, 0] > 0
        return {"labels": present[here], "sums": sums[here], "boxes": boxes[here],
                "pairs": pairs, "faces": faces}  # fmt: skip

    def _faces(
        self, compact: NDArray[Any], chance: NDArray[Any], block: Block, names: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Pairs of labels with a common face (lower label first); area, and area times chance.

        Chance across a face is the smaller of its two voxels' between particles, and
        that of the particle's voxel at the outside.
        """
        n = len(names)
        keys, areas, chances = [], [], []
        whole = float(np.prod(self.spacing))
        for axis in range(3):
            low = tuple(slice(0, k) for k in block.shape)
            stop = [k + (i == axis) for i, k in enumerate(block.shape)]
            high = tuple(slice(int(i == axis), k) for i, k in enumerate(stop))
            upper, upper_chance = compact[high], chance[high]
            low = tuple(slice(0, k) for k in upper.shape)
            lower, lower_chance = compact[low], chance[low]
            differ = np.nonzero(lower != upper)
            a, b = lower[differ].astype(np.int64), upper[differ].astype(np.int64)
            p, q = lower_chance[differ], upper_chance[differ]
            keys.append(np.minimum(a, b) * n + np.maximum(a, b))
            across = np.where(a == 0, q, np.where(b == 0, p, np.minimum(p, q)))
            chances.append(across / 255 * whole / self.spacing[axis])
            areas.append(np.full(len(a), whole / self.spacing[axis]))
        found, at = np.unique(np.concatenate(keys), return_inverse=True)
        sums = [np.bincount(at, np.concatenate(k), len(found)) for k in (areas, chances)]
        pairs = np.stack([names[found // n], names[found % n]], axis=1)
        return pairs, np.stack(sums, axis=1)


def summed_interfaces(
    particles: VolumeLike,
    probability: VolumeLike,
    phases: VolumeLike | None,
    spacing: VoxelSize,
    run: BlockRun,
    part: tuple[float, float],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sums over the whole volume.

    Returns
    -------
    particles : DataFrame
        By label: ``voxels``, ``chance`` (mean probability, 0 to 1), ``unsure`` (share of
        voxels in doubt), ``denied`` (share that network or phases call outside), bounding box
        ``z0 .. x1``, ``surface`` (area, all sides but the volume's border),
        ``contact`` (share of it against other particles), ``contact_chance``,
        ``outside_chance`` (means over it; NaN without any).
    pairs : DataFrame
        ``a``, ``b`` (labels, a < b), ``area``, ``chance`` (mean across the interface).
    """
    task = SumInterfaces(particles, probability, phases, spacing)
    return joined_sums(
        run.stage("suspects-faces", task, says="looking at interfaces", part=part).values()
    )


def joined_sums(results: Collection[BlockResult]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Particles and pairs from the sums of all blocks; see `summed_interfaces`."""
    labels = np.concatenate([r["labels"] for r in results])
    names, at = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(names), 4))
    np.add.at(sums, at, np.concatenate([r["sums"] for r in results]))
    boxes = np.concatenate([r["boxes"] for r in results])
    low = np.full((len(names), 3), np.iinfo(np.int64).max)
    high = np.zeros((len(names), 3), dtype=np.int64)
    np.minimum.at(low, at, boxes[:, :3])
    np.maximum.at(high, at, boxes[:, 3:])
    every = np.concatenate([r["pairs"] for r in results])
    faces = pd.DataFrame(np.concatenate([r["faces"] for r in results]), columns=["area", "sum"])
    faces["a"], faces["b"] = every[:, 0], every[:, 1]
    faces = faces.groupby(["a", "b"], as_index=False).sum()
    frame = pd.DataFrame(
        {
            "voxels": sums[:, 0].astype(np.int64),
            "chance": sums[:, 1] / sums[:, 0],
            "unsure": sums[:, 2] / sums[:, 0],
            "denied": sums[:, 3] / sums[:, 0],
        },
        index=pd.Index(names, name="label"),
    )
    for k, axis in enumerate("zyx"):
        frame[f"{axis}0"], frame[f"{axis}1"] = low[:, k], high[:, k]
    outer = faces[faces["a"] == 0].set_index("b").reindex(names, fill_value=0.0)
    pairs = faces[faces["a"] > 0].reset_index(drop=True)
    touching = pd.concat(
        [pairs.set_index("a")[["area", "sum"]], pairs.set_index("b")[["area", "sum"]]]
    )
    inner = touching.groupby(level=0).sum().reindex(names, fill_value=0.0)
    frame["surface"] = (outer["area"] + inner["area"]).to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        frame["contact"] = np.nan_to_num(inner["area"].to_numpy() / frame["surface"].to_numpy())
        frame["contact_chance"] = inner["sum"].to_numpy() / inner["area"].to_numpy()
        frame["outside_chance"] = outer["sum"].to_numpy() / outer["area"].to_numpy()
    pairs["chance"] = pairs["sum"] / pairs["area"]
    return frame, pairs[["a", "b", "area", "chance"]]


__all__ = ["HALF", "UNSURE", "SumInterfaces", "joined_sums", "summed_interfaces"]
