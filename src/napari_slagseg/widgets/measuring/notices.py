"""What to be careful about, in one line that opens to all of it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

_COLOUR = "#e69f00"


class Notices(QWidget):
    """Warnings in words: the first one cut to the width, all of them at a click."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notices: list[str] = []
        self.first, self.all = QLabel(), QLabel()
        self.first.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.all.setWordWrap(True)
        self.all.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        for label in (self.first, self.all):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setStyleSheet(f"color: {_COLOUR};")
        self.more = QToolButton()
        self.more.setCheckable(True)
        self.more.toggled.connect(lambda _: self._show())
        row = QHBoxLayout()
        row.addWidget(self.first, 1)
        row.addWidget(self.more)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.all)
        self._show()

    def tell(self, notices: Sequence[str]) -> None:
        """Show other warnings; none hides the line."""
        self.notices = list(dict.fromkeys(filter(None, notices)))
        self._show()

    def text(self) -> str:
        """All of them."""
        return "\n".join(self.notices)

    def _show(self) -> None:
        self.setVisible(bool(self.notices))
        if not self.notices:
            return
        opened = self.more.isChecked()
        count = len(self.notices)
        self.more.setText("close ▴" if opened else f"{count} notice{'s' * (count > 1)} ▾")
        self.all.setVisible(opened)
        self.all.setText("\n".join(f"• {n}" for n in self.notices))
        self._elide()

    def _elide(self) -> None:
        words = "" if self.more.isChecked() or not self.notices else f"⚠ {self.notices[0]}"
        wide = max(60, self.width() - self.more.sizeHint().width() - 16)
        measure = self.first.fontMetrics()
        self.first.setText(measure.elidedText(words, Qt.TextElideMode.ElideRight, wide))
        self.first.setToolTip(words)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the first one to the new width."""
        super().resizeEvent(event)
        self._elide()


__all__ = ["Notices"]
