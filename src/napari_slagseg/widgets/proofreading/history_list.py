"""The last edits, newest first; those undone stand above them, pale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

if TYPE_CHECKING:
    from napari_slagseg.widgets.proofreading.desk import Desk

SHOWN = 200
"""Edits in the list; the journal keeps all."""

_WORDS = {
    "split": "split",
    "split_by_stroke": "cut",
    "merge": "merged",
    "delete": "deleted",
    "grow": "grown",
    "add": "painted new",
    "fill": "holes filled",
    "smooth": "smoothed",
    "relabel_region": "phase of grain",
    "relabel": "phase painted",
    "paint": "brush stroke",
    "lock": "locked",
    "judge": "judged",
}


def in_words(entry: Any) -> str:
    """An edit in one line: what, which particles, how many voxels."""
    words = _WORDS.get(entry.kind, entry.kind.replace("_", " "))
    before, after = entry.labels_before, entry.labels_after
    if before and after and set(before) != set(after):
        which = f"{_named(before)} → {_named(after)}"
    else:
        which = _named(before or after)
    voxels = f", {entry.voxels:,} voxels" if entry.voxels else ""
    return f"{words} {which}{voxels}".strip()


def _named(labels: Sequence[int]) -> str:
    if len(labels) > 4:
        return f"{len(labels)} particles"
    return ", ".join(str(n) for n in labels)


class HistoryList(QListWidget):
    """Edits of the open project; a double click undoes all after one, or does them again.

    Parameters
    ----------
    desk : Desk
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setToolTip("double click: undo all that came after this edit, or do it again")
        self.setUniformItemSizes(True)
        self.itemDoubleClicked.connect(self._asked)
        desk.outcome.connect(self.refresh)
        desk.opened.connect(self.refresh)
        self.refresh()

    def refresh(self, _: object = None) -> None:
        """Show the history as it is."""
        self.clear()
        proofreader = self.desk.proofreader
        if proofreader is None:
            return
        history = proofreader.history
        undone, done = list(history.undone)[-SHOWN:], list(history.done)[-SHOWN:]
        for entry in undone:
            self._add(entry, "undone: ", Qt.GlobalColor.gray)
        for entry in reversed(done):
            self._add(entry, "", None)

    def _add(self, entry: Any, before: str, colour: Any) -> None:
        item = QListWidgetItem(before + in_words(entry))
        item.setData(Qt.ItemDataRole.UserRole, entry.id)
        item.setToolTip(f"{entry.when}, {entry.who}")
        if colour is not None:
            item.setForeground(colour)
        self.addItem(item)

    def _asked(self, item: QListWidgetItem) -> None:
        self.go_to(str(item.data(Qt.ItemDataRole.UserRole)))

    def go_to(self, edit: str) -> None:
        """Undo or redo so far that this edit is the last that holds."""
        proofreader = self.desk.proofreader
        if proofreader is None:
            return

        def step() -> None:
            history = proofreader.history
            if any(e.id == edit for e in history.undone):
                while not any(e.id == edit for e in history.done):
                    proofreader.redo()
            elif any(e.id == edit for e in history.done):
                while history.done[-1].id != edit and history.done[-1].group != _group(
                    history, edit
                ):
                    proofreader.undo()

        self.desk.do("history", step)


def _group(history: Any, edit: str) -> str | None:
    """Group of an edit; None where it is of none."""
    return next((e.group or None for e in history.done if e.id == edit), None)


__all__ = ["SHOWN", "HistoryList", "in_words"]
