"""What the docks of one viewer share: the open project and the particle that is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from psygnal import Signal

from napari_slagseg.data import SlagsegError, Volume, VolumeLike
from napari_slagseg.project import Project
from napari_slagseg.widgets.alignment import Alignment
from napari_slagseg.widgets.chosen_resources import ChosenResources
from napari_slagseg.workflow.viewing import ct_levels

if TYPE_CHECKING:
    import napari

_SESSIONS: WeakKeyDictionary[object, Session] = WeakKeyDictionary()


class Session:
    """Project of one viewer.

    While a project is open its lock is held, so that no other process writes to
    it; where another process has it, or the folder cannot be written to, the project is
    opened for reading only.

    Signals
    -------
    project_changed : (Project or None)
        Another project was opened.
    results_changed : (str)
        A step (by name) left new results, or the user changed its results.
    particle_chosen : (int, bool)
        Label that was chosen, and whether the viewer should go there.
    running_changed : ()
        Other steps are running, or none.
    handing_over : ()
        The project is about to be closed, or a step to be run on it: what is still to be
        written is written now.
    """

    project_changed = Signal(object)
    results_changed = Signal(str)
    particle_chosen = Signal(int, bool)
    running_changed = Signal()
    handing_over = Signal()

    def __init__(self) -> None:
        self.project: Project | None = None
        self.read_only_reason = ""
        self._volume: Volume | None = None
        self.alignment = Alignment(self)
        """The placement that is looked at."""
        self.resources = ChosenResources()
        """What long steps may use; the next project that is opened keeps it."""
        self.running: frozenset[str] = frozenset()
        """Steps that are running."""
        self.hand = ""
        """Tool that the mouse on the viewer is for; empty where clicks choose particles."""
        self.clicks_choose = False
        """Whether the proofreading dock chooses particles by clicks on the viewer."""
        self.shows_choice = False
        """Whether the measure dock outlines the chosen particles."""

    def set_running(self, steps: Iterable[str]) -> None:
        """Say which steps run from now on; none when they have ended."""
        found = frozenset(steps)
        if found - self.running:
            self.handing_over.emit()
        if found != self.running:
            self.running = found
            self.running_changed.emit()

    @property
    def writable(self) -> bool:
        """Whether a project is open and this process may write to it."""
        return self.project is not None and not self.read_only_reason

    def writable_project(self) -> Project:
        """The open project, to be written to.

        Raises
        ------
        SlagsegError
            If none is open, or another process writes to it.
        """
        if self.project is None:
            raise SlagsegError("Open a project first.")
        if not self.writable:
            raise SlagsegError(self.read_only_reason)
        return self.project

    def volume(self) -> Volume:
        """CT of the open project, read once."""
        if self.project is None:
            raise RuntimeError("no project is open")
        if self._volume is None:
            self._volume = self.project.volume()
        return self._volume

    def ct_levels(self) -> list[VolumeLike]:
        """CT of the open project at all resolutions that are stored, finest first."""
        volume = self.volume()
        if self.project is None:
            raise RuntimeError("no project is open")
        return ct_levels(self.project, volume)

    def open(self, folder: str | Path) -> Project:
        """Open a project, closing the one before.

        Raises
        ------
        SlagsegError
            If the folder is no project; the one before then stays open.
        """
        project = Project(folder)
        volume = project.volume()
        self.close()
        self.read_only_reason = ""
        try:
            project.lock.acquire()
            project.recover_edits()
        except SlagsegError as error:  # locked elsewhere, not writable, or damaged
            project.lock.release()
            self.read_only_reason = str(error)
        self.project, self._volume = project, volume
        self.alignment.reload()
        self.project_changed.emit(project)
        return project

    def close(self) -> None:
        """Close the project and give its lock back."""
        if self.project is not None:
            self.alignment.flush()
            self.handing_over.emit()
            self.project.close_edits()
            self.project.lock.release()
        self.project, self._volume = None, None


def session_of(viewer: napari.Viewer) -> Session:
    """Session of a viewer, made on first use."""
    if viewer not in _SESSIONS:
        _SESSIONS[viewer] = Session()
    return _SESSIONS[viewer]


__all__ = ["Session", "session_of"]
