"""The keys of the Alignment dock: one table for bindings, tooltips and docs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QWidget

from napari_slagseg.registration.steering import Nudge

COARSE, FINE = 5.0, 0.2
"""What Shift and Alt make of a step."""

_Key = Qt.Key
_None, _Ctrl = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
_Shift, _Alt = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
_Meta = Qt.KeyboardModifier.MetaModifier


@dataclass(frozen=True)
class KeyAction:
    """What a key does.

    Attributes
    ----------
    action : str
        Name; "nudge" for all nudges.
    shown : str
        The key as users know it.
    does : str
        What it does, for tooltips and docs.
    keys : tuple of Qt.Key
        Key codes; with Shift a bracket is a brace on many keyboards.
    modifiers : Qt.KeyboardModifier
        Held with it; nudges take Shift and Alt in addition.
    nudge : Nudge
        One step of it, to be multiplied by the step sizes.
    """

    action: str
    shown: str
    does: str
    keys: tuple[Qt.Key, ...]
    modifiers: Qt.KeyboardModifier = _None
    nudge: Nudge = field(default_factory=Nudge)


KEYS: tuple[KeyAction, ...] = (
    KeyAction("nudge", "↑", "moves towards the map's first row", (_Key.Key_Up,),
              nudge=Nudge(down=-1)),
    KeyAction("nudge", "↓", "moves towards the map's last row", (_Key.Key_Down,),
              nudge=Nudge(down=1)),
    KeyAction("nudge", "←", "moves towards the map's first column", (_Key.Key_Left,),
              nudge=Nudge(right=-1)),
    KeyAction("nudge", "→", "moves towards the map's last column", (_Key.Key_Right,),
              nudge=Nudge(right=1)),
    KeyAction("nudge", "Page Up", "moves to higher CT slices", (_Key.Key_PageUp,),
              nudge=Nudge(up=1)),
    KeyAction("nudge", "Page Down", "moves to lower CT slices", (_Key.Key_PageDown,),
              nudge=Nudge(up=-1)),
    KeyAction("nudge", "[", "turns anticlockwise in the map",
              (_Key.Key_BracketLeft, _Key.Key_BraceLeft), nudge=Nudge(turn_deg=-1)),
    KeyAction("nudge", "]", "turns clockwise in the map",
              (_Key.Key_BracketRight, _Key.Key_BraceRight), nudge=Nudge(turn_deg=1)),
    KeyAction("accept", "A", "accepts the chosen cutouts", (_Key.Key_A,)),
    KeyAction("reject", "R", "rejects the chosen cutouts", (_Key.Key_R,)),
    KeyAction("lock", "L", "locks the chosen cutouts where they are", (_Key.Key_L,)),
    KeyAction("all", "Ctrl+A", "chooses all cutouts", (_Key.Key_A,), _Ctrl),
    KeyAction("none", "Esc", "chooses no cutout, so that nudges move the whole map",
              (_Key.Key_Escape,)),
    KeyAction("undo", "Ctrl+Z", "undoes the last step", (_Key.Key_Z,), _Ctrl),
    KeyAction("redo", "Ctrl+Shift+Z", "does it again", (_Key.Key_Z,), _Ctrl | _Shift),
)  # fmt: skip


def shown_for(action: str) -> str:
    """Key of an action, for its button's tooltip."""
    return ", ".join(k.shown for k in KEYS if k.action == action)


def keys_in_docs() -> str:
    """The table as Markdown, as it stands in the docs."""
    lines = ["| Key | What it does |", "| --- | --- |"]
    lines += [f"| `{k.shown}` | {k.does} |" for k in KEYS]
    lines.append(f"| `Shift` with a nudge | {COARSE:g} times the step |")
    lines.append("| `Alt` with a nudge | a fifth of the step |")
    return "\n".join(lines)


def found_key(key: int, modifiers: Qt.KeyboardModifier) -> tuple[KeyAction, float] | None:
    """Action of a key press, and what its step is multiplied by."""
    held = modifiers & (_Shift | _Ctrl | _Alt | _Meta)
    for k in KEYS:
        if key not in k.keys:
            continue
        if k.action == "nudge" and not held & (_Ctrl | _Meta):
            factor = (COARSE if held & _Shift else 1.0) * (FINE if held & _Alt else 1.0)
            return k, factor
        if held == k.modifiers:
            return k, 1.0
    return None


class KeyCatcher(QObject):
    """Takes the table's keys before napari or a shortcut of the window gets them.

    It is installed on widgets of the dock only, so that the main viewer's keys stay
    what they are.

    Parameters
    ----------
    canvas : QWidget
        Its other keys go to the dock's window, not to the small viewer in it: there,
        napari's own keys would delete layers and move axes.
    pressed : callable
        Called with the action, its factor, and whether the key is held (auto-repeat).
    released : callable
        Called when a nudging key is let go.
    parent : QObject
    """

    def __init__(
        self,
        canvas: QWidget,
        pressed: Callable[[KeyAction, float, bool], None],
        released: Callable[[], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._canvas, self._pressed, self._released = canvas, pressed, released

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take what is in the table; leave the rest."""
        kinds = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress, QEvent.Type.KeyRelease)
        if not isinstance(event, QKeyEvent) or event.type() not in kinds:
            return False
        found = found_key(event.key(), event.modifiers())
        if event.type() == QEvent.Type.KeyRelease:
            # modifiers may have been let go first
            nudging = any(event.key() in k.keys for k in KEYS if k.action == "nudge")
            if nudging and not event.isAutoRepeat():
                self._released()
            return nudging or self._passed_on(watched, event)
        if found is None:
            return event.type() == QEvent.Type.KeyPress and self._passed_on(watched, event)
        event.accept()
        if event.type() == QEvent.Type.KeyPress:
            self._pressed(*found, event.isAutoRepeat())
        return True

    def _passed_on(self, watched: QObject | None, event: QKeyEvent) -> bool:
        """Keep a key from the canvas and leave it to the widgets around it."""
        event.ignore()
        return watched is self._canvas


__all__ = [
    "COARSE",
    "FINE",
    "KEYS",
    "KeyAction",
    "KeyCatcher",
    "found_key",
    "keys_in_docs",
    "shown_for",
]
