"""The particle table, kept up to date with every edit."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_slagseg.data import (
    CancelToken,
    ParticleTable,
    Progress,
    SlagsegError,
    Triple,
    no_progress,
)
from napari_slagseg.data.cores import cores
from napari_slagseg.descriptors import Place, describe_box
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.proofreading.live_rows import LiveRows
from napari_slagseg.workflow.proofreading.measured import (
    check_same_version,
    edits_since_measured,
    measured_with,
    untouched_row,
)
from napari_slagseg.workflow.proofreading.outcome import Outcome
from napari_slagseg.workflow.proofreading.particle_boxes import box_of
from napari_slagseg.workflow.proofreading.proofreader import Proofreader
from napari_slagseg.workflow.proofreading.since import labels_of


class LiveTable(LiveRows):
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

    name, by, doing = "particles", "label", "measuring particles again"

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
        self._checked = settings is not None
        waiting: set[int] = set()
        if settings is None:
            project, history = proofreader.project, proofreader.history
            settings = measured_with(project)
            entries = edits_since_measured(project, history, self.name)
            if entries is None:
                # the edits were never in that state, as where their journal was moved away: all
                waiting = labels_of([*history.done, *history.undone])
                waiting.update(table.frame["label"].tolist())
            else:
                waiting = labels_of(entries)
        self._settings = settings
        super().__init__(proofreader, table, waiting)

    def _made_old(self, outcome: Outcome) -> Iterable[int]:
        return outcome.labels

    def catch_up(
        self, progress: Progress = no_progress, cancel: CancelToken | None = None
    ) -> ParticleTable:
        """As of `LiveRows`; refuses to put rows beside those of another version."""
        with self._one_at_a_time:
            if self.stale and not self._checked:
                self._check_version(set(self.waiting))
            return super().catch_up(progress, cancel)

    def _check_version(self, touched: set[int]) -> None:
        was = untouched_row(self._table.frame, touched)
        for label in was["label"].tolist():
            for now in self._described(label):
                if label not in self.waiting:
                    check_same_version(was, now.frame)
                else:  # edited while it was read: another one is looked at
                    self._check_version({*touched, label})
        self._checked = True

    def _described(self, key: int) -> list[ParticleTable]:
        reader = self._reader
        ends = reader.boxes.get(key)  # asked once: an edit may remove it at any moment
        if ends is None:
            return []
        box = box_of(ends)
        particles = np.asarray(reader.particles[box])
        start: Triple = tuple(s.start for s in box)  # type: ignore[assignment]
        return [
            describe_box(
                np.where(particles == key, particles, np.uint32(0)),
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
