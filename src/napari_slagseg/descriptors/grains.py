"""Grains: the connected pieces of a phase inside a particle, and their table."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import (
    GRAIN_COLUMNS,
    Block,
    BlockGrid,
    BlockResult,
    BlockRun,
    Box,
    Triple,
    VolumeLike,
    VoxelSize,
)
from napari_slagseg.descriptors.cube_pairs import cut_weights
from napari_slagseg.descriptors.formulas import ball_diameter, ball_surface, ratio
from napari_slagseg.descriptors.grain_kernels import (
    add_grain_cubes,
    paint_and_sum,
    particle_phase_values,
)
from napari_slagseg.descriptors.labels_present import PhaseSlots, label_values, phase_values
from napari_slagseg.segmentation.pieces import BlockPieces, joined_pieces

_NAME = "grains"
_HIGHER: tuple[Triple, ...] = tuple(itertools.product((0, 1), (0, 1), (0, 1)))[1:]
"""Neighbours whose first voxels a block needs for the cubes that it owns."""


@dataclass(frozen=True)
class GrainSource:
    """Source of pieces: voxels of equal particle and phase.

    Parameters
    ----------
    particles, phases : VolumeLike
    slots : PhaseSlots
    largest : int
        Largest label.
    labels : (n,) int64, optional
        All labels, rising, where they are too large for a phase beside them in 63 bits.
    """

    particles: VolumeLike
    phases: VolumeLike
    slots: PhaseSlots
    largest: int
    labels: NDArray[np.int64] | None
    by_value: bool = True

    @classmethod
    def of(
        cls,
        particles: VolumeLike,
        phases: VolumeLike,
        slots: PhaseSlots,
        labels: NDArray[np.int64],
    ) -> GrainSource:
        """Source for a volume with these labels."""
        bits = slots.n_phases.bit_length()
        if len(labels) and int(labels[-1]) >> (63 - bits):
            return cls(particles, phases, slots, len(labels), labels)
        return cls(particles, phases, slots, int(labels[-1]) if len(labels) else 0, None)

    def read(self, box: Box) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Labels and phases of a box."""
        labels = label_values(np.asarray(self.particles[box]))
        return labels, phase_values(np.asarray(self.phases[box]))

    def values(self, block: Block) -> NDArray[Any]:
        """Numbers of particle and phase of a block's voxels, 0 where there is neither."""
        labels, phases = self.read(block.box)
        bits = self.slots.n_phases.bit_length()
        if self.labels is not None:
            labels = np.where(labels > 0, np.searchsorted(self.labels, labels) + 1, 0)
        small = self.largest << bits < 1 << 32
        values = np.empty(labels.shape, dtype=np.uint32 if small else np.int64)
        slot_of = self.slots.lookup(phases.dtype)
        particle_phase_values(labels, phases, slot_of, self.slots.n_phases, bits, values)
        return values


@dataclass(frozen=True)
class SumGrains:
    """Stage: the sums of each block's grains.

    Parameters
    ----------
    source : GrainSource
    pieces : BlockPieces
    grid : BlockGrid
    weights : tuple of 13 int
        From `surface_weights.pair_weights`.
    """

    source: GrainSource
    pieces: BlockPieces
    grid: BlockGrid
    weights: tuple[int, ...]

    def __call__(self, block: Block, given: Any, /) -> BlockResult:
        """Sum; `given` maps this block and higher neighbours to the numbers of their pieces."""
        outer, inner = _around(block, self.grid.shape)
        runs = self.pieces.again(block)  # may read the block once more: before it is held here
        labels, phases = self.source.read(outer)
        slots = self.source.slots
        slot_of = slots.lookup(phases.dtype)
        neighbours = self._faces(block, given)
        own = given[block.index]
        numbers = np.unique(np.concatenate([own, *(f.ravel() for _, f in neighbours)]))
        numbers = numbers[numbers > 0]
        # voxels of no phase are none of the grains, but inside their particle all the same
        bare = (slot_of >= slots.n_phases)[phases]
        bare &= labels > 0
        without, which = np.unique(labels[bare], return_inverse=True)
        n = 1 + len(numbers) + len(without)
        shape = tuple(e + 2 for e in block.shape)
        codes = np.zeros(shape, dtype=np.uint16 if n < 1 << 16 else np.uint32)
        owner = np.zeros(n, dtype=np.int64)
        slot = np.zeros(n, dtype=np.int64)
        sums = np.zeros((n, 4), dtype=np.int64)
        read = tuple(slice(1, 1 + e) for e in labels.shape)
        codes[read][bare] = 1 + len(numbers) + which
        owner[1 + len(numbers) :] = without
        code_of = np.concatenate([[0], np.searchsorted(numbers, own[1:]) + 1])
        paint_and_sum(
            runs.rows, runs.begin, runs.end, runs.piece, code_of.astype(np.int64), block.start,
            labels[inner], phases[inner], slot_of, codes, owner, slot, sums,
        )  # fmt: skip
        for place, face in neighbours:
            at = np.nonzero(face)
            code = np.searchsorted(numbers, face[at]) + 1
            codes[place][at] = code
            within = tuple(slice(s.start - 1, s.stop - 1) for s in place)
            owner[code] = labels[within][at]
            slot[code] = slot_of[phases[within][at]]
        first = np.array([int(a > 0) for a in block.start])
        cut = cut_weights(np.array(self.weights, dtype=np.int64))
        pairs = np.zeros((n, 2), dtype=np.int64)
        add_grain_cubes(codes, first, cut, owner, pairs)
        mine = slice(1, 1 + len(numbers))
        return {
            "number": numbers.astype(np.int64),
            "label": owner[mine],
            "slot": slot[mine],
            "sums": np.concatenate([sums[mine], pairs[mine]], axis=1),
        }

    def _faces(
        self, block: Block, given: Mapping[Triple, NDArray[np.uint32]]
    ) -> list[tuple[Box, NDArray[np.uint32]]]:
        """Numbers of the first voxels of higher neighbours, and where in the codes they go."""
        found = []
        for offset in _HIGHER:
            index = tuple(i + o for i, o in zip(block.index, offset))
            if index not in given:
                continue
            axis = offset.index(1)
            kept = self.pieces.store.get(_NAME, self.grid.block(index))  # type: ignore[arg-type]
            face = kept.get(f"pieces{axis}0")
            if face is None:
                continue
            face = np.expand_dims(face, axis)
            face = face[tuple(slice(0, 1) if o else slice(None) for o in offset)]
            place = tuple(
                slice(1 + e, 2 + e) if o else slice(1, 1 + e) for o, e in zip(offset, block.shape)
            )
            found.append((place, given[index][face]))  # type: ignore[index]
        return found  # type: ignore[return-value]


def _around(block: Block, shape: Triple) -> tuple[Box, Box]:
    """The block and a voxel on its high sides; the block within that."""
    outer = tuple(slice(a, min(b + 1, n)) for a, b, n in zip(block.start, block.stop, shape))
    inner = tuple(slice(0, e) for e in block.shape)
    return outer, inner  # type: ignore[return-value]


@dataclass(frozen=True)
class GrainSums:
    """Sums over the voxels of each grain, in order of label, then of first voxel.

    Attributes
    ----------
    labels, slots : (n,) int64
        Particle, and column of the phase.
    sums : (n, 6) int64
        Voxels; sums of their z, y and x indices; weighted pairs with one end in the grain; of
        these, those with the other end in the particle.
    """

    labels: NDArray[np.int64]
    slots: NDArray[np.int64]
    sums: NDArray[np.int64]

    def moved(self, start: Triple) -> GrainSums:
        """The sums of the same voxels, as many farther along (z, y, x) as `start` says."""
        sums = self.sums.copy()
        sums[:, 1:4] += sums[:, :1] * np.array(start, dtype=np.int64)
        return GrainSums(self.labels, self.slots, sums)


def grain_sums(
    particles: VolumeLike,
    phases: VolumeLike,
    slots: PhaseSlots,
    labels: NDArray[np.int64],
    weights: NDArray[np.int64],
    run: BlockRun,
    part: tuple[float, float],
) -> GrainSums:
    """Find the grains of all particles and sum over their voxels.

    Parameters
    ----------
    particles, phases : VolumeLike
    slots : PhaseSlots
    labels : (n,) int64
        All particles, rising.
    weights : (13,) int64
        From `surface_weights.pair_weights`.
    run : BlockRun
        Three stages, "grains", "grains-touching" and "grains-sums".
    part : (float, float)
        See `BlockRun.stage`.
    """
    if not len(labels):
        none = np.empty(0, dtype=np.int64)
        return GrainSums(none, none, np.empty((0, 6), dtype=np.int64))
    source = GrainSource.of(particles, phases, slots, labels)
    middle = part[0] + 0.5 * (part[1] - part[0])
    says = "finding grains"
    joined = joined_pieces(source, run, name=_NAME, says=says, part=(part[0], middle))
    given = {}
    for block in run.grid:
        indices = (tuple(i + o for i, o in zip(block.index, offset)) for offset in _HIGHER)
        given[block.index] = {
            index: joined.tables[index]  # type: ignore[index]
            for index in (block.index, *indices)
            if index in joined.tables
        }
    results = run.stage(
        f"{_NAME}-sums",
        SumGrains(source, joined.blocks, run.grid, tuple(weights.tolist())),
        given=given,
        says="measuring grains",
        part=(middle, part[1]),
    )
    return _merged(results.values())


def _merged(results: Iterable[BlockResult]) -> GrainSums:
    parts = list(results)
    number, label, slot, sums = (
        np.concatenate([part[name] for part in parts])
        for name in ("number", "label", "slot", "sums")
    )
    order = np.argsort(number, kind="stable")
    _, first = np.unique(number[order], return_index=True)
    if not len(first):
        return GrainSums(label, slot, sums)
    total = np.add.reduceat(sums[order], first, axis=0)
    label, slot = label[order][first], slot[order][first]
    # numbers follow the first voxels
    rank = np.argsort(label, kind="stable")
    return GrainSums(label[rank], slot[rank], total[rank])


def grain_table(
    grains: GrainSums, slots: PhaseSlots, spacing: VoxelSize, unit: float
) -> pd.DataFrame:
    """Table of grains, columns `GRAIN_COLUMNS`.

    Rows are in order of particle, then of the grain's first voxel; grains of a particle are
    numbered 1, 2, ... so. `unit` is the area of one weighted pair, um^2.
    """
    n_voxels = grains.sums[:, 0]
    volume = np.asarray(n_voxels * float(np.prod(spacing)), np.float64)
    surface = grains.sums[:, 4] * unit
    _, first, size = np.unique(grains.labels, return_index=True, return_counts=True)
    columns: dict[str, NDArray[np.generic]] = {
        "label": grains.labels,
        "grain": np.arange(len(grains.labels)) - np.repeat(first, size) + 1,
        "phase_id": np.array(slots.named, dtype=np.int64)[grains.slots],
        "n_voxels": n_voxels,
        "volume_um3": volume,
        "equivalent_diameter_um": ball_diameter(volume),
        "surface_area_um2": surface,
        "exposed_area_um2": (grains.sums[:, 4] - grains.sums[:, 5]) * unit,
        "sphericity": ratio(ball_surface(volume), surface),
    }
    for axis, name in enumerate("zyx"):
        columns[f"centroid_{name}_um"] = ratio(grains.sums[:, 1 + axis], n_voxels) * spacing[axis]
    assert tuple(columns) == GRAIN_COLUMNS
    return pd.DataFrame(columns)


def grains_of_particles(
    grains: GrainSums, labels: NDArray[np.int64], n_phases: int, voxel_volume: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Number of grains of each phase, and volume of the largest, (n, phases); NaN for none."""
    number = np.zeros((len(labels), n_phases), dtype=np.int64)
    largest = np.zeros((len(labels), n_phases), dtype=np.int64)
    at = (np.searchsorted(labels, grains.labels), grains.slots)
    np.add.at(number, at, 1)
    np.maximum.at(largest, at, grains.sums[:, 0])
    return number, np.where(number > 0, largest * voxel_volume, np.nan)


__all__ = [
    "GrainSource",
    "GrainSums",
    "SumGrains",
    "grain_sums",
    "grain_table",
    "grains_of_particles",
]
