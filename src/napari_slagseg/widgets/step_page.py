"""A page for one step: its settings, its button, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_slagseg.data import SlagsegError
from napari_slagseg.project import Project, StepRecord
from napari_slagseg.widgets.forms import ConfigForm
from napari_slagseg.widgets.session import Session
from napari_slagseg.workflow import STEPS, Step, StepConfig, last_config, make_config

RunList = list[tuple[str, dict[str, object] | None]]


class StepPage(QWidget):
    """Settings and button of a step.

    Signals
    -------
    run_asked : (list)
        Steps to run, as `StepRunner.start` takes them.
    failed : (str)
        Why the settings cannot be used.
    """

    run_asked = Signal(list)
    failed = Signal(str)

    def __init__(
        self,
        session: Session,
        step: Step,
        intro: str,
        basic: Sequence[str] = (),
        hidden: Sequence[str] = (),
        button: str = "Run",
    ) -> None:
        super().__init__()
        self.session = session
        self.step = step
        self.form = ConfigForm(step.config, basic, hidden)
        self._shown: tuple[Path, StepConfig] | None = None
        text = QLabel(intro)
        text.setWordWrap(True)
        self.run_button = QPushButton(button)
        self.run_button.clicked.connect(self.ask)
        self.outcome = QLabel()
        self.outcome.setWordWrap(True)
        self.body = QVBoxLayout(self)
        self.body.addWidget(text)
        self.body.addWidget(self.form)
        self.body.addWidget(self.run_button)
        self.body.addWidget(self.outcome)
        self.extra = QVBoxLayout()
        self.body.addLayout(self.extra, 1)

    def steps_to_run(self) -> RunList:
        """Steps that the button runs, with their configuration values."""
        config = make_config(self.step, self.form.values())
        return [(self.step.name, config.model_dump(mode="json"))]

    def ask(self) -> None:
        """Check the settings and ask for the run."""
        try:
            steps = self.steps_to_run()
        except SlagsegError as error:
            self.failed.emit(str(error))
            return
        self.run_asked.emit(steps)

    def step_names(self) -> tuple[str, ...]:
        """Steps whose state the page's title shows."""
        return (self.step.name,)

    def warnings_of(self, record: StepRecord) -> list[str]:
        """Warnings of a run that are shown under its outcome."""
        return [str(w) for w in record.summary.get("warnings", [])]

    def refresh(self, project: Project) -> None:
        """Show the settings and the outcome of the last run."""
        last = last_config(project, self.step)
        # what a user has typed meanwhile stays when some other step ends
        if (project.folder, last) != self._shown:
            self._shown = (project.folder, last)
            self.form.set_values(last.model_dump())
        lines = []
        for name in self.step_names():
            record = project.record(name)
            if record is not None:
                numbers = _sentence(record.summary)
                lines.append(
                    f"<b>{STEPS[name].title}</b>, {record.seconds:.0f} s"
                    + (f": {escape(numbers)}" if numbers else "")
                )
                lines += [
                    f"<span style='color:#d55e00'>{escape(w)}</span>"
                    for w in self.warnings_of(record)
                ]
        self.outcome.setText("<br>".join(lines))


def _sentence(summary: dict[str, object]) -> str:
    """Plain numbers of a summary in one line."""
    parts = [
        f"{name.replace('_', ' ')} {value:.4g}"
        if isinstance(value, float)
        else f"{name.replace('_', ' ')} {value}"
        for name, value in summary.items()
        if isinstance(value, (int, float, str)) and value is not None
    ]
    return ", ".join(parts)


__all__ = ["RunList", "StepPage"]
