"""Which particles are chosen: one choice that table, plots, gallery and viewer share."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

CHOSEN_COLOUR = "#ff4fd8"
"""Of what is chosen, everywhere: neither in the colour scale nor in the phases' palettes."""


class Choice(QObject):
    """The chosen particles.

    Signals
    -------
    changed : (object)
        Who made the choice; whoever shows it need not change its own picture for it.
    """

    changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.labels: NDArray[np.int64] = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def __contains__(self, label: int) -> bool:
        at = int(np.searchsorted(self.labels, label))
        return at < len(self.labels) and int(self.labels[at]) == label

    def set(self, labels: Iterable[int], by: object = None) -> None:
        """Choose these particles and no others."""
        wanted = labels if isinstance(labels, np.ndarray) else np.array(list(labels), np.int64)
        found = np.unique(wanted.astype(np.int64))
        if np.array_equal(found, self.labels):
            return
        self.labels = found
        self.changed.emit(by)

    def toggle(self, label: int, by: object = None) -> None:
        """Add a particle to the chosen ones, or take it away."""
        one = np.array([label], np.int64)
        rest = np.setdiff1d(self.labels, one)
        self.set(rest if len(rest) < len(self.labels) else np.append(rest, one), by)

    def clear(self) -> None:
        """Choose none."""
        self.set(())


_CHOICES: WeakKeyDictionary[object, Choice] = WeakKeyDictionary()


def choice_of(viewer: object) -> Choice:
    """The one choice of a viewer's docks, made on first use."""
    if viewer not in _CHOICES:
        _CHOICES[viewer] = Choice()
    return _CHOICES[viewer]


__all__ = ["CHOSEN_COLOUR", "Choice", "choice_of"]
