"""The particle table while particles are edited: rows of touched particles, described again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_slagseg.data import ParticleTable, SlagsegError
from napari_slagseg.widgets.background import Latest
from napari_slagseg.workflow.proofreading import LiveTable, Outcome, Proofreader

if TYPE_CHECKING:
    from napari_slagseg.widgets.proofreading.desk import Desk

EDITED = (
    "Particles were edited since they were measured: their rows and the results follow. Sections "
    "and the report are of before; run 'Measure' again for them."
)


class Following(QObject):
    """Keeps a table as measuring the edited volume would make it, beside the window.

    Parameters
    ----------
    desk : Desk
    parent : QObject

    Signals
    -------
    begun : ()
        An edit touched particles; the table is older for a moment.
    changed : (ParticleTable)
        The table as it is now.
    failed : (str)
        Why it cannot follow.
    """

    begun = Signal()
    changed = Signal(object)
    failed = Signal(str)

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self.desk = desk
        self.notice = ""
        """Said beside the results where particles were edited since they were measured."""
        self._live: LiveTable | None = None
        self._table: ParticleTable | None = None
        self._turn = 0
        self.latest = Latest(self)
        self.latest.done.connect(self._done)
        self.latest.failed.connect(self.failed.emit)
        desk.opened.connect(self._begin)
        desk.outcome.connect(self._edited)
        desk.session.handing_over.connect(self.store)

    @property
    def stale(self) -> bool:
        """Whether rows are being described again, or wait to be."""
        return self._live is not None and self.latest.busy

    def follow(self, table: ParticleTable) -> None:
        """Take a table as it was read from the project."""
        self._table = table
        self._begin(self.desk.proofreader)

    def _begin(self, proofreader: Proofreader | None) -> None:
        self._drop()
        self.notice = ""
        table = self._table
        if proofreader is None or table is None or self.desk.session.project is None:
            return
        turn = self._turn
        self.latest.ask("live", lambda: (turn, *_live_table(proofreader, table)))

    def _edited(self, outcome: Outcome) -> None:
        if self._live is None or not any(a.deltas for a in outcome.actions):
            return
        self.begun.emit()
        live, turn = self._live, self._turn
        self.latest.ask(f"edit {outcome.actions[0].id}", lambda: (turn, live, live.follow(outcome)))

    def _catch_up(self) -> None:
        live, turn = self._live, self._turn
        if live is not None:
            self.latest.ask("rows", lambda: (turn, live, live.catch_up()))

    def _done(self, name: str, found: object) -> None:
        if name == "live":
            turn, live, why = found  # type: ignore[misc]
            if turn != self._turn:
                if live is not None:
                    live.close()
                return
            self._live = live
            if live is None:
                self.failed.emit(why)
            elif live.stale:
                self.begun.emit()
                self._catch_up()
            return
        turn, live, table = found  # type: ignore[misc]
        if turn == self._turn and live is self._live:
            self._table, self.notice = table, EDITED
            if live.stale:  # it has heard of an edit meanwhile
                self._catch_up()
            self.changed.emit(table)

    def store(self) -> None:
        """Write the table into the project, so that the next opening begins with it.

        Where rows still wait, they are described when the project is opened the next time.
        """
        live = self._live
        if live is None or not self.notice or live.stale or self.latest.busy:
            return
        try:
            live.save()
        except SlagsegError as error:
            self.failed.emit(str(error))

    def _drop(self) -> None:
        self._turn += 1
        if self._live is not None:
            self._live.close()
            self._live = None

    def close(self) -> None:
        """Hear of no more edits."""
        self.desk.session.handing_over.disconnect(self.store)
        self.desk.outcome.disconnect(self._edited)
        self.desk.opened.disconnect(self._begin)
        self._drop()
        self.latest.close()


def _live_table(proofreader: Proofreader, table: ParticleTable) -> tuple[LiveTable | None, str]:
    """The table that follows edits; None and the reason where it cannot."""
    try:
        return LiveTable(proofreader, table), ""
    except SlagsegError as error:
        return None, str(error)


__all__ = ["EDITED", "Following"]
