"""The panel that leads from suspect to suspect."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.proofreading.queue_model import SuspectModel
from napari_slagseg.workflow.proofreading.queue import SuspectQueue, SuspectRow
from napari_slagseg.workflow.suspect_tables import SuspectTables

if TYPE_CHECKING:
    import napari

    from napari_slagseg.project import Project
    from napari_slagseg.widgets.proofreading.desk import Desk
    from napari_slagseg.widgets.session import Session
    from napari_slagseg.workflow.proofreading import Proofreader
    from napari_slagseg.workflow.proofreading.standing import Suspect, Verdict

_NO_ROWS = pd.DataFrame(columns=["label", "kind", "partner"])

KINDS = {
    "all": None,
    "mergers": "merger",
    "splitters": "splitter",
    "shapes": "shape",
    "doubt": "doubt",
    "missed": "missed",
}
"""What the list can be limited to."""

LEAST_SCORE = 0.05
"""Score of the last rows that are shown at first: below, next to nothing is wrong."""

_NOT_FOUND = "The suspects were not looked for yet."

BUTTONS = {
    "previous": ("Previous", "go back to the suspect before (P)"),
    "next": ("Next", "go to the next suspect that nothing was said of (N)"),
    "accept": ("Accept", "it is right as it is; go on to the next (A)"),
    "fix": ("To be fixed", "it is wrong; it is marked until you edit it (T)"),
    "skip": ("Skip", "leave it undecided; go on to the next (S)"),
}
"""Buttons, their words and tooltips."""


class QueuePanel(QWidget):
    """Suspects in their order: go to them, say what they are, see how many are left.

    Choosing a row goes there; a particle that is chosen elsewhere marks its row. What is said
    is an edit as all others: remembered, and undoable.

    Parameters
    ----------
    session : Session
    viewer : napari.Viewer
    desk : Desk
        Does the edits; its `Desk.open` makes the proofreader that the queue needs.

    Signals
    -------
    run_asked : (list)
        Steps to run, as `StepRunner.start` takes them.
    failed : (str)
        What could not be done.
    """

    run_asked = Signal(list)
    failed = Signal(str)
    _heard = Signal()

    def __init__(self, session: Session, viewer: napari.Viewer, desk: Desk) -> None:
        super().__init__()
        self.session, self.viewer, self.desk = session, viewer, desk
        self.queue: SuspectQueue | None = None
        self._of: tuple[Proofreader, float] | None = None
        self._last: Suspect | None = None
        self._leading = False
        self._closed = False
        self.latest = Latest(self)
        self.latest.done.connect(self._done)
        self.latest.failed.connect(self._say_wrong)
        self.model = SuspectModel()
        self._lay_out()
        desk.opened.connect(lambda _: self.reload())
        self._heard.connect(self._edited)
        desk.choice.changed.connect(self._chosen)
        desk.may_change.connect(self._allow)
        session.results_changed.connect(self._results_changed)
        session.particle_chosen.connect(self._particle_chosen)
        self.reload()

    def _lay_out(self) -> None:
        self.find_button = QPushButton("Find suspects")
        self.find_button.setToolTip(
            "rank all particles by how likely they are wrong: mergers, splitters, holes, doubt, "
            "and minerals without a particle; takes a while for a large volume"
        )
        self.find_button.clicked.connect(self.find)
        self.about = QLabel(_NOT_FOUND)
        self.about.setWordWrap(True)
        self.kind = QComboBox()
        self.kind.addItems(list(KINDS))
        self.kind.setToolTip("which suspects are listed and gone through")
        self.kind.currentTextChanged.connect(lambda _: self._filter())
        self.least = QDoubleSpinBox()
        self.least.setRange(0, 1)
        self.least.setSingleStep(0.05)
        self.least.setValue(LEAST_SCORE)
        self.least.setPrefix("score from ")
        self.least.setToolTip("rows of a lower score are left out")
        self.least.valueChanged.connect(lambda _: self._filter())
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.verticalHeader().setVisible(False)
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.horizontalHeader().setResizeContentsPrecision(50)
        # letters are shortcuts here, not a search in the table
        self.table.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.table.keyboardSearch = lambda _: None
        self.table.selectionModel().currentRowChanged.connect(self._row_picked)
        self.bar = QProgressBar()
        self.bar.setFormat("%v of %m looked at")
        self.bar.setToolTip("of the suspects that are listed; what was edited counts")
        self.buttons = {name: QPushButton(words) for name, (words, _) in BUTTONS.items()}
        for name, button in self.buttons.items():
            button.setToolTip(BUTTONS[name][1])
        # they look, and may be used where nothing may be written
        for name in ("previous", "next"):
            self.buttons[name].setProperty("reads_only", True)
        self.buttons["previous"].clicked.connect(self.go_previous)
        self.buttons["next"].clicked.connect(self.go_next)
        for verdict in ("accept", "fix", "skip"):
            self.buttons[verdict].clicked.connect(lambda _=False, v=verdict: self.judge(v))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.find_button)
        first.addWidget(self.kind)
        first.addWidget(self.least)
        for button in self.buttons.values():
            second.addWidget(button)
        layout.addLayout(first)
        layout.addWidget(self.about)
        layout.addWidget(self.table, 1)
        layout.addLayout(second)
        layout.addWidget(self.bar)

    # -- the queue -------------------------------------------------------------------

    def find(self) -> None:
        """Ask for the step that finds the suspects."""
        self.run_asked.emit([("suspects", None)])

    def reload(self) -> None:
        """Read the queue of the open project, if it is another one than is shown."""
        project, proofreader = self.session.project, self.desk.proofreader
        if self._closed or project is None or proofreader is None:
            self._drop()
            self._show()
            return
        path = SuspectTables.of(project).queue_path
        of = (proofreader, path.stat().st_mtime) if path.exists() else None
        if of is None:
            self._drop()
            self._show()
        elif of != self._of:
            self._drop()
            self._of = of
            self.latest.ask("read", lambda: (of, _read(project, proofreader)))

    def _drop(self) -> None:
        if self.queue is not None:
            self._last = self.queue.current
            self.queue.changed.disconnect(self._tell)
            self.queue.close()
        self.queue, self._of = None, None

    def _done(self, name: str, found: object) -> None:
        if name == "read":
            of, queue = found
            if of != self._of:
                queue.close()
                return
            self.queue = queue
            queue.changed.connect(self._tell)
            if self._last is not None:
                queue.go(self._last)
            self._edited()  # what was edited while it was read
        self._filter()

    def _results_changed(self, step: str) -> None:
        if step in ("suspects", "segment", "run", "teach"):
            self.reload()

    def _tell(self) -> None:
        """From whatever thread made the edit; the queue has noted it by now."""
        self._heard.emit()

    def _edited(self) -> None:
        queue = self.queue
        if queue is None:
            return
        self._show()
        if queue.stale:
            self.latest.ask("score again", queue.catch_up)

    def _filter(self) -> None:
        if self.queue is not None:
            kind = KINDS[self.kind.currentText()]
            self.queue.kinds = None if kind is None else frozenset({kind})
            self.queue.least_score = self.least.value()
        self._show()

    # -- what is shown -----------------------------------------------------------------

    def _show(self) -> None:
        queue = self.queue
        if queue is None:
            self.about.setText(_NOT_FOUND)
            self.bar.hide()
        else:
            self.bar.show()
            counts = queue.counts()
            left = counts.get("open", 0)
            looked = sum(counts.values()) - left
            self.bar.setRange(0, max(1, looked + left))
            self.bar.setValue(looked)
            self.about.setText(self._state(queue, left))
        rows = _NO_ROWS if queue is None else queue.rows()
        if self.model.set_rows(rows) and queue is not None:
            self.table.resizeColumnsToContents()
            self._mark(queue.current)
        self._allow()

    def _state(self, queue: SuspectQueue, left: int) -> str:
        row = None if queue.current is None else queue.row(queue.current)
        words = f"<b>{escape(row.kind)}</b>: {escape(row.reasons)}." if row is not None else ""
        if not left:
            words = "All that are listed were looked at. " + words
        return words

    def _allow(self) -> None:
        project = self.session.project
        there = self.queue is not None and bool(self.model.names)
        for name in ("previous", "next"):
            self.buttons[name].setEnabled(there)
        current = there and self.model.position(self.queue.current) is not None
        writes = self.session.writable and not self.desk.refusal
        for name in ("accept", "fix", "skip"):
            self.buttons[name].setEnabled(bool(current and writes))
        self.find_button.setEnabled(
            self.session.writable
            and not self.session.running
            and project is not None
            and project.segmentation_path.exists()
        )

    def _say_wrong(self, text: str) -> None:
        self.about.setText(f"<span style='color:#d55e00'>{escape(text)}</span>")
        self.failed.emit(text)

    def _mark(self, suspect: object) -> None:
        """Select a row without going there."""
        at = self.model.position(suspect)
        self._leading = True
        try:
            if at is None:
                self.table.clearSelection()
            else:
                self.table.selectRow(at)
                self.table.scrollTo(self.model.index(at, 0))
        finally:
            self._leading = False

    # -- going through it ----------------------------------------------------------------

    def go_next(self) -> None:
        """Go to the next suspect that is open."""
        if self.queue is not None:
            found = self.queue.next()
            self._lead(found)
            if found is None:
                self.about.setText("All that are listed were looked at.")

    def go_previous(self) -> None:
        """Go to the suspect before."""
        if self.queue is not None:
            found = self.queue.previous()
            if found is not None:
                self._lead(found)

    def judge(self, verdict: Verdict) -> None:
        """Say what the current suspect is; go on, unless it is to be fixed now."""
        queue, proofreader = self.queue, self.desk.proofreader
        row = None if queue is None or queue.current is None else queue.row(queue.current)
        if queue is None or proofreader is None or row is None:
            return
        suspect = row.suspect
        if self.desk.do("judge", lambda: proofreader.judge(*suspect, verdict)) and verdict != "fix":
            self._lead(self._next_but(queue, row))

    @staticmethod
    def _next_but(queue: SuspectQueue, row: SuspectRow) -> SuspectRow | None:
        """The next open one; the row itself is open only until the word on it is on disk."""
        found = queue.next()
        return None if found is not None and found.suspect == row.suspect else found

    def _lead(self, row: SuspectRow | None) -> None:
        """Take the viewer to a suspect and mark its row."""
        if row is None or self.queue is None:
            return
        self._mark(row.suspect)
        self._leading = True
        try:
            self.desk.go_to(row.voxel, row.box, 0)
            self.desk.choose([n for n in (row.label, row.partner) if n and row.label])
        finally:
            self._leading = False
        self.about.setText(self._state(self.queue, 1))
        self._allow()

    def _row_picked(self, index: object, _: object) -> None:
        if self._leading or self.queue is None or not index.isValid():
            return
        self._lead(self.queue.go(self.model.names[index.row()]))

    def _chosen(self, _: object) -> None:
        if len(self.desk.chosen) == 1:
            self._particle_chosen(self.desk.chosen[0], False)

    def _particle_chosen(self, label: int, _: bool) -> None:
        """A particle was chosen elsewhere: mark its row, and go on from there."""
        if self._leading or self.queue is None:
            return
        found = self.queue.find(label)
        if found is not None and self.queue.current != found.suspect:
            self.queue.go(found.suspect)
            self._mark(found.suspect)
            self.about.setText(self._state(self.queue, 1))
            self._allow()

    def close_down(self) -> None:
        """Let go of the queue, before the window closes."""
        self._closed = True
        self.latest.close()
        self._drop()
        self.desk.choice.changed.disconnect(self._chosen)
        self.desk.may_change.disconnect(self._allow)
        self.session.results_changed.disconnect(self._results_changed)
        self.session.particle_chosen.disconnect(self._particle_chosen)


def _read(project: Project, proofreader: Proofreader) -> SuspectQueue:
    queue = SuspectQueue(project, proofreader)
    queue.catch_up()
    return queue


__all__ = ["BUTTONS", "KINDS", "LEAST_SCORE", "QueuePanel"]
