"""What stands in the proofreading dock's tabs beside the edits: suspects, and teaching."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QScrollArea, QWidget

from napari_slagseg.widgets.proofreading.queue_panel import QueuePanel
from napari_slagseg.widgets.proofreading.teach_panel import TeachPanel

if TYPE_CHECKING:
    from napari_slagseg.widgets.proofreading.desk import Desk


class Panels:
    """The panels of a dock.

    Parameters
    ----------
    desk : Desk
    """

    def __init__(self, desk: Desk) -> None:
        self.suspects = QueuePanel(desk.session, desk.viewer, desk)
        self.teach = TeachPanel(desk.session, desk.viewer, desk)

    @property
    def all(self) -> tuple[QueuePanel | TeachPanel, ...]:
        """Every one of them."""
        return self.suspects, self.teach

    def to_suspects(self, action: str) -> bool:
        """Do what a key of the queue is for; False if the suspects were not looked for."""
        if self.suspects.queue is None:
            return False
        if action == "next":
            self.suspects.go_next()
        elif action == "previous":
            self.suspects.go_previous()
        else:
            self.suspects.judge(action)
        return True

    def close_down(self) -> None:
        """Let go of the desk, and end what runs."""
        for panel in self.all:
            panel.close_down()


def scrolled(panel: QWidget) -> QScrollArea:
    """A panel that scrolls where the dock is too low for it."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setWidget(panel)
    return area


__all__ = ["Panels", "scrolled"]
