"""The desk: edits of the open project, done one after the other beside the window."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_slagseg.data import Box, SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.widgets.measuring.choice import choice_of
from napari_slagseg.widgets.proofreading.framing import frame_box
from napari_slagseg.widgets.proofreading.redrawing import redraw
from napari_slagseg.widgets.proofreading.refusals import refusal_of
from napari_slagseg.widgets.session import session_of
from napari_slagseg.workflow.proofreading import Outcome, Proofreader, warm_up

if TYPE_CHECKING:
    import napari

    from napari_slagseg.widgets.session import Session

_LOG = logging.getLogger(__name__)
_DESKS: weakref.WeakKeyDictionary[object, Desk] = weakref.WeakKeyDictionary()

_WARM = threading.Event()
"""Whether this process has loaded, or on its first start compiled, what edits need."""

Edit = Callable[[], object]

_MAKES_NEW = ("grow", "add")
"""Kinds of edits after which the particle that they made is chosen."""


class Desk(QObject):
    """Does the edits of one viewer's project, in the order asked, in one thread.

    None is dropped: an edit that was taken on is done, or what kept it from being done is
    told. While a step runs that reads or writes the segmentation, none is taken on.

    The project's `Proofreader` is made when somebody needs it (`open`), beside the window,
    and made anew when another project is opened or the volume is segmented again.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    proofreader : Proofreader or None
        Of the open project.
    choice : Choice
        The chosen particles; tables and plots of the same viewer share it.
    particles : int
        How many there are.

    Signals
    -------
    outcome : (Outcome)
        After every edit, also undone ones and those done again.
    failed : (str)
        Why something was not done.
    told : (str)
        What the user should know of.
    busy : (bool)
        Whether edits are being done or wait.
    opened : (Proofreader or None)
        Another project's, or None where there is nothing to correct.
    particle : (int)
        The chosen particle, 0 for none or several.
    may_change : ()
        Edits are allowed, or are no longer.
    went : (int)
        The viewer was taken to a particle.
    """

    outcome = Signal(object)
    failed = Signal(str)
    told = Signal(str)
    busy = Signal(bool)
    opened = Signal(object)
    particle = Signal(int)
    may_change = Signal()
    went = Signal(int)
    _came = Signal(object, object)
    _ended = Signal(str, object)
    _made = Signal(object, object)

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self._viewer = weakref.ref(viewer)
        self.session: Session = session_of(viewer)
        self.choice = choice_of(viewer)
        self.proofreader: Proofreader | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="slagseg-edits")
        self.particles = self._counted = 0
        self._waiting = 0
        self._wanted = False
        self._opening = False
        self._of: tuple[Project, str] | None = None
        self._closed = False
        self._came.connect(self._take)
        self._ended.connect(self._end)
        self._made.connect(self._opened)
        self.choice.changed.connect(self._chosen)
        self.session.project_changed.connect(self._project_changed)
        self.session.results_changed.connect(self._results_changed)
        self.session.running_changed.connect(self.may_change.emit)
        self.session.handing_over.connect(self.finish)

    @property
    def viewer(self) -> napari.Viewer:
        """The viewer that it belongs to."""
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("the viewer was closed")
        return viewer

    # -- the project -------------------------------------------------------------

    def open(self) -> None:
        """Make the proofreader of the open project, now and whenever it changes."""
        self._wanted = True
        self._follow()

    def _project_changed(self, _: object) -> None:
        self.choice.clear()
        self._follow()

    def _results_changed(self, step: str) -> None:
        if step not in ("correct", "placement"):
            self._follow()

    def _follow(self) -> None:
        """Make a proofreader if the one that is there is of something else."""
        if self._closed or not self._wanted:
            return
        project, of = self.session.project, None
        if project is not None and project.segmentation_path.exists():
            try:
                of = (project, project.segmentation_id())
            except SlagsegError as error:
                self.failed.emit(str(error))
        if of == self._of:
            return
        self._of = of
        self._set(None)
        if of is None:
            self._opening = False
            return
        self._opening = True
        self._submit("open", lambda: self._make(of))

    def _make(self, of: tuple[Project, str]) -> None:
        """In the thread: opening reads all particles once where nobody has done so before."""
        try:
            made = Proofreader(of[0])
            made.prepare()
            self._counted = len(made.boxes.arrays()[0])
        except Exception:
            self._made.emit(of, None)
            raise
        self._made.emit(of, made)

    def _opened(self, of: object, made: Proofreader | None) -> None:
        if of != self._of:
            return
        self._opening = False
        self.particles = self._counted
        if made is not None and made.history.cut is not None:
            self.told.emit(str(made.history.cut))
        self._set(made)
        if made is not None and not _WARM.is_set():
            _WARM.set()
            self._submit("making the tools ready", warm_up)

    def _set(self, proofreader: Proofreader | None) -> None:
        if self.proofreader is not None:
            self.proofreader.changed.disconnect(self._changed)
        self.proofreader = proofreader
        if proofreader is not None:
            proofreader.changed.connect(self._changed)
        self.opened.emit(proofreader)
        self.may_change.emit()

    # -- edits -------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether edits are being done or wait."""
        return self._waiting > 0

    @property
    def refusal(self) -> str:
        """Why nothing can be edited now; empty where it can."""
        refused = refusal_of(self.session)
        if refused:
            return refused
        if self.proofreader is None:
            if self._opening:
                return "The particles are being looked through once; a moment."
            return "The particles cannot be corrected: they could not be opened."
        return ""

    def editable_project(self) -> Project:
        """The open project, whose particles can be edited now.

        Raises
        ------
        SlagsegError
            The `refusal`.
        """
        project = self.session.project
        if self.refusal:
            raise SlagsegError(self.refusal)
        assert project is not None
        return project

    def do(self, name: str, edit: Edit) -> bool:
        """Do an edit after those that were asked for before.

        Parameters
        ----------
        name : str
            For messages: "split", "merge", ...
        edit : callable
            Calls one method of the proofreader. It runs in the desk's thread, and sees the
            volume as all edits before it left it.

        Returns
        -------
        bool
            Whether it was taken on; if not, `failed` has told why.
        """
        refused = self.refusal
        if refused:
            self.failed.emit(refused)
            return False
        self._submit(name, edit)
        return True

    def undo(self) -> bool:
        """Undo the last edit that holds when all asked for are done."""
        return self._step("undo")

    def redo(self) -> bool:
        """Do the edit again that was undone last."""
        return self._step("redo")

    def _step(self, name: str) -> bool:
        proofreader = self.proofreader
        if proofreader is None:
            return self.do(name, lambda: None)

        def step() -> None:
            if (proofreader.undo if name == "undo" else proofreader.redo)() is None:
                self.told.emit(f"There is nothing to {name}.")

        return self.do(name, step)

    def finish(self) -> None:
        """Wait until all edits are on disk; nothing of them runs when this returns."""
        if not self._closed and self._waiting:
            done = threading.Event()
            self._thread.submit(done.set)
            done.wait()

    def _submit(self, name: str, edit: Edit) -> None:
        self._waiting += 1
        if self._waiting == 1:
            self.busy.emit(True)
        self._thread.submit(self._work, name, edit)

    def _work(self, name: str, edit: Edit) -> None:
        problem: BaseException | None = None
        try:
            edit()
        except Exception as error:  # noqa: BLE001  it is told in the window's thread
            problem = error
        self._ended.emit(name, problem)

    def _end(self, name: str, problem: BaseException | None) -> None:
        self._waiting -= 1
        if self._closed:
            return
        if isinstance(problem, (SlagsegError, MemoryError, OSError)):
            self.failed.emit(str(problem) or type(problem).__name__)
        elif problem is not None:
            _LOG.error("%s failed", name, exc_info=problem)
            self.failed.emit(f"{name} failed: {problem}. The details are in napari's log.")
        if not self._waiting:
            self.busy.emit(False)

    def _changed(self, outcome: object) -> None:
        """From whatever thread made the edit."""
        self._came.emit(self.proofreader, outcome)

    def _take(self, of: object, outcome: Outcome) -> None:
        if of is not self.proofreader or self._closed:
            return
        before, after = set(outcome.labels_before), set(outcome.labels_after)
        self.particles += len(after - before) - len(before - after)
        redraw(self.viewer, outcome)
        self._choose_after(outcome)
        self.outcome.emit(outcome)
        for note in outcome.notes:
            self.told.emit(note)

    def _choose_after(self, outcome: Outcome) -> None:
        """Choose what came of the chosen particles; what is gone is chosen no longer."""
        chosen = set(self.choice.labels.tolist())
        before, after = set(outcome.labels_before), set(outcome.labels_after)
        new = after - before
        if outcome.step == "do" and any(a.kind in _MAKES_NEW for a in outcome.actions):
            chosen = new
        elif chosen & before:
            chosen = (chosen - (before - after)) | new
        self.choice.set(sorted(chosen), by=self)

    # -- the particle under the hand -----------------------------------------------

    @property
    def chosen(self) -> tuple[int, ...]:
        """The chosen particles, rising."""
        return tuple(self.choice.labels.tolist())

    def _chosen(self, _: object) -> None:
        label = int(self.choice.labels[0]) if len(self.choice) == 1 else 0
        self.particle.emit(label)

    def choose(self, labels: Iterable[int]) -> None:
        """Choose particles everywhere; the viewer stays where it is."""
        self.choice.set(labels, by=self)

    def go_to(self, voxel: Iterable[float], box: Box | None = None, label: int = 0) -> None:
        """Take the viewer to a place, in 2D and in 3D, and choose a particle.

        Parameters
        ----------
        voxel : (z, y, x)
            What comes into the middle; 2D shows its slice.
        box : box of voxels, optional
            Is framed; by default that of the particle, or the zoom stays.
        label : int
            Is chosen, so that the others are dimmed; 0 leaves the choice.
        """
        project = self.session.project
        if project is None:
            return
        if box is None and label and self.proofreader is not None:
            try:
                box = self.proofreader.box_of(label)
            except SlagsegError as error:
                self.failed.emit(str(error))
                return
        frame_box(self.viewer, project.voxel_size_um, tuple(float(v) for v in voxel), box)
        if label:
            self.choice.set([label], by=self)
        self.went.emit(label)

    # -- the end -------------------------------------------------------------------

    def close(self) -> None:
        """Finish what was asked for and let go of the project."""
        if self._closed:
            return
        self.finish()
        self._closed = True
        self._thread.shutdown(wait=True)
        self.session.project_changed.disconnect(self._project_changed)
        self.session.results_changed.disconnect(self._results_changed)
        self.session.running_changed.disconnect(self.may_change.emit)
        self.session.handing_over.disconnect(self.finish)
        if self.proofreader is not None:
            self.proofreader.changed.disconnect(self._changed)
            self.proofreader = None


def desk_of(viewer: napari.Viewer) -> Desk:
    """Desk of a viewer, made on first use."""
    if viewer not in _DESKS:
        _DESKS[viewer] = Desk(viewer)
    return _DESKS[viewer]


__all__ = ["Desk", "desk_of"]
