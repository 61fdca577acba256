"""What `interfaces` says of all particles, of a single one: from its bounding box alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Block, BlockGrid, Box, Triple, VolumeLike, VoxelSize
from napari_slagseg.evaluation.suspects.interfaces import HALF, UNSURE

_EDGE = 128
"""Edge of the parts in which a large box is looked at."""

AT_ONCE = 1 << 23
"""Voxels of a box, with its surroundings, that are kept in memory."""


@dataclass(frozen=True)
class Window:
    """A box of a volume in memory; it is read by the volume's own voxels.

    Attributes
    ----------
    values : (z, y, x)
    start : (z, y, x)
        Its first voxel.
    shape : (z, y, x)
        Of the volume.
    """

    values: NDArray[Any]
    start: Triple
    shape: Triple

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return self.values.dtype

    def __getitem__(self, box: Box, /) -> NDArray[Any]:
        """Voxels of a box that lies within."""
        z, y, x = (slice(s.start - a, s.stop - a) for s, a in zip(box, self.start))
        return self.values[z, y, x]


@dataclass(frozen=True)
class Seen:
    """Volumes around a particle: read once where they are small enough to be kept."""

    particles: VolumeLike
    probability: VolumeLike
    phases: VolumeLike | None

    @classmethod
    def around(
        cls,
        box: Box,
        particles: VolumeLike,
        probability: VolumeLike,
        phases: VolumeLike | None,
    ) -> Seen:
        """The volumes with one more voxel on each side of a box."""
        z, y, x = particles.shape
        whole = Block((0, 0, 0), _starts(box), _stops(box))
        outer, _ = whole.around(1, (z, y, x))
        if math.prod(s.stop - s.start for s in outer) > AT_ONCE:
            return cls(particles, probability, phases)

        def kept(volume: VolumeLike) -> VolumeLike:
            return Window(np.asarray(volume[outer]), _starts(outer), (z, y, x))

        return cls(kept(particles), kept(probability), None if phases is None else kept(phases))


def _starts(box: Box) -> Triple:
    return box[0].start, box[1].start, box[2].start


def _stops(box: Box) -> Triple:
    return box[0].stop, box[1].stop, box[2].stop


def summed(
    label: int, box: Box, seen: Seen, spacing: VoxelSize
) -> tuple[dict[str, float] | None, list[tuple[int, int, float, float]]]:
    """Sums of a particle and of its interfaces, as `interfaces.summed_interfaces` has them.

    Parameters
    ----------
    label : int
    box : Box
        All of it lies within.
    seen : Seen
    spacing : (z, y, x)

    Returns
    -------
    row : dict or None
        ``label`` and the columns of `interfaces.summed_interfaces`; None if there is no such
        particle in the box.
    pairs : list of (a, b, area, chance)
        Its neighbours, a < b.
    """
    low = np.array(_starts(box))
    sums = np.zeros(4)
    ends: list[NDArray[np.int64]] = []
    areas: dict[int, NDArray[np.float64]] = {}
    for part in BlockGrid.of([b - a for a, b in zip(_starts(box), _stops(box))], _EDGE):
        start, stop = (tuple(int(n) for n in low + end) for end in (part.start, part.stop))
        block = Block(part.index, start, stop)  # type: ignore[arg-type]
        _add_part(label, block, seen, spacing, sums, ends, areas)
    if not ends:
        return None, []
    outside = areas.pop(0, np.zeros(2))
    inside = np.sum([*areas.values(), np.zeros(2)], axis=0)
    first, last = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
    surface = outside[0] + inside[0]
    row: dict[str, float] = {
        "label": label, "voxels": int(sums[0]), "chance": sums[1] / sums[0],
        "unsure": sums[2] / sums[0], "denied": sums[3] / sums[0], "surface": surface,
        "contact": inside[0] / surface if surface else 0.0,
        "contact_chance": inside[1] / inside[0] if inside[0] else math.nan,
        "outside_chance": outside[1] / outside[0] if outside[0] else math.nan,
    }  # fmt: skip
    for k, axis in enumerate("zyx"):
        row[f"{axis}0"], row[f"{axis}1"] = int(first[k]), int(last[k])
    pairs = [
        (min(label, other), max(label, other), float(area), float(chance / area))
        for other, (area, chance) in sorted(areas.items())
    ]
    return row, pairs


def _add_part(
    label: int,
    block: Block,
    seen: Seen,
    spacing: VoxelSize,
    sums: NDArray[np.float64],
    ends: list[NDArray[np.int64]],
    areas: dict[int, NDArray[np.float64]],
) -> None:
    """Add what a part of the box says: sums, ends, and area and area times chance by neighbour."""
    z, y, x = seen.particles.shape
    outer, inner = block.around(1, (z, y, x))
    labels, chance = np.asarray(seen.particles[outer]), np.asarray(seen.probability[outer])
    inside = labels == label
    mine = inside
    if inside.shape != block.shape:
        mine = np.zeros_like(inside)
        mine[inner] = inside[inner]
    at = [np.flatnonzero(mine.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    if not len(at[0]):
        return
    first = np.array(_starts(outer))
    ends.append(np.array([[a[0] for a in at] + first, [a[-1] + 1 for a in at] + first]))
    sure = chance[mine]
    denied = sure < HALF
    if seen.phases is not None:
        denied |= np.asarray(seen.phases[outer])[mine] == 0
    unsure = (sure >= UNSURE[0]) & (sure < UNSURE[1])
    sums += [len(sure), sure.sum(dtype=np.float64) / 255, np.count_nonzero(unsure),
             np.count_nonzero(denied)]  # fmt: skip
    others, faces, chances = [], [], []
    whole = float(np.prod(spacing))
    for axis in range(3):
        low = tuple(slice(None, -1) if k == axis else slice(None) for k in range(3))
        high = tuple(slice(1, None) if k == axis else slice(None) for k in range(3))
        for here, there in ((low, high), (high, low)):
            face = np.nonzero(mine[here] & ~inside[there])
            other = labels[there][face].astype(np.int64)
            p, q = (chance[side][face].astype(np.float64) / 255 for side in (here, there))
            # between particles that of the less sure voxel, at the outside the particle's
            across = np.where(other == 0, p, np.minimum(p, q))
            others.append(other)
            faces.append(np.full(len(other), whole / spacing[axis]))
            chances.append(across * whole / spacing[axis])
    found, of = np.unique(np.concatenate(others), return_inverse=True)
    by_area = np.bincount(of, np.concatenate(faces), len(found))
    by_chance = np.bincount(of, np.concatenate(chances), len(found))
    for k, other in enumerate(found.tolist()):
        areas[other] = areas.get(other, 0.0) + np.array([by_area[k], by_chance[k]])


__all__ = ["AT_ONCE", "Seen", "Window", "summed"]
