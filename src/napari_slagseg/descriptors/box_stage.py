"""Oriented boxes of particles that blocks hold pieces of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    Block,
    BlockGrid,
    BlockResult,
    BlockRun,
    BlockStore,
    Triple,
    VoxelSize,
)
from napari_slagseg.descriptors.block_sums import CORNERS
from napari_slagseg.descriptors.boxes import POLISHED
from napari_slagseg.descriptors.hull_boxes import SHAPES, shapes_of_pieces
from napari_slagseg.descriptors.square_holes import SEARCH

FERETS = {
    "feret_max": "um",
    "feret_min": "um",
    "sieve_diameter": "um",
    "convex_volume": "um3",
    "convex_surface": "um2",
}
"""Those of `SHAPES` that tables give as they are, and their units, in the order of the tables."""


@dataclass(frozen=True)
class FitBoxes:
    """Stage: boxes of the particles that are given to a block.

    Parameters
    ----------
    grid : BlockGrid
    spacing : (z, y, x)
    store : BlockStore
        Holds the corners.
    """

    grid: BlockGrid
    spacing: VoxelSize
    store: BlockStore

    def __call__(self, block: Block, given: Any, /) -> BlockResult:
        """Fit; `given` has ``labels`` (n,), rising, ``low`` (n, 3) and ``blocks`` (k, 3)."""
        labels, low = given["labels"], given["low"]
        ends, planes, starts, sizes, points = self._pieces(labels, given["blocks"])
        shapes = np.empty((len(labels), len(SHAPES)))
        edges = np.asarray(self.spacing, dtype=np.float64)
        low = np.ascontiguousarray(low)
        shapes_of_pieces(ends, planes, starts, sizes, points, low, edges, POLISHED, SEARCH, shapes)
        return {"shapes": shapes}

    def _pieces(
        self, labels: NDArray[np.int64], blocks: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], ...]:
        """What `shapes_of_pieces` takes: ends, planes, starts, sizes and points."""
        rows, planes, starts, sizes, points = [], [], [], [], []
        n_points = 0
        for index in blocks.tolist():
            source = self.grid.block(tuple(index))
            kept = self.store.get(CORNERS, source)
            row = np.searchsorted(labels, kept["labels"])
            row[row == len(labels)] = 0
            wanted = labels[row] == kept["labels"]
            size = kept["pieces"][:, 1:].astype(np.int64)
            taken = np.repeat(wanted, size.sum(axis=1))
            rows.append(row[wanted])
            planes.append(kept["pieces"][wanted, 0].astype(np.int64) + source.start[0])
            sizes.append(size[wanted])
            points.append(kept["points"][taken].astype(np.int64) + source.start[1:])
            total = size[wanted].sum(axis=1)
            starts.append(n_points + np.cumsum(total) - total)
            n_points += len(points[-1])
        row, plane = np.concatenate(rows), np.concatenate(planes)
        order = np.lexsort((plane, row))
        ends = np.searchsorted(row[order], np.arange(len(labels) + 1)).astype(np.int64)
        start, size = np.concatenate(starts)[order], np.concatenate(sizes)[order]
        return ends, plane[order], start, size, np.concatenate(points)


def shared_out(
    grid: BlockGrid, labels_of: Mapping[Triple, NDArray[np.int64]],
    labels: NDArray[np.int64], low: NDArray[np.int64],
) -> dict[Triple, dict[str, NDArray[np.int64]]]:  # fmt: skip
    """Which block fits which particles: that with the first voxel of the bounding box.

    Parameters
    ----------
    grid : BlockGrid
    labels_of : mapping of block index to (k,)
        Labels with corners in each block.
    labels, low : (n,), (n, 3)
        All particles, and the first voxels of their bounding boxes.

    Returns
    -------
    given : mapping of block index to what `FitBoxes` is given
    """
    if not len(labels):
        return {}
    owner = np.ravel_multi_index(tuple((low // grid.edges).T), grid.counts)
    # blocks that each owner must read, as pairs without repeats
    pairs = set()
    for index, held in labels_of.items():
        for number in np.unique(owner[np.searchsorted(labels, held)]).tolist():
            pairs.add((number, index))
    sources: dict[int, list[Triple]] = {}
    for number, index in sorted(pairs):
        sources.setdefault(number, []).append(index)
    order = np.argsort(owner, kind="stable")
    numbers, first = np.unique(owner[order], return_index=True)
    given = {}
    for number, mine in zip(numbers.tolist(), np.split(order, first[1:])):
        z, y, x = (int(i) for i in np.unravel_index(number, grid.counts))
        given[z, y, x] = {
            "labels": labels[mine],
            "low": low[mine],
            "blocks": np.array(sources[number], dtype=np.int64),
        }
    return given


def fitted_boxes(
    run: BlockRun,
    labels_of: Mapping[Triple, NDArray[np.int64]],
    labels: NDArray[np.int64],
    low: NDArray[np.int64],
    spacing: VoxelSize,
    part: tuple[float, float],
) -> dict[str, NDArray[np.float64]]:
    """Boxes and hulls of all particles; the blocks' workers fit them.

    Returns
    -------
    shapes : mapping of each name of `SHAPES` to (n,)
        Lengths of the smallest box; Feret diameters of the hull of the voxels' corners, the
        side of the smallest square hole, volume and surface of the hull.
    """
    given = shared_out(run.grid, labels_of, labels, low)
    results = run.stage(
        "boxes",
        FitBoxes(run.grid, spacing, run.store),
        given=given,
        blocks=[run.grid.block(index) for index in given],
        says="fitting boxes",
        part=part,
    )
    shapes = np.empty((len(labels), len(SHAPES)))
    for index, fitted in results.items():
        shapes[np.searchsorted(labels, given[index]["labels"])] = fitted["shapes"]
    return dict(zip(SHAPES, shapes.T, strict=True))


__all__ = ["FERETS", "FitBoxes", "fitted_boxes", "shared_out"]
