"""The Alignment dock: one map and the CT on its surface, to look at, to judge and to steer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg.data import PlacedMap, SlagsegError
from napari_slagseg.registration.steering import LiveFit, worst_landmark
from napari_slagseg.widgets import landmark_clicks, surface_layers
from napari_slagseg.widgets.alignment_keys import KeyAction, KeyCatcher, shown_for
from napari_slagseg.widgets.alignment_view import AlignmentView
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.cutout_panel import CutoutPanel, legend_text
from napari_slagseg.widgets.fit_picture import (
    AMOUNTS,
    VIEWS,
    Look,
    ViewName,
    ViewSettings,
    first_look,
    gap_of,
    look_at,
    on_picture_grid,
    picture,
)
from napari_slagseg.widgets.landmark_clicks import LandmarkClicks
from napari_slagseg.widgets.landmark_panel import LandmarkPanel
from napari_slagseg.widgets.left_docks import left_docks_as_tabs
from napari_slagseg.widgets.session import session_of
from napari_slagseg.widgets.surface_slab import Region, SurfaceSlab

if TYPE_CHECKING:
    import napari

REST_MS = 300
"""So long no key, and a nudge is stored and the whole picture renewed."""

_AMOUNT_AT_FIRST: dict[ViewName, int] = {
    "checkerboard": 50, "swipe": 50, "blend": 50, "CT edges": 40, "residual": 25,
}  # fmt: skip

_CUTOUTS, _LANDMARKS = 0, 1


class AlignmentDock(QWidget):
    """Looks at one placement and steers it.

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
        self.alignment = session_of(viewer).alignment
        self.session = session_of(viewer)
        self.latest = Latest(self)
        self.look: Look | None = None
        self._slab: SurfaceSlab | None = None
        self._look_of = ""
        self._amounts = dict(_AMOUNT_AT_FIRST)
        self._by_landmarks: PlacedMap | None = None
        self._live_score = ""
        self._pairs_before = 0
        self._watched: QWidget | None = None
        self._shut = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.view = AlignmentView()
        self.clicks = LandmarkClicks(self.alignment, viewer, self)
        self._build()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._rested)
        self._keys = KeyCatcher(self.view.native, self.press, self.release, self)
        self.view.native.installEventFilter(self._keys)
        self.installEventFilter(self._keys)
        self._connect()
        self._map_changed(self.alignment.name)

    # -- building ----------------------------------------------------------

    def _build(self) -> None:
        self.maps = QComboBox()
        self.views = QComboBox()
        for name, title in VIEWS.items():
            self.views.addItem(title, name)
        self.amount_label = QLabel()
        self.amount = QSlider(Qt.Orientation.Horizontal)
        self.amount.setRange(0, 100)
        self.grey = QCheckBox("map in the CT's grey values")
        self.grey.setToolTip("draw the map as the CT would show it, instead of in phase colours")
        self.outlined = QCheckBox("cutouts")
        self.outlined.setToolTip("draw the cutouts' frames over the picture")
        self.outlined.setChecked(True)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.hint.setMinimumHeight(20)  # so that the picture does not jump
        self.score = QLabel()
        self.legend = QLabel(legend_text())
        self.legend.setWordWrap(True)
        self.legend.setToolTip(
            "Each frame is the middle part of a cutout; cutouts overlap. A chosen one is "
            "outlined whole, in white. Good: probability from 0.9; doubtful: from 0.5."
        )
        self.cutouts = CutoutPanel()
        self.landmarks = LandmarkPanel()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.cutouts, "Cutouts")
        self.tabs.addTab(self.landmarks, "Landmarks")
        self.tabs.setTabToolTip(_LANDMARKS, "place the map by clicking pairs in map and CT")
        self.undo = QPushButton("Undo")
        self.undo.setToolTip(f"takes the last step back  ({shown_for('undo')})")
        self.redo = QPushButton("Redo")
        self.redo.setToolTip(f"does it again  ({shown_for('redo')})")
        self.in_3d = QPushButton("Show in 3D")
        self.in_3d.setToolTip("the map as a curved sheet in the main viewer, and back to slices")
        self.scope = QComboBox()
        self.scope.addItem("this map", "map")
        self.scope.addItem("all maps", "all")
        self.scope.setToolTip("for which maps the two buttons run")
        self.fit_here = QPushButton("Fit again from here")
        self.fit_here.setToolTip(
            "no search: fits from where the map lies now; only the chosen cutouts if any are "
            "chosen; locked ones stay"
        )
        self.search = QPushButton("Search again")
        self.search.setToolTip("the whole search, with the settings of the Register page")
        self.amount_label.setMinimumWidth(95)
        self.amount_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.amount.setMinimumWidth(110)
        bar = QHBoxLayout()
        for widget in (self.maps, self.views, self.amount_label):
            bar.addWidget(widget)
        bar.addWidget(self.amount, 1)
        bar.addWidget(self.grey)
        bar.addWidget(self.outlined)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.score)
        column.addWidget(self.legend)
        column.addWidget(self.tabs, 1)
        row = QHBoxLayout()
        for button in (self.undo, self.redo, self.in_3d):
            row.addWidget(button)
        column.addLayout(row)
        row = QHBoxLayout()
        for button in (self.fit_here, self.search, self.scope):
            row.addWidget(button)
        column.addLayout(row)
        side = QWidget()
        side.setLayout(column)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(side)
        area.setFixedWidth(370)
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.addWidget(self.hint)
        left.addWidget(self.view, 1)
        both = QHBoxLayout()
        both.addLayout(left, 1)
        both.addWidget(area)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addLayout(bar)
        layout.addLayout(both, 1)
        # a click on a control must not take the nudging keys away from the picture
        for kind in (QPushButton, QComboBox, QCheckBox, QSlider):
            for widget in self.findChildren(kind):
                if not self.view.isAncestorOf(widget):
                    widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for button in self.cutouts.pad.values():
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _connect(self) -> None:
        self.maps.currentTextChanged.connect(self._choose_map)
        self.views.currentIndexChanged.connect(self._view_chosen)
        self.amount.valueChanged.connect(self._amount_moved)
        self.grey.toggled.connect(self._compose)
        self.outlined.toggled.connect(self._show_cutouts)
        self.tabs.currentChanged.connect(self._tab_changed)
        self.undo.clicked.connect(lambda: self._act("undo"))
        self.redo.clicked.connect(lambda: self._act("redo"))
        self.in_3d.clicked.connect(self.switch_3d)
        self.fit_here.clicked.connect(self.ask_fit_here)
        self.search.clicked.connect(self.ask_search)
        self.cutouts.state_asked.connect(self._set_states)
        self.cutouts.nudge_asked.connect(self._nudge_by_button)
        self.landmarks.delete_asked.connect(lambda i: self.alignment.delete_pair(i))
        self.landmarks.go_asked.connect(self._go_to_pair)
        self.landmarks.clear_asked.connect(
            lambda: self.alignment.set_landmarks(None, "clear the landmarks")
        )
        self.landmarks.fit_asked.connect(self.ask_landmark_fit)
        self.view.clicked.connect(self.click)
        self.clicks.told.connect(self.hint.setText)
        self.clicks.changed.connect(self._show_landmarks)
        self.latest.done.connect(self._made)
        self.latest.failed.connect(self._say)
        self.viewer.dims.events.ndisplay.connect(self._follow_3d)
        for signal, slot in self._follows():
            signal.connect(slot)
        self._view_chosen()
        self._follow_3d()

    def _follows(self) -> list[tuple[object, Callable[..., None]]]:
        """Signals of the model, and what follows them here."""
        a = self.alignment
        return [
            (a.map_changed, self._map_changed),
            (a.moved, self._moved),
            (a.stored, self._stored),
            (a.chosen_changed, self._show_cutouts),
            (a.scored, self._show_cutouts),
            (a.failed, self._say),
            (a.may_change, self._show_state),
        ]

    def _say(self, text: str) -> None:
        self.hint.setText(f"<span style='color:#d55e00'>{text}</span>")

    # -- which map ---------------------------------------------------------

    def _choose_map(self, name: str) -> None:
        if name:
            self.alignment.look_at(name)

    def _map_changed(self, name: str) -> None:
        """Another map, or the same one read anew from the project."""
        project = self.session.project
        names = project.map_names() if project is not None else ()
        self.maps.blockSignals(True)
        self.maps.clear()
        self.maps.addItems(names)
        self.maps.setCurrentIndex(self.maps.findText(name))
        self.maps.blockSignals(False)
        self._live_score = ""
        self.hint.clear()
        if project is None or not name:
            self.look = None
            self._look_of = ""
            self.view.clear()
            return
        if f"{project.folder}|{name}" != self._look_of:
            self._look_of = f"{project.folder}|{name}"
            self.clicks.pixel = None
            self._slab = None
            self.look = None
            self.view.clear()
            self.latest.forget()
            of, volume = self._look_of, self.session.volume()

            def read() -> tuple[object, ...]:
                mineral_map = project.mineral_map(name)
                return (of, first_look(mineral_map), mineral_map, volume)

            self.latest.ask("open", read)
            if self.tabs.currentIndex() == _LANDMARKS:
                self._suit_view_to_landmarks()
        self._pairs_before = self._pair_count()
        self._renew_preview()
        self._look_anew()
        self._show_state()
        self.clicks.tell()

    def _pair_count(self) -> int:
        return 0 if self.alignment.landmarks is None else len(self.alignment.landmarks)

    @property
    def shown_place(self) -> PlacedMap | None:
        """Placement under the picture: that by landmarks while they are set, else the stored."""
        if self.tabs.currentIndex() == _LANDMARKS and self._by_landmarks is not None:
            return self._by_landmarks
        placed = self.alignment.placed
        return placed if placed is not None and placed.surface is not None else None

    # -- the picture -------------------------------------------------------

    @property
    def settings(self) -> ViewSettings:
        """What the controls say."""
        return ViewSettings(
            self.views.currentData(), self.amount.value() / 100, self.grey.isChecked()
        )

    def _view_chosen(self, _: int = 0) -> None:
        view = self.views.currentData()
        words = AMOUNTS.get(view, "")
        self.amount_label.setText(words or "—")
        self.amount.setEnabled(bool(words))
        self.amount.blockSignals(True)
        self.amount.setValue(self._amounts.get(view, 50))
        self.amount.blockSignals(False)
        self.grey.setEnabled(view in ("side", "checkerboard", "swipe", "blend", "CT edges"))
        self._compose()

    def show_view(self, view: ViewName) -> None:
        """Turn to a view."""
        self.views.setCurrentIndex(self.views.findData(view))

    def _amount_moved(self, value: int) -> None:
        self._amounts[self.views.currentData()] = value
        self._compose()

    def _compose(self, _: object = None) -> None:
        """Make the picture of what was resliced already."""
        look, settings = self.look, self.settings
        if look is not None:
            self.latest.ask("picture", lambda: (look, settings, picture(look, settings)))

    def _look_anew(self) -> None:
        """Reslice the whole map."""
        look, placed, slab = self.look, self.shown_place, self._slab
        if look is None:
            return
        if placed is None:
            self.look = _without_ct(look)
            self._compose()
            return
        volume, settings, fit = self.session.volume(), self.settings, self.alignment.fit

        def make() -> tuple[object, ...]:
            new, new_slab = look_at(look, volume, placed, slab)
            if fit is not None:
                new = _with_expected(new, fit, placed)
            return (placed, new, new_slab, settings, picture(new, settings))

        self.latest.ask("look", make)

    def _moved(self) -> None:
        """Follow a nudge: the part that moved, or the whole map more coarsely."""
        a, look, slab = self.alignment, self.look, self._slab
        placed = a.placed
        self._rest.start()
        if look is None or look.ct is None or placed is None:
            return
        volume, settings, fit, chosen = self.session.volume(), self.settings, a.fit, a.chosen

        def make() -> tuple[object, ...]:
            new, new_slab = look, slab
            if chosen and slab is not None and slab.covers(placed):
                for i in chosen:
                    c = placed.cutouts[i]
                    new = new.with_part(Region.of(c), slab.on_cutout(c, look.step))
            else:
                new, new_slab = look_at(look, volume, placed, slab, coarser=2)
            words = _score_words(fit, placed, chosen)
            return (placed, new, new_slab, settings, picture(new, settings), words)

        self.latest.ask("nudged", make)
        self._show_cutouts()

    def _made(self, name: str, result: object) -> None:
        """Show what came from the other thread, unless it is of another map by now."""
        if name == "open":
            of, look, mineral_map, volume = result
            if of == self._look_of:
                self.look = look
                self._look_anew()
                self.latest.ask("fit", lambda: (of, LiveFit(volume, mineral_map)))
        elif name == "fit":
            of, fit = result
            if of == self._look_of:
                self.alignment.fit = fit
                self._look_anew()
        elif name == "above":
            placed, drawn = result
            if placed is self._by_landmarks and self.session.project is not None:
                surface_layers.show_from_above(self.viewer, self.session.project, drawn)
        elif name == "picture":
            look, settings, rgb = result
            if look is self.look:
                self._show(look, settings, rgb)
        elif name == "scored":
            self.alignment.take_scores(*result)
        else:
            placed, look, slab, settings, rgb, *words = result
            if self.look is None or placed.map_name != self.alignment.name:
                return
            if self.shown_place is None:
                return
            self.look, self._slab = look, slab
            if words:
                self._live_score = words[0]
                self._show_score()
            self._show(look, settings, rgb)
            if settings != self.settings:
                self._compose()

    def _show(self, look: Look, settings: ViewSettings, rgb: np.ndarray) -> None:
        beside = settings.view == "side" and look.ct is not None
        second = (look.classes.shape[1] + gap_of(look)) * look.step if beside else 0
        project = self.session.project
        if project is None:
            return
        pixel_um = next(
            m.pixel_size_um for m in project.description.maps if m.name == self.alignment.name
        )
        self.view.show_picture(rgb, look.step, pixel_um, second)

    # -- cutouts -----------------------------------------------------------

    def click(self, row: float, column: float, shift: bool = False) -> None:
        """Click at a map position: choose a cutout, or set a landmark."""
        self.view.native.setFocus()
        if self.tabs.currentIndex() == _LANDMARKS:
            self.clicks.click_map(row, column)
            return
        a = self.alignment
        found = a.cutout_at(row, column)
        if shift:
            if found is not None:
                a.choose(set(a.chosen) ^ {found})
        else:
            a.choose(() if found is None or a.chosen == (found,) else (found,))

    def _set_states(self, state: str) -> None:
        self.alignment.set_states(state)

    def _show_cutouts(self, _: object = None) -> None:
        a = self.alignment
        cutouts = a.placed.cutouts if a.placed is not None else ()
        if a.placed is not None and not a.placed.placed:
            # good pieces of a place that is wrong as a whole are not good
            cutouts = tuple(replace(c, probability=None) for c in cutouts)
        drawn = self.outlined.isChecked() and self.tabs.currentIndex() == _CUTOUTS and a.has_place
        self.view.show_cutouts(cutouts if drawn else (), a.chosen if drawn else ())
        self.cutouts.show_cutouts(a.placed, a.chosen, a.locked_out)
        self._show_score()
        self.fit_here.setText(
            "Fit cutouts again" if a.chosen and self._on_cutouts() else "Fit again from here"
        )

    def _on_cutouts(self) -> bool:
        return self.tabs.currentIndex() == _CUTOUTS

    def _show_score(self) -> None:
        placed = self.alignment.placed
        if placed is None:
            self.score.setText("not placed yet")
            return
        sure = "" if placed.probability is None else f", probability {placed.probability:.2f}"
        stored = (
            f"{'placed' if placed.placed else '<b>refused</b>'}: score {placed.score:.3f}{sure}"
        )
        self.score.setText(
            stored + (f"<br><b>now {self._live_score}</b>" if self._live_score else "")
        )

    def _show_state(self, _: object = None) -> None:
        """Show everything but the picture."""
        a = self.alignment
        why = a.locked_out
        back, forth = a.steps_back()
        self.undo.setEnabled(back)
        self.redo.setEnabled(forth)
        self.fit_here.setEnabled(not why and a.has_place)
        self.search.setEnabled(not why and bool(a.name))
        self.in_3d.setEnabled(a.has_place)
        self._show_cutouts()
        self._show_landmarks()
        if why and a.name:
            self._say(why)

    # -- keys and nudges ---------------------------------------------------

    def press(self, key: KeyAction, factor: float, held: bool) -> None:
        """Do what a key does."""
        if key.action == "nudge":
            if not held:
                # a new press is a new step of the history
                self.alignment.flush()
            self.alignment.nudge(self.cutouts.sized(key.nudge, factor))
        elif not held:
            self._act(key.action)

    def release(self) -> None:
        """A nudging key was let go: store what it did."""
        self.alignment.flush()

    def _nudge_by_button(self, nudge: object) -> None:
        self.alignment.flush()
        if self.alignment.nudge(nudge):
            self.alignment.flush()

    def _act(self, action: str) -> None:
        a = self.alignment
        if action in ("undo", "redo"):
            what = a.undo() if action == "undo" else a.redo()
            if what is not None:
                self.hint.setText(f"{'Undone' if action == 'undo' else 'Done again'}: {what}.")
        elif action in ("accept", "reject", "lock"):
            a.set_states({"accept": "accepted", "reject": "rejected", "lock": "locked"}[action])
        elif action == "none":
            if self.clicks.pixel is not None:
                self.clicks.pixel = None
                self.clicks.tell()
                self._show_landmarks()
            a.choose(())
        elif action == "all":
            a.choose(range(len(a.placed.cutouts) if a.placed is not None else 0))

    def _rested(self) -> None:
        """No key for a while: store, and show and score the whole map as it is now."""
        if not self.alignment.flush():
            return
        self._look_anew()
        a = self.alignment
        placed, fit = a.placed, a.fit
        if placed is not None and fit is not None and placed.cutouts:
            self.latest.ask("scored", lambda: (placed, fit.scored(placed)))

    def _stored(self) -> None:
        if self.tabs.currentIndex() == _LANDMARKS:
            self._renew_preview()
            self._look_anew()
        self._show_state()
        pairs = self._pair_count()
        third = self._pairs_before == 2 and pairs == 3
        self._pairs_before = pairs
        if third and self.landmarks.at_third.isChecked() and self._by_landmarks is not None:
            self.ask_landmark_fit()

    # -- landmarks ---------------------------------------------------------

    def begin_landmarks(self) -> None:
        """Turn to the landmarks."""
        self.tabs.setCurrentIndex(_LANDMARKS)

    def _tab_changed(self, index: int) -> None:
        self.clicks.switch(index == _LANDMARKS)
        if index == _LANDMARKS:
            self.viewer.dims.ndisplay = 2
            self._suit_view_to_landmarks()
        else:
            self.hint.clear()
        self._renew_preview()
        self._look_anew()
        self._show_state()
        self.clicks.tell()

    def _suit_view_to_landmarks(self) -> None:
        """The plain map, where what lies under it is not to be trusted."""
        placed = self.alignment.placed
        if placed is None or not placed.placed:
            self.show_view("map")

    def _renew_preview(self) -> None:
        """Where the landmarks alone put the map, in both views."""
        before, self._by_landmarks = self._by_landmarks, None
        project = self.session.project
        if self.tabs.currentIndex() == _LANDMARKS:
            self._by_landmarks = self.alignment.by_landmarks()
            if (
                self._by_landmarks is not None
                and before is None
                and self.views.currentData() == "map"
            ):
                self.show_view("blend")
        found = self._by_landmarks
        if project is not None and found is not None:
            self.latest.ask("above", lambda: (found, surface_layers.from_above(project, found)))
        elif project is not None:
            surface_layers.show_from_above(self.viewer, project, None)

    def _go_to_pair(self, index: int) -> None:
        """Show the slice in which a landmark was clicked."""
        landmarks = self.alignment.landmarks
        if landmarks is not None and index < len(landmarks) and self.viewer.dims.ndim >= 3:
            self.viewer.dims.set_current_step(0, round(float(landmarks.voxels[index][0])))

    def _show_landmarks(self) -> None:
        a, project = self.alignment, self.session.project
        on = self.tabs.currentIndex() == _LANDMARKS
        residuals = a.residuals() if on else None
        worst = None if residuals is None else worst_landmark(residuals)
        self.landmarks.show_landmarks(a.landmarks, residuals, worst, a.locked_out)
        self.view.show_landmarks(self.clicks.pixels() if on else np.zeros((0, 2)), worst)
        if project is not None and a.name:
            voxels = a.landmarks.voxels if on and a.landmarks is not None else np.zeros((0, 3))
            for name in project.map_names():
                mine = voxels if name == a.name else np.zeros((0, 3))
                landmark_clicks.show_in_ct(self.viewer, name, mine, worst, project.voxel_size_um)

    # -- running -----------------------------------------------------------

    def _maps(self) -> list[str]:
        return [] if self.scope.currentData() == "all" else [self.alignment.name]

    def ask_fit_here(self) -> None:
        """Fit from where the map lies; of chosen cutouts only these."""
        chosen = self.alignment.chosen if self._on_cutouts() else ()
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
        """Give the layer list its own place back once this dock is closed."""
        main, frame = self.window(), self.parentWidget()
        closed = isinstance(frame, QDockWidget) and frame.isHidden()
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
        self.alignment.flush()
        self._rest.stop()
        self.clicks.switch(False)
        surface_layers.show_from_above(self.viewer, self.session.project, None)
        for signal, slot in self._follows():
            signal.disconnect(slot)
        self.viewer.dims.events.ndisplay.disconnect(self._follow_3d)
        self.latest.close()
        self.view.close_canvas()
        if isinstance(self._watched, QMainWindow) and self._watched.isVisible():
            self._watched.removeEventFilter(self)
            left_docks_as_tabs(self._watched, False)
        self._watched = None


def _without_ct(look: Look) -> Look:
    return replace(look, ct=None, expected=None)


def _with_expected(look: Look, fit: LiveFit, placed: PlacedMap) -> Look:
    return replace(look, expected=on_picture_grid(fit.expected_grey(placed), look))


def _score_words(fit: LiveFit | None, placed: PlacedMap, chosen: tuple[int, ...]) -> str:
    """Correlation at the place shown; of several cutouts the mean."""
    if fit is None:
        return ""
    if not chosen:
        return f"{fit.map_score(placed):.3f}"
    scores = [fit.cutout_score(placed, i) for i in chosen]
    words = f"cutout {chosen[0]}: " if len(chosen) == 1 else f"mean of {len(chosen)} cutouts: "
    return f"{words}{np.mean(scores):.3f}"


__all__ = ["REST_MS", "AlignmentDock"]
