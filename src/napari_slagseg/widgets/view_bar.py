"""The Alignment dock's upper row: which map is shown, and how."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QSlider, QWidget

from napari_slagseg.widgets.fit_picture import AMOUNTS, VIEWS, ViewName, ViewSettings

_AMOUNT_AT_FIRST: dict[ViewName, int] = {
    "checkerboard": 50, "swipe": 50, "blend": 50, "CT edges": 40, "residual": 25,
}  # fmt: skip

_WITH_GREY_MAP: tuple[ViewName, ...] = ("side", "checkerboard", "swipe", "blend", "CT edges")
"""Views in which the map can be drawn in the CT's grey values."""


class ViewBar(QWidget):
    """Chooses the map and the view; every view keeps what its slider was set to.

    Signals
    -------
    map_asked : (str)
        The user chose a map.
    changed : ()
        The picture is to be made otherwise; see `settings`.
    outlined_changed : ()
        The cutouts' frames are to be drawn, or not.
    """

    map_asked = Signal(str)
    changed = Signal()
    outlined_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._amounts = dict(_AMOUNT_AT_FIRST)
        self.maps = QComboBox()
        # a long name must not push the other controls out of the window
        self.maps.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.maps.setMinimumContentsLength(9)
        self.views = QComboBox()
        for name, title in VIEWS.items():
            self.views.addItem(title, name)
        self.amount_label = QLabel()
        metrics = self.amount_label.fontMetrics()
        widest = max(metrics.horizontalAdvance(words) for words in AMOUNTS.values())
        self.amount_label.setMinimumWidth(widest + 6)
        self.amount_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.amount = QSlider(Qt.Orientation.Horizontal)
        self.amount.setRange(0, 100)
        self.amount.setMinimumWidth(110)
        self.grey = QCheckBox("map in grey values")
        self.grey.setToolTip("draw the map as the CT would show it, instead of in phase colours")
        self.outlined = QCheckBox("cutouts")
        self.outlined.setToolTip("draw the cutouts' frames over the picture")
        self.outlined.setChecked(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.maps, self.views, self.amount_label):
            layout.addWidget(widget)
        layout.addWidget(self.amount, 1)
        layout.addWidget(self.grey)
        layout.addWidget(self.outlined)
        self._suit_view()
        self.maps.currentTextChanged.connect(self._choose_map)
        self.views.currentIndexChanged.connect(self._turn)
        self.amount.valueChanged.connect(self._amount_moved)
        self.grey.toggled.connect(lambda _: self.changed.emit())
        self.outlined.toggled.connect(lambda _: self.outlined_changed.emit())

    @property
    def view(self) -> ViewName:
        """View that is chosen."""
        return self.views.currentData()

    @property
    def settings(self) -> ViewSettings:
        """What the controls say."""
        return ViewSettings(self.view, self.amount.value() / 100, self.grey.isChecked())

    def show_maps(self, names: Sequence[str], name: str) -> None:
        """List the maps, with the one that is looked at chosen."""
        self.maps.blockSignals(True)
        self.maps.clear()
        self.maps.addItems(names)
        self.maps.setCurrentIndex(self.maps.findText(name))
        self.maps.blockSignals(False)

    def show_view(self, view: ViewName) -> None:
        """Turn to a view."""
        self.views.setCurrentIndex(self.views.findData(view))

    def _choose_map(self, name: str) -> None:
        if name:
            self.map_asked.emit(name)

    def _turn(self, _: int) -> None:
        self._suit_view()
        self.changed.emit()

    def _suit_view(self) -> None:
        """Show what can be set in this view, and what it was set to."""
        words = AMOUNTS.get(self.view, "")
        self.amount_label.setText(words or "—")
        self.amount.setEnabled(bool(words))
        self.amount.blockSignals(True)
        self.amount.setValue(self._amounts.get(self.view, 50))
        self.amount.blockSignals(False)
        self.grey.setEnabled(self.view in _WITH_GREY_MAP)

    def _amount_moved(self, value: int) -> None:
        self._amounts[self.view] = value
        self.changed.emit()


__all__ = ["ViewBar"]
