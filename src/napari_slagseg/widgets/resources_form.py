"""Fields for what the long steps may use of the machine."""

from __future__ import annotations

from html import escape

from qtpy.QtWidgets import QFormLayout, QLabel, QLineEdit, QSpinBox, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_slagseg.widgets.chosen_resources import ChosenResources
from napari_slagseg.workflow.blockwise import Resources

_MOST_WORKERS = 1024


class ResourcesForm(QWidget):
    """Fields for memory and workers, and under *Advanced* for a scheduler.

    Parameters
    ----------
    chosen : ChosenResources
        Shared by all forms of a viewer.
    """

    def __init__(self, chosen: ChosenResources) -> None:
        super().__init__()
        self.chosen = chosen
        described = {n: f.description or "" for n, f in Resources.model_fields.items()}
        self.memory = QLineEdit()
        self.memory.setPlaceholderText("automatic")
        self.memory.setToolTip(described["memory"])
        self.workers = QSpinBox()
        self.workers.setRange(0, _MOST_WORKERS)
        self.workers.setSpecialValueText("automatic")
        self.workers.setToolTip(described["workers"])
        self.scheduler = QLineEdit()
        self.scheduler.setPlaceholderText("none: this machine")
        self.scheduler.setToolTip(described["scheduler"])
        self.wrong: dict[str, QLabel] = {"memory": QLabel(), "scheduler": QLabel()}
        for label in self.wrong.values():
            label.setWordWrap(True)
            label.hide()
        shown, folded = QFormLayout(), QFormLayout()
        for layout in (shown, folded):
            layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
            layout.setContentsMargins(0, 0, 0, 0)
        shown.addRow("memory limit", self.memory)
        shown.addRow(self.wrong["memory"])
        shown.addRow("workers", self.workers)
        folded.addRow("scheduler", self.scheduler)
        folded.addRow(self.wrong["scheduler"])
        inside = QWidget()
        inside.setLayout(folded)
        self.advanced = QCollapsible("Advanced")
        self.advanced.addWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(shown)
        outer.addWidget(self.advanced)
        self.memory.textChanged.connect(lambda text: chosen.choose(memory=text))
        self.scheduler.textChanged.connect(lambda text: chosen.choose(scheduler=text))
        self.workers.valueChanged.connect(lambda count: chosen.choose(workers=count))
        for field in (self.memory, self.scheduler):
            field.editingFinished.connect(self.say_problems)
        chosen.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        said = self.chosen.said
        for field, text in ((self.memory, said.memory), (self.scheduler, said.scheduler)):
            if field.text() != text:
                field.setText(text)
        self.workers.setValue(said.workers)
        # half a word is no mistake yet, but one that was told goes when it is mended
        problems = self.chosen.problems()
        for name, label in self.wrong.items():
            if name not in problems:
                label.hide()

    def say_problems(self) -> bool:
        """Say beside each field what is wrong with it; whether anything is."""
        problems = self.chosen.problems()
        for name, label in self.wrong.items():
            text = problems.get(name, "")
            label.setText(f"<span style='color:#d55e00'>{escape(text)}</span>")
            label.setVisible(bool(text))
        if "scheduler" in problems:
            self.advanced.expand(animate=False)
        return bool(problems)


__all__ = ["ResourcesForm"]
