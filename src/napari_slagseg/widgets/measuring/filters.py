"""Target and filters of the measure dock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, cast

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QWidget,
    QWidgetAction,
)

from napari_slagseg.liberation import SampleFilter

_BORDER = (
    ("exclude", "left out", "particles that touch the border of the volume are left out"),
    (
        "weighted",
        "left out, weighted",
        "they are left out, and whole particles count more the larger they are, as large ones "
        "are cut more often (Miles-Lantuéjoul)",
    ),
    ("include", "included", "particles that touch the border count as if they were whole"),
)
_LOCKED = (
    ("all", "all", "every particle takes part"),
    ("without", "without locked", "particles with target but none of it at the surface stay out"),
    ("only", "only locked", "only particles with target and none of it at the surface take part"),
)


class PhaseMenu(QPushButton):
    """Names of phases to tick; at least one stays ticked.

    Signals
    -------
    changed : ()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip("target phase; tick several to take them as one target")
        self._menu = QMenu(self)
        self.setMenu(self._menu)
        self.setText("no target")
        self.setMaximumWidth(170)
        self.boxes: dict[str, QCheckBox] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Ticked phases."""
        return tuple(name for name, box in self.boxes.items() if box.isChecked())

    def set_phases(self, names: Sequence[str], ticked: Sequence[str]) -> None:
        """Offer other phases."""
        self._menu.clear()
        self.boxes.clear()
        for name in names:
            box = QCheckBox(name.replace("&", "&&"))
            box.setStyleSheet("padding: 4px 10px;")
            box.setChecked(name in ticked)
            box.toggled.connect(lambda on, box=box: self._ticked(box, on))
            # in an action of its own, so that the menu stays open for the next
            action = QWidgetAction(self._menu)
            action.setDefaultWidget(box)
            self._menu.addAction(action)
            self.boxes[name] = box
        self._say()

    def tick(self, names: Sequence[str]) -> None:
        """Tick these phases and no others, as the user would."""
        for on in (True, False):
            for name, box in self.boxes.items():
                if (name in names) == on:
                    box.setChecked(on)

    def _ticked(self, box: QCheckBox, on: bool) -> None:
        if not on and not self.names:
            box.setChecked(True)
            return
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        self.setText(" + ".join(self.names).replace("&", "&&") or "no target")


class FilterBar(QWidget):
    """Which particles take part, and what the target is.

    Signals
    -------
    changed : ()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.target = PhaseMenu()
        self.smallest, self.largest = _size_box("any"), _size_box("any")
        self.smallest.setToolTip("smallest equivalent diameter, of sections their own; 0: any")
        self.largest.setToolTip("largest equivalent diameter, of sections their own; 0: any")
        self.border = _combo(_BORDER)
        self.locked = _combo(_LOCKED)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for name, widgets in (
            ("Target", (self.target,)),
            ("Size", (self.smallest, QLabel("to"), self.largest)),
            ("Border", (self.border,)),
            ("Locked", (self.locked,)),
        ):
            layout.addWidget(QLabel(name))
            for widget in widgets:
                layout.addWidget(widget)
            layout.addSpacing(4)
        layout.addStretch(1)
        self.target.changed.connect(self.changed)
        for box in (self.smallest, self.largest):
            box.valueChanged.connect(lambda _: self.changed.emit())
        for combo in (self.border, self.locked):
            combo.currentIndexChanged.connect(lambda _: self.changed.emit())

    def set_filters(self, filters: SampleFilter) -> None:
        """Take other filters, without telling of it."""
        blocked = self.blockSignals(True)
        self.smallest.setValue(filters.min_size_um)
        self.largest.setValue(0 if math.isinf(filters.max_size_um) else filters.max_size_um)
        self.border.setCurrentIndex(self.border.findData(filters.border))
        self.locked.setCurrentIndex(self.locked.findData(filters.locked))
        self.blockSignals(blocked)

    def filters(self) -> SampleFilter:
        """The filters as they stand.

        Raises
        ------
        SlagsegError
            If the smallest size is above the largest.
        """
        return SampleFilter(
            min_size_um=self.smallest.value(),
            max_size_um=self.largest.value() or math.inf,
            border=cast(Literal["exclude", "weighted", "include"], self.border.currentData()),
            locked=cast(Literal["all", "without", "only"], self.locked.currentData()),
        )


def _size_box(nothing: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0, 1e7)
    box.setDecimals(1)
    box.setSingleStep(5)
    box.setSpecialValueText(nothing)
    box.setSuffix(" µm")
    # not at every key: "120" is not meant as 1, 12, 120
    box.setKeyboardTracking(False)
    box.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setFixedWidth(72)
    return box


def _combo(choices: Sequence[tuple[str, str, str]]) -> QComboBox:
    combo = QComboBox()
    for key, words, meaning in choices:
        combo.addItem(words, key)
        combo.setItemData(combo.count() - 1, meaning, 3)  # Qt.ItemDataRole.ToolTipRole
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)
    combo.view().setMinimumWidth(180)
    combo.setToolTip("\n".join(f"{words}: {meaning}" for _, words, meaning in choices))
    return combo


__all__ = ["FilterBar", "PhaseMenu"]
