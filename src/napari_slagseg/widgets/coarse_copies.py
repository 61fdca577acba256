"""Making coarse copies of a large CT while it is looked at."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_slagseg.data import CancelledError, ProgressEvent, Volume, VolumeLike
from napari_slagseg.project import Project
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.layers import CT_LAYER
from napari_slagseg.widgets.levels import levels_of
from napari_slagseg.workflow.viewing import make_pyramid, wants_pyramid

if TYPE_CHECKING:
    import napari

    from napari_slagseg.widgets.session import Session


class CoarseCopies(QWidget):
    """A line that says how far they are, with a button to stop; hidden when there is nothing to do.

    The CT is looked at from the first moment on. When the copies are there, the
    layer reads from them, and neither view nor contrast changes.

    Signals
    -------
    failed : (str)
    finished : ()
        They are made and shown, or will not be.
    """

    failed = Signal(str)
    finished = Signal()
    _told = Signal(float)

    def __init__(self, session: Session, viewer: napari.Viewer) -> None:
        super().__init__()
        self.session, self.viewer = session, viewer
        self._stop = threading.Event()
        self.latest = Latest(self)
        self.latest.done.connect(self._made)
        self.latest.failed.connect(self._refused)
        text = QLabel(
            "Making coarse copies of the CT for views from afar and in 3D. You can work meanwhile."
        )
        text.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 100)
        stop = QPushButton("Stop")
        stop.setToolTip("they are gone on with when the project is opened again")
        stop.setProperty("reads_only", True)
        stop.clicked.connect(self.stop)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(text)
        layout.addLayout(row)
        self._told.connect(lambda share: self.bar.setValue(round(100 * share)))
        self.hide()

    def begin(self, project: Project, volume: Volume) -> None:
        """Make them, if the CT is large and has none."""
        self.stop()
        if not self.session.writable or not wants_pyramid(project, volume):
            return
        self._stop = stop = threading.Event()
        self.bar.setValue(0)
        self.show()
        last = -1

        def tell(event: ProgressEvent) -> None:
            nonlocal last
            share = round(100 * (event.fraction or 0.0))
            if share != last and not stop.is_set():
                last = share
                self._told.emit(share / 100)

        def work() -> tuple[Project, list[VolumeLike]]:
            try:
                return project, make_pyramid(project, volume, tell, stop)
            except CancelledError:
                return project, [volume.data]

        self.latest.ask("coarse copies", work)

    def stop(self) -> None:
        """Make no more; what was begun is gone on with another time."""
        self._stop.set()
        self.hide()

    def close_down(self) -> None:
        """Stop and wait until the thread has."""
        self.stop()
        self.latest.close()

    def _refused(self, why: str) -> None:
        self.hide()
        self.failed.emit(f"The CT is shown without coarse copies: {why}")
        self.finished.emit()

    def _made(self, _: str, result: object) -> None:
        project, stored = result
        if project is not self.session.project:
            return
        self.hide()
        if len(stored) > 1 and CT_LAYER in self.viewer.layers:
            layer = self.viewer.layers[CT_LAYER]
            if layer.multiscale:
                # the finest stays as it is: what it keeps in memory is kept
                for shown, better in zip(list(layer.data)[1:], levels_of(stored)[1:]):
                    shown.take_over(better)
                layer.refresh()
        self.finished.emit()


__all__ = ["CoarseCopies"]
