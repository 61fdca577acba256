"""Drawing anew what an edit has changed: of the kept chunks only the touched ones are dropped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from napari_slagseg.data import Box
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.lazy_array import LazyArray, Ranges
from napari_slagseg.widgets.measuring.particle_views import CHOSEN_LAYER, COLOURED_LAYER

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

SHOWN = {
    "particles": (layers.PARTICLES_LAYER, COLOURED_LAYER, CHOSEN_LAYER),
    "phases": (layers.PHASES_LAYER,),
}
"""Layers that show an array; the first of each keeps the chunks, which the others share."""


def part_of_level(box: Box, whole: Sequence[int], level: Sequence[int]) -> Ranges:
    """Voxels of a level that a box of the whole volume may have a part in.

    Parameters
    ----------
    box : box of voxels
    whole, level : (z, y, x)
        Shapes of the volume, and of the level.
    """
    ranges = []
    for b, n, m in zip(box, whole, level):
        # a level takes every second voxel, or rounds: a voxel more to either side is enough
        low, high = b.start * m // n - 1, -(-b.stop * m // n) + 1
        ranges.append(range(max(0, low), min(m, high)))
    return (ranges[0], ranges[1], ranges[2])


def forget_boxes(layer: Layer, boxes: Iterable[Box]) -> None:
    """Have a layer read these boxes anew at every level; what it shows is not drawn yet."""
    levels: list[Any] = list(layer.data) if layer.multiscale else [layer.data]
    whole = levels[0].shape
    for box in boxes:
        for level in levels:
            if isinstance(level, LazyArray):
                level.forget(part_of_level(box, whole, level.shape))


def redraw(viewer: napari.Viewer, outcome: Any) -> None:
    """Show what a step of proofreading has changed.

    Parameters
    ----------
    viewer : napari.Viewer
    outcome : Outcome
    """
    for array in sorted({d.array for a in outcome.actions for d in a.deltas if len(d)}):
        names = [name for name in SHOWN[array] if name in viewer.layers]
        if names and names[0] == SHOWN[array][0]:
            forget_boxes(viewer.layers[names[0]], outcome.boxes)
        for name in names:
            viewer.layers[name].refresh(extent=False, thumbnail=False, highlight=False)


__all__ = ["SHOWN", "forget_boxes", "part_of_level", "redraw"]
