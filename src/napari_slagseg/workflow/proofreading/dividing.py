"""Particles taken apart and put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from napari_slagseg.data import SlagsegError, Triple
from napari_slagseg.segmentation import edits
from napari_slagseg.workflow.proofreading.editing import Editing, one_at_a_time
from napari_slagseg.workflow.proofreading.finding import Voxel
from napari_slagseg.workflow.proofreading.outcome import Outcome
from napari_slagseg.workflow.proofreading.places import ids_of, local


class Dividing(Editing):
    """Splits and merges particles."""

    @one_at_a_time
    def split(self, label: int, points: Iterable[Voxel]) -> Outcome:
        """Divide a particle by one point in each of its parts; see `edits.split`."""
        at = [self.inside(p) for p in points]
        box = self.working_box([label], 1)
        for number, point in enumerate(at, start=1):
            self._check_on(label, point, f"Point {number}")
        return self.edit(
            "split",
            {"label": int(label), "points": [list(p) for p in at]},
            box,
            lambda labels, phases: edits.split(
                labels, int(label), local(at, box), self.new_labels(max(0, len(at) - 1))
            ),
            needs_phases=False,
        )

    @one_at_a_time
    def split_by_stroke(
        self, label: int, stroke: Iterable[Voxel], axis: int | None = None
    ) -> Outcome:
        """Divide a particle in two along a stroke in one slice; see `edits.split_by_stroke`.

        Parameters
        ----------
        label : int
        stroke : iterable of (z, y, x)
            Its voxels, in any order.
        axis : int, optional
            Across the slice. Without it, the first axis along which the stroke stays in place.
        """
        at = [self.inside(p) for p in stroke]
        box = self.working_box([label], 1)
        across = _axis_of(at, label) if axis is None else int(axis)
        near = [p for p in at if all(s.start <= n < s.stop for n, s in zip(p, box))]
        if not near:
            raise SlagsegError(
                f"The stroke does not touch particle {label}; draw it inside the particle, along "
                "the border between its parts."
            )
        return self.edit(
            "split_by_stroke",
            {"label": int(label), "stroke": [list(p) for p in at], "axis": across},
            box,
            lambda labels, phases: edits.split_by_stroke(
                labels, int(label), local(near, box), across, *self.new_labels(1)
            ),
            needs_phases=False,
        )

    @one_at_a_time
    def merge(self, labels: Iterable[int], apart: bool = False) -> Outcome:
        """Make particles one, with the number of the first; see `edits.merge`."""
        ids = ids_of(labels)
        if len(ids) < 2:
            raise SlagsegError(
                f"Merging takes two or more particles; selected: {ids}. Click another one."
            )
        return self.edit(
            "merge",
            {"labels": ids, "apart": bool(apart)},
            self.working_box(ids, 0),
            lambda found, phases: edits.merge(found, ids, apart=apart),
            needs_phases=False,
        )

    def _check_on(self, label: int, point: Triple, what: str) -> None:
        there = self.label_at(point)
        if there != label:
            where = f"in particle {there}" if there else "in the background"
            raise SlagsegError(
                f"{what} at {point} lies {where}, not in particle {label}; move it into the "
                "particle or remove it."
            )


def _axis_of(stroke: Sequence[Triple], label: int) -> int:
    if not stroke:
        raise SlagsegError(
            f"The stroke that should split particle {label} is empty; draw along the border."
        )
    for axis in range(3):
        if len({p[axis] for p in stroke}) == 1:
            return axis
    raise SlagsegError(
        f"The stroke that should split particle {label} does not lie in one slice; draw it in one."
    )


__all__ = ["Dividing"]
