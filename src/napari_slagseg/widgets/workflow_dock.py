"""The main dock: the steps in order, one page each."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolBox,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg.data import PhaseTable, ProgressEvent, SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.block_progress import blocks_told
from napari_slagseg.widgets.block_step_page import BlockStepPage
from napari_slagseg.widgets.coarse_copies import CoarseCopies
from napari_slagseg.widgets.correct_page import CorrectPage
from napari_slagseg.widgets.measure_page import MeasurePage
from napari_slagseg.widgets.project_page import ProjectPage
from napari_slagseg.widgets.register_page import RegisterPage
from napari_slagseg.widgets.runner import StepRunner
from napari_slagseg.widgets.session import session_of
from napari_slagseg.widgets.step_page import RunList, StepPage
from napari_slagseg.widgets.train_page import TrainPage
from napari_slagseg.workflow import STEPS, StepState, states
from napari_slagseg.workflow.blockwise.plan import PLANNED

if TYPE_CHECKING:
    import napari

_LOG = logging.getLogger(__name__)

_SIGNS = {"missing": "○", "stale": "◐", "done": "●"}
_SIGN_MEANINGS = "○ not done   ◐ out of date   ● done"


class PhaseLegend(QWidget):
    """Colour and name of every phase."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 4, 0, 0)

    def show_table(self, table: PhaseTable) -> None:
        """Show another phase table."""
        while self._grid.count():
            item = self._grid.takeAt(0)
            if item is not None and item.widget() is not None:
                item.widget().deleteLater()
        for row, phase in enumerate(p for p in table if p.id):
            square = QPixmap(14, 14)
            square.fill(QColor(phase.colour))
            mark = QLabel()
            mark.setPixmap(square)
            name = QLabel(f"{phase.name} (target)" if phase.name == table.target else phase.name)
            name.setToolTip(" ".join(filter(None, (phase.symbol, phase.formula))))
            self._grid.addWidget(mark, row, 0)
            self._grid.addWidget(name, row, 1)
        self._grid.setColumnStretch(1, 1)


class WorkflowDock(QWidget):
    """All steps from a CT and its maps to the particle table.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session = session_of(napari_viewer)
        self.runner = StepRunner(self)
        self.latest = Latest(self)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumWidth(400)
        self.project_page = ProjectPage()
        self.coarse_copies = CoarseCopies(self.session, napari_viewer)
        self.project_page.below.addWidget(self.coarse_copies)
        self.register_page = RegisterPage(self.session, napari_viewer)
        self.truth_page = StepPage(
            self.session,
            STEPS["annotate"],
            "Lays the placed maps into the CT as sparse labels, one voxel thick, and weighs them.",
            basic=("hold_out",),
            button="Make the ground truth",
        )
        self.train_page = TrainPage(self.session)
        self.segment_page = BlockStepPage(
            self.session,
            STEPS["segment"],
            "Predicts phases and particles in the whole volume.",
            basic=("minimum_voxels",),
            button="Segment",
        )
        self.legend = PhaseLegend()
        self.segment_page.extra.addWidget(self.legend)
        self.segment_page.extra.addStretch(1)
        self.correct_page = CorrectPage(self.session, napari_viewer)
        self.measure_page = MeasurePage(self.session)
        self.show_measure = QPushButton("Show table and curves")
        self.show_measure.setProperty("reads_only", True)
        self.show_measure.clicked.connect(self._open_measure_dock)
        self.measure_page.extra.addWidget(self.show_measure)
        self.measure_page.extra.addStretch(1)
        self.truth_page.extra.addStretch(1)
        self.pages: list[tuple[str, QWidget, tuple[str, ...]]] = [
            ("Project", self.project_page, ()),
            ("Register", self.register_page, ("register",)),
            ("Ground truth", self.truth_page, ("annotate",)),
            ("Train", self.train_page, ("train-phase", "train-particle")),
            ("Segment", self.segment_page, ("segment",)),
            ("Correct", self.correct_page, ()),
            ("Measure", self.measure_page, ("measure", "report")),
        ]
        self.toolbox = QToolBox()
        for i, (title, page, _) in enumerate(self.pages):
            area = QScrollArea()
            area.setWidgetResizable(True)
            area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            area.setWidget(page)
            self.toolbox.addItem(area, f"{i + 1}  {title}")
        self.toolbox.setToolTip(_SIGN_MEANINGS)
        self.run_all = QPushButton("Run all that is not up to date")
        self.run_all.setToolTip(
            "steps that ran before keep their settings; the others take those of their pages"
        )
        self.run_all.clicked.connect(self.run_whole_job)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(self.cancel_run)
        self.stage = QLabel("Make or open a project to begin.")
        self.stage.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.blocks = QLabel()
        self.blocks.hide()
        progress = QHBoxLayout()
        progress.addWidget(self.bar, 1)
        progress.addWidget(self.blocks)
        bottom = QHBoxLayout()
        bottom.addWidget(self.run_all, 1)
        bottom.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.addWidget(self.toolbox, 1)
        layout.addWidget(self.stage)
        layout.addLayout(progress)
        layout.addLayout(bottom)
        self._connect()
        self._set_busy(False)
        if self.session.project is not None:
            self._project_changed(self.session.project)

    def _connect(self) -> None:
        self.project_page.chosen.connect(self.open_project)
        self.coarse_copies.failed.connect(self.say_error)
        for _, page, _ in self.pages[1:]:
            page.run_asked.connect(self.run)
            page.failed.connect(self.say_error)
        self.correct_page.told.connect(self._say)
        self.correct_page.proofread_asked.connect(self.open_proofread_dock)
        self.register_page.look_asked.connect(self.open_alignment_dock)
        self.runner.started.connect(self._started)
        self.runner.progressed.connect(self._progressed)
        self.runner.ended.connect(self._ended)
        self.runner.idle.connect(self._idle)
        self.latest.done.connect(self._states_found)
        self.latest.failed.connect(self.say_error)
        self.session.project_changed.connect(self._project_changed)
        self.session.results_changed.connect(self._results_changed)

    # -- the project -------------------------------------------------------

    def open_project(self, folder: str) -> bool:
        """Open a project and show it; an error is shown, and the one before stays."""
        if self.runner.busy:
            self.say_error("A step is running; cancel it before opening another project.")
            return False
        try:
            self.session.open(folder)
        except SlagsegError as error:
            self.say_error(str(error))
            return False
        return True

    def _project_changed(self, project: Project) -> None:
        self.project_page.show_project(project, self.session.read_only_reason)
        if self.session.read_only_reason:
            show_warning(self.session.read_only_reason)
        self.stage.setText("Ready.")
        with self._said():
            for placed in layers.show_project(self.viewer, self.session):
                self.register_page.draw_beside(project, placed)
            self.coarse_copies.begin(project, self.session.volume())
        self.refresh()
        self._set_busy(False)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Show an error that the user can act on, and go on with the rest."""
        try:
            yield
        except SlagsegError as error:
            self.say_error(str(error))

    def refresh(self) -> None:
        """Show the state of every step; a damaged part is told of and the others are shown."""
        project = self.session.project
        if project is None:
            return
        self._find_states(project)
        for _, page, _ in self.pages:
            if page is not self.project_page:
                with self._said():
                    page.refresh(project)
        with self._said():
            self.legend.show_table(project.phase_table().grouped()[0])

    def _show_signs(self, found: Mapping[str, StepState]) -> None:
        """Say in the pages' titles what is done and what is out of date."""
        order = ("missing", "stale", "done")
        for i, (title, _, names) in enumerate(self.pages):
            sign = ""
            if names:
                worst = min((found[name] for name in names), key=order.index)
                sign = f"   {_SIGNS[worst]}"
            self.toolbox.setItemText(i, f"{i + 1}  {title}{sign}")

    def _results_changed(self, step: str) -> None:
        if step in ("register", "correct"):
            self.refresh()
        elif step == "placement" and self.session.project is not None:
            self._find_states(self.session.project)

    def _find_states(self, project: Project) -> None:
        """Find beside the window what is out of date: whole results may be looked through."""
        self.latest.ask("states", lambda: (project, states(project)))

    def _states_found(self, _: str, result: object) -> None:
        project, found = result
        if project is self.session.project:
            self._show_signs(found)

    # -- running -----------------------------------------------------------

    def run(self, steps: RunList) -> None:
        """Run steps in their own process."""
        if self.session.project is None:
            self.say_error("Make or open a project first.")
            return
        if not self.session.writable:
            self.say_error(self.session.read_only_reason)
            return
        if self.runner.busy:
            self.say_error("A step is running already; wait for it or cancel it.")
            return
        resources = {}
        if any(name in (*PLANNED, "run") for name, _ in steps):
            try:
                resources = self.session.resources.checked().model_dump()
            except SlagsegError as error:
                self.say_error(str(error))
                return
        self.session.alignment.flush()
        self.session.set_running(name for name, _ in steps[:1])
        self._set_busy(True)
        self.runner.start(self.session.project, steps, resources)

    def run_whole_job(self) -> None:
        """Run all that is not up to date; steps that never ran take their page's settings."""
        project = self.session.project
        configs: dict[str, object] = {}
        try:
            for _, page, names in self.pages:
                if project is None or not isinstance(page, StepPage):
                    continue
                asked = dict(page.steps_to_run())
                for name in names:
                    if project.record(name) is None and asked.get(name) is not None:
                        configs[name] = asked[name]
        except SlagsegError as error:
            self.say_error(str(error))
            return
        self.run([("run", configs)])

    def cancel_run(self) -> None:
        """Ask what runs to stop, and say so: it takes a moment."""
        self._cancelling = True
        self.cancel.setEnabled(False)
        self.stage.setText("Cancelling; what was finished is kept…")
        self.bar.setRange(0, 0)
        self.blocks.hide()
        self.runner.cancel()

    def _set_busy(self, busy: bool) -> None:
        self._cancelling = False
        self.cancel.setEnabled(busy)
        allowed = not busy and self.session.writable
        self.run_all.setEnabled(allowed)
        for _, page, _ in self.pages[1:]:
            for button in page.findChildren(QPushButton):
                if not button.property("reads_only"):
                    button.setEnabled(allowed)
        self.project_page.setEnabled(not busy)
        self.session.alignment.set_busy(busy)
        if not busy:
            self.bar.setRange(0, 1000)
            self.bar.setValue(0)
            self.blocks.hide()

    def _idle(self) -> None:
        self.session.set_running(())
        self._set_busy(False)

    def _started(self, name: str) -> None:
        self.session.set_running((name,))
        title = STEPS[name].title if name in STEPS else "All steps"
        self.stage.setText(f"{title}: starting…")
        self.bar.setRange(0, 0)
        if name.startswith("train"):
            self.train_page.begin(name)

    def _progressed(self, event: ProgressEvent) -> None:
        if self._cancelling:
            return
        self.stage.setText(event.stage)
        if event.fraction is None:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * event.fraction))
        told = blocks_told(event)
        self.blocks.setText(told)
        self.blocks.setVisible(bool(told))
        if "loss" in event.values or "validation_loss" in event.values:
            self.train_page.follow(event)

    def _ended(self, name: str, outcome: str, text: str, warnings: tuple[str, ...]) -> None:
        self._show_results(name)
        if name in ("register", "run"):
            self.session.alignment.reload()
        self.refresh()
        if outcome == "done":
            self._say(text)
            for warning in warnings:
                show_warning(warning)
        elif outcome == "cancelled":
            self._say(text)
        elif outcome == "failed":
            self.say_error(text)
        else:
            _LOG.error("step %s crashed:\n%s", name, text)
            self.say_error(
                f"{name} met a fault of the program: {text.strip().splitlines()[-1]}. "
                "What was finished is kept. The details are in napari's log."
            )
        self.session.results_changed.emit(name)
        if name == "register" and outcome == "done":
            self.open_alignment_dock()

    def _show_results(self, name: str) -> None:
        project = self.session.project
        if project is None:
            return
        with self._said():
            self._add_results(project, name)

    def _add_results(self, project: Project, name: str) -> None:
        if name in ("register", "run"):
            for placed in project.placed_maps().values():
                layers.add_map(self.viewer, project, placed, self.register_page.thickness.value())
        if name in ("annotate", "run"):
            layers.show_truth(self.viewer, project)
        if name in ("segment", "proposal", "run"):
            layers.show_segmentation(self.viewer, project)
        if name in ("measure", "report", "run") and (project.tables / "particles.csv").exists():
            self._open_measure_dock()

    def _open_measure_dock(self) -> None:
        from napari_slagseg.widgets.launch import add_measure_dock

        add_measure_dock(self.viewer)

    def open_proofread_dock(self) -> None:
        """Correct particles by hand."""
        from napari_slagseg.widgets.launch import add_proofread_dock

        add_proofread_dock(self.viewer)

    def open_alignment_dock(self, landmarks: bool = False) -> None:
        """Show map and CT together, to look at the fit and to steer it."""
        from napari_slagseg.widgets.launch import add_alignment_dock

        add_alignment_dock(self.viewer, landmarks=landmarks)

    def _say(self, text: str) -> None:
        self.stage.setText(text)
        show_info(text)

    def say_error(self, text: str) -> None:
        """Show what went wrong, in the dock and as a notice."""
        # libraries put things like <TiffPages @8> into their words
        self.stage.setText(f"<span style='color:#d55e00'>{escape(text)}</span>")
        show_error(text)

    def show_page(self, title: str) -> None:
        """Turn to the page with this title."""
        for i, (name, _, _) in enumerate(self.pages):
            if name.lower() == title.lower():
                self.toolbox.setCurrentIndex(i)

    def closeEvent(self, event: object) -> None:
        """Stop what runs and give the project's lock back."""
        self.runner.cancel()
        self.coarse_copies.close_down()
        self.segment_page.close_down()
        self.measure_page.close_down()
        self.register_page.latest.close()
        self.latest.close()
        self.session.close()
        super().closeEvent(event)


__all__ = ["PhaseLegend", "WorkflowDock"]
