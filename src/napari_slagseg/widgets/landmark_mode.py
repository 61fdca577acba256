"""Placing a map by landmarks: their list, their points in both views, and the map at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels, Vectors
from qtpy.QtCore import QObject, Signal

from napari_slagseg.data import PlacedMap
from napari_slagseg.registration.steering import worst_landmark
from napari_slagseg.widgets import landmark_clicks, surface_layers
from napari_slagseg.widgets.alignment_view import AlignmentView
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.landmark_clicks import LandmarkClicks
from napari_slagseg.widgets.landmark_panel import LandmarkPanel
from napari_slagseg.widgets.view_bar import ViewBar

if TYPE_CHECKING:
    import napari

    from napari_slagseg.widgets.session import Session


class LandmarkMode(QObject):
    """What is shown and done while landmarks are set.

    Parameters
    ----------
    session : Session
    viewer : napari.Viewer
        The landmarks' partners are clicked there.
    panel : LandmarkPanel
    view : AlignmentView
    bar : ViewBar
        Turned to a view in which landmarks can be found.
    latest : Latest
    parent : QObject

    Signals
    -------
    third_pair : ()
        Three pairs say where the map lies, and the user wants it placed then.
    """

    third_pair = Signal()

    def __init__(
        self,
        session: Session,
        viewer: napari.Viewer,
        panel: LandmarkPanel,
        view: AlignmentView,
        bar: ViewBar,
        latest: Latest,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.session, self.viewer, self.alignment = session, viewer, session.alignment
        self.panel, self.view, self.bar, self.latest = panel, view, bar, latest
        self.clicks = LandmarkClicks(self.alignment, viewer, self)
        self.on = False
        self.place: PlacedMap | None = None
        """Where the landmarks alone put the map, while they are set."""
        self._pairs_before = 0
        self._hidden: list[str] = []
        """Layers that lay over the CT, to be shown again."""
        panel.delete_asked.connect(lambda i: self.alignment.delete_pair(i))
        panel.clear_asked.connect(lambda: self.alignment.set_landmarks(None, "clear the landmarks"))
        panel.go_asked.connect(self._go_to_pair)
        self.clicks.changed.connect(self.show_landmarks)
        latest.done.connect(self._made)

    def switch(self, on: bool) -> None:
        """Begin to set landmarks, or leave them and the main viewer as it was."""
        if on == self.on:
            return
        self.on = on
        self.clicks.switch(on)
        if on:
            self._clear_sight()
            self._suit_view()
        self.renew_place()
        if not on:
            for name in self._hidden:
                if name in self.viewer.layers:
                    self.viewer.layers[name].visible = True
            self._hidden = []

    def _clear_sight(self) -> None:
        """Plain slices of the CT, in which a click is a click and paints nothing."""
        if self.viewer.dims.ndisplay != 2:
            surface_layers.leave_3d(self.viewer)
        active = self.viewer.layers.selection.active
        if active is not None:
            active.mode = "pan_zoom"
        for layer in self.viewer.layers:
            if layer.visible and isinstance(layer, (Labels, Vectors)):
                layer.visible = False
                self._hidden.append(layer.name)

    def follow_map(self, another: bool) -> None:
        """Follow the map that is looked at: `another` one, or the same one read anew."""
        if another:
            self.clicks.pixel = None
            if self.on:
                self._suit_view()
        self._pairs_before = self._pair_count()
        self.renew_place()

    def _suit_view(self) -> None:
        """The plain map, where what lies under it is not to be trusted."""
        placed = self.alignment.placed
        if placed is None or not placed.placed:
            self.bar.show_view("map")

    def _pair_count(self) -> int:
        return 0 if self.alignment.landmarks is None else len(self.alignment.landmarks)

    def count_pairs(self) -> None:
        """Tell of the third pair, once it is there."""
        pairs = self._pair_count()
        third = self._pairs_before == 2 and pairs == 3
        self._pairs_before = pairs
        if third and self.panel.at_third.isChecked() and self.place is not None:
            self.third_pair.emit()

    # -- where they put the map --------------------------------------------

    def renew_place(self) -> None:
        """Where the landmarks alone put the map, in both views."""
        before, self.place = self.place, None
        project = self.session.project
        if self.on:
            self.place = self.alignment.by_landmarks()
            if self.place is not None and before is None and self.bar.view == "map":
                self.bar.show_view("blend")
        found = self.place
        if project is not None and found is not None:
            self.latest.ask("above", lambda: (found, surface_layers.from_above(project, found)))
        elif project is not None:
            surface_layers.show_from_above(self.viewer, project, None)

    def _made(self, name: str, result: object) -> None:
        if name == "above":
            placed, drawn = result
            if placed is self.place and self.session.project is not None:
                surface_layers.show_from_above(self.viewer, self.session.project, drawn)

    # -- the pairs ---------------------------------------------------------

    def show_landmarks(self) -> None:
        """List the pairs, and draw them in both views."""
        a, project = self.alignment, self.session.project
        residuals = a.residuals() if self.on else None
        worst = None if residuals is None else worst_landmark(residuals)
        self.panel.show_landmarks(a.landmarks, residuals, worst, a.locked_out)
        self.view.show_landmarks(self.clicks.pixels() if self.on else np.zeros((0, 2)), worst)
        if project is not None and a.name:
            shown = self.on and a.landmarks is not None
            voxels = a.landmarks.voxels if shown else np.zeros((0, 3))
            for name in project.map_names():
                mine = voxels if name == a.name else np.zeros((0, 3))
                landmark_clicks.show_in_ct(self.viewer, name, mine, worst, project.voxel_size_um)

    def _go_to_pair(self, index: int) -> None:
        """Show the slice in which a landmark was clicked."""
        landmarks = self.alignment.landmarks
        if landmarks is not None and index < len(landmarks) and self.viewer.dims.ndim >= 3:
            self.viewer.dims.set_current_step(0, round(float(landmarks.voxels[index][0])))

    def shut(self) -> None:
        """Leave the main viewer's mouse, its layers and its slices alone."""
        self.switch(False)


__all__ = ["LandmarkMode"]
