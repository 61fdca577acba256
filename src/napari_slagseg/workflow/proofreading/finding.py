"""Where particles lie: the volumes of a project, and the box of every particle."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    BlockGrid,
    Box,
    CancelToken,
    EditedVolume,
    PhaseTable,
    Progress,
    SlagsegError,
    ThreadRun,
    Triple,
    VolumeLike,
    no_progress,
)
from napari_slagseg.data.box_around import box_around
from napari_slagseg.data.cores import cores
from napari_slagseg.project import Project
from napari_slagseg.segmentation.label_boxes import boxes_of_volume
from napari_slagseg.workflow.proofreading.box_file import NAME, read_boxes, write_boxes
from napari_slagseg.workflow.proofreading.particle_boxes import (
    Ends,
    ParticleBoxes,
    around,
    read_again,
    union,
)
from napari_slagseg.workflow.proofreading.since import entries_since, labels_of
from napari_slagseg.workflow.segment import segmented_phase_table

Voxel = Sequence[int]
"""(z, y, x) in the volume."""

_BLOCK = 128


class Finding:
    """The edited segmentation of a project, and where its particles lie.

    Parameters
    ----------
    project : Project
        With a segmentation.

    Raises
    ------
    SlagsegError
        If there is no segmentation, or its edits cannot be read.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.history = project.edits()
        self.particles: EditedVolume = self.history.volumes["particles"]
        self.phases: EditedVolume = self.history.volumes["phases"]
        self.probability: VolumeLike = project.segmentation_volume("particle_probability")
        self.ct: VolumeLike = project.volume().data
        self.table: PhaseTable = segmented_phase_table(project)
        self._boxes: ParticleBoxes | None = None
        self._unsaved = 0
        self._one_at_a_time = threading.RLock()

    # -- where particles lie -----------------------------------------------------

    @property
    def shape(self) -> Triple:
        """Voxels of the volume along (z, y, x)."""
        return self.particles.shape

    def prepare(self, progress: Progress = no_progress, cancel: CancelToken | None = None) -> None:
        """Find out where every particle lies, if that is not known yet.

        Everything that needs it does so by itself; here it can be watched and stopped.
        """
        if self._boxes is not None:  # an edit that is being made is not waited for
            return
        with self._one_at_a_time:
            if self._boxes is None:
                self._boxes = self._stored_boxes()
            if self._boxes is None:
                run = ThreadRun(BlockGrid.of(self.shape, _BLOCK), cores(), progress, cancel)
                self._boxes = ParticleBoxes(*boxes_of_volume(self.particles, run))
                self._unsaved = 1
                self.save_boxes()
                # older segmentations do not note it; the first edit would have to look for it
                _ = self.history.largest_label

    @property
    def boxes(self) -> ParticleBoxes:
        """Where every particle lies."""
        self.prepare()
        assert self._boxes is not None
        return self._boxes

    def box_of(self, label: int) -> Box:
        """The smallest box around a particle.

        Raises
        ------
        SlagsegError
            If there is none of that number.
        """
        return self.boxes.box(label)

    def label_at(self, voxel: Voxel) -> int:
        """Particle at a voxel; 0 for background.

        Raises
        ------
        SlagsegError
            If it lies outside the volume.
        """
        return int(self.particles[self.inside(voxel)])

    def inside(self, voxel: Voxel) -> Triple:
        """A voxel as three whole numbers, refused outside the volume."""
        at = tuple(int(n) for n in voxel)
        if len(at) != 3 or not all(0 <= a < n for a, n in zip(at, self.shape)):
            raise SlagsegError(
                f"The point {at} (z, y, x) lies outside the volume of {self.shape} voxels; "
                "click inside it."
            )
        return at  # type: ignore[return-value]

    def working_box(self, labels: Iterable[int], margin: int, *more: Box) -> Box:
        """Box around whole particles, and other boxes, with a margin."""
        return around([*(self.box_of(n) for n in labels), *more], margin, self.shape)

    def save_boxes(self) -> None:
        """Store where particles lie, so that opening need not find it out again.

        Done by itself now and then; if a kill prevents it, opening takes a little longer.
        """
        with self._one_at_a_time:
            if self._boxes is None or not self._unsaved or not self.project.lock.held:
                return
            path = self.project.edits_folder() / NAME
            with suppress(SlagsegError):  # a full disk: all that is lost is time
                write_boxes(path, self._boxes.arrays(), self.history.digest())
            self._unsaved = 0

    def close(self) -> None:
        """Store what makes the next opening quick; all edits are on disk before."""
        self.save_boxes()

    def _stored_boxes(self) -> ParticleBoxes | None:
        """Boxes from the file, brought up to date; None where there are none to trust."""
        found = read_boxes(self.project.edits_folder() / NAME, self.shape)
        if found is None:
            return None
        boxes = ParticleBoxes(*found[0])
        entries = entries_since(self.history, found[1])
        if entries is None:
            return None
        within: dict[int, Ends] = {}
        for entry in entries:
            for label in labels_of([entry]):
                known = within.get(label) or boxes.get(label)
                changed = (*entry.low, *entry.high)
                within[label] = changed if known is None else union(known, changed)
        read = self.particles.__getitem__
        boxes.take({label: read_again(label, ends, read) for label, ends in within.items()})
        self._unsaved = len(entries)
        return boxes

    # -- what edits are given ----------------------------------------------------

    def box_from(self, start: Voxel, shape: Sequence[int]) -> Box:
        """Box of a shape at a voxel, refused where it does not lie in the volume."""
        low = tuple(int(n) for n in start)
        stop = tuple(a + n for a, n in zip(low, shape))
        if len(low) != 3 or min(*low, *shape) < 0 or any(b > n for b, n in zip(stop, self.shape)):
            raise SlagsegError(
                f"The painted box from {low} to {stop} (z, y, x) does not lie in the volume of "
                f"{self.shape} voxels."
            )
        return tuple(slice(a, b) for a, b in zip(low, stop))  # type: ignore[return-value]

    def painted_box(
        self, start: Voxel, mask: NDArray[Any]
    ) -> tuple[Triple, NDArray[np.bool_], Box]:
        """What was painted, cut to the smallest box."""
        painted = np.asarray(mask) != 0
        if painted.ndim != 3:
            raise SlagsegError(f"What was painted has {painted.ndim} axes, not three (z, y, x).")
        box = self.box_from(start, painted.shape)
        cut = box_around(painted, margin=0)
        if cut is None:
            raise SlagsegError("Nothing was painted; paint some voxels first.")
        low: Triple = tuple(b.start + c.start for b, c in zip(box, cut))  # type: ignore[assignment]
        return low, painted[cut], self.box_from(low, painted[cut].shape)

    def check_phase(self, phase: int | None, least: int = 0) -> None:
        """Refuse a phase that the segmentation does not have; None stands for no choice."""
        known = [p for p in self.table if p.id >= least]
        if phase is not None and phase not in [p.id for p in known]:
            raise SlagsegError(
                f"There is no phase {phase} to choose here; there are "
                f"{', '.join(f'{p.id} ({p.name})' for p in known)}."
            )


__all__ = ["Finding", "Voxel"]
