"""Page 4: train the networks, with live curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QPushButton

from napari_slagseg.data import ProgressEvent
from napari_slagseg.project import Project
from napari_slagseg.widgets.plots import PlotCanvas
from napari_slagseg.widgets.session import Session
from napari_slagseg.widgets.step_page import RunList, StepPage
from napari_slagseg.workflow import QUICK_TRAINING, STEPS, TrainConfig, make_config

TRAINING_COLOUR, VALIDATION_COLOUR = "#56b4e9", "#e69f00"


class TrainPage(StepPage):
    """Training of both networks and their loss curves."""

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            STEPS["train-phase"],
            "Trains on the known voxels. The paper's settings need a GPU and hours; quick ones "
            "take minutes on a CPU. A stopped training goes on where it stopped.",
            basic=("size", "epochs", "steps"),
            button="Train",
        )
        self.network = QComboBox()
        self.network.addItem("both networks", ("train-phase", "train-particle"))
        self.network.addItem("phase network", ("train-phase",))
        self.network.addItem("particle network", ("train-particle",))
        self.network.setToolTip("phases: which mineral; particles: what separates them")
        self.network.currentIndexChanged.connect(self._show_history)
        form = QFormLayout()
        form.addRow("train", self.network)
        self.body.insertLayout(1, form)
        self.quick = QPushButton("Quick settings")
        self.quick.setToolTip("fill in settings for a first look: minutes on a CPU")
        self.quick.clicked.connect(lambda: self.fill(QUICK_TRAINING))
        self.thorough = QPushButton("The paper's settings")
        self.thorough.setToolTip("fill in the settings of the paper: hours on a GPU")
        self.thorough.clicked.connect(lambda: self.fill({}))
        both = QHBoxLayout()
        both.addWidget(self.quick)
        both.addWidget(self.thorough)
        self.body.insertLayout(2, both)
        self.plot = PlotCanvas(height=220)
        self.extra.addWidget(self.plot, 1)
        self._training: list[tuple[float, float]] = []
        self._validation: list[tuple[float, float]] = []
        self._running = ""

    def fill(self, values: Mapping[str, Any]) -> None:
        """Fill the form with these settings and the defaults of the others."""
        self.form.set_values(TrainConfig(**values).model_dump())

    def step_names(self) -> tuple[str, ...]:
        """Both trainings."""
        return ("train-phase", "train-particle")

    def steps_to_run(self) -> RunList:
        """The chosen trainings with the form's values."""
        config = make_config(self.step, self.form.values()).model_dump(mode="json")
        return [(name, config) for name in self.network.currentData()]

    def refresh(self, project: Project) -> None:
        """Show the last run and its curves."""
        super().refresh(project)
        self._show_history()

    def begin(self, name: str) -> None:
        """Start new curves for a training."""
        self._running = name
        self._training, self._validation = [], []

    def follow(self, event: ProgressEvent) -> None:
        """Add a live value to the curves."""
        values = event.values
        if "epoch" not in values:
            return
        at = float(values["epoch"])
        if "step" in values and values.get("steps"):
            at += float(values["step"]) / float(values["steps"])
        if isinstance(values.get("loss"), (int, float)):
            self._training.append((at, float(values["loss"])))
        if isinstance(values.get("validation_loss"), (int, float)):
            self._validation.append((at, float(values["validation_loss"])))
        self._draw(self._running, self._training, self._validation)

    def _show_history(self, _: int = 0) -> None:
        project = self.session.project
        if project is None:
            return
        name = self.network.currentData()[0]
        folder = project.model_folder(name.partition("-")[2])
        history = None if folder is None else folder / "history.csv"
        if history is None or not history.is_file():
            self._draw("", [], [])
            return
        training, validation = _curves(history)
        self._draw(f"{name} ({folder.name})", training, validation)

    def _draw(
        self,
        title: str,
        training: list[tuple[float, float]],
        validation: list[tuple[float, float]],
    ) -> None:
        axes = self.plot.fresh_axes()
        if training:
            axes.plot(*zip(*training), color=TRAINING_COLOUR, label="training")
        if validation:
            axes.plot(*zip(*validation), color=VALIDATION_COLOUR, marker=".", label="validation")
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.set_title(title, fontsize="small")
        if training or validation:
            axes.legend(fontsize="small")
        self.plot.finish()


def _curves(history: Path) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Training and validation curve of a stored history."""
    frame = pd.read_csv(history)
    found = []
    for column in ("loss", "validation_loss"):
        if column in frame:
            kept = frame.dropna(subset=[column])
            found.append(list(zip(kept["epoch"].astype(float), kept[column].astype(float))))
        else:
            found.append([])
    return found[0], found[1]


__all__ = ["TrainPage"]
