"""The Alignment dock's right column: how well the map lies, and the controls to steer it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg.data import PlacedMap
from napari_slagseg.widgets.alignment_keys import shown_for
from napari_slagseg.widgets.cutout_panel import CutoutPanel, legend_text
from napari_slagseg.widgets.landmark_panel import LandmarkPanel

CUTOUTS, LANDMARKS = 0, 1
"""Positions of the two tabs."""

_WIDTH = 370


class SteeringColumn(QScrollArea):
    """Score, legend, the tabs of cutouts and landmarks, and the buttons below them."""

    def __init__(self) -> None:
        super().__init__()
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
        self.tabs.setTabToolTip(LANDMARKS, "place the map by clicking pairs in map and CT")
        self.undo = QPushButton("Undo")
        self.undo.setToolTip(f"takes the last step back  ({shown_for('undo')})")
        self.redo = QPushButton("Redo")
        self.redo.setToolTip(f"does it again  ({shown_for('redo')})")
        self.in_3d = QPushButton("Show in 3D")
        self.in_3d.setToolTip("the map as a curved sheet in the main viewer, and back to slices")
        self.fit_here = QPushButton("Fit again from here")
        self.fit_here.setToolTip(
            "no search: fits from where the map lies now; only the chosen cutouts if any are "
            "chosen; locked ones stay"
        )
        self.search = QPushButton("Search again")
        self.search.setToolTip("the whole search, with the settings of the Register page")
        self.scope = QComboBox()
        self.scope.addItem("this map", "map")
        self.scope.addItem("all maps", "all")
        self.scope.setToolTip("for which maps the two buttons run")
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.score)
        layout.addWidget(self.legend)
        layout.addWidget(self.tabs, 1)
        for widgets in (
            (self.undo, self.redo, self.in_3d),
            (self.fit_here, self.search, self.scope),
        ):
            row = QHBoxLayout()
            for widget in widgets:
                row.addWidget(widget)
            layout.addLayout(row)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(column)
        self.setFixedWidth(_WIDTH)

    @property
    def on_cutouts(self) -> bool:
        """Whether cutouts are steered, not landmarks set."""
        return self.tabs.currentIndex() == CUTOUTS

    @property
    def all_maps(self) -> bool:
        """Whether the two buttons run for all maps."""
        return self.scope.currentData() == "all"

    def show_score(self, placed: PlacedMap | None, now: str) -> None:
        """Show the score that is stored, and in words that of the place shown `now`."""
        if placed is None:
            self.score.setText("not placed yet")
            return
        sure = "" if placed.probability is None else f", probability {placed.probability:.2f}"
        verdict = "placed" if placed.placed else "<b>refused</b>"
        live = f"<br><b>now {now}</b>" if now else ""
        self.score.setText(f"{verdict}: score {placed.score:.3f}{sure}{live}")

    def show_permissions(
        self, why_not: str, has_map: bool, has_place: bool, steps_back: tuple[bool, bool]
    ) -> None:
        """Switch the buttons on that can do something.

        Parameters
        ----------
        why_not : str
            Why nothing may be changed; "" if it may.
        has_map, has_place : bool
            Whether a map is looked at, and whether it lies somewhere.
        steps_back : (bool, bool)
            Whether there is something to undo, and to do again.
        """
        self.undo.setEnabled(steps_back[0])
        self.redo.setEnabled(steps_back[1])
        self.fit_here.setEnabled(not why_not and has_place)
        self.search.setEnabled(not why_not and has_map)
        self.in_3d.setEnabled(has_place)


__all__ = ["CUTOUTS", "LANDMARKS", "SteeringColumn"]
