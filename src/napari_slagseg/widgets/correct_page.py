"""Page 6: paint segmentation errors and train the second run on them (K 2.3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_slagseg.data import SlagsegError
from napari_slagseg.project import Correction, Project
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.session import Session
from napari_slagseg.workflow.segment import marker_threshold

if TYPE_CHECKING:
    import napari

_INTRO = (
    "Paint where the particle network is wrong: gaps between particles that it fills, and "
    "dark places inside particles that it leaves out. Painted voxels get the opposite of "
    "what was predicted, and a high weight. Phases cannot be corrected by eye, as their grey "
    "values are alike."
)


class CorrectPage(QWidget):
    """The paper's correction loop.

    Signals
    -------
    run_asked : (list)
        Steps of the second run.
    failed : (str)
    told : (str)
        What was done.
    """

    run_asked = Signal(list)
    failed = Signal(str)
    told = Signal(str)

    def __init__(self, session: Session, viewer: napari.Viewer) -> None:
        super().__init__()
        self.session, self.viewer = session, viewer
        intro = QLabel(_INTRO)
        intro.setWordWrap(True)
        self.paint_button = QPushButton("Paint errors")
        self.paint_button.setToolTip("makes the layer 'errors' and chooses the brush")
        self.add_button = QPushButton("Add to the truth")
        self.add_button.setToolTip("stores the painted voxels as corrections and clears the layer")
        self.train_button = QPushButton("Train the second run and segment")
        self.train_button.setToolTip(
            "new ground truth, particle network from its last weights, new segmentation"
        )
        self.count = QLabel()
        self.count.setWordWrap(True)
        self.paint_button.clicked.connect(self.paint)
        self.add_button.clicked.connect(self.add)
        self.train_button.clicked.connect(self.train)
        row = QHBoxLayout()
        row.addWidget(self.paint_button)
        row.addWidget(self.add_button)
        layout = QVBoxLayout(self)
        layout.addWidget(intro)
        layout.addLayout(row)
        layout.addWidget(self.train_button)
        layout.addWidget(self.count)
        layout.addStretch(1)

    def refresh(self, project: Project) -> None:
        """Say what was corrected so far."""
        corrections = project.corrections()
        voxels = sum(len(c.voxels) for c in corrections)
        runs = [run.name for run in project.model_runs("particle")]
        self.count.setText(
            f"{len(corrections)} set{'' if len(corrections) == 1 else 's'} of corrections with "
            f"{voxels:,} voxels. "
            f"Training runs of the particle network: {', '.join(runs) or 'none'}."
        )

    def _project(self) -> Project:
        project = self.session.project
        if project is None:
            raise SlagsegError("Open a project first.")
        if not self.session.writable:
            raise SlagsegError(self.session.read_only_reason)
        if not project.segmentation_path.exists():
            raise SlagsegError("There is no segmentation to correct yet. Run 'Segment' first.")
        return project

    def paint(self) -> None:
        """Make the error layer and choose its brush."""
        try:
            layer = layers.error_layer(self.viewer, self._project())
        except SlagsegError as error:
            self.failed.emit(str(error))
            return
        layer.selected_label = 1
        layer.mode = "paint"
        self.viewer.layers.selection.active = layer

    def add(self) -> bool:
        """Store what is painted as a correction; the layer is cleared afterwards."""
        try:
            project = self._project()
            if layers.ERRORS_LAYER not in self.viewer.layers:
                raise SlagsegError("Nothing is painted yet: press 'Paint errors' first.")
            painted = np.asarray(self.viewer.layers[layers.ERRORS_LAYER].data)
            voxels = np.flatnonzero(painted).astype(np.int64)
            probability = project.segmentation("particle_probability")
            predicted = probability.reshape(-1)[voxels] > marker_threshold(project) * 255
            with project.writing():
                project.add_correction(Correction(voxels, predicted))
        except SlagsegError as error:
            self.failed.emit(str(error))
            return False
        # a new layer, as clearing this one would leave its undo history behind
        self.viewer.layers.remove(layers.ERRORS_LAYER)
        self.refresh(project)
        self.session.results_changed.emit("correct")
        self.told.emit(
            f"{len(voxels):,} error voxels stored: {int(predicted.sum()):,} become background, "
            f"{int((~predicted).sum()):,} particle."
        )
        return True

    def train(self) -> None:
        """Ask for the second run; what is still painted is added first."""
        try:
            project = self._project()
        except SlagsegError as error:
            self.failed.emit(str(error))
            return
        unsaved = layers.ERRORS_LAYER in self.viewer.layers and np.any(
            self.viewer.layers[layers.ERRORS_LAYER].data
        )
        if unsaved and not self.add():
            return
        if not project.corrections():
            self.failed.emit("There are no corrections yet: paint errors and add them first.")
            return
        self.run_asked.emit([("annotate", None), ("train-particle", None), ("segment", None)])


__all__ = ["CorrectPage"]
