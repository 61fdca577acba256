"""The tables while particles are edited: rows of particles and sections, described again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_slagseg.data import CancelledError, CancelToken, ParticleTable, SlagsegError
from napari_slagseg.widgets.background import Latest
from napari_slagseg.workflow.proofreading import LiveSections, LiveTable, Outcome, Proofreader

if TYPE_CHECKING:
    from napari_slagseg.widgets.proofreading.desk import Desk

EDITED = (
    "Particles were edited since they were measured: their rows, the sections and the results "
    "follow. The report is of before; run 'Measure' and 'Report' again for it."
)
EDITED_WITHOUT_SECTIONS = (
    "Particles were edited since they were measured: their rows and the results follow. Sections "
    "and the report are of before; run 'Measure' again for them."
)

REST_MS = 1500
"""Time without an edit after which sections are cut again: that reads whole planes."""


class Following(QObject):
    """Keeps tables as measuring the edited volume would make them, beside the window.

    Particles follow each edit at once. Sections follow when nothing was edited for a moment,
    and give way to the next edit.

    Parameters
    ----------
    desk : Desk
    parent : QObject

    Signals
    -------
    begun : ()
        An edit touched particles; the tables are older for a moment.
    changed : (ParticleTable)
        The particles' table as it is now.
    sections_changed : (ParticleTable)
        The sections' table as it is now.
    failed : (str)
        Why one of them cannot follow.
    """

    begun = Signal()
    changed = Signal(object)
    sections_changed = Signal(object)
    failed = Signal(str)

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self.desk = desk
        self.notice = ""
        """Said beside the results where particles were edited since they were measured."""
        self._live: LiveTable | None = None
        self._sections: LiveSections | None = None
        self._table: ParticleTable | None = None
        self._section_table: ParticleTable | None = None
        self._turn = 0
        self._cancel: CancelToken = threading.Event()
        self.latest, self.cutting = Latest(self), Latest(self)
        self.latest.done.connect(self._done)
        self.latest.failed.connect(self._not_followed)
        self.cutting.done.connect(self._cut)
        self.cutting.failed.connect(self._not_followed)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._cut_again)
        desk.opened.connect(self._begin)
        desk.outcome.connect(self._edited)
        desk.session.handing_over.connect(self.store)

    @property
    def stale(self) -> bool:
        """Whether rows of particles are being described again, or wait to be."""
        return self._live is not None and self.latest.busy

    @property
    def sections_stale(self) -> bool:
        """Whether sections are being cut again, or wait to be."""
        return self._sections is not None and (self._sections.stale or self.cutting.busy)

    def follow(self, table: ParticleTable, sections: ParticleTable | None = None) -> None:
        """Take tables as they were read from the project."""
        self._table, self._section_table = table, sections
        self._begin(self.desk.proofreader)

    def _begin(self, proofreader: Proofreader | None) -> None:
        self._drop()
        self.notice = ""
        table, sections = self._table, self._section_table
        if proofreader is None or table is None or self.desk.session.project is None:
            return
        turn = self._turn
        self.latest.ask("live", lambda: (turn, *_live_tables(proofreader, table, sections)))

    def _edited(self, outcome: Outcome) -> None:
        if self._live is None or not any(a.deltas for a in outcome.actions):
            return
        self.begun.emit()
        self._catch_up()  # the table has heard of the edit itself
        self._cancel.set()
        self._rest.start()

    def _catch_up(self) -> None:
        live, turn = self._live, self._turn
        if live is not None:
            self.latest.ask("rows", lambda: (turn, live, live.catch_up()))

    def _done(self, name: str, found: object) -> None:
        if name == "live":
            self._take(*found)  # type: ignore[misc]
            return
        turn, live, table = found  # type: ignore[misc]
        if turn == self._turn and live is self._live:
            self._table = table
            self._note()
            if live.stale:  # it has heard of an edit meanwhile
                self._catch_up()
            self.changed.emit(table)

    def _take(
        self, turn: int, live: LiveTable | None, sections: LiveSections | None, why: str
    ) -> None:
        """Go on with tables that hear of edits."""
        if turn != self._turn:
            for one in (live, sections):
                if one is not None:
                    one.close()
            return
        self._live, self._sections = live, sections
        if why:
            self.failed.emit(why)
        if (live is not None and live.stale) or (sections is not None and sections.stale):
            self.begun.emit()
            self._catch_up()
            self._cut_again()

    def _note(self) -> None:
        follows = self._sections is not None or self._section_table is None
        self.notice = EDITED if follows else EDITED_WITHOUT_SECTIONS

    # -- sections ------------------------------------------------------------------

    def _cut_again(self) -> None:
        live, turn = self._sections, self._turn
        if live is None or not live.stale:
            return
        if self.cutting.busy:  # it was told to stop and does so after the plane it is at
            self._rest.start()
            return
        cancel = self._cancel = threading.Event()

        def cut() -> tuple[int, LiveSections, ParticleTable]:
            try:
                return turn, live, live.catch_up(cancel=cancel)
            except CancelledError:
                return turn, live, live.table

        self.cutting.ask("sections", cut)

    def _cut(self, _: str, found: object) -> None:
        turn, live, table = found  # type: ignore[misc]
        if turn != self._turn or live is not self._sections:
            return
        self._section_table = table
        if live.stale:
            self._rest.start()
        else:
            self._note()
            self.sections_changed.emit(table)

    def _not_followed(self, why: str) -> None:
        """Sections do not follow where particles cannot: both are of one version."""
        self._cancel.set()
        if self._sections is not None:
            self._sections.close()
            self._sections = None
        self._note()
        self.failed.emit(why)

    # -- the end -------------------------------------------------------------------

    def store(self) -> None:
        """Write the tables into the project, so that the next opening begins with them.

        Where rows still wait, they are described when the project is opened the next time.
        """
        if not self.notice:
            return
        for live, busy in ((self._live, self.latest.busy), (self._sections, self.cutting.busy)):
            if live is None or live.stale or busy:
                continue
            try:
                live.save()
            except SlagsegError as error:
                self.failed.emit(str(error))

    def _drop(self) -> None:
        self._turn += 1
        self._cancel.set()
        self._rest.stop()
        for live in (self._live, self._sections):
            if live is not None:
                live.close()
        self._live = self._sections = None

    def close(self) -> None:
        """Hear of no more edits."""
        self.desk.session.handing_over.disconnect(self.store)
        self.desk.outcome.disconnect(self._edited)
        self.desk.opened.disconnect(self._begin)
        self._drop()
        self.latest.close()
        self.cutting.close()


def _live_tables(
    proofreader: Proofreader, table: ParticleTable, sections: ParticleTable | None
) -> tuple[LiveTable | None, LiveSections | None, str]:
    """The tables that follow edits; None for one that cannot, and the reason."""
    try:
        live = LiveTable(proofreader, table)
    except SlagsegError as error:
        return None, None, str(error)
    if sections is None:
        return live, None, ""
    try:
        return live, LiveSections(proofreader, sections), ""
    except SlagsegError as error:
        return live, None, str(error)


__all__ = ["EDITED", "EDITED_WITHOUT_SECTIONS", "Following"]
