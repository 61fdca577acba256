"""The particle table, kept up to date with every edit."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import (
    CancelledError,
    CancelToken,
    ParticleTable,
    Progress,
    ProgressEvent,
    SlagsegError,
    Triple,
    no_progress,
)
from napari_slagseg.data.cores import cores
from napari_slagseg.descriptors import Place, describe_box
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.proofreading.measured import (
    EDITS,
    TABLE,
    check_same_version,
    measured_with,
    touched_since,
    untouched_row,
)
from napari_slagseg.workflow.proofreading.outcome import Outcome
from napari_slagseg.workflow.proofreading.particle_boxes import box_of
from napari_slagseg.workflow.proofreading.proofreader import Proofreader
from napari_slagseg.workflow.proofreading.rows import with_rows


class LiveTable:
    """Keeps a measured particle table as measuring the edited volume would make it.

    Only the rows of particles that edits touch are described again, by the code of 'measure'
    and with its settings; no other row can change, as none depends on what lies around
    its particle.

    Parameters
    ----------
    proofreader : Proofreader
        Its edits are heard of from now on.
    table : ParticleTable
        As 'measure' or `save` wrote it.
    settings : MeasureConfig, optional
        What `table` was measured with, of the particles as they are. Without it, both are
        found out from the project, and `stale` says whether there were edits since:
        `catch_up` then.

    Raises
    ------
    SlagsegError
        If the table is not of the present segmentation, or not of particles in 3D.
    """

    def __init__(
        self,
        proofreader: Proofreader,
        table: ParticleTable,
        settings: MeasureConfig | None = None,
    ) -> None:
        if table.dimension != 3 or table.targets != (table.table.target,):
            raise SlagsegError(
                "Only the table of particles that 'measure' wrote is kept up to date, not sections "
                "and not one of several targets. Read tables/particles.csv."
            )
        self._reader = proofreader
        self._table = table
        self._one_at_a_time = threading.RLock()
        self._waiting: set[int] = set()
        self._noting = threading.Lock()  # an edit does not wait until rows are described
        self._checked = settings is not None
        if settings is None:
            project = proofreader.project
            settings = measured_with(project)
            self._waiting = touched_since(project, proofreader.history, table.frame["label"])
        self._settings = settings
        proofreader.changed.connect(self._heard)

    @property
    def table(self) -> ParticleTable:
        """As it is now; a new object after every change."""
        return self._table

    @property
    def stale(self) -> bool:
        """Whether there were edits that the table does not know of yet."""
        return bool(self._waiting)

    def follow(self, outcome: Outcome | None = None) -> ParticleTable:
        """Describe again what an edit touched (and what edits before it did, if they wait).

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
        """Describe all particles again that were touched since the table was measured.

        If it is cancelled, what was described by then is in the table.

        Raises
        ------
        CancelledError
        SlagsegError
            As `follow`.
        """
        with self._one_at_a_time:
            with self._noting:
                waiting = sorted(self._waiting)
            if waiting and not self._checked:
                self._check_version(set(waiting))
            done: list[int] = []
            rows: list[ParticleTable] = []
            try:
                for label in waiting:
                    if cancel is not None and cancel.is_set():
                        raise CancelledError("cancelled by the user")
                    with self._noting:  # an edit of it from now on makes it wait again
                        self._waiting.discard(label)
                    try:
                        rows += self._described(label)
                    except BaseException:
                        self._wait_for([label])
                        raise
                    done.append(label)
                    progress(ProgressEvent("measuring particles again", len(done) / len(waiting)))
            finally:
                if done:
                    try:
                        self._table = with_rows(self._table, done, rows)
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
                    f"{len(self._waiting)} particles were edited that the table does not know "
                    "yet; wait until they are measured again, then save it."
                )
            project = self._reader.project
            provenance = {**project.provenance(), "table": TABLE, EDITS: digest}
            io.write_particle_table(
                self._table, project.tables / f"{TABLE}.csv", provenance=provenance
            )

    def close(self) -> None:
        """Hear of no more edits."""
        self._reader.changed.disconnect(self._heard, missing_ok=True)

    # -- what is to be done ------------------------------------------------------

    def _heard(self, outcome: Outcome) -> None:
        if any(action.deltas for action in outcome.actions):
            self._wait_for(outcome.labels)

    def _wait_for(self, labels: Iterable[int]) -> None:
        with self._noting:
            self._waiting.update(labels)

    def _check_version(self, touched: set[int]) -> None:
        was = untouched_row(self._table.frame, touched)
        for label in was["label"].tolist():
            for now in self._described(label):
                if not self._waits(label):
                    check_same_version(was, now.frame)
                else:  # edited while it was read: another one is looked at
                    self._check_version({*touched, label})
        self._checked = True

    def _waits(self, label: int) -> bool:
        with self._noting:
            return label in self._waiting

    def _described(self, label: int) -> list[ParticleTable]:
        """Row of a particle; none if there is no such particle (any more)."""
        reader = self._reader
        ends = reader.boxes.get(label)  # asked once: an edit may remove it at any moment
        if ends is None:
            return []
        box = box_of(ends)
        particles = np.asarray(reader.particles[box])
        start: Triple = tuple(s.start for s in box)  # type: ignore[assignment]
        return [
            describe_box(
                np.where(particles == label, particles, np.uint32(0)),
                np.asarray(reader.phases[box]),
                Place(start, reader.shape),
                self._table.voxel_size_um,
                self._table.table,
                erosion_voxels=self._settings.erosion_voxels,
                grains=self._settings.grains,
                accessible_depth_um=self._settings.accessible_depth_um,
                threads=cores(),
            )
        ]


__all__ = ["LiveTable"]
