"""Particles taken away, added, and made larger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation import edits
from napari_slagseg.workflow.proofreading.editing import Editing, one_at_a_time
from napari_slagseg.workflow.proofreading.finding import Voxel
from napari_slagseg.workflow.proofreading.masks import mask_to_json
from napari_slagseg.workflow.proofreading.outcome import Outcome
from napari_slagseg.workflow.proofreading.places import ids_of, local, placed, voxel_box
from napari_slagseg.workflow.proofreading.standing import DELETE


class Adding(Editing):
    """Deletes particles, and makes particles of what was painted or is as bright as a seed."""

    @one_at_a_time
    def delete(self, labels: Iterable[int]) -> Outcome:
        """Make particles background; see `edits.delete`."""
        ids = ids_of(labels)
        if not ids:
            raise SlagsegError("No particle is selected that could be deleted; click one.")
        return self.edit(
            DELETE,
            {"labels": ids},
            self.working_box(ids, 0),
            lambda found, phases: edits.delete(found, ids, phases),
        )

    @one_at_a_time
    def add_painted(
        self,
        start: Voxel,
        mask: NDArray[Any],
        phase: int | None = None,
        label: int | None = None,
        overwrite: bool = False,
    ) -> Outcome:
        """Give painted voxels to a particle; see `edits.add_by_painting`.

        Parameters
        ----------
        start : (z, y, x)
            First voxel of the painted box.
        mask : (z, y, x) bool or integer
            What is not 0 was painted.
        phase : int, optional
            Of voxels that have none; a new particle needs it.
        label : int, optional
            Particle that grows, or a number of the user's for a new one. Without it, the next
            number that was never used.
        overwrite : bool
            Whether voxels of other particles may be taken.
        """
        corner, painted, box = self.painted_box(start, mask)
        self.check_phase(phase, least=1)
        grows = label is not None and int(label) in self.boxes
        around = self.working_box([int(label)] if grows and label else [], 1, box)
        whole = placed(painted, box, around)
        return self.edit(
            "add",
            {
                "painted": mask_to_json(corner, painted),
                "phase": phase,
                "label": None if label is None else int(label),
                "overwrite": bool(overwrite),
            },
            around,
            lambda found, phases: edits.add_by_painting(
                found,
                whole,
                self.new_labels(1)[0] if label is None else int(label),
                phases=phases,
                phase=phase,
                overwrite=overwrite,
            ),
        )

    @one_at_a_time
    def grow(
        self,
        seed: Voxel,
        radius: float = 50.0,
        tolerance: float | None = None,
        phase: int | None = None,
    ) -> Outcome:
        """Make a particle of what is as bright as the CT around a seed; see `edits.grow_from_seed`.

        Parameters
        ----------
        seed : (z, y, x)
        radius : float
            It grows no farther, in voxels; up to 200.
        tolerance : float, optional
            Of grey values; estimated without it.
        phase : int, optional
            Of voxels that have none.
        """
        at = self.inside(seed)
        there = self.label_at(at)
        if there:
            raise SlagsegError(
                f"The seed {at} lies in particle {there}; put it into the background, or delete "
                "the particle first."
            )
        if not 1 <= radius <= 200:
            raise SlagsegError(f"The radius is {radius:g}; take 1 to 200 voxels.")
        self.check_phase(phase, least=1)
        box = self.working_box([], int(radius) + 1, voxel_box(at))
        return self.edit(
            "grow",
            {"seed": list(at), "radius": float(radius), "tolerance": tolerance, "phase": phase},
            box,
            lambda labels, phases: edits.grow_from_seed(
                np.asarray(self.ct[box]),
                labels,
                local([at], box)[0],
                self.new_labels(1)[0],
                radius=radius,
                tolerance=tolerance,
                phases=phases,
                phase=phase,
            ),
        )


__all__ = ["Adding"]
