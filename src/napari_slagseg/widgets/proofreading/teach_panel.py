"""Teach the particle network by the edits, watch it learn, and take or keep what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg.data import ProgressEvent, SlagsegError
from napari_slagseg.networks.preview_file import read_preview
from napari_slagseg.project import Project
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.forms import ConfigForm
from napari_slagseg.widgets.plots import PlotCanvas
from napari_slagseg.widgets.proofreading.preview_layers import hide_preview, show_preview
from napari_slagseg.workflow import STEPS, TeachConfig, last_config, make_config
from napari_slagseg.workflow.lesson import lesson_of
from napari_slagseg.workflow.proofreading import Proofreader
from napari_slagseg.workflow.proofreading.conflicts import Conflict
from napari_slagseg.workflow.proofreading.proposal_words import (
    SHOWN_SCORES,
    change_sentence,
    score_rows,
    worse,
)
from napari_slagseg.workflow.proofreading.proposing import proposal_conflicts

if TYPE_CHECKING:
    import napari

    from napari_slagseg.widgets.proofreading.desk import Desk
    from napari_slagseg.widgets.session import Session

_INTRO = (
    "The particle network learns from your edits where it was wrong, from the weights that it "
    "has. You can go on editing meanwhile. Nothing changes until you take the new segmentation; "
    "your particles stay as they are in it."
)
_CURVE = "#56b4e9"


class TeachPanel(QWidget):
    """Learning from corrections.

    Parameters
    ----------
    session : Session
    viewer : napari.Viewer
    desk : Desk

    Signals
    -------
    run_asked : (list)
        Steps to run, as `StepRunner.start` takes them.
    failed : (str)
    told : (str)
    """

    run_asked = Signal(list)
    failed = Signal(str)
    told = Signal(str)

    def __init__(self, session: Session, viewer: napari.Viewer, desk: Desk) -> None:
        super().__init__()
        self.session, self.viewer, self.desk = session, viewer, desk
        self._losses: list[tuple[float, float]] = []
        self._conflicts: tuple[Conflict, ...] = ()
        intro = QLabel(_INTRO)
        intro.setWordWrap(True)
        self.count = QLabel()
        self.count.setWordWrap(True)
        self.count_button = QPushButton("Count the voxels to learn from")
        self.count_button.setProperty("reads_only", True)
        self.count_button.setToolTip(
            "compares your edits with what the network predicted; a moment in a large volume"
        )
        self.form = ConfigForm(TeachConfig, basic=("epochs",))
        self.train_button = QPushButton("Train on corrections")
        self.train_button.setToolTip(
            "trains the particle network on from its last weights, with your edits as truth "
            "beside the maps, and segments with it; it can be cancelled and goes on later"
        )
        self.plot = PlotCanvas(height=160)
        self.plot.hide()
        self.verdict = QLabel()
        self.verdict.setWordWrap(True)
        self.scores = _table(["on known truth", *SHOWN_SCORES.values()])
        self.scores.setToolTip(
            "scores on the voxels that the maps know: F1 should be high, the shares of merged and "
            "of split particles low; held out means that no network was trained on them"
        )
        self.conflicts = _table(["conflict", "what happened"])
        self.conflicts.setToolTip("click one to go there")
        self.take_button = QPushButton("Take the new segmentation")
        self.take_button.setToolTip(
            "with your particles on top; the one before is kept as segmentation.before.zarr"
        )
        self.keep_button = QPushButton("Keep the old one")
        self.keep_button.setToolTip(
            "nothing changes; the taught network is put aside in models/particle/declined"
        )
        self._lay_out(intro)
        self.latest = Latest(self)
        self.latest.done.connect(self._counted)
        self.latest.failed.connect(self.count.setText)
        self.count_button.clicked.connect(self.ask_count)
        self.train_button.clicked.connect(self.train)
        self.take_button.clicked.connect(lambda: self.answer("take"))
        self.keep_button.clicked.connect(lambda: self.answer("keep"))
        self.conflicts.cellClicked.connect(lambda row, _: self.go_to(row))
        desk.outcome.connect(self._say_edits)
        desk.opened.connect(self._opened)
        session.project_changed.connect(self._project_changed)
        session.results_changed.connect(self._results_changed)
        if session.project is not None:
            self.refresh(session.project)

    def _lay_out(self, intro: QLabel) -> None:
        answers = QHBoxLayout()
        answers.addWidget(self.take_button)
        answers.addWidget(self.keep_button)
        layout = QVBoxLayout(self)
        for widget in (intro, self.count, self.count_button, self.form, self.train_button,
                       self.plot, self.verdict, self.scores):  # fmt: skip
            layout.addWidget(widget)
        layout.addLayout(answers)
        layout.addWidget(self.conflicts, 100)
        layout.addStretch(1)

    # -- what there is to learn from -----------------------------------------------

    def refresh(self, project: Project) -> None:
        """Show what there is to learn from, and what was proposed."""
        config = last_config(project, STEPS["teach"])
        self.form.set_values(config.model_dump())
        self._say_edits()
        self._show_proposal(project)

    def _opened(self, _: Proofreader | None) -> None:
        self._say_edits()

    def _project_changed(self, project: Project | None) -> None:
        hide_preview(self.viewer)
        self._losses = []
        self.plot.hide()
        if project is not None:
            self.refresh(project)

    def _results_changed(self, step: str) -> None:
        project = self.session.project
        if project is None or step not in ("teach", "proposal", "segment", "run"):
            return
        if step != "teach":
            hide_preview(self.viewer)
        self.refresh(project)

    def _say_edits(self, _: object = None) -> None:
        reader = self.desk.proofreader
        if reader is None:
            self.count.setText("There are no edits to learn from yet.")
            return
        edits, kept = reader.history.count, len(reader.kept())
        self.count.setText(
            f"{edits:,} edit{'' if edits == 1 else 's'}; {kept:,} particle"
            f"{'' if kept == 1 else 's'} that a new segmentation leaves as they are."
        )

    def ask_count(self) -> None:
        """Find out beside the window how many voxels there are to learn from."""
        project = self.session.project
        if project is not None:
            self.latest.ask("count", lambda: (project, lesson_of(project, lambda event: None)))

    def _counted(self, _: str, result: Any) -> None:
        project, lesson = result
        if project is not self.session.project:
            return
        errors = lesson.errors
        others = f", and {lesson.trusted:,} that are most likely right" if lesson.trusted else ""
        self._say_edits()
        self.count.setText(
            f"{self.count.text()} The network had {errors.to_background + errors.to_particle:,} "
            f"voxels wrong: {errors.to_background:,} become background, {errors.to_particle:,} "
            f"particle. It also learns {len(lesson.correction.known):,} voxels in and around your "
            f"particles{others}."
        )

    # -- training --------------------------------------------------------------------

    def train(self) -> None:
        """Ask for the training."""
        try:
            self.session.writable_project()
            config = make_config(STEPS["teach"], self.form.values())
        except SlagsegError as error:
            self.failed.emit(str(error))
            return
        self.run_asked.emit([("teach", config.model_dump(mode="json"))])

    def begin(self, name: str) -> None:
        """Start a new curve."""
        if name == "teach":
            self._losses = []
            self._draw()
            self.plot.show()

    def follow(self, event: ProgressEvent) -> None:
        """Add a live value to the curve, or show the next preview."""
        values = event.values
        if "epoch" in values and isinstance(values.get("loss"), (int, float)):
            at = float(values["epoch"]) + float(values["step"]) / float(values["steps"])
            self._losses.append((at, float(values["loss"])))
            self._draw()
        if isinstance(values.get("preview"), str):
            self.show_preview(Path(values["preview"]))

    def show_preview(self, folder: Path) -> None:
        """Show what the training in a folder predicts at the moment."""
        project = self.session.project
        if project is None:
            return
        try:
            preview = read_preview(folder)
        except SlagsegError as error:
            self.failed.emit(str(error))
            return
        if preview is not None:
            show_preview(self.viewer, preview, project.voxel_size_um)

    def _draw(self) -> None:
        axes = self.plot.fresh_axes()
        if self._losses:
            axes.plot(*zip(*self._losses), color=_CURVE)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        self.plot.finish()

    # -- what came of it ---------------------------------------------------------------

    def _show_proposal(self, project: Project) -> None:
        ready = project.proposal.ready
        for widget in (self.scores, self.take_button, self.keep_button):
            widget.setVisible(ready)
        try:
            found = project.proposal.found() if ready else None
            self._conflicts = proposal_conflicts(project)
        except SlagsegError as error:
            self.failed.emit(str(error))
            return
        self.verdict.setText("" if found is None else _verdict(found, len(self._conflicts)))
        if found is not None:
            _fill(self.scores, score_rows(found["scores"]))
        _fill(self.conflicts, [[c.kind, c.sentence] for c in self._conflicts])
        self.conflicts.setVisible(bool(self._conflicts))

    def answer(self, word: str) -> None:
        """Take the new segmentation, or keep the old one."""
        try:
            self.session.writable_project()
        except SlagsegError as error:
            self.failed.emit(str(error))
            return
        self.run_asked.emit([("proposal", {"answer": word})])

    def go_to(self, row: int) -> None:
        """Take the viewer to a conflict."""
        project = self.session.project
        if project is None or not 0 <= row < len(self._conflicts):
            return
        conflict = self._conflicts[row]
        label = conflict.label if project.proposal.ready else conflict.new_label
        reader = self.desk.proofreader
        there = reader is not None and label in reader.boxes
        self.desk.go_to(conflict.place, label=label if there else 0)

    def close_down(self) -> None:
        """Take no more jobs; called when the dock is closed."""
        self.latest.close()
        self.desk.outcome.disconnect(self._say_edits)
        self.desk.opened.disconnect(self._opened)
        self.session.project_changed.disconnect(self._project_changed)
        self.session.results_changed.disconnect(self._results_changed)


def _verdict(found: dict[str, Any], conflicts: int) -> str:
    lines = [
        f"<b>A new segmentation waits.</b> {change_sentence(found['changes'])} "
        f"{conflicts:,} conflict{'' if conflicts == 1 else 's'} with your particles."
    ]
    lines += [f"<span style='color:#d55e00'>{text}</span>" for text in worse(found["scores"])]
    return "<br>".join(lines)


def _table(heads: list[str]) -> QTableWidget:
    table = QTableWidget(0, len(heads))
    table.setHorizontalHeaderLabels(heads)
    table.verticalHeader().hide()
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setStretchLastSection(True)
    table.setVisible(False)
    return table


def _fill(table: QTableWidget, rows: list[list[str]]) -> None:
    table.setRowCount(len(rows))
    for i, row in enumerate(rows):
        for k, text in enumerate(row):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            if k and len(row) > 2:
                item.setTextAlignment(
                    int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                )
            table.setItem(i, k, item)


__all__ = ["TeachPanel"]
