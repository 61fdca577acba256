"""The table of virtual sections, kept up to date with every edit."""

from __future__ import annotations

from collections.abc import Iterable

from napari_slagseg.data import Box, ParticleTable, SlagsegError
from napari_slagseg.project.edits import Entry
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.measured_sections import SectionPlanes, measure_sections
from napari_slagseg.workflow.proofreading.live_rows import LiveRows
from napari_slagseg.workflow.proofreading.measured import edits_since_measured, measured_with
from napari_slagseg.workflow.proofreading.outcome import Outcome
from napari_slagseg.workflow.proofreading.proofreader import Proofreader


class LiveSections(LiveRows):
    """Keeps measured sections as measuring those of the edited volume would make them.

    Only planes through voxels that edits changed are cut again, each as a whole: that takes up
    to seconds in a large volume, where it reads all blocks that the plane lies in.

    Parameters
    ----------
    proofreader : Proofreader
        Its edits are heard of from now on.
    table : ParticleTable
        As 'measure' or `save` wrote it.
    settings : MeasureConfig, optional
        As for `LiveTable`.

    Raises
    ------
    SlagsegError
        If the table is not of the present segmentation, or not of the sections that the settings
        give.
    """

    name, by, doing = "sections", "section", "measuring sections again"

    def __init__(
        self,
        proofreader: Proofreader,
        table: ParticleTable,
        settings: MeasureConfig | None = None,
    ) -> None:
        entries: list[Entry] | None = []
        project, history = proofreader.project, proofreader.history
        if settings is None:
            settings = measured_with(project)
            entries = edits_since_measured(project, history, self.name)
        self._settings = settings
        self._planes = SectionPlanes.of(proofreader.shape, project.voxel_size_um, settings)
        if table.notes != self._planes.notes or table.targets != (table.table.target,):
            raise SlagsegError(
                "The table of sections is not that of the planes that 'measure' was last set to. "
                "Run 'measure' again."
            )
        if entries is None:
            waiting = set(self._planes.numbers)
        else:
            waiting = self._through(e.box for e in entries if e.touches)
        super().__init__(proofreader, table, waiting)

    def _made_old(self, outcome: Outcome) -> Iterable[int]:
        return self._through(outcome.boxes)

    def _through(self, boxes: Iterable[Box]) -> set[int]:
        return {n for box in boxes for n in self._planes.through(box)}

    def _described(self, key: int) -> list[ParticleTable]:
        return [
            measure_sections(
                self._reader.particles,
                self._reader.phases,
                self._table.table,
                self._planes,
                self._settings.erosion_voxels,
                only=[key],
            )
        ]


__all__ = ["LiveSections"]
