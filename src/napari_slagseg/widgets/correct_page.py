"""Page 6: paint segmentation errors and train the second run on them (K 2.3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_slagseg.data import SlagsegError, values_at
from napari_slagseg.project import Correction, Project
from napari_slagseg.widgets import regions
from napari_slagseg.widgets.session import Session
from napari_slagseg.workflow.segment import marker_threshold

if TYPE_CHECKING:
    import napari

_BY_HAND = (
    "Split, join, delete and paint particles by hand: each edit is stored at once and can be "
    "undone."
)
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
    proofread_asked : ()
        Particles are to be corrected by hand.
    """

    run_asked = Signal(list)
    failed = Signal(str)
    told = Signal(str)
    proofread_asked = Signal()

    def __init__(self, session: Session, viewer: napari.Viewer) -> None:
        super().__init__()
        self.session, self.viewer = session, viewer
        by_hand = QLabel(_BY_HAND)
        by_hand.setWordWrap(True)
        self.proofread_button = QPushButton("Proofread particles")
        self.proofread_button.setToolTip("opens the proofreading dock")
        self.proofread_button.setProperty("reads_only", True)
        self.proofread_button.clicked.connect(self.proofread_asked.emit)
        intro = QLabel(_INTRO)
        intro.setWordWrap(True)
        self.paint_button = QPushButton("Paint errors")
        self.paint_button.setToolTip(
            "makes the layer 'errors' where you are looking and chooses the brush; in a large "
            "volume it is the outlined box of 256 voxels, and there may be several"
        )
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
        layout.addWidget(by_hand)
        layout.addWidget(self.proofread_button)
        layout.addSpacing(12)
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
        project = self.session.writable_project()
        if not project.segmentation_path.exists():
            raise SlagsegError("There is no segmentation to correct yet. Run 'Segment' first.")
        return project

    def paint(self) -> None:
        """Make the error layer and choose its brush."""
        try:
            layer = regions.error_layer(self.viewer, self._project())
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
            if not regions.error_layers(self.viewer):
                raise SlagsegError("Nothing is painted yet: press 'Paint errors' first.")
            voxels = regions.painted_voxels(self.viewer, project.description.ct.shape)
            probability = project.segmentation_volume("particle_probability")
            predicted = values_at(probability, voxels) > marker_threshold(project) * 255
            with project.writing():
                project.add_correction(Correction(voxels, predicted))
        except SlagsegError as error:
            self.failed.emit(str(error))
            return False
        # new layers, as clearing these would leave their undo histories behind
        regions.remove_error_layers(self.viewer)
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
        painted = regions.painted_voxels(self.viewer, project.description.ct.shape)
        if len(painted) and not self.add():
            return
        if not project.corrections():
            self.failed.emit("There are no corrections yet: paint errors and add them first.")
            return
        self.run_asked.emit([("annotate", None), ("train-particle", None), ("segment", None)])


__all__ = ["CorrectPage"]
