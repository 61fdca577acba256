"""A page for a step that works on blocks: what it may use, and what it will take."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGroupBox, QLabel, QPushButton, QVBoxLayout

from napari_slagseg.data import CancelledError, SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.resources_form import ResourcesForm
from napari_slagseg.widgets.session import Session
from napari_slagseg.widgets.step_page import StepPage
from napari_slagseg.workflow import Step
from napari_slagseg.workflow.blockwise import StepPlan
from napari_slagseg.workflow.planning import PlanProcess


class BlockStepPage(StepPage):
    """A step page with memory, workers and a plan.

    Parameters
    ----------
    session, step, intro, basic, button
        As for `StepPage`.
    """

    def __init__(
        self,
        session: Session,
        step: Step,
        intro: str,
        basic: Sequence[str] = (),
        button: str = "Run",
    ) -> None:
        super().__init__(session, step, intro, basic=basic, button=button)
        self.resources = ResourcesForm(session.resources)
        self.plan_button = QPushButton("Plan")
        self.plan_button.setToolTip(
            "tell blocks, memory, disk and time before the step is run; takes some seconds"
        )
        # it reads the project, and may be asked for where nothing may be written
        self.plan_button.setProperty("reads_only", True)
        self.plan_button.clicked.connect(self.make_plan)
        self.plan = QLabel()
        self.plan.setWordWrap(True)
        self.plan.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.plan.hide()
        box = QGroupBox("Resources")
        inside = QVBoxLayout(box)
        inside.addWidget(self.resources)
        inside.addWidget(self.plan_button)
        inside.addWidget(self.plan)
        self.body.insertWidget(self.body.indexOf(self.run_button), box)
        self.latest = Latest(self)
        self.latest.done.connect(self._planned)
        self.latest.failed.connect(lambda text: self._show_plan(_wrong(text)))
        self._process: PlanProcess | None = None
        self._planned_for: Project | None = None
        # a plan that was made for other resources says nothing of these
        session.resources.changed.connect(self.drop_plan)
        session.project_changed.connect(lambda _: self.drop_plan())

    def ask(self) -> None:
        """Check resources and settings, and ask for the run."""
        if self.resources.say_problems():
            self.failed.emit(" ".join(self.session.resources.problems().values()))
            return
        super().ask()

    def make_plan(self) -> None:
        """Find beside the window what the step will take."""
        project = self.session.project
        if project is None:
            self.failed.emit("Make or open a project first.")
            return
        if self.resources.say_problems():
            return
        self.drop_plan()
        self._show_plan("making the plan…")
        values = self.session.resources.checked().model_dump()
        try:
            process = PlanProcess(project.folder, self.step.name, values)
        except OSError as error:
            self._show_plan(_wrong(f"The plan could not be made: {error}."))
            return
        self._process = process

        def wait() -> object:
            try:
                return process, process.wait()
            except CancelledError:
                return process, None
            except SlagsegError as error:
                return process, error

        self.latest.ask("plan", wait)

    def drop_plan(self) -> None:
        """Forget the plan, and end the one that is being made."""
        if self._process is not None:
            self._process.kill()
            self._process = None
        self.plan.hide()

    def close_down(self) -> None:
        """End what runs."""
        self.drop_plan()
        self.latest.close()

    def _planned(self, _: str, found: object) -> None:
        process, plan = found
        if process is self._process and plan is not None:
            self._process = None
            self._show_plan(_as_table(plan) if isinstance(plan, StepPlan) else _wrong(str(plan)))

    def _show_plan(self, text: str) -> None:
        self.plan.setText(text)
        self.plan.show()


def _wrong(text: str) -> str:
    return f"<span style='color:#d55e00'>{escape(text)}</span>"


def _as_table(plan: StepPlan) -> str:
    """A plan as a terminal shows it, its names in a column of their own."""
    rows = []
    for line in plan.text().splitlines()[1:]:
        name, _, value = line.strip().partition(" ")
        rows.append(f"<tr><td width='70'>{escape(name)}</td><td>{escape(value.strip())}</td></tr>")
    if not plan.fits:
        lacking = plan.scratch_bytes + plan.result_bytes - plan.free_bytes
        rows.append(f"<tr><td colspan='2'>{_wrong(_too_small(lacking))}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def _too_small(lacking: int) -> str:
    return (
        f"This does not fit: the project's disk has {lacking / 1e9:.1f} GB too little. Free some "
        "space, or move the project to another disk."
    )


__all__ = ["BlockStepPage"]
