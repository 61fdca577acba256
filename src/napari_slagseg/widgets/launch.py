"""Opening napari on a project, and pictures of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow

from napari_slagseg.widgets.alignment_dock import AlignmentDock
from napari_slagseg.widgets.left_docks import left_docks_as_tabs
from napari_slagseg.widgets.measure_dock import MeasureDock
from napari_slagseg.widgets.proofreading.dock import ProofreadDock
from napari_slagseg.widgets.workflow_dock import WorkflowDock

if TYPE_CHECKING:
    import napari

WORKFLOW_TITLE = "Slagseg workflow"
MEASURE_TITLE = "Slagseg measure"
ALIGNMENT_TITLE = "Slagseg alignment"
PROOFREAD_TITLE = "Slagseg proofread"

_ALIGNMENT_SHARE = 0.56
"""Of the window's height: map and CT need room, and so do slices for landmarks."""

_LONGEST_WAIT = 60.0
"""Seconds that a picture of the window waits for results."""

_MEASURE_SHARE = 0.42
"""Of the window's height: plots and particles need room beside the volume."""


def _docked(viewer: napari.Viewer, title: str) -> object | None:
    return viewer.window.dock_widgets.get(title)


def add_workflow_dock(viewer: napari.Viewer) -> WorkflowDock:
    """Workflow dock of a viewer, added on the right if it is not there."""
    found = _docked(viewer, WORKFLOW_TITLE)
    if isinstance(found, WorkflowDock):
        return found
    dock = WorkflowDock(viewer)
    frame = viewer.window.add_dock_widget(
        dock, name=WORKFLOW_TITLE, area="right", add_vertical_stretch=False
    )
    main = frame.window()
    if isinstance(main, QMainWindow):
        # the pages need the height; a dock at the bottom has the width of what is left
        main.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    return dock


def add_measure_dock(viewer: napari.Viewer) -> MeasureDock:
    """Measure dock of a viewer, added at the bottom if it is not there."""
    found = _docked(viewer, MEASURE_TITLE)
    if isinstance(found, MeasureDock):
        return found
    dock = MeasureDock(viewer)
    frame = viewer.window.add_dock_widget(
        dock, name=MEASURE_TITLE, area="bottom", add_vertical_stretch=False
    )
    main = frame.window()
    if isinstance(main, QMainWindow):
        QTimer.singleShot(0, lambda: _give_height(main, frame, _MEASURE_SHARE))
    return dock


def add_alignment_dock(viewer: napari.Viewer, *, landmarks: bool = False) -> AlignmentDock:
    """Alignment dock of a viewer, added at the bottom if it is not there, and brought to front.

    Parameters
    ----------
    viewer : napari.Viewer
    landmarks : bool
        Turn to the landmarks.
    """
    found = _docked(viewer, ALIGNMENT_TITLE)
    if isinstance(found, AlignmentDock):
        dock = found
        frame = found.parent()
        if frame.isHidden():
            left_docks_as_tabs(frame.window(), True)
        frame.show()
        frame.raise_()
    else:
        dock = AlignmentDock(viewer)
        frame = viewer.window.add_dock_widget(
            dock, name=ALIGNMENT_TITLE, area="bottom", add_vertical_stretch=False
        )
        workflow = add_workflow_dock(viewer)
        dock.fit_asked.connect(workflow.register_page.run_with)
        frame.visibilityChanged.connect(dock.follow_closing)
        main = frame.window()
        measure = _docked(viewer, MEASURE_TITLE)
        if isinstance(main, QMainWindow):
            if measure is not None:
                main.tabifyDockWidget(measure.parent(), frame)
            # tabs and heights are made when the window is laid out the next time
            QTimer.singleShot(0, lambda: _bring_forward(main, frame))
    if landmarks:
        dock.begin_landmarks()
    return dock


def add_proofread_dock(viewer: napari.Viewer) -> ProofreadDock:
    """Proofreading dock of a viewer, added on the right if it is not there, and brought to front.

    It comes as a tab beside the workflow dock, so that the volume keeps its room.
    """
    found = _docked(viewer, PROOFREAD_TITLE)
    if isinstance(found, ProofreadDock):
        frame = found.parent()
        frame.show()
        frame.raise_()
        return found
    dock = ProofreadDock(viewer)
    frame = viewer.window.add_dock_widget(
        dock, name=PROOFREAD_TITLE, area="right", add_vertical_stretch=False
    )
    frame.visibilityChanged.connect(dock.follow_closing)
    workflow = add_workflow_dock(viewer)
    dock.follow_runner(workflow.runner)
    main = frame.window()
    if isinstance(main, QMainWindow):
        main.tabifyDockWidget(workflow.parent(), frame)
        QTimer.singleShot(0, frame.raise_)
    return dock


def _bring_forward(main: QMainWindow, frame: QDockWidget) -> None:
    """Turn to a dock at the bottom and give it its height."""
    frame.raise_()
    left_docks_as_tabs(main, True)
    _give_height(main, frame, _ALIGNMENT_SHARE)


def _give_height(main: QMainWindow, frame: QDockWidget, share: float) -> None:
    """Give a dock at the bottom a share of the window's height."""
    main.resizeDocks([frame], [round(share * main.height())], Qt.Orientation.Vertical)


def open_project(
    viewer: napari.Viewer, folder: str | Path
) -> tuple[WorkflowDock, MeasureDock | None]:
    """Open a project in a viewer with its docks.

    Raises
    ------
    SlagsegError
        If the folder is no project.
    """
    workflow = add_workflow_dock(viewer)
    project = workflow.session.open(folder)
    measure = None
    if (project.tables / "particles.csv").exists():
        measure = add_measure_dock(viewer)
        workflow.show_page("Measure")
    return workflow, measure


def view_project(folder: str | Path, *, block: bool = True) -> napari.Viewer:
    """Open napari on a project; waits until the window is closed if `block`."""
    import napari

    from napari_slagseg.project import Project

    Project(folder)  # a clear error before a window opens
    viewer = napari.Viewer(title=f"slagseg: {Path(folder).name}")
    open_project(viewer, folder)
    if block:
        napari.run()
    return viewer


def settle(seconds: float = 1.0) -> None:
    """Let the window draw for a while."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.02)


def screenshot_project(
    folder: str | Path,
    path: str | Path,
    *,
    size: tuple[int, int] = (1600, 1000),
    page: str | None = None,
) -> None:
    """Picture of the whole window with a project open.

    Parameters
    ----------
    folder : path
        The project.
    path : path
        PNG to write.
    size : (width, height)
        Of the window in pixels.
    page : str or None
        Page of the workflow dock; None takes the one that opens by itself.
    """
    viewer = view_project(folder, block=False)
    viewer.window.resize(*size)
    workflow = add_workflow_dock(viewer)
    if page is not None:
        workflow.show_page(page)
    settle(2.0)
    measure = _docked(viewer, MEASURE_TITLE)
    if isinstance(measure, MeasureDock):
        end = time.monotonic() + _LONGEST_WAIT
        while measure.busy_now and time.monotonic() < end:
            settle(0.1)
    viewer.reset_view()
    settle(1.0)
    viewer.screenshot(path=str(path), canvas_only=False, flash=False)
    if isinstance(measure, MeasureDock):
        measure.shut()
    workflow.session.close()
    viewer.close()


__all__ = [
    "ALIGNMENT_TITLE",
    "MEASURE_TITLE",
    "PROOFREAD_TITLE",
    "WORKFLOW_TITLE",
    "add_alignment_dock",
    "add_measure_dock",
    "add_proofread_dock",
    "add_workflow_dock",
    "open_project",
    "screenshot_project",
    "settle",
    "view_project",
]
