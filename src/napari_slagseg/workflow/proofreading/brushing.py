"""Strokes of a viewer's own brush, taken over as edits."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Box, SlagsegError
from napari_slagseg.segmentation import edits
from napari_slagseg.workflow.proofreading.editing import Editing, one_at_a_time
from napari_slagseg.workflow.proofreading.finding import Voxel
from napari_slagseg.workflow.proofreading.masks import strokes_to_json
from napari_slagseg.workflow.proofreading.outcome import Outcome
from napari_slagseg.workflow.proofreading.places import low_of
from napari_slagseg.workflow.proofreading.strokes import (
    check_stroke,
    painted_particles,
    painted_phases,
    stroke_values,
)


class Brushing(Editing):
    """Takes over what was painted in particles or phases."""

    @one_at_a_time
    def paint(
        self,
        array: Literal["particles", "phases"],
        start: Voxel,
        before: NDArray[Any],
        after: NDArray[Any],
        phase: int | None = None,
    ) -> Outcome:
        """Take a brush stroke over that was painted in a viewer.

        Where particles are painted, phases follow: erased voxels lose theirs, new ones get
        `phase`, or that of the nearest voxel of the same particle, or the one that most of it is
        of; a new particle gets the most frequent phase around. Where phases are painted, voxels
        outside of particles stay as they are, and phase 0 takes voxels from their particle.

        Parameters
        ----------
        array : str
            ``"particles"`` or ``"phases"``.
        start : (z, y, x)
            First voxel of the stroke's box.
        before, after : (z, y, x) integer
            The box without and with the stroke. A number that no particle had makes a new one.
        phase : int, optional
            Of new voxels of particles.
        """
        if array not in ("particles", "phases"):
            raise SlagsegError(f"There are no {array} to paint; paint particles or phases.")
        volume = self.particles if array == "particles" else self.phases
        was, now = (stroke_values(v, volume.dtype, array) for v in (before, after))
        box = self.box_from(start, now.shape)
        self.check_phase(phase, least=1)
        parameters = {
            "array": array,
            "strokes": strokes_to_json(low_of(box), was, now),
            "phase": phase,
        }
        if array == "phases":
            for value in np.unique(now[now != was]).tolist():
                self.check_phase(value)
            check_stroke(np.asarray(self.phases[box]), was, now)
            return self.edit(
                "paint", parameters, box, lambda labels, phases: painted_phases(labels, phases, now)
            )
        notes: list[str] = []
        outer = self.working_box([], 1, box)
        inner: Box = tuple(  # type: ignore[assignment]
            slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, outer)
        )

        def change(labels: NDArray[np.uint32], phases: NDArray[np.uint8]) -> edits.Edited:
            check_stroke(labels[inner], was, now)
            made = painted_particles(
                labels, phases, inner, now, phase, lambda n: self._usual_phase(n, outer, notes)
            )
            return edits.Edited(made.labels, made.phases, tuple(notes))

        return self.edit("paint", parameters, outer, change)

    def _usual_phase(self, label: int, around: Box, notes: list[str]) -> int:
        """Phase that most of a particle, or of what lies around a new one, is of."""
        is_there = label in self.boxes
        box = self.box_of(label) if is_there else around
        phases = np.asarray(self.phases[box])
        if is_there:
            phases = phases[np.asarray(self.particles[box]) == label]
        counts = np.bincount(phases.reshape(-1), minlength=2)
        counts[0] = 0
        first = min(p.id for p in self.table if p.id > 0)
        usual = int(counts.argmax()) if counts.any() else first
        if not is_there:
            notes.append(
                f"Particle {label} is new: its voxels were given the phase "
                f"{self.table.by_id(usual).name}. Change it if it is another."
            )
        return usual


__all__ = ["Brushing"]
