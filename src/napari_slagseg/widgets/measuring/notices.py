"""What to be careful about, in one line that opens to all of it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

_COLOUR = "#e69f00"


class NoticeLine(QWidget):
    """The first notice, cut to the width."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = ""
        self.label, self.more = QLabel(), QPushButton()
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setStyleSheet(f"color: {_COLOUR};")
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.more.setCheckable(True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.label, 1)
        row.addWidget(self.more)

    def elide(self) -> None:
        """Cut the words to the width."""
        wide = max(30, self.width() - self.more.sizeHint().width() - 12)
        measure = self.label.fontMetrics()
        self.label.setText(measure.elidedText(self.words, Qt.TextElideMode.ElideRight, wide))
        self.label.setToolTip(self.words)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the words to the new width."""
        super().resizeEvent(event)
        self.elide()


class Notices:
    """Warnings in words: the first one in a line, all of them at a click.

    Attributes
    ----------
    line, all : QWidget
        Where the first is shown, and where all are.
    """

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.line, self.all = NoticeLine(), QLabel()
        self.all.setWordWrap(True)
        self.all.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.all.setTextFormat(Qt.TextFormat.PlainText)
        self.all.setStyleSheet(f"color: {_COLOUR};")
        self.all.hide()
        self.more = self.line.more
        self.more.toggled.connect(lambda _: self._show())
        self._show()

    def tell(self, notices: Sequence[str]) -> None:
        """Show other warnings; none hides the line."""
        self.notices = list(dict.fromkeys(filter(None, notices)))
        self._show()

    def text(self) -> str:
        """All of them."""
        return "\n".join(self.notices)

    def _show(self) -> None:
        count, opened = len(self.notices), self.more.isChecked()
        self.more.setVisible(count > 0)
        self.more.setText("close ▴" if opened else f"{count} notice{'s' * (count > 1)} ▾")
        self.line.words = f"⚠ {self.notices[0]}" if count and not opened else ""
        self.all.setText("\n".join(f"• {n}" for n in self.notices))
        self.all.setVisible(opened and count > 0)
        self.line.elide()


__all__ = ["Notices"]
