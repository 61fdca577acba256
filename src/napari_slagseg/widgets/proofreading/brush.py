"""napari's brushes on particles and phases: every stroke is one edit of our history.

napari paints on a copy in memory of the place looked at. When a stroke ends, the voxels that it
changed go to the proofreader, and napari's own history of the layer is emptied, so that its
undo can never bring stale voxels back. After any edit the copy is read anew where it changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_slagseg.data import Box
from napari_slagseg.data.box_around import box_around
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.proofreading.regions_to_paint import add_region, region_looked_at

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_slagseg.data import EditedVolume
    from napari_slagseg.widgets.proofreading.desk import Desk

BRUSH_LAYER = "brush"

Array = Literal["particles", "phases"]


class Brush(QObject):
    """The layer that one paints on, if it is there.

    Parameters
    ----------
    desk : Desk
    parent : QObject

    Signals
    -------
    opened : (Labels)
        The layer is there.
    closed : ()
        It is no longer.
    failed : (str)
    """

    opened = Signal(object)
    closed = Signal()
    failed = Signal(str)
    _committed = Signal(object)

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self.desk = desk
        self.layer: Labels | None = None
        self.array: Array = "particles"
        self.phase: int | None = None
        """Of new voxels of particles; None takes that of their surroundings."""
        self.box: Box | None = None
        self._stored: NDArray[Any] = np.empty(0)
        self._waiting = 0
        self._drawing = self._painted = False
        self._due: list[Box] = []
        self._new = 0
        self._committed.connect(self._stroke_ended)
        desk.outcome.connect(self._follow)
        desk.opened.connect(self.close)
        desk.particle.connect(self._take_label)
        desk.viewer.layers.events.removed.connect(self._removed)

    # -- the layer ---------------------------------------------------------------

    def open(self, array: Array) -> None:
        """Make the layer at the place looked at, or move it there.

        Raises
        ------
        SlagsegError
            If nothing can be edited now.
        """
        desk, project = self.desk, self.desk.editable_project()
        assert desk.proofreader is not None
        self.close()
        self.array = array
        self.box = region_looked_at(desk)
        self._stored = np.array(self._volume[self.box])
        shown = layers.PARTICLES_LAYER if array == "particles" else layers.PHASES_LAYER
        options: dict[str, Any] = {"opacity": 0.7}
        if shown in desk.viewer.layers:
            options["colormap"] = desk.viewer.layers[shown].colormap
        self.layer = layer = add_region(
            desk.viewer, project.voxel_size_um, self.box, self._stored.copy(),
            f"{BRUSH_LAYER}: {array}", **options,
        )  # fmt: skip
        layer.events.paint.connect(self._stroke_begun)
        layer.events.selected_label.connect(self._label_taken)
        layer.mouse_drag_callbacks.append(self._pressed)
        layer.selected_label = 1
        if array == "particles" and len(desk.chosen) == 1:
            layer.selected_label = desk.chosen[0]
        layer.mode = "paint"
        self.opened.emit(layer)

    def close(self, _: object = None) -> None:
        """Take the layer away; every stroke is an edit already."""
        layer = self.layer
        if layer is not None and layer in self.desk.viewer.layers:
            self.desk.viewer.layers.remove(layer)

    def _removed(self, event: Any) -> None:
        if self.layer is None or event.value is not self.layer:
            return
        self.flush()
        self.layer.events.paint.disconnect(self._stroke_begun)
        self.layer.events.selected_label.disconnect(self._label_taken)
        self.layer, self.box, self._stored, self._new = None, None, np.empty(0), 0
        self._due.clear()
        self._drawing = self._painted = False
        self.closed.emit()

    @property
    def _volume(self) -> EditedVolume:
        proofreader = self.desk.proofreader
        assert proofreader is not None
        return proofreader.particles if self.array == "particles" else proofreader.phases

    # -- numbers -----------------------------------------------------------------

    def new_label(self) -> None:
        """Paint with a number that no particle ever had."""
        proofreader = self.desk.proofreader
        if self.layer is None or proofreader is None or self.array != "particles":
            return
        self._new = proofreader.history.largest_label + 1
        self.layer.selected_label = self._new

    def _label_taken(self, _: object = None) -> None:
        """The picker, or the user, took the number of a particle: that is chosen."""
        layer, proofreader = self.layer, self.desk.proofreader
        if layer is None or proofreader is None or self.array != "particles":
            return
        if int(layer.selected_label) in proofreader.boxes:
            self.desk.choose([int(layer.selected_label)])

    def _take_label(self, label: int) -> None:
        if self.layer is not None and label and self.array == "particles":
            self.layer.selected_label = label

    # -- strokes -----------------------------------------------------------------

    def _pressed(self, layer: Labels, event: Any) -> Iterator[None]:
        """Know of a stroke that is being drawn, so that it is not read over."""
        self._drawing = True
        yield
        while event.type == "mouse_move":
            yield
        self._drawing = False
        # after napari has ended the stroke
        QTimer.singleShot(0, self._refresh)

    def _stroke_begun(self, _: object = None) -> None:
        """Napari tells of a stroke before or after it has painted all of it."""
        self._painted = True
        QTimer.singleShot(0, self.flush)

    def flush(self) -> None:
        """Make a stroke that has ended an edit."""
        layer, box, painted = self.layer, self.box, self._painted
        if layer is None or box is None or not painted:
            return
        self._painted = False
        self._store(layer, box)
        self._refresh()

    def _store(self, layer: Labels, box: Box) -> None:
        # our history alone knows what else has changed since
        layer._reset_history()
        data = np.asarray(layer.data)
        changed = data != self._stored
        inner = box_around(changed, margin=0)
        if inner is None:
            return
        z, y, x = (slice(a.start + b.start, a.stop + b.start) for a, b in zip(inner, box))
        where, painted = changed[inner].copy(), data[inner].copy()
        if self._new and (painted[where] == self._new).any():
            self._new = 0
        if self._commit((z, y, x), where, painted):
            self._stored[inner] = painted
        else:
            data[inner] = self._stored[inner]
            layer.refresh(extent=False)

    def _commit(self, box: Box, where: NDArray[np.bool_], painted: NDArray[Any]) -> bool:
        proofreader, volume = self.desk.proofreader, self._volume
        array, phase = self.array, self.phase

        def edit() -> None:
            try:
                # edits asked for before this one may have changed what lies under the stroke
                now = np.asarray(volume[box])
                proofreader.paint(
                    array,
                    tuple(b.start for b in box),
                    now,
                    np.where(where, painted, now),
                    phase=phase if array == "particles" else None,
                )
            finally:
                self._committed.emit(box)

        if not self.desk.do("brush", edit):
            return False
        self._waiting += 1
        return True

    def _stroke_ended(self, box: Box) -> None:
        self._waiting -= 1
        self._due.append(box)
        self._refresh()

    # -- following edits -----------------------------------------------------------

    def _follow(self, outcome: Any) -> None:
        if self.layer is None:
            return
        self._due += outcome.boxes
        proofreader = self.desk.proofreader
        if self._new and proofreader is not None and proofreader.history.largest_label >= self._new:
            self.new_label()  # a split has taken the number meanwhile
        self._refresh()

    def _refresh(self) -> None:
        """Read anew what has changed; strokes that are not stored yet are waited for."""
        layer, whole = self.layer, self.box
        if layer is None or whole is None or not self._due:
            return
        if self._waiting or self._drawing or self._painted:
            return
        data, seen = np.asarray(layer.data), False
        for box in self._due:
            low = [max(a.start, b.start) for a, b in zip(box, whole)]
            high = [min(a.stop, b.stop) for a, b in zip(box, whole)]
            if any(a >= b for a, b in zip(low, high)):
                continue
            inner = tuple(slice(a - b.start, c - b.start) for a, c, b in zip(low, high, whole))
            self._stored[inner] = self._volume[tuple(slice(a, b) for a, b in zip(low, high))]
            data[inner] = self._stored[inner]
            seen = True
        self._due.clear()
        if seen:
            layer.refresh(extent=False)


__all__ = ["BRUSH_LAYER", "Array", "Brush"]
