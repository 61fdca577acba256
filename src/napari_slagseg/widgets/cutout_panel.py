"""Controls for the cutouts: what is known of the chosen ones, their states, and nudges."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg.data import Cutout, PlacedMap
from napari_slagseg.data.placement import DOUBTFUL_FROM, GOOD_FROM
from napari_slagseg.registration.steering import Nudge
from napari_slagseg.widgets.alignment_keys import COARSE, KEYS, shown_for
from napari_slagseg.widgets.outlines import GRADE_COLOURS, LOCKED_COLOUR

GRADE_WORDS = {
    "good": "good",
    "doubtful": "doubtful",
    "bad": "bad",
    "unknown": "not judged",
}

_PAD = {
    "[": (0, 0), "↑": (0, 1), "]": (0, 2), "Page Up": (0, 3),
    "←": (1, 0), "↓": (1, 1), "→": (1, 2), "Page Down": (1, 3),
}  # fmt: skip
_FACES = {"[": "⟲", "]": "⟳", "Page Up": "z +", "Page Down": "z −"}


def legend_text() -> str:
    """What the colours of the frames mean, in one line of rich text."""
    marks = [
        f"<span style='color:{colour}'>■</span> {GRADE_WORDS[grade]}"
        for grade, colour in GRADE_COLOURS.items()
    ]
    marks.append(f"<span style='color:{LOCKED_COLOUR}'>■</span> locked (thick)")
    marks.append("┄ rejected")
    return " &nbsp;".join(marks)


def shown_probability(probability: float) -> str:
    """Two digits that never round a probability up into a better grade."""
    for limit in (GOOD_FROM, DOUBTFUL_FROM):
        if probability < limit <= round(probability, 2):
            return f"{limit - 0.01:.2f}"
    return f"{probability:.2f}"


def cutout_text(index: int, cutout: Cutout) -> str:
    """All numbers of a cutout, as rich text."""
    sure = "not judged at this place"
    if cutout.probability is not None:
        sure = f"{shown_probability(cutout.probability)} ({GRADE_WORDS[cutout.grade]})"
    step = "not measured" if cutout.step_voxels is None else f"{cutout.step_voxels:.2f} voxels"
    return (
        f"<b>Cutout {index}</b>, {cutout.state}<br>"
        f"probability {sure}<br>"
        f"correlation {cutout.score:.3f}<br>"
        f"distance from the surface {cutout.residual_voxels:.2f} voxels<br>"
        f"step inside {step}"
    )


def chosen_text(placed: PlacedMap | None, chosen: Sequence[int]) -> str:
    """What is known of the chosen cutouts."""
    if placed is None or not placed.cutouts:
        return "This map has no cutouts."
    if not placed.placed:
        lines = "This map was <b>refused</b>: its cutouts are used for nothing and not judged."
        if not chosen:
            return f"{lines}<br>Nudges move the whole map."
        of = ", ".join(map(str, chosen))
        return f"{lines}<br>Chosen: {of}."
    if not chosen:
        used = sum(c.accepted for c in placed.cutouts)
        return (
            f"No cutout is chosen: nudges move <b>the whole map</b>.<br>"
            f"{used} of {len(placed.cutouts)} cutouts are accepted. Click one for its numbers; "
            "Shift-click adds more."
        )
    if len(chosen) == 1:
        return cutout_text(chosen[0], placed.cutouts[chosen[0]])
    found = [placed.cutouts[i] for i in chosen]
    counts = {s: sum(c.state == s for c in found) for s in ("accepted", "rejected", "locked")}
    states = ", ".join(f"{n} {s}" for s, n in counts.items() if n)
    return (
        f"<b>{len(chosen)} cutouts</b>: {states}<br>"
        f"correlation {min(c.score for c in found):.3f} to {max(c.score for c in found):.3f}<br>"
        f"furthest from the surface {max(c.residual_voxels for c in found):.2f} voxels"
    )


class CutoutPanel(QWidget):
    """Numbers, states and nudges of cutouts.

    Signals
    -------
    state_asked : (str)
        "accepted", "rejected" or "locked".
    nudge_asked : (Nudge)
        One step of a button.
    """

    state_asked = Signal(str)
    nudge_asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.about.setMinimumHeight(86)
        self.about.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.buttons: dict[str, QPushButton] = {}
        states = QHBoxLayout()
        for text, state, action in (
            ("Accept", "accepted", "accept"),
            ("Reject", "rejected", "reject"),
            ("Lock", "locked", "lock"),
        ):
            button = QPushButton(text)
            tip = next(k.does for k in KEYS if k.action == action)
            button.setToolTip(f"{tip}  ({shown_for(action)})")
            button.clicked.connect(lambda _=False, s=state: self.state_asked.emit(s))
            self.buttons[state] = button
            states.addWidget(button)
        self.step = QDoubleSpinBox()
        self.step.setRange(0.05, 100.0)
        self.step.setDecimals(2)
        self.step.setSingleStep(0.25)
        self.step.setValue(0.5)
        self.step.setSuffix(" voxels")
        self.angle = QDoubleSpinBox()
        self.angle.setRange(0.02, 45.0)
        self.angle.setDecimals(2)
        self.angle.setSingleStep(0.1)
        self.angle.setValue(0.25)
        self.angle.setSuffix("°")
        tip = f"one press of a key; Shift makes it {COARSE:g} times as large, Alt a fifth"
        for spin in (self.step, self.angle):
            spin.setToolTip(tip)
        steps = QFormLayout()
        steps.setContentsMargins(0, 0, 0, 0)
        steps.addRow("Step", self.step)
        steps.addRow("Turn", self.angle)
        pad = QGridLayout()
        pad.setSpacing(2)
        self.pad: dict[str, QToolButton] = {}
        for key in (k for k in KEYS if k.action == "nudge"):
            button = QToolButton()
            button.setText(_FACES.get(key.shown, key.shown))
            button.setToolTip(f"{key.does}  ({key.shown})")
            button.setFixedSize(34, 26)
            button.clicked.connect(
                lambda _=False, n=key.nudge: self.nudge_asked.emit(self.sized(n))
            )
            self.pad[key.shown] = button
            pad.addWidget(button, *_PAD[key.shown])
        nudges = QHBoxLayout()
        nudges.addLayout(steps, 1)
        nudges.addLayout(pad)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.about)
        layout.addLayout(states)
        layout.addLayout(nudges)
        layout.addStretch(1)

    def sized(self, nudge: Nudge, factor: float = 1.0) -> Nudge:
        """A nudge of one step, times the step sizes that are set."""
        length, angle = self.step.value() * factor, self.angle.value() * factor
        return Nudge(
            nudge.down * length, nudge.right * length, nudge.up * length, nudge.turn_deg * angle
        )

    def show_cutouts(self, placed: PlacedMap | None, chosen: Sequence[int], why_not: str) -> None:
        """Show the chosen cutouts; `why_not` says why nothing may be changed."""
        self.about.setText(chosen_text(placed, chosen))
        has_place = placed is not None and placed.surface is not None
        for button in self.buttons.values():
            button.setEnabled(bool(chosen) and not why_not)
        for button in self.pad.values():
            button.setEnabled(has_place and not why_not)


__all__ = [
    "GRADE_WORDS",
    "CutoutPanel",
    "chosen_text",
    "cutout_text",
    "legend_text",
    "shown_probability",
]
