"""The tool in the hand: what is clicked and drawn on the viewer, until it is enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_slagseg.data import Triple
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.picking import label_in_sight
from napari_slagseg.widgets.proofreading.placed_layer import show_placed
from napari_slagseg.widgets.proofreading.pointing import line_of_voxels, voxel_under
from napari_slagseg.widgets.proofreading.tools import Tool

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

    from napari_slagseg.widgets.proofreading.desk import Desk

_CLICK_PIXELS = 3
"""Further than this, the mouse was dragged."""


class Hand(QObject):
    """Follows the mouse over the viewer; without a tool, clicks choose particles.

    Parameters
    ----------
    desk : Desk
    parent : QObject

    Signals
    -------
    ready : (Tool, tuple of voxels)
        All that the tool needs was placed.
    changed : ()
        Another tool was taken, or something was placed.
    told : (str)
        Why a click cannot be used.
    over : (int)
        Particle under the mouse, 0 for none.
    """

    ready = Signal(object, object)
    changed = Signal()
    told = Signal(str)
    over = Signal(int)

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self.desk = desk
        self.tool: Tool | None = None
        self.placed: list[Triple] = []
        self.across: int | None = None
        """Axis across the slice that a stroke was drawn in."""
        self._over = 0
        self._on = False

    @property
    def _viewer(self) -> napari.Viewer:
        return self.desk.viewer

    def listen(self, on: bool) -> None:
        """Follow the mouse, or leave it alone."""
        if on == self._on:
            return
        self._on = on
        viewer = self._viewer
        if on:
            viewer.mouse_drag_callbacks.append(self._pressed)
            viewer.mouse_move_callbacks.append(self._moved)
            viewer.dims.events.point.connect(self._moved_on)
            viewer.dims.events.ndisplay.connect(self._moved_on)
        else:
            self.drop()
            viewer.mouse_drag_callbacks.remove(self._pressed)
            viewer.mouse_move_callbacks.remove(self._moved)
            viewer.dims.events.point.disconnect(self._moved_on)
            viewer.dims.events.ndisplay.disconnect(self._moved_on)

    # -- tools -------------------------------------------------------------------

    def take(self, tool: Tool) -> None:
        """Take a tool, giving up what was placed for the one before."""
        self.drop()
        self.tool = tool
        self.desk.session.hand = tool.name
        if tool.needs == "stroke":
            self._viewer.scene.camera.mouse_pan = False
        self.changed.emit()

    def drop(self) -> None:
        """Lay the tool down; what was placed is given up."""
        if self.tool is not None and self.tool.needs == "stroke":
            self._viewer.scene.camera.mouse_pan = True
        self.tool, self.across = None, None
        self.desk.session.hand = ""
        self.placed.clear()
        self._show()
        self.changed.emit()

    def take_back(self) -> bool:
        """Take the last point away; False if there is none."""
        if not self.placed:
            return False
        self.placed.pop()
        self._show()
        self.changed.emit()
        return True

    def _moved_on(self, _: object = None) -> None:
        """Draw what was placed in the slice that is looked at now."""
        if self.placed:
            self._show()

    def _show(self) -> None:
        project = self.desk.session.project
        if project is not None:
            numbered = self.tool is None or self.tool.needs != "stroke"
            show_placed(self._viewer, project.voxel_size_um, self.placed, numbered=numbered)

    # -- the mouse ---------------------------------------------------------------

    def _layer(self) -> Labels | None:
        found = [x for x in self._viewer.layers if x.name == layers.PARTICLES_LAYER]
        return found[0] if found else None

    def _moved(self, viewer: napari.Viewer, event: Any) -> None:
        layer = self._layer()
        label = 0 if layer is None else label_in_sight(layer, event)
        if label != self._over:
            self._over = label
            self.over.emit(label)

    def _pressed(self, viewer: napari.Viewer, event: Any) -> Iterator[None]:
        active = viewer.layers.selection.active
        if event.button != 1 or str(getattr(active, "mode", "pan_zoom")) != "pan_zoom":
            return
        layer, proofreader = self._layer(), self.desk.proofreader
        if layer is None or proofreader is None:
            return
        tool, pressed = self.tool, event.pos
        drawn = [] if tool is None or tool.needs != "stroke" else [self._place(layer, event)]
        yield
        while event.type == "mouse_move":
            if tool is not None and tool.needs == "stroke":
                drawn.append(self._place(layer, event))
                self.placed = line_of_voxels([d for d in drawn if d is not None])
                self._show()
            yield
        if tool is not None and tool.needs == "stroke":
            self._drawn(event, [d for d in drawn if d is not None])
        elif np.abs(np.subtract(event.pos, pressed)).max() <= _CLICK_PIXELS:
            self._clicked(layer, event)

    def _place(self, layer: Labels, event: Any) -> Triple | None:
        proofreader = self.desk.proofreader
        return None if proofreader is None else voxel_under(layer, proofreader.particles, event)

    def _drawn(self, event: Any, places: list[Triple]) -> None:
        if len(event.dims_displayed) == 3:
            self.placed.clear()
            self._show()
            self.told.emit(
                "A stroke is drawn in a slice; switch to 2D (Ctrl+Y), or split by points."
            )
            return
        stroke = line_of_voxels(places) if places else []
        if len(stroke) < 2:
            self.told.emit("Draw a line: press the mouse button, move, and let it go.")
            return
        viewer = self._viewer
        (self.across,) = [a - (viewer.dims.ndim - 3) for a in viewer.dims.not_displayed][-1:]
        self.placed = stroke
        self._finish()

    def _clicked(self, layer: Labels, event: Any) -> None:
        proofreader, tool, chosen = self.desk.proofreader, self.tool, self.desk.chosen
        assert proofreader is not None
        meant = chosen[0] if tool is not None and tool.needs == "points" and chosen else 0
        voxel = voxel_under(layer, proofreader.particles, event, meant)
        label = 0 if voxel is None else proofreader.label_at(voxel)
        if tool is None:
            self._choose(label, "Shift" in event.modifiers)
        elif voxel is None:
            self.told.emit("There is nothing here; click inside the volume.")
        elif tool.needs == "points":
            self._add_point(voxel, label)
        elif tool.needs == "particles":
            self._choose(label, True)
        elif tool.needs == "background" and len(event.dims_displayed) == 3:
            self.told.emit("The place of a missing particle is clicked in a slice: press Ctrl+Y.")
        elif tool.needs == "background" and label:
            self.told.emit(f"This is particle {label}; click where one is missing.")
        elif tool.needs == "grain" and not label:
            self.told.emit("This is background; click a grain inside a particle.")
        elif tool.needs in ("background", "grain"):
            self.placed = [voxel]
            self._finish()

    def _choose(self, label: int, add: bool) -> None:
        if not label:
            self.told.emit("This is background; click a particle.")
        elif add:
            self.desk.choice.toggle(label, by=self.desk)
        else:
            self.desk.choose([label])
            self.desk.session.particle_chosen.emit(label, False)
        if label:
            self.changed.emit()

    def _add_point(self, voxel: Triple, label: int) -> None:
        chosen = self.desk.chosen
        if not label:
            self.told.emit("This is background; click inside the particle.")
            return
        if len(chosen) != 1 and not self.placed:
            self.desk.choose([label])
        elif label not in chosen:
            self.told.emit(
                f"This is particle {label}, not {chosen[0]}. Click another part of {chosen[0]}; "
                f"or Esc, and choose {label}."
            )
            return
        self.placed.append(voxel)
        self._show()
        self.changed.emit()

    def apply(self) -> None:
        """Do what was placed for, if it is enough (Enter)."""
        tool = self.tool
        if tool is None:
            return
        if tool.needs == "points" and len(self.placed) < 2:
            there = "is one" if self.placed else "are none"
            self.told.emit(f"A split needs a point in each part, two or more; there {there} yet.")
        elif tool.needs == "particles" and len(self.desk.chosen) < 2:
            self.told.emit("Joining takes two particles or more; click another.")
        elif tool.needs in ("points", "particles"):
            self._finish()

    def _finish(self) -> None:
        tool, placed, across = self.tool, tuple(self.placed), self.across
        self.drop()
        self.across = across
        self.ready.emit(tool, placed)


__all__ = ["Hand"]
