"""The keys of proofreading: one table for bindings, tooltips, the dock's help and the docs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QWidget

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


@dataclass(frozen=True)
class KeyAction:
    """What a key does.

    Attributes
    ----------
    action : str
        Name.
    keys : tuple of str
        As napari writes them; any of them does it.
    does : str
        For tooltips, help and docs.
    on : tuple of str
        Layers that one paints on ("brush", "mask") where it comes before napari's own key.
    """

    action: str
    keys: tuple[str, ...]
    does: str
    on: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Its keys as users know them."""
        return " or ".join(_shown(key) for key in self.keys)


KEYS: tuple[KeyAction, ...] = (
    KeyAction("split", ("D",), "divides the chosen particle: a point in each part"),
    KeyAction("split_by_stroke", ("Shift-D",),
              "divides the chosen particle along a stroke in one slice"),
    KeyAction("merge", ("J",), "joins the chosen particles, or those clicked on next"),
    KeyAction("delete", ("Delete",), "deletes the chosen particles"),
    KeyAction("grow", ("G",), "adds a particle that grows from a point in the CT"),
    KeyAction("add", ("Shift-G",), "adds a particle by painting it"),
    KeyAction("fill", ("H",), "fills the holes of the chosen particles"),
    KeyAction("smooth", ("W",), "smooths the chosen particles"),
    KeyAction("relabel_region", ("R",), "gives the grain clicked on another phase"),
    KeyAction("relabel", ("Shift-R",), "gives painted voxels another phase"),
    KeyAction("brush", ("I",), "opens napari's brushes at the place looked at, or closes them"),
    KeyAction("new_label", ("M",), "paints a new particle, with a number that none ever had",
              on=("brush",)),
    KeyAction("lock", ("K",), "locks the chosen particles, or unlocks them"),
    KeyAction("apply", ("Enter",), "does what points or paint were placed for",
              on=("mask",)),
    KeyAction("give_up", ("Escape",), "gives up what was begun; then chooses none",
              on=("mask",)),
    KeyAction("undo", ("Control-Z",), "undoes the last edit, of whatever kind",
              on=("brush",)),
    KeyAction("redo", ("Control-Shift-Z",), "does it again", on=("brush",)),
    KeyAction("frame", ("U",), "frames the chosen particle"),
    KeyAction("next", ("N",), "goes to the next suspect"),
    KeyAction("previous", ("P", "Shift-N"), "goes to the suspect before"),
    KeyAction("accept", ("A",), "accepts the suspect: it is right as it is"),
    KeyAction("fix", ("T",), "notes that the suspect is to be fixed"),
    KeyAction("skip", ("S",), "skips the suspect"),
)  # fmt: skip

OVER_NAPARI = {
    "P": "the layer *particles*, on which nothing can be painted; on other labels layers it is "
    "napari's brush, and `Shift+N` goes back there",
    "M": "the brush's layer, where napari's new number could be that of another particle",
    "Enter": "the layers *particles* and *phases*, and on what is painted to be added or "
    "relabelled: a polygon is ended there with a double click",
    "Escape": "the same layers",
    "Control-Z": "the layers *particles*, *phases* and the brush's: napari's own history knows "
    "nothing of other edits, and is kept empty",
    "Control-Shift-Z": "the same layers",
}
"""Keys of napari's labels layers that mean something else here, and on which layers alone."""


def _shown(key: str) -> str:
    return key.replace("Control", "Ctrl").replace("Escape", "Esc").replace("-", "+")


def shown_for(action: str) -> str:
    """Keys of an action, for tooltips."""
    return next(k.shown for k in KEYS if k.action == action)


def does(action: str) -> str:
    """What an action does."""
    return next(k.does for k in KEYS if k.action == action)


def keys_in_docs() -> str:
    """The table as Markdown, as it stands in the docs."""
    lines = ["| Key | What it does |", "| --- | --- |"]
    lines += [f"| {' or '.join(f'`{_shown(key)}`' for key in k.keys)} | {k.does} |" for k in KEYS]
    lines.append("| click | chooses a particle |")
    lines.append("| `Shift` + click | chooses one more, or one less |")
    return "\n".join(lines)


def exceptions_in_docs() -> str:
    """Where our keys stand before napari's, as Markdown."""
    return "\n".join(f"- `{_shown(key)}` on {where}." for key, where in OVER_NAPARI.items())


def keys_in_help() -> str:
    """The table as HTML, for the dock."""
    rows = "".join(
        f"<tr><td style='padding-right:12px'><b>{k.shown}</b></td><td>{k.does}</td></tr>"
        for k in KEYS
    )
    return (
        f"<table>{rows}<tr><td><b>click</b></td><td>chooses a particle</td></tr>"
        "<tr><td><b>Shift+click</b></td><td>chooses one more, or one less</td></tr></table>"
    )


class KeyBinder:
    """Binds the table to a viewer while it is on, and takes the bindings away again.

    On the viewer napari's keys of the active layer come first. On the layers that are told
    to `follow`, ours do; they are bound on these layers only, not on their classes.

    Parameters
    ----------
    viewer : napari.Viewer
    act : callable
        Is told the name of an action.
    """

    def __init__(self, viewer: napari.Viewer, act: Callable[[str], None]) -> None:
        self.viewer, self._act = viewer, act
        self._bound: list[tuple[Any, Any, Any]] = []

    @property
    def on(self) -> bool:
        """Whether anything is bound."""
        return bool(self._bound)

    def begin(self) -> None:
        """Bind all keys on the viewer."""
        if not self.on:
            self._bind(self.viewer, KEYS)

    def follow(self, layer: Layer, painted: str = "") -> None:
        """Bind on a layer as well: all keys, or those for a layer that one paints on."""
        if not any(holder is layer for holder, _, _ in self._bound):
            self._bind(layer, [k for k in KEYS if not painted or painted in k.on])

    def forget(self, layer: Layer) -> None:
        """Take a layer's bindings away."""
        self._release(lambda holder: holder is layer)

    def end(self) -> None:
        """Take all bindings away; what was bound before is bound again."""
        self._release(lambda holder: True)

    def _bind(self, holder: Any, keys: Iterable[KeyAction]) -> None:
        for k in keys:
            for key in k.keys:
                before = dict(holder.keymap)
                holder.bind_key(key, self._acting(k.action), overwrite=True)
                (new,) = [n for n, f in holder.keymap.items() if before.get(n) is not f]
                self._bound.append((holder, new, before.get(new)))

    def _acting(self, action: str) -> Callable[[object], None]:
        def act(_: object) -> None:
            self._act(action)

        act.__name__ = f"slagseg_{action}"
        return act

    def _release(self, mine: Callable[[Any], bool]) -> None:
        for holder, key, before in [b for b in self._bound if mine(b[0])]:
            holder.keymap.pop(key, None)
            if before is not None:
                holder.keymap[key] = before
        self._bound = [b for b in self._bound if not mine(b[0])]


def shortcuts_in(widget: QWidget, act: Callable[[str], None]) -> list[QShortcut]:
    """The same keys while the keyboard is in a dock, so that a click there takes none away."""
    made = []
    for k in KEYS:
        for key in k.keys:
            text = key.replace("Control", "Ctrl").replace("Escape", "Esc").replace("-", "+")
            for variant in (text, "Return") if text == "Enter" else (text,):
                shortcut = QShortcut(QKeySequence(variant), widget)
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                shortcut.activated.connect(lambda action=k.action: act(action))
                made.append(shortcut)
    return made


__all__ = [
    "KEYS",
    "OVER_NAPARI",
    "KeyAction",
    "KeyBinder",
    "does",
    "exceptions_in_docs",
    "keys_in_docs",
    "keys_in_help",
    "shortcuts_in",
    "shown_for",
]
