"""Compiling what edits need before the first one is made."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_slagseg.data import BlockGrid, PhaseTable, ThreadRun, phase_table_of
from napari_slagseg.descriptors import Place, describe_blocks, describe_box
from napari_slagseg.segmentation import edits
from napari_slagseg.segmentation.label_boxes import label_boxes

_EDGE = 20


def warm_up() -> None:
    """Do every edit once on a tiny volume, and describe a particle of it.

    The compiled loops are loaded by that, in a second or two; or compiled, the first time after
    installing, which takes about a minute. It may run in any thread, beside everything else.
    """
    z, y, x = np.indices((_EDGE,) * 3)
    labels = np.zeros((_EDGE,) * 3, np.uint32)
    for middle in (6, 13):  # with a neck between them
        labels[(z - 9) ** 2 + (y - 9) ** 2 + (x - middle) ** 2 <= 16] = 1
    labels[1:4, 1:5, 1:5], labels[1:4, 1:5, 5:9] = 2, 3
    phases = np.where(labels > 0, 1 + (z > 9), 0).astype(np.uint8)
    grey = np.where(labels > 0, 180, 40).astype(np.uint8)
    grey[14:18, 14:18, 14:18] = 180
    hollow = labels.copy()
    hollow[9, 9, 6] = 0
    painted = np.zeros(labels.shape, dtype=bool)
    painted[4, 1:5, 1:5] = True
    label_boxes(labels)
    edits.split(labels, 1, [(9, 9, 6), (9, 9, 13)], [9])
    edits.split(labels, 1, [(9, 9, 6), (9, 9, 7)], [9])
    edits.split_by_stroke(labels, 1, [(9, n, 9) for n in range(_EDGE)], 0, 9)
    edits.merge(labels, [2, 3])
    edits.delete(labels, [2], phases)
    edits.fill_holes(hollow, 1, np.where(hollow > 0, phases, 0).astype(np.uint8))
    edits.smooth(labels, 1, 1.0, phases)
    edits.add_by_painting(labels, painted, 2, phases=phases)
    edits.grow_from_seed(grey, labels, (16, 16, 16), 9, radius=4, phases=phases, phase=1)
    edits.relabel_region(labels, phases, (2, 2, 2), 2)
    edits.relabel_painted(labels, phases, labels == 2, 2)
    options: dict[str, Any] = {"erosion_voxels": 1, "grains": True, "accessible_depth_um": 2.0}
    describe_box(labels, phases, Place((0, 0, 0), labels.shape), 1.0, _table(), **options)
    # a large particle is cut into blocks, along every axis
    run = ThreadRun(BlockGrid.of(labels.shape, _EDGE // 2))
    describe_blocks(labels, phases, 1.0, _table(), run, **options)


def _table() -> PhaseTable:
    return phase_table_of(["background", "a", "b"], ["#000000", "#111111", "#222222"]).with_target(
        "a"
    )


__all__ = ["warm_up"]
