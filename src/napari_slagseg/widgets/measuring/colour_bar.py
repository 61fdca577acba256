"""Choosing the column that particles are coloured by, and what the colours mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QSizePolicy, QWidget

from napari_slagseg.widgets.measuring.column_box import ColumnBox, numeric_columns
from napari_slagseg.widgets.measuring.particle_views import NO_VALUE, step_colours


class ScaleLegend(QWidget):
    """A strip of the colours with the values of its ends."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scale = (0.0, 1.0)
        self.unit = ""
        colours = np.rint(step_colours()[None, :, :3] * 255).astype(np.uint8)
        self._colours = np.ascontiguousarray(colours)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Room for the strip, two numbers and the grey."""
        return QSize(208, 22)

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def words(self) -> tuple[str, str]:
        """What is written at the two ends."""
        low, high = self.scale
        return f"{low:.3g}", f"{high:.3g} {self.unit}".strip()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        low, high = self.words()
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        left, right = int(Qt.AlignmentFlag.AlignLeft), int(Qt.AlignmentFlag.AlignRight)
        h = self.height()
        painter.drawText(QRectF(0, 0, 40, h), middle | right, low)
        count = self._colours.shape[1]
        strip = QImage(
            self._colours.tobytes(), count, 1, 3 * count, QImage.Format.Format_RGB888
        ).copy()
        painter.drawImage(QRectF(44, h / 2 - 6, 60, 12), strip)
        painter.drawText(QRectF(108, 0, 58, h), middle | left, high)
        painter.fillRect(QRectF(168, h / 2 - 6, 10, 12), QColor.fromRgbF(*NO_VALUE))
        painter.drawText(QRectF(181, 0, 27, h), middle | left, "n/a")
        painter.end()


class ColourBar(QWidget):
    """Colours the particles by a column, or not.

    Signals
    -------
    changed : ()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.on = QCheckBox("Colour by")
        self.on.setToolTip("colour the particles in the viewer by a column; off: ordinary colours")
        self.column = ColumnBox("volume_liberation")
        self.column.setMinimumContentsLength(12)
        self.legend = ScaleLegend()
        self.legend.hide()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.on)
        layout.addWidget(self.column)
        self.on.toggled.connect(self._changed)
        self.column.chosen.connect(self._chosen)

    @property
    def name(self) -> str:
        """Column that particles are coloured by; empty for none."""
        return self.column.column if self.on.isChecked() else ""

    def set_table(self, frame: pd.DataFrame) -> None:
        """Offer the columns of a table."""
        self.column.set_columns([c for c in numeric_columns(frame) if c != "label"])

    def explain(self, scale: tuple[float, float], unit: str) -> None:
        """Say what the colours mean."""
        self.legend.scale, self.legend.unit = scale, "" if unit == "1" else unit
        self.legend.update()

    def _chosen(self, _: str) -> None:
        if not self.on.isChecked():
            self.on.setChecked(True)
        else:
            self.changed.emit()

    def _changed(self, on: bool) -> None:
        self.legend.setVisible(on)
        self.changed.emit()


__all__ = ["ColourBar", "ScaleLegend"]
