"""The Alignment dock: one map and the CT on its surface, to look at, to judge and to steer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg.data import PlacedMap, SlagsegError
from napari_slagseg.widgets import surface_layers
from napari_slagseg.widgets.alignment_actions import AlignmentActions
from napari_slagseg.widgets.alignment_keys import KeyCatcher
from napari_slagseg.widgets.alignment_view import AlignmentView
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.fit_picture import Look, ViewName
from napari_slagseg.widgets.landmark_mode import LandmarkMode
from napari_slagseg.widgets.left_docks import left_docks_as_tabs
from napari_slagseg.widgets.live_picture import LivePicture
from napari_slagseg.widgets.session import session_of
from napari_slagseg.widgets.steering_column import LANDMARKS, SteeringColumn
from napari_slagseg.widgets.view_bar import ViewBar

if TYPE_CHECKING:
    import napari


class AlignmentDock(QWidget):
    """Looks at one placement and steers it.

    The dock follows the session's `Alignment` and tells its parts in which order to
    follow: `live` makes the picture, `landmark_mode` shows and takes landmarks,
    `actions` does what keys and buttons say.

    Parameters
    ----------
    viewer : napari.Viewer

    Signals
    -------
    fit_asked : (dict)
        Fields of the register step's configuration that differ from its page.
    """

    fit_asked = Signal(dict)

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.session = session_of(viewer)
        self.alignment = self.session.alignment
        self.latest = Latest(self)
        self._live_score = ""
        self._complaining = False
        """Whether the line above the picture says what could not be done."""
        self._why_locked = ""
        """Why nothing could be changed when it was said last."""
        self._watched: QWidget | None = None
        self._shut = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._build()
        self.live = LivePicture(
            self.session, self.view, self.bar, self.latest, lambda: self.shown_place, self
        )
        self.landmark_mode = LandmarkMode(
            self.session, viewer, self.landmarks, self.view, self.bar, self.latest, self
        )
        self.clicks = self.landmark_mode.clicks
        self.actions = AlignmentActions(
            self.alignment, self.cutouts, self.clicks, self.latest, self
        )
        self._keys = KeyCatcher(self.view.native, self.actions.press, self.actions.release, self)
        self.view.native.installEventFilter(self._keys)
        self.installEventFilter(self._keys)
        self._connect()
        self._map_changed(self.alignment.name)

    # -- building ----------------------------------------------------------

    def _build(self) -> None:
        self.bar, self.column, self.view = ViewBar(), SteeringColumn(), AlignmentView()
        self.views, self.amount, self.outlined = self.bar.views, self.bar.amount, self.bar.outlined
        self.cutouts, self.landmarks = self.column.cutouts, self.column.landmarks
        self.tabs, self.score = self.column.tabs, self.column.score
        self.undo, self.redo, self.in_3d = self.column.undo, self.column.redo, self.column.in_3d
        self.fit_here, self.search = self.column.fit_here, self.column.search
        self.scope = self.column.scope
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.hint.setMinimumHeight(20)  # so that the picture does not jump
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.addWidget(self.hint)
        left.addWidget(self.view, 1)
        both = QHBoxLayout()
        both.addLayout(left, 1)
        both.addWidget(self.column)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addWidget(self.bar)
        layout.addLayout(both, 1)
        self._leave_keys_to_picture()

    def _leave_keys_to_picture(self) -> None:
        """A click on a control must not take the nudging keys away from the picture."""
        for part in (self.bar, self.column):
            for kind in (QPushButton, QComboBox, QCheckBox, QSlider):
                for widget in part.findChildren(kind):
                    widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for button in self.cutouts.pad.values():
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _connect(self) -> None:
        self.bar.map_asked.connect(lambda name: self.alignment.look_at(name))
        self.bar.outlined_changed.connect(self._show_cutouts)
        self.tabs.currentChanged.connect(self._tab_changed)
        self.undo.clicked.connect(lambda: self.actions.act("undo"))
        self.redo.clicked.connect(lambda: self.actions.act("redo"))
        self.in_3d.clicked.connect(self.switch_3d)
        self.fit_here.clicked.connect(self.ask_fit_here)
        self.search.clicked.connect(self.ask_search)
        self.landmarks.fit_asked.connect(self.ask_landmark_fit)
        self.view.clicked.connect(self.click)
        self.live.scored.connect(self._show_live_score)
        self.landmark_mode.third_pair.connect(self.ask_landmark_fit)
        self.clicks.told.connect(self.hint.setText)
        self.actions.told.connect(self.hint.setText)
        self.actions.rested.connect(self.live.reslice)
        self.latest.failed.connect(self._say)
        self.viewer.dims.events.ndisplay.connect(self._follow_3d)
        for signal, slot in self._follows():
            signal.connect(slot)
        self._follow_3d()

    def _follows(self) -> list[tuple[object, Callable[..., None]]]:
        """Signals of the model, and what follows them here."""
        a = self.alignment
        return [
            (a.map_changed, self._map_changed),
            (a.moved, self._moved),
            (a.stored, self._stored),
            (a.chosen_changed, self._hush),
            (a.chosen_changed, self._show_cutouts),
            (a.scored, self._show_cutouts),
            (a.failed, self._say),
            (a.may_change, self._show_state),
        ]

    def _say(self, text: str) -> None:
        self._complaining = True
        self.hint.setText(f"<span style='color:#d55e00'>{escape(text)}</span>")

    # -- following the model -----------------------------------------------

    def _map_changed(self, name: str) -> None:
        """Another map, or the same one read anew from the project."""
        project = self.session.project
        self.bar.show_maps(project.map_names() if project is not None else (), name)
        self._live_score = ""
        self.hint.clear()
        if project is None or not name:
            self.live.close_map()
            return
        another = self.live.open_map(name)
        self.landmark_mode.follow_map(another)
        self.live.reslice()
        self._show_state()
        self.clicks.tell()

    def _hush(self) -> None:
        """Something could be done: what could not be before is no longer of interest."""
        if self._complaining:
            self._complaining = False
            self.hint.clear()
            self.clicks.tell()

    def _moved(self) -> None:
        """Follow a nudge that is not stored yet."""
        self._hush()
        self.actions.wait_for_rest()
        if self.live.follow_nudge():
            self._show_cutouts()

    def _stored(self) -> None:
        self._hush()
        if self.landmark_mode.on:
            self.landmark_mode.renew_place()
            self.live.reslice()
        self._show_state()
        self.landmark_mode.count_pairs()

    # -- what is shown -----------------------------------------------------

    @property
    def look(self) -> Look | None:
        """The map with the CT on its surface, as far as it was made."""
        return self.live.look

    @property
    def shown_place(self) -> PlacedMap | None:
        """Placement under the picture: that by landmarks while they are set, else the stored."""
        if self.landmark_mode.place is not None:
            return self.landmark_mode.place
        return self.alignment.placed if self.alignment.has_place else None

    def show_view(self, view: ViewName) -> None:
        """Turn to a view."""
        self.bar.show_view(view)

    def _show_cutouts(self) -> None:
        a = self.alignment
        cutouts = a.placed.cutouts if a.placed is not None else ()
        if a.placed is not None and not a.placed.placed:
            # good pieces of a place that is wrong as a whole are not good
            cutouts = tuple(replace(c, probability=None) for c in cutouts)
        drawn = self.outlined.isChecked() and self.column.on_cutouts and a.has_place
        self.view.show_cutouts(cutouts if drawn else (), a.chosen if drawn else ())
        self.cutouts.show_cutouts(a.placed, a.chosen, a.locked_out)
        self.column.show_score(a.placed, self._live_score)
        self.fit_here.setText(
            "Fit cutouts again" if a.chosen and self.column.on_cutouts else "Fit again from here"
        )

    def _show_live_score(self, words: str) -> None:
        self._live_score = words
        self.column.show_score(self.alignment.placed, words)

    def _show_state(self) -> None:
        """Show everything but the picture."""
        a = self.alignment
        why = a.locked_out
        self.column.show_permissions(why, bool(a.name), a.has_place, a.steps_back())
        self._show_cutouts()
        self.landmark_mode.show_landmarks()
        if why and a.name:
            self._say(why)
        elif self._why_locked:
            self._hush()
        self._why_locked = why

    # -- cutouts and landmarks ---------------------------------------------

    def click(self, row: float, column: float, shift: bool = False) -> None:
        """Click at a map position: choose a cutout, or set a landmark."""
        self.view.native.setFocus()
        if self.landmark_mode.on:
            self.clicks.click_map(row, column)
            return
        a = self.alignment
        found = a.cutout_at(row, column)
        if shift:
            if found is not None:
                a.choose(set(a.chosen) ^ {found})
        else:
            a.choose(() if found is None or a.chosen == (found,) else (found,))

    def begin_landmarks(self) -> None:
        """Turn to the landmarks."""
        self.tabs.setCurrentIndex(LANDMARKS)

    def _tab_changed(self, index: int) -> None:
        self.landmark_mode.switch(index == LANDMARKS)
        if index != LANDMARKS:
            self.hint.clear()
        self.live.reslice()
        self._show_state()
        self.clicks.tell()

    # -- running -----------------------------------------------------------

    def _maps(self) -> list[str]:
        return [] if self.column.all_maps else [self.alignment.name]

    def ask_fit_here(self) -> None:
        """Fit from where the map lies; of chosen cutouts only these."""
        chosen = self.alignment.chosen if self.column.on_cutouts else ()
        if chosen:
            values = {"maps": [self.alignment.name], "start": "here", "cutouts": list(chosen)}
        else:
            values = {"maps": self._maps(), "start": "here"}
        self.fit_asked.emit({**values, "again": True})

    def ask_search(self) -> None:
        """Search again, with what the page says."""
        self.fit_asked.emit({"maps": self._maps(), "start": "search", "again": True})

    def ask_landmark_fit(self) -> None:
        """Place this map by its landmarks."""
        self.fit_asked.emit({"maps": [self.alignment.name], "start": "search", "again": True})

    # -- three dimensions --------------------------------------------------

    def switch_3d(self) -> None:
        """Show the map as a curved sheet in 3D, or go back to slices."""
        a, project = self.alignment, self.session.project
        if self.viewer.dims.ndisplay == 3 or project is None or a.placed is None:
            surface_layers.leave_3d(self.viewer)
            return
        try:
            surface_layers.show_surface(self.viewer, project, a.placed)
        except SlagsegError as error:
            self._say(str(error))

    def _follow_3d(self, _: object = None) -> None:
        self.in_3d.setText("Back to 2D" if self.viewer.dims.ndisplay == 3 else "Show in 3D")
        self.clicks.tell()

    # -- the end -----------------------------------------------------------

    def showEvent(self, event: object) -> None:
        """Watch the window, to store what is not stored when it closes."""
        super().showEvent(event)
        if self._watched is not self.window():
            self._watched = self.window()
            self._watched.installEventFilter(self)

    def hideEvent(self, event: object) -> None:
        """Lose nothing when the dock is closed."""
        self.alignment.flush()
        super().hideEvent(event)

    def follow_closing(self, _: bool = False) -> None:
        """Leave the main viewer alone, and give the layer list its place, while hidden."""
        main, frame = self.window(), self.parentWidget()
        closed = isinstance(frame, QDockWidget) and frame.isHidden()
        if not self._shut:
            self.landmark_mode.switch(not closed and not self.column.on_cutouts)
        if closed and isinstance(main, QMainWindow) and main.isVisible():
            left_docks_as_tabs(main, False)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """The window closes: lose nothing."""
        if event is not None and event.type() == QEvent.Type.Close and watched is self._watched:
            self.alignment.flush()
        return False

    def event(self, event: QEvent) -> bool:
        """Shut when napari takes the widget out of its dock: the dock was closed for good."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None and self._watched:
            self.shut()
        return super().event(event)

    def closeEvent(self, event: object) -> None:
        """Stop the thread and give the canvas back."""
        self.shut()
        super().closeEvent(event)

    def shut(self) -> None:
        """Store, stop, and let go of the viewer."""
        if self._shut:
            return
        self._shut = True
        self.actions.stop()
        self.landmark_mode.shut()
        for signal, slot in self._follows():
            signal.disconnect(slot)
        self.viewer.dims.events.ndisplay.disconnect(self._follow_3d)
        self.latest.close()
        self.view.close_canvas()
        if isinstance(self._watched, QMainWindow) and self._watched.isVisible():
            self._watched.removeEventFilter(self)
            left_docks_as_tabs(self._watched, False)
        self._watched = None


__all__ = ["AlignmentDock"]
