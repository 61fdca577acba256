"""Puts what a user settled in one segmentation on top of another one of the same volume.

Each carried particle is one action in the history of the new segmentation, so it is on disk, it
can be undone, and it counts as edited by hand from there on. What cannot be decided is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_slagseg.data import (
    Action,
    BlockGrid,
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    ThreadRun,
    VolumeLike,
    VoxelSize,
    delta_between,
    no_progress,
    part_of,
    stop_if_cancelled,
)
from napari_slagseg.data.cores import cores
from napari_slagseg.project.edits import History
from napari_slagseg.segmentation.edits.carrying import (
    CarryingRules,
    Clash,
    Settlement,
    lay_over,
    settle,
    shared_voxels,
)
from napari_slagseg.segmentation.label_boxes import boxes_of_volume
from napari_slagseg.workflow.proofreading.conflicts import Conflict, told
from napari_slagseg.workflow.proofreading.masks import mask_to_json
from napari_slagseg.workflow.proofreading.particle_boxes import ParticleBoxes, around
from napari_slagseg.workflow.proofreading.settled import (
    CARRY,
    KeptPiece,
    Piece,
    corner,
    deleted_pieces,
)
from napari_slagseg.workflow.proofreading.standing import LOCK, Standing

PARTICLES, PHASES = "particles", "phases"

_BLOCK = 128


@dataclass(frozen=True)
class CarriedOver:
    """What came of it.

    Attributes
    ----------
    particles : int
        That were carried over.
    deletions : int
        Pieces that were deleted by hand and stay so.
    rims, absorbed, trimmed : int
        New particles whose thin rest became background; of which nothing is left; that lost a
        few voxels.
    conflicts : tuple of Conflict
    labels : mapping of int to int
        New number of each carried particle.
    """

    particles: int
    deletions: int
    rims: int
    absorbed: int
    trimmed: int
    conflicts: tuple[Conflict, ...]
    labels: Mapping[int, int]


def carry_over(
    old: History,
    new: History,
    voxel_size_um: VoxelSize,
    *,
    came_from: str = "",
    rules: CarryingRules | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> CarriedOver:
    """Lay what was settled in one segmentation over another.

    Settled are particles that were edited, locked or accepted, and those that were deleted.
    Particles that are settled in the new segmentation already are not touched.

    Parameters
    ----------
    old, new : History
        Over volumes of one shape. `new` must be writable.
    voxel_size_um : (z, y, x)
    came_from : str
        Id of the old segmentation, for the journal.
    rules : CarryingRules, optional
    progress, cancel
        See `napari_slagseg.data.running`. What was carried before a cancel stays.

    Returns
    -------
    CarriedOver

    Raises
    ------
    SlagsegError
        If the volumes differ in shape, or an edit cannot be stored.
    """
    old_labels, new_labels = old.volumes[PARTICLES], new.volumes[PARTICLES]
    if old_labels.shape != new_labels.shape:
        raise SlagsegError(
            f"Edits of a segmentation of {old_labels.shape} voxels cannot be carried over to one "
            f"of {new_labels.shape}; it is of another CT."
        )
    old_boxes = _boxes(old_labels, part_of(progress, 0.0, 0.15), cancel)
    new_boxes = _boxes(new_labels, part_of(progress, 0.15, 0.3), cancel)
    standing = Standing(old, lambda label: label in old_boxes)
    held = Standing(new, lambda label: label in new_boxes).kept()
    sources = [KeptPiece(n, old_boxes.box(n), old_labels) for n in sorted(standing.kept())]
    # what was deleted goes first: a particle that was painted there later wins
    every: list[Piece] = [*deleted_pieces(old), *sources]
    pieces = []
    for source in every:
        stop_if_cancelled(cancel)
        progress(ProgressEvent("comparing your particles with the new ones", 0.35))
        here = np.asarray(new_labels[source.box])
        pieces.append(
            shared_voxels(
                source.label, source.inside(), here, corner(source.box), deleted=source.deleted
            )
        )
    touched = {n for piece in pieces for n in piece.with_new if n > 0}
    settled = settle(pieces, _sizes(new_labels, new_boxes, touched), rules)
    carrying = _Carrying(old, new, came_from, settled, new_boxes, set(held))
    for done, source in enumerate(every):
        stop_if_cancelled(cancel)
        progress(
            ProgressEvent("laying your particles over the new ones", 0.4 + 0.6 * done / len(every))
        )
        carrying.carry(source)
    locked = sorted(carrying.numbers[n] for n in standing.locked() if n in carrying.numbers)
    if locked:
        new.do(Action(LOCK, {"labels": locked, "on": True}, (), tuple(locked), tuple(locked)))
    clashes = [*settled.clashes, *carrying.overlaps]
    return CarriedOver(
        particles=len(sources),
        deletions=len(every) - len(sources),
        rims=len(settled.rims),
        absorbed=len(settled.absorbed),
        trimmed=len(settled.trimmed),
        conflicts=tuple(told(c, carrying.numbers, voxel_size_um) for c in clashes),
        labels=carrying.numbers,
    )


class _Carrying:
    """Lays one piece after the other, each as an action."""

    def __init__(
        self,
        old: History,
        new: History,
        came_from: str,
        settled: Settlement,
        boxes: ParticleBoxes,
        held: set[int],
    ) -> None:
        self.old, self.new, self.came_from = old, new, came_from
        self.boxes, self.held = boxes, held
        self.numbers: dict[int, int] = {}
        self.overlaps: list[Clash] = []
        self._rims: dict[int, list[int]] = {}
        for label, by in settled.rims.items():
            if label not in held:
                self._rims.setdefault(by, []).append(label)

    def carry(self, source: Piece) -> None:
        """Lay a piece over the new segmentation."""
        labels, phases = self.new.volumes[PARTICLES], self.new.volumes[PHASES]
        rims = self._rims.pop(source.label, [])
        box = around([source.box, *(self.boxes.box(n) for n in rims)], 0, labels.shape)
        was = source.inside()
        inside = np.zeros([s.stop - s.start for s in box], dtype=bool)
        inside[
            tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(source.box, box))
        ] = was
        number = 0
        facts: dict[str, Any] = {
            "from": self.came_from,
            "label": source.label,
            "deleted": source.deleted,
        }
        old_phases = relabelled = None
        if source.deleted:
            facts["mask"] = mask_to_json(corner(source.box), was)
        else:
            number = self.new.new_labels(1)[0]
            old_phases = np.asarray(self.old.volumes[PHASES][box])
            relabelled = old_phases != np.asarray(self.old.volumes[PHASES].base[box])
        before, phases_before = np.asarray(labels[box]), np.asarray(phases[box])
        laid = lay_over(
            before,
            phases_before,
            inside,
            number,
            old_phases=old_phases,
            relabelled=relabelled,
            erase=rims,
            held=self.held,
        )
        deltas = (
            delta_between(PARTICLES, corner(box), before, laid.labels),
            delta_between(PHASES, corner(box), phases_before, laid.phases),
        )
        lost = np.unique(deltas[0].old)
        self.new.do(
            Action(
                CARRY,
                {**facts, "rims": rims},
                deltas,
                tuple(int(n) for n in lost if n),
                (number,) if number else (),
            )
        )
        if number:
            self.numbers[source.label] = number
            self.held.add(number)
        for other, voxels in laid.left.items():
            at = np.argwhere(inside & (before == other))
            z, y, x = (int(n) + s.start for n, s in zip(at[len(at) // 2], box))
            self.overlaps.append(Clash("overlap", source.label, other, voxels, (z, y, x)))


def _boxes(labels: VolumeLike, progress: Progress, cancel: CancelToken | None) -> ParticleBoxes:
    z, y, x = labels.shape
    run = ThreadRun(BlockGrid.of((z, y, x), _BLOCK), cores(), progress, cancel)
    return ParticleBoxes(*boxes_of_volume(labels, run))


def _sizes(labels: VolumeLike, boxes: ParticleBoxes, wanted: set[int]) -> dict[int, int]:
    """Voxels of some particles, each read in its box."""
    return {n: int(np.count_nonzero(np.asarray(labels[boxes.box(n)]) == n)) for n in wanted}


__all__ = ["CARRY", "CarriedOver", "carry_over"]
