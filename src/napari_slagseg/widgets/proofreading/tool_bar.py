"""The tools as buttons with icons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from napari_slagseg.widgets.proofreading.icons import icon
from napari_slagseg.widgets.proofreading.keys import does, shown_for
from napari_slagseg.widgets.proofreading.tools import TOOLS

if TYPE_CHECKING:
    import napari

_STYLE = """
QToolButton { border: none; border-radius: 3px; padding: 3px; }
QToolButton:hover { background: rgba(128, 128, 128, 70); }
QToolButton:checked { background: rgba(255, 79, 216, 110); }
"""

_ROWS = (
    ("split", "split_by_stroke", "merge", "delete", "lock", "frame"),
    ("grow", "add", "fill", "smooth", "brush", "undo"),
    ("relabel_region", "relabel", "redo"),
)
_TITLES = {
    "frame": "Frame", "brush": "Brush", "undo": "Undo", "redo": "Redo",
    **{tool.name: tool.title for tool in TOOLS},
}  # fmt: skip
_LAST = 5

ALWAYS = ("frame",)
"""What needs no leave to edit."""

STAYS = ("split", "split_by_stroke", "merge", "grow", "add", "relabel_region", "relabel", "brush")
"""Tools that stay in the hand until they are used or given up."""


class ToolBar(QWidget):
    """Buttons for all tools; the one in the hand is pressed down.

    Signals
    -------
    asked : (str)
        Action of a button that was clicked on.
    """

    asked = Signal(str)

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.buttons: dict[str, QToolButton] = {}
        self.setStyleSheet(_STYLE)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        for row, names in enumerate(_ROWS):
            for column, name in enumerate(names):
                button = QToolButton()
                button.setText(_TITLES[name])
                button.setIconSize(QSize(22, 22))
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
                button.setToolTip(f"{does(name)} ({shown_for(name)})")
                button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
                button.setCheckable(name in STAYS)
                # the keyboard stays with the viewer, so that its keys go on working
                button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
                button.clicked.connect(lambda _, action=name: self.asked.emit(action))
                self.buttons[name] = button
                grid.addWidget(button, row, _LAST if name == "redo" else column)
        for column in range(_LAST + 1):
            grid.setColumnStretch(column, 1)
        self.recolour(str(viewer.theme))

    def recolour(self, theme: str) -> None:
        """Draw the icons in the colour that a theme has for icons."""
        colour = QColor(str(get_theme(theme).icon.as_hex()))
        for name, button in self.buttons.items():
            button.setIcon(icon(name, colour))

    def press(self, name: str) -> None:
        """Show which tool is in the hand; empty for none."""
        for of, button in self.buttons.items():
            button.setChecked(of == name)

    def allow(self, on: bool, why: str = "") -> None:
        """Allow edits, or say in the tooltips why there can be none."""
        for name, button in self.buttons.items():
            allowed = on or name in ALWAYS
            button.setEnabled(allowed)
            tip = f"{does(name)} ({shown_for(name)})"
            button.setToolTip(tip if allowed or not why else f"{tip}\n{why}")


__all__ = ["ToolBar"]
