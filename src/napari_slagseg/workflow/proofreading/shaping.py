"""Holes, surfaces and phases of particles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation import edits
from napari_slagseg.workflow.proofreading.editing import Editing, one_at_a_time
from napari_slagseg.workflow.proofreading.finding import Voxel
from napari_slagseg.workflow.proofreading.masks import mask_to_json
from napari_slagseg.workflow.proofreading.outcome import Outcome
from napari_slagseg.workflow.proofreading.places import local, placed


class Shaping(Editing):
    """Fills and smooths particles, and changes phases in them."""

    @one_at_a_time
    def fill_holes(self, label: int, maximum_voxels: int | None = None) -> Outcome:
        """Fill the background that a particle encloses; see `edits.fill_holes`."""
        return self.edit(
            "fill",
            {"label": int(label), "maximum_voxels": maximum_voxels},
            self.working_box([label], 1),
            lambda labels, phases: edits.fill_holes(
                labels, int(label), phases, maximum_voxels=maximum_voxels
            ),
        )

    @one_at_a_time
    def smooth(self, label: int, voxels: float = 1.0) -> Outcome:
        """Smooth the surface of a particle; see `edits.smooth`."""
        margin = math.ceil(3 * voxels) + 1 if 0 < voxels <= 20 else 1
        return self.edit(
            "smooth",
            {"label": int(label), "voxels": float(voxels)},
            self.working_box([label], margin),
            lambda labels, phases: edits.smooth(labels, int(label), voxels, phases),
        )

    @one_at_a_time
    def relabel_painted(
        self, start: Voxel, mask: NDArray[Any], phase: int, label: int | None = None
    ) -> Outcome:
        """Give painted voxels of particles another phase; see `edits.relabel_painted`."""
        corner, painted, box = self.painted_box(start, mask)
        self.check_phase(phase)
        if label is not None:
            self.box_of(label)
        touched = np.unique(np.asarray(self.particles[box])[painted]).tolist() if not phase else []
        around = self.working_box([n for n in touched if n], 0, box)
        whole = placed(painted, box, around)
        return self.edit(
            "relabel",
            {
                "painted": mask_to_json(corner, painted),
                "phase": int(phase),
                "label": None if label is None else int(label),
            },
            around,
            lambda labels, phases: edits.relabel_painted(
                labels, phases, whole, int(phase), label=label
            ),
        )

    @one_at_a_time
    def relabel_region(self, voxel: Voxel, phase: int) -> Outcome:
        """Give the grain at a voxel another phase; see `edits.relabel_region`."""
        at = self.inside(voxel)
        self.check_phase(phase)
        label = self.label_at(at)
        if not label:
            raise SlagsegError(
                f"The point {at} lies in no particle, so there is no grain to change; click "
                "inside one."
            )
        box = self.working_box([label], 0)
        return self.edit(
            "relabel_region",
            {"voxel": list(at), "phase": int(phase)},
            box,
            lambda labels, phases: edits.relabel_region(
                labels, phases, local([at], box)[0], int(phase)
            ),
        )


__all__ = ["Shaping"]
