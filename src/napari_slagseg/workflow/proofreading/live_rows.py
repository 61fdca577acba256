"""A measured table of a project, kept up to date with every edit, row by row."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable

from napari_slagseg import io
from napari_slagseg.data import (
    CancelledError,
    CancelToken,
    ParticleTable,
    Progress,
    ProgressEvent,
    SlagsegError,
    no_progress,
)
from napari_slagseg.workflow.proofreading.measured import EDITS
from napari_slagseg.workflow.proofreading.outcome import Outcome
from napari_slagseg.workflow.proofreading.proofreader import Proofreader
from napari_slagseg.workflow.proofreading.rows import with_rows


class LiveRows(ABC):
    """Hears of edits, notes whose rows they make old, and describes these again when asked.

    Parameters
    ----------
    proofreader : Proofreader
        Its edits are heard of from now on.
    table : ParticleTable
    waiting : set of int
        Values of the column `by` whose rows are old already.
    """

    name: str
    """Of the table in the project."""

    by: str
    """Column whose values rows are described again for."""

    doing: str
    """What describing again is called while it goes on."""

    def __init__(self, proofreader: Proofreader, table: ParticleTable, waiting: set[int]) -> None:
        self._reader = proofreader
        self._table = table
        self._one_at_a_time = threading.RLock()
        self._waiting = waiting
        self._noting = threading.Lock()  # an edit does not wait until rows are described
        proofreader.changed.connect(self._heard)

    @abstractmethod
    def _made_old(self, outcome: Outcome) -> Iterable[int]:
        """Whose rows an edit makes old."""

    @abstractmethod
    def _described(self, key: int) -> list[ParticleTable]:
        """Rows of one as it is now; none where there is nothing any more."""

    @property
    def table(self) -> ParticleTable:
        """As it is now; a new object after every change."""
        return self._table

    @property
    def waiting(self) -> frozenset[int]:
        """Whose rows are older than the edits."""
        with self._noting:
            return frozenset(self._waiting)

    @property
    def stale(self) -> bool:
        """Whether there were edits that the table does not know of yet."""
        return bool(self._waiting)

    def follow(self, outcome: Outcome | None = None) -> ParticleTable:
        """Describe again what an edit made old (and what edits before it did, if it waits).

        Parameters
        ----------
        outcome : Outcome, optional
            Of the edit.

        Returns
        -------
        ParticleTable
            The table as it is then.

        Raises
        ------
        SlagsegError
            If the particles hold phases that the table does not know; the rows then wait.
        """
        with self._one_at_a_time:
            if outcome is not None:
                self._heard(outcome)
            return self.catch_up()

    def catch_up(
        self, progress: Progress = no_progress, cancel: CancelToken | None = None
    ) -> ParticleTable:
        """Describe all again that edits made old since the table was measured.

        If it is cancelled, what was described by then is in the table.

        Raises
        ------
        CancelledError
        SlagsegError
            As `follow`.
        """
        with self._one_at_a_time:
            waiting = sorted(self.waiting)
            done: list[int] = []
            rows: list[ParticleTable] = []
            try:
                for key in waiting:
                    if cancel is not None and cancel.is_set():
                        raise CancelledError("cancelled by the user")
                    with self._noting:  # an edit of it from now on makes it wait again
                        self._waiting.discard(key)
                    try:
                        rows += self._described(key)
                    except BaseException:
                        self._wait_for([key])
                        raise
                    done.append(key)
                    progress(ProgressEvent(self.doing, len(done) / len(waiting)))
            finally:
                if done:
                    try:
                        self._table = with_rows(self._table, done, rows, self.by)
                    except SlagsegError:
                        self._wait_for(done)
                        raise
            return self._table

    def save(self) -> None:
        """Write the table into the project, in the place of the measured one.

        The project's lock must be held. Results of the table (figures, the report) count as
        stale then.

        Raises
        ------
        SlagsegError
            If the lock is not held, rows wait to be described, or nothing can be written.
        """
        with self._one_at_a_time:
            self._reader.require_lock()
            digest = self._reader.history.digest()
            if self.stale:
                raise SlagsegError(
                    f"Edits changed {len(self._waiting)} {self.name} whose rows are not described "
                    "again yet; wait until they are, then save the table."
                )
            project = self._reader.project
            provenance = {**project.provenance(), "table": self.name, EDITS: digest}
            io.write_particle_table(
                self._table, project.tables / f"{self.name}.csv", provenance=provenance
            )

    def close(self) -> None:
        """Hear of no more edits."""
        self._reader.changed.disconnect(self._heard, missing_ok=True)

    def _heard(self, outcome: Outcome) -> None:
        if any(action.deltas for action in outcome.actions):
            self._wait_for(self._made_old(outcome))

    def _wait_for(self, keys: Iterable[int]) -> None:
        with self._noting:
            self._waiting.update(keys)


__all__ = ["LiveRows"]
