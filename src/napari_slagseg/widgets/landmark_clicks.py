"""Clicking landmarks by turns: a place in the map, then its partner in the CT."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_slagseg.data import VoxelSize
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.alignment import Alignment
from napari_slagseg.widgets.landmark_colours import POINT_STYLE, dress_points

if TYPE_CHECKING:
    import napari

_CLICK_PIXELS = 4.0

POINT_VOXELS = 14.0
"""A landmark in the CT is seen in so many slices."""


class LandmarkClicks(QObject):
    """Which landmark comes next, and the clicks in the main viewer.

    Signals
    -------
    told : (str)
        What to click next.
    changed : ()
        A half pair was set or forgotten.
    """

    told = Signal(str)
    changed = Signal()

    def __init__(self, alignment: Alignment, viewer: napari.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self.alignment, self.viewer = alignment, viewer
        self.pixel: tuple[float, float] | None = None
        """Map place that waits for its partner in the CT."""
        self.on = False

    @property
    def _next_number(self) -> int:
        found = self.alignment.landmarks
        return 1 + (0 if found is None else len(found))

    def switch(self, on: bool) -> None:
        """Listen to clicks in the main viewer, or leave them alone."""
        if on == self.on:
            return
        self.on = on
        self.pixel = None
        callbacks = self.viewer.mouse_drag_callbacks
        if on:
            callbacks.append(self._drag)
        elif self._drag in callbacks:
            callbacks.remove(self._drag)
        self.tell()
        self.changed.emit()

    def tell(self) -> None:
        """Say what to click next."""
        if not self.on:
            return
        n = self._next_number
        why = self.alignment.locked_out
        if why:
            text = why
        elif self.pixel is None:
            text = f"Landmark {n}: click a place in the <b>map</b> (here)."
        elif self.viewer.dims.ndisplay != 2:
            text = (
                f"Landmark {n}: show <b>slices</b> in the main viewer (Back to 2D), then click "
                "the same place there."
            )
        else:
            text = f"Landmark {n}: click the same place in the <b>CT</b> (main viewer)."
        problem = escape(self.alignment.landmark_problem)
        self.told.emit(f"<span style='color:#d55e00'>{problem}</span> {text}" if problem else text)

    def click_map(self, row: float, column: float) -> None:
        """Set the map's half of a pair; a second click before the CT's moves it."""
        shape = self._map_shape()
        if self.alignment.locked_out or shape is None:
            self.tell()
            return
        if not (-0.5 <= row <= shape[0] - 0.5 and -0.5 <= column <= shape[1] - 0.5):
            self.told.emit("That is outside of the map.")
            return
        self.pixel = (row, column)
        self.tell()
        self.changed.emit()

    def forget_half(self) -> None:
        """Forget the map's half of a pair that has no partner yet."""
        if self.pixel is not None:
            self.pixel = None
            self.tell()
            self.changed.emit()

    def click_ct(self, zyx: tuple[float, float, float]) -> bool:
        """Set the CT's half; the pair is stored. True if it was taken."""
        project = self.alignment.project
        if project is None or self.alignment.locked_out:
            self.tell()
            return False
        if self.pixel is None:
            self.told.emit("Click the <b>map</b> first, then its partner in the CT.")
            return False
        shape = project.description.ct.shape
        if not all(-0.5 <= v <= n - 0.5 for v, n in zip(zyx, shape)):
            self.told.emit("That is outside of the CT.")
            return False
        pixel, self.pixel = self.pixel, None
        stored = self.alignment.add_pair(pixel, zyx)
        if not stored:
            self.pixel = pixel
            self.changed.emit()
        self.tell()
        return stored

    def _map_shape(self) -> tuple[int, int] | None:
        project = self.alignment.project
        for entry in project.description.maps if project is not None else ():
            if entry.name == self.alignment.name:
                return entry.shape
        return None

    def _drag(self, viewer: napari.Viewer, event: object) -> Iterator[None]:
        if event.button != 1 or viewer.dims.ndisplay != 2 or viewer.dims.ndim < 3:
            return
        start = np.asarray(event.pos, float)
        position = np.asarray(event.position, float)
        yield
        while event.type == "mouse_move":
            yield
        if np.hypot(*(np.asarray(event.pos, float) - start)) <= _CLICK_PIXELS:
            voxel = np.asarray(self.alignment.project.voxel_size_um)
            self.click_ct(tuple(float(v) for v in position[-3:] / voxel))

    def pixels(self) -> np.ndarray:
        """Map places of all pairs, and of the half one."""
        found = self.alignment.landmarks
        pixels = np.zeros((0, 2)) if found is None else np.asarray(found.pixels, float)
        return pixels if self.pixel is None else np.concatenate([pixels, [self.pixel]])


def layer_name(map_name: str) -> str:
    """Name of the layer with a map's landmarks in the CT."""
    return f"{map_name} landmarks"


def show_in_ct(
    viewer: napari.Viewer,
    map_name: str,
    voxels: np.ndarray,
    worst: int | None,
    voxel_size_um: VoxelSize,
) -> None:
    """Numbered points in the main viewer; without any the layer goes."""
    name = layer_name(map_name)
    if not len(voxels):
        if name in viewer.layers:
            viewer.layers.remove(name)
        return
    if name not in viewer.layers:
        active = viewer.layers.selection.active
        layer = viewer.add_points(
            np.zeros((0, 3)),
            name=name,
            projection_mode="rescale_spherical",
            **POINT_STYLE,
            **layers.placement(voxel_size_um),
        )
        layer.editable = False
        if active is not None:
            viewer.layers.selection.active = active
    dress_points(viewer.layers[name], np.asarray(voxels, float), len(voxels), worst, POINT_VOXELS)


__all__ = ["LandmarkClicks", "layer_name", "show_in_ct"]
