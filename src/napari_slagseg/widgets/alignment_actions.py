"""What keys and buttons of the Alignment dock do to a placement, and when that is stored."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer, Signal

from napari_slagseg.registration.steering import Nudge
from napari_slagseg.widgets.alignment import Alignment
from napari_slagseg.widgets.alignment_keys import KeyAction
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.cutout_panel import CutoutPanel
from napari_slagseg.widgets.landmark_clicks import LandmarkClicks

REST_MS = 300
"""So long no key, and a nudge is stored and the whole picture renewed."""

_STATES = {"accept": "accepted", "reject": "rejected", "lock": "locked"}


class AlignmentActions(QObject):
    """Nudges, states, undo and redo; what a held key does is one step of the history.

    Parameters
    ----------
    alignment : Alignment
    panel : CutoutPanel
        Has the sizes of the steps, and buttons for the same actions.
    clicks : LandmarkClicks
        Its half pair is forgotten when nothing is to be chosen.
    latest : Latest
        Scores the cutouts of a map that came to rest.
    parent : QObject

    Signals
    -------
    told : (str)
        What was undone or done again.
    rested : ()
        No key for a while, and everything is stored.
    """

    told = Signal(str)
    rested = Signal()

    def __init__(
        self,
        alignment: Alignment,
        panel: CutoutPanel,
        clicks: LandmarkClicks,
        latest: Latest,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.alignment, self.panel, self.clicks, self.latest = alignment, panel, clicks, latest
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._rested)
        panel.state_asked.connect(lambda state: self.alignment.set_states(state))
        panel.nudge_asked.connect(self._nudge_by_button)
        latest.done.connect(self._made)

    # -- keys and buttons --------------------------------------------------

    def press(self, key: KeyAction, factor: float, held: bool) -> None:
        """Do what a key does."""
        if key.action == "nudge":
            if not held:
                # a new press is a new step of the history
                self.alignment.flush()
            self.alignment.nudge(self.panel.sized(key.nudge, factor))
        elif not held:
            self.act(key.action)

    def release(self) -> None:
        """A nudging key was let go: store what it did."""
        self.alignment.flush()

    def _nudge_by_button(self, nudge: Nudge) -> None:
        self.alignment.flush()
        if self.alignment.nudge(nudge):
            self.alignment.flush()

    def act(self, action: str) -> None:
        """Do an action of the key table, other than a nudge."""
        a = self.alignment
        if action in ("undo", "redo"):
            what = a.undo() if action == "undo" else a.redo()
            if what is not None:
                self.told.emit(f"{'Undone' if action == 'undo' else 'Done again'}: {what}.")
        elif action in _STATES:
            a.set_states(_STATES[action])
        elif action == "none":
            self.clicks.forget_half()
            a.choose(())
        elif action == "all":
            a.choose(range(len(a.placed.cutouts) if a.placed is not None else 0))

    # -- rest --------------------------------------------------------------

    @property
    def resting(self) -> bool:
        """Whether no key was pressed for a while."""
        return not self._rest.isActive()

    def wait_for_rest(self) -> None:
        """Wait anew until no key was pressed for a while."""
        self._rest.start()

    def stop(self) -> None:
        """Store what is shown, and wait for nothing more."""
        self.alignment.flush()
        self._rest.stop()

    def _rested(self) -> None:
        """Store, and have the whole map shown and scored as it is now."""
        if not self.alignment.flush():
            return
        self.rested.emit()
        a = self.alignment
        placed, fit = a.placed, a.fit
        if placed is not None and fit is not None and placed.cutouts:
            self.latest.ask("scored", lambda: (placed, fit.scored(placed)))

    def _made(self, name: str, result: object) -> None:
        if name == "scored":
            self.alignment.take_scores(*result)


__all__ = ["REST_MS", "AlignmentActions"]
