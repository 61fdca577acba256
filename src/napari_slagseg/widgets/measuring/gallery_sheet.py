"""The sheet of the particle gallery: pictures side by side, like a line of print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from qtpy.QtCore import QEvent, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from qtpy.QtWidgets import QToolTip, QWidget

from napari_slagseg.liberation.line_ups import ParticlePicture
from napari_slagseg.widgets.measuring.choice import CHOSEN_COLOUR, Choice
from napari_slagseg.widgets.plots import theme_colours

TYPICAL = 76
"""Pixels that a particle of middling size takes."""

LARGEST = 260
"""Pixels that the largest one takes at most."""

_GAP = 12
_CAPTION = 16
_NARROWEST = 78


@dataclass
class Place:
    """A particle's place on the sheet."""

    label: int
    caption: str
    words: str
    size_um: tuple[float, float]
    picture: ParticlePicture | None = None
    missing: bool = False
    rect: QRectF = field(default_factory=QRectF)
    pixmap: QPixmap | None = None


class GallerySheet(QWidget):
    """Pictures of particles from left to right, row by row.

    Signals
    -------
    clicked : (int, bool)
        Label, and whether it is to be added to the chosen ones.
    """

    clicked = Signal(int, bool)

    def __init__(self, choice: Choice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = choice
        self.places: list[Place] = []
        self.one_scale = True
        self.words = ""
        self.pixels_per_um = 1.0
        self.setMouseTracking(True)
        self._high = 100
        choice.changed.connect(lambda _: self.update())

    def set_places(self, places: Sequence[Place]) -> None:
        """Show other particles, whose pictures are still to come."""
        self.places = list(places)
        self.lay_out()

    def put(self, at: int, picture: ParticlePicture | None) -> None:
        """Show a picture at its place; None says that there is no such particle."""
        place = self.places[at]
        place.picture, place.missing, place.pixmap = picture, picture is None, None
        self.update(place.rect.toAlignedRect())

    def settle(self) -> None:
        """Lay the sheet out anew by what the pictures turned out to be."""
        for place in self.places:
            if place.picture is not None:
                place.size_um = place.picture.size_um
        self.lay_out()

    def label_at(self, x: float, y: float) -> int:
        """Particle at a point, 0 for none."""
        place = self._place_at(x, y)
        return 0 if place is None else place.label

    def _place_at(self, x: float, y: float) -> Place | None:
        return next((p for p in self.places if p.rect.contains(x, y)), None)

    def lay_out(self) -> None:
        """Give every particle its place."""
        longest = np.array([max(p.size_um) for p in self.places] or [1.0])
        self.pixels_per_um = min(TYPICAL / float(np.median(longest)), LARGEST / longest.max())
        width = max(self.width(), 200)
        x, y, high, row = float(_GAP), float(_GAP), 0.0, []
        for place in self.places:
            w, h = self._pixels(place)
            across = max(w, _NARROWEST)
            if row and x + across + _GAP > width:
                y = self._end_row(row, y, high)
                x, high, row = float(_GAP), 0.0, []
            place.rect = QRectF(x, y, across, h + _CAPTION)
            place.pixmap = None
            row.append(place)
            x, high = x + across + _GAP, max(high, h)
        self._high = round(self._end_row(row, y, high)) if row else 100
        self.setMinimumHeight(self._high)
        self.updateGeometry()
        self.update()

    def _end_row(self, row: list[Place], y: float, high: float) -> float:
        for place in row:  # captions stand in one line
            place.rect.setHeight(high + _CAPTION)
        return y + high + _CAPTION + _GAP

    def _pixels(self, place: Place) -> tuple[float, float]:
        height, width = place.size_um
        scale = self.pixels_per_um if self.one_scale else TYPICAL / max(height, width)
        return max(width * scale, 2.0), max(height * scale, 2.0)

    def sizeHint(self) -> QSize:
        """As high as the rows are."""
        return QSize(400, self._high)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fill the new width."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.lay_out()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what is in sight."""
        ink, ground = (QColor(c) for c in theme_colours())
        painter = QPainter(self)
        painter.fillRect(event.rect(), ground)
        painter.setPen(ink)
        font = painter.font()
        font.setPointSizeF(max(6.5, 0.8 * font.pointSizeF()))
        painter.setFont(font)
        if not self.places:
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self.words)
        for place in self.places:
            if place.rect.intersects(QRectF(event.rect())):
                self._paint(painter, place, ink)
        painter.end()

    def _paint(self, painter: QPainter, place: Place, ink: QColor) -> None:
        rect = place.rect
        w, h = self._pixels(place)
        picture_high = rect.height() - _CAPTION
        at = QRectF(rect.center().x() - w / 2, rect.y() + (picture_high - h) / 2, w, h)
        if place.label in self.choice:
            painter.setPen(QPen(QColor(CHOSEN_COLOUR), 2))
            painter.drawRoundedRect(rect.adjusted(-3, -3, 3, 1), 4, 4)
        if place.picture is not None:
            if place.pixmap is None:
                place.pixmap = self._scaled(place.picture, w, h)
            painter.drawPixmap(at, place.pixmap, QRectF(place.pixmap.rect()))
        else:
            faint = QColor(ink)
            faint.setAlpha(60)
            painter.setPen(QPen(faint, 1, Qt.PenStyle.DotLine))
            painter.drawEllipse(at)
            if place.missing:
                painter.drawText(at, int(Qt.AlignmentFlag.AlignCenter), "gone")
        painter.setPen(ink)
        below = QRectF(rect.x() - 6, rect.bottom() - _CAPTION, rect.width() + 12, _CAPTION)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignCenter), place.caption)

    def _scaled(self, picture: ParticlePicture, w: float, h: float) -> QPixmap:
        rgba = np.ascontiguousarray(picture.rgba)
        rows, columns = rgba.shape[:2]
        image = QImage(
            rgba.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888
        ).convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
        ratio = self.devicePixelRatioF()
        scaled = image.scaled(
            max(1, round(w * ratio)),
            max(1, round(h * ratio)),
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        return QPixmap.fromImage(scaled)

    def event(self, event: QEvent) -> bool:
        """Show the numbers of the particle under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            place = self._place_at(event.pos().x(), event.pos().y())
            if place is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), place.words, self, place.rect.toAlignedRect())
            return True
        return super().event(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Show that a particle can be clicked on."""
        at = event.position()
        on = self.label_at(at.x(), at.y())
        self.setCursor(Qt.CursorShape.PointingHandCursor if on else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell which particle was clicked on."""
        at = event.position()
        label = self.label_at(at.x(), at.y())
        if label and event.button() == Qt.MouseButton.LeftButton:
            several = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
            self.clicked.emit(label, bool(event.modifiers() & several))


__all__ = ["LARGEST", "TYPICAL", "GallerySheet", "Place"]
