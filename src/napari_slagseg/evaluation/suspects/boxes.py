"""What is measured in the bounding box of one particle, or of two that touch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cc3d
import edt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import Block, BlockResult, BlockRun, VolumeLike, VoxelSize
from napari_slagseg.evaluation.suspects.interfaces import HALF

LARGEST_BOX = 1 << 19
"""Voxels of a particle's box that are worked on; of larger ones every second, third ... along
each axis. So a row is made within a tenth of a second, whatever the particle's size."""

LARGEST_PAIR_BOX = LARGEST_BOX // 2
"""The same for the box of two that touch: a particle may have many neighbours."""

_SLAB = 1 << 22
"""Voxels that are read at once of a box that is thinned out."""

PARTICLE_FEATURES = (
    "neck", "neck_share", "weak_cut", "dip", "pieces", "solidity", "elongation", "holes",
    "denied_holes", "place_z", "place_y", "place_x",
)  # fmt: skip
PAIR_FEATURES = ("open", "gain", "place_z", "place_y", "place_x")


@dataclass(frozen=True)
class BoxView:
    """Labels and probability of a box, thinned out if it is large.

    Attributes
    ----------
    labels, chance : (z, y, x)
        With a frame of background where the box does not end at the border of the volume.
        Pairs are looked at without a probability: it is empty then.
    edges : (3,) float64
        Of the voxels.
    origin : (3,) float64
        Middle of the first voxel, in the unit of the edges.
    """

    labels: NDArray[Any]
    chance: NDArray[Any]
    edges: NDArray[np.float64]
    origin: NDArray[np.float64]

    @classmethod
    def read(
        cls,
        particles: VolumeLike,
        probability: VolumeLike | None,
        low: Iterable[int],
        high: Iterable[int],
        spacing: VoxelSize,
        largest: int = LARGEST_BOX,
    ) -> BoxView:
        """Read a box, a large one by slabs, so that not all of it is held in full."""
        first, last = np.asarray(list(low)), np.asarray(list(high))
        step = 1
        while np.prod(-(-(last - first) // step)) > largest:
            step += 1
        frame = [
            (int(a > 0), int(b < n)) for a, b, n in zip(first, last, particles.shape, strict=True)
        ]
        labels = np.pad(_thinned(particles, first, last, step), frame)
        chance = np.zeros((0, 0, 0), dtype=np.uint8)
        if probability is not None:
            chance = np.pad(_thinned(probability, first, last, step), frame)
        edges = np.asarray(spacing, dtype=np.float64) * step
        begin = np.array([k[0] for k in frame])
        origin = (first + 0.5) * np.asarray(spacing) - begin * edges
        return cls(labels, chance, edges, origin)

    def depth(self, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Distance to the outside, in shortest voxel edges; the volume's border is no outside."""
        unit = self.edges / self.edges.min()
        # as bytes: of bool it takes three times as long
        solid = np.ascontiguousarray(inside).view(np.uint8)
        depth = edt.edt(solid, anisotropy=tuple(unit), black_border=False)
        depth[~np.isfinite(depth)] = 0  # a mask without an outside
        return depth

    def place(self, index: NDArray[Any]) -> NDArray[np.float64]:
        """Where a voxel is, in the unit of the edges."""
        return self.origin + np.asarray(index, dtype=np.float64) * self.edges

    def solidity(self, inside: NDArray[np.bool_]) -> float:
        """Volume over that of the convex hull, as the column of the particle table."""
        # imports numba, which asking for help must not wait for
        from napari_slagseg.descriptors.hull_boxes import extreme_corners, lattice_hull

        corners = extreme_corners(np.ascontiguousarray(inside).astype(np.uint32), 1)
        hull = lattice_hull(corners, len(corners), self.edges)[-1]
        return float(np.count_nonzero(inside) * np.prod(self.edges) / hull)


def _thinned(
    volume: VolumeLike, low: NDArray[np.int64], high: NDArray[np.int64], step: int
) -> NDArray[Any]:
    across = tuple(slice(int(a), int(b)) for a, b in zip(low[1:], high[1:]))
    if step == 1:
        return np.asarray(volume[(slice(int(low[0]), int(high[0])), *across)])
    # not plane by plane: what is compressed by chunks would be unpacked again for each
    planes = step * max(1, int(_SLAB // np.prod(high[1:] - low[1:])) // step)
    return np.concatenate(
        [
            np.asarray(volume[(slice(z, min(z + planes, int(high[0]))), *across)])[
                ::step, ::step, ::step
            ]
            for z in range(int(low[0]), int(high[0]), planes)
        ]
    )


def faces_between(
    values: NDArray[Any], one: NDArray[np.bool_], other: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The smaller value of both voxels at each face between two masks, and the faces' places."""
    least, places = [], []
    for axis in range(3):
        low = tuple(slice(None, -1) if k == axis else slice(None) for k in range(3))
        high = tuple(slice(1, None) if k == axis else slice(None) for k in range(3))
        touch = (one[low] & other[high]) | (other[low] & one[high])
        at = np.argwhere(touch).astype(np.float64)
        at[:, axis] += 0.5
        places.append(at)
        least.append(np.minimum(values[low], values[high])[touch])
    return np.concatenate(least), np.concatenate(places)


def enclosed_by(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes: what is outside but not connected (6 neighbours) to the border of the box."""
    pieces = cc3d.connected_components(~inside, connectivity=6)
    open_to = np.zeros(int(pieces.max(initial=0)) + 1, dtype=np.bool_)
    open_to[0] = True  # the particle itself
    for axis in range(3):
        for side in (0, -1):
            open_to[np.take(pieces, side, axis=axis)] = True
    return np.asarray(~open_to[pieces])


def particle_features(view: BoxView, label: int) -> list[float]:
    """Numbers of one particle, in the order of `PARTICLE_FEATURES`."""
    from napari_slagseg.evaluation.suspects.necks import cuts_of  # imports numba

    inside = view.labels == label
    n = int(np.count_nonzero(inside))
    if n == 0:  # thinned out to nothing: a thread of voxels in a large box
        return [0, 0, 0, 0, 1, 1, 1, 0, 0, *view.place(np.array(inside.shape) / 2)]
    at = np.argwhere(inside)
    middle = view.place(at.mean(axis=0))
    spread = np.cov((at * view.edges).T, bias=True) + np.diag(view.edges**2 / 12)
    axes = np.sqrt(np.linalg.eigvalsh(spread))
    cuts = cuts_of(view.depth(inside), inside)
    wide = cuts.wide()
    rise = cuts.tops - cuts.saddles
    pieces = 1 + np.count_nonzero(wide & (rise >= 1.0))
    neck = share = weak = 0.0
    best = cuts.narrowest(cuts.sound(n) | wide)
    if best >= 0:
        neck = 1 - cuts.saddles[best] / cuts.tops[best]
        share = min(cuts.shares[best], 1 - cuts.shares[best]) if neck > 0 else 0.0
        side = cuts.side(best)
        across, places = faces_between(view.chance, side, inside & ~side)
        if len(across):
            weak = max(0.0, 1 - float(across.mean()) / max(1.0, float(view.chance[inside].mean())))
            middle = view.place(places.mean(axis=0))
    sure = cuts_of(view.chance.astype(np.float32) + 1, inside)
    dips = (sure.tops - sure.saddles)[sure.sound(n) | sure.wide()]
    dip = float(dips.max(initial=0)) / 255
    enclosed = enclosed_by(inside)
    denied = np.count_nonzero(enclosed & (view.chance >= HALF))
    return [neck, share, weak, dip, pieces, view.solidity(inside), axes[2] / axes[0],
            np.count_nonzero(enclosed) / n, denied / n, *middle]  # fmt: skip


def pair_features(view: BoxView, a: int, b: int, solidity: float) -> list[float]:
    """Numbers of two particles that touch, in the order of `PAIR_FEATURES`.

    `solidity` is that of the two apart, weighted by volume.
    """
    one, other = view.labels == a, view.labels == b
    both = one | other
    depth = view.depth(both)
    across, places = faces_between(depth, one, other)
    if not len(across):  # thinned out
        return [0.0, 0.0, *view.place(np.array(both.shape) / 2)]
    tops = min(depth[one].max(), depth[other].max())
    gain = view.solidity(both) - solidity
    return [float(across.max() / max(tops, 1e-6)), gain, *view.place(places.mean(axis=0))]


@dataclass(frozen=True)
class MeasureBoxes:
    """Stage: particles or pairs whose bounding boxes begin in a block."""

    particles: VolumeLike
    probability: VolumeLike
    spacing: VoxelSize
    largest: int = LARGEST_BOX

    def __call__(self, block: Block, given: Any, /) -> BlockResult:
        """Measure; `given` has ``who`` (n, 1 or 2), ``low``, ``high``, ``solidity``."""
        rows = []
        for k, who in enumerate(given["who"].tolist()):
            view = BoxView.read(
                self.particles, self.probability if len(who) == 1 else None, given["low"][k],
                given["high"][k], self.spacing, self.largest,
            )  # fmt: skip
            if len(who) == 1:
                rows.append(particle_features(view, who[0]))
            else:
                rows.append(pair_features(view, who[0], who[1], float(given["solidity"][k])))
        return {"row": given["row"], "values": np.array(rows, dtype=np.float64)}


def measured_boxes(
    task: MeasureBoxes,
    who: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    solidity: NDArray[np.float64],
    run: BlockRun,
    part: tuple[float, float],
) -> pd.DataFrame:
    """Features of particles (`who` of shape (n, 1)) or pairs ((n, 2)), in their order."""
    names = PARTICLE_FEATURES if who.shape[1] == 1 else PAIR_FEATURES
    values = np.zeros((len(who), len(names)))
    if len(who):
        owner = np.ravel_multi_index(tuple((low // run.grid.edges).T), run.grid.counts)
        given = {}
        for number in np.unique(owner).tolist():
            rows = np.flatnonzero(owner == number)
            z, y, x = (int(i) for i in np.unravel_index(number, run.grid.counts))
            given[z, y, x] = {"row": rows, "who": who[rows], "low": low[rows],
                              "high": high[rows], "solidity": solidity[rows]}  # fmt: skip
        single = who.shape[1] == 1
        results = run.stage(
            "suspects-particles" if single else "suspects-pairs",
            task,
            given=given,
            blocks=[run.grid.block(index) for index in given],
            says="looking at particles" if single else "looking at neighbours",
            part=part,
        )
        for result in results.values():
            values[result["row"]] = result["values"]
    return pd.DataFrame(values, columns=list(names))


__all__ = [
    "LARGEST_BOX",
    "LARGEST_PAIR_BOX",
    "PAIR_FEATURES",
    "PARTICLE_FEATURES",
    "BoxView",
    "MeasureBoxes",
    "enclosed_by",
    "faces_between",
    "measured_boxes",
    "pair_features",
    "particle_features",
]
