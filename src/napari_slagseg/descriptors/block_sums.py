"""The sums of particles over the blocks of a volume, and how those of blocks merge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Block, BlockResult, BlockStore, Box, Triple, VolumeLike
from napari_slagseg.descriptors.cube_pairs import cut_weights
from napari_slagseg.descriptors.erosion import eroded_surface
from napari_slagseg.descriptors.labels_present import (
    PhaseSlots,
    label_values,
    phase_values,
    strange_phases,
)
from napari_slagseg.descriptors.voxel_pass import Layout, VoxelSums, measure_voxels

CORNERS = "corners"
"""Name in the run's store of the corners that boxes are fitted to."""


@dataclass(frozen=True)
class MeasureBlock:
    """Stage: the sums of one block; its corners go to the store.

    Parameters
    ----------
    particles, phases : VolumeLike
    slots : PhaseSlots
    weights : tuple of 13 int
        From `surface_weights.pair_weights`.
    layers : int
        Of erosion; 0 for none.
    store : BlockStore, optional
    """

    particles: VolumeLike
    phases: VolumeLike
    slots: PhaseSlots
    weights: tuple[int, ...]
    layers: int
    store: BlockStore | None

    def __call__(self, block: Block, given: Any, /) -> BlockResult:
        """Measure one block."""
        shape: Triple = tuple(self.particles.shape)  # type: ignore[assignment]
        outer, inner = block.around(1, shape)
        labels, label_layout = _read(self.particles, outer, label_values)
        phases, phase_layout = _read(self.phases, outer, phase_values)
        slot_of = self.slots.lookup(phases.dtype)
        sums, corners = measure_voxels(
            label_layout,
            phase_layout,
            tuple(s.stop - s.start for s in outer),  # type: ignore[arg-type]
            tuple(s.start for s in inner),  # type: ignore[arg-type]
            block.shape,
            block.start,
            slot_of,
            self.slots.target,
            cut_weights(np.array(self.weights, dtype=np.int64)),
        )
        if self.store is not None:
            self.store.put(CORNERS, block, vars(corners))
        result = dict(vars(sums))
        result["strange"] = strange_phases(sums.counts, labels[inner], phases[inner], self.slots)
        if self.layers:
            deep, within = block.around(self.layers + 1, shape)
            is_target = slot_of[phases[inner]] == self.slots.target
            del labels, phases, label_layout, phase_layout
            result["eroded"] = eroded_surface(
                np.ascontiguousarray(label_values(np.asarray(self.particles[deep]))),
                is_target,
                within,
                sums.labels,
                self.layers,
            )
        return result


def _read(
    volume: VolumeLike, box: Box, values: Callable[[NDArray[Any]], NDArray[np.integer]]
) -> tuple[NDArray[np.integer], Layout]:
    """A box of a volume, and where it lies in a flat array; no copy where none is needed."""
    cut = values(np.asarray(volume[box]))
    if isinstance(volume, np.ndarray) and volume.flags.c_contiguous and cut.dtype == volume.dtype:
        whole: NDArray[Any] = volume.view(np.ndarray)
        first = [s.start for s in box]
    else:
        whole = cut = np.ascontiguousarray(cut)
        first = [0, 0, 0]
    plane, line = whole.shape[1] * whole.shape[2], whole.shape[2]
    return cut, (whole.reshape(-1), (first[0] * plane + first[1] * line + first[2], plane, line))


def merged(
    results: Iterable[Mapping[str, NDArray[Any]]], n_phases: int
) -> tuple[VoxelSums, NDArray[np.int64]]:
    """Sums of whole particles, and surface voxels after erosion, from those of blocks.

    Parameters
    ----------
    results : iterable
        What `MeasureBlock` gave; of no block too.
    n_phases : int
        Phases but the background.

    Returns
    -------
    sums : VoxelSums
    eroded : (n, 2) int64
        Zeros where no erosion was asked for.

    Notes
    -----
    Memory is about twice that of the results: 8 (17 + phases) bytes for each particle in
    each block that it lies in or touches.
    """
    parts = [part for part in results if len(part["labels"])]
    if not parts:
        none = np.empty((0, 3), dtype=np.int64)
        empty = VoxelSums(
            none[:, 0], np.empty((0, n_phases + 2), np.int64), none, none, none, none[:, :2],
            none[:, 0], none[:, :2],
        )  # fmt: skip
        return empty, none[:, :2]
    every = np.concatenate([part["labels"] for part in parts])
    order = np.argsort(every, kind="stable")
    labels, first = np.unique(every[order], return_index=True)

    def joined(name: str, how: np.ufunc) -> NDArray[np.int64]:
        values = np.concatenate([part[name] for part in parts])[order]
        found: NDArray[np.int64] = how.reduceat(values, first, axis=0)
        return found

    sums = VoxelSums(
        labels=labels,
        counts=joined("counts", np.add),
        moments=joined("moments", np.add),
        low=joined("low", np.minimum),
        high=joined("high", np.maximum),
        edges=joined("edges", np.add),
        inner=joined("inner", np.add),
        surface=joined("surface", np.add),
    )
    if "eroded" in parts[0]:
        return sums, joined("eroded", np.add)
    return sums, np.zeros((len(labels), 2), dtype=np.int64)


__all__ = ["CORNERS", "MeasureBlock", "merged"]
