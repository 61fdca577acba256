"""The smallest box around every label of a volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.data import Block, BlockResult, BlockRun, VolumeLike
from napari_slagseg.segmentation.label_blocks import counted


@njit(cache=True, nogil=True)
def _boxes_into(labels: NDArray[Any], present: NDArray[np.int64], boxes: NDArray[np.int64]) -> None:
    """Widen boxes, (z, y, x) of the first voxel and of that after the last, run by run."""
    depth, rows, columns = labels.shape
    for z in range(depth):
        for y in range(rows):
            last, row, x = np.int64(0), 0, 0
            while x < columns:
                label = np.int64(labels[z, y, x])
                first = x
                x += 1
                while x < columns and labels[z, y, x] == label:
                    x += 1
                if label <= 0:
                    continue
                if label != last:
                    last, row = label, int(np.searchsorted(present, label))
                box = boxes[row]
                box[0] = min(box[0], z)
                box[1] = min(box[1], y)
                box[2] = min(box[2], first)
                box[3] = max(box[3], z + 1)
                box[4] = max(box[4], y + 1)
                box[5] = max(box[5], x)


def label_boxes(labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels of an array and the smallest box around each.

    Parameters
    ----------
    labels : (z, y, x) integer
        Below 2^32; 0 is background.

    Returns
    -------
    present : (n,) int64
        Labels above 0 that occur, rising.
    boxes : (n, 6) int64
        First voxel (z, y, x) of each, and the voxel after its last.

    Raises
    ------
    SlagsegError
        If the labels are not whole numbers, or one is negative or above 32 bits.

    Examples
    --------
    >>> labels = np.zeros((4, 4, 4), np.uint32)
    >>> labels[1, 2, 0:3] = 7
    >>> present, boxes = label_boxes(labels)
    >>> present.tolist(), boxes.tolist()
    ([7], [[1, 2, 0, 2, 3, 3]])
    """
    present, _ = counted(labels)
    boxes = np.empty((len(present), 6), dtype=np.int64)
    boxes[:, :3], boxes[:, 3:] = np.iinfo(np.int64).max, 0
    _boxes_into(labels, present, boxes)
    return present, boxes


@dataclass(frozen=True)
class _BoxesOfBlock:
    """Stage: labels of a block and their boxes in the volume."""

    labels: VolumeLike

    def __call__(self, block: Block, given: Any, /) -> BlockResult:
        present, boxes = label_boxes(np.asarray(self.labels[block.box]))
        return {"labels": present, "boxes": boxes + np.tile(block.start, 2)}


def boxes_of_volume(
    labels: VolumeLike, run: BlockRun, part: tuple[float, float] = (0.0, 1.0)
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels of a volume and the smallest box around each, in one pass over its blocks.

    Parameters
    ----------
    labels : (z, y, x) VolumeLike of integers
    run : BlockRun
        Over the volume's shape; one stage, "boxes".
    part : (float, float)
        See `BlockRun.stage`.

    Returns
    -------
    present, boxes
        As `label_boxes`.
    """
    results = run.stage(
        "boxes", _BoxesOfBlock(labels), says="looking where every particle lies", part=part
    ).values()
    every = np.concatenate([r["labels"] for r in results])
    found = np.concatenate([r["boxes"] for r in results])
    present, at = np.unique(every, return_inverse=True)
    boxes = np.empty((len(present), 6), dtype=np.int64)
    boxes[:, :3], boxes[:, 3:] = np.iinfo(np.int64).max, 0
    np.minimum.at(boxes[:, :3], at, found[:, :3])
    np.maximum.at(boxes[:, 3:], at, found[:, 3:])
    return present, boxes


__all__ = ["boxes_of_volume", "label_boxes"]
