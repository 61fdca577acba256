"""Phases and scale of the gallery, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_slagseg.liberation.line_ups import Colour, round_length

_BAR = 90
"""Pixels that the scale bar has at most."""


class GalleryLegend(QWidget):
    """Scale bar and colours of the phases; what has no room is in the tooltip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.phases: list[tuple[str, Colour]] = []
        self.length_um = 0.0
        self.bar_pixels = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """One line."""
        return QSize(260, 22)

    def minimumSizeHint(self) -> QSize:
        """Room for the scale bar."""
        return QSize(160, 22)

    def set_phases(self, phases: Sequence[tuple[str, Colour]]) -> None:
        """Name other phases."""
        self.phases = list(phases)
        self.setToolTip(", ".join(name for name, _ in phases))
        self.update()

    def set_scale(self, pixels_per_um: float) -> None:
        """Draw the bar for another scale; 0 for none."""
        self.length_um = round_length(_BAR / pixels_per_um) if pixels_per_um > 0 else 0.0
        self.bar_pixels = self.length_um * pixels_per_um
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        ink = self.palette().windowText().color()
        painter.setPen(ink)
        h, x = float(self.height()), 8.0
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        measure = painter.fontMetrics()
        if self.length_um:
            words = f"{self.length_um:g} µm"
            painter.fillRect(QRectF(x, h / 2 - 2, self.bar_pixels, 4), ink)
            x += self.bar_pixels + 6
            painter.drawText(QRectF(x, 0, 90, h), flags, words)
            x += measure.horizontalAdvance(words) + 16
        for name, colour in self.phases:
            wide = measure.horizontalAdvance(name)
            if x + 18 + wide > self.width():
                painter.drawText(QRectF(x, 0, 20, h), flags, "…")
                break
            painter.fillRect(QRectF(x, h / 2 - 6, 12, 12), QColor(*colour))
            painter.drawText(QRectF(x + 17, 0, wide + 4, h), flags, name)
            x += wide + 32
        painter.end()


__all__ = ["GalleryLegend"]
