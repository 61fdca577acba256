"""The watershed of a volume that is cut into blocks: the same as in one piece.

Each block is flooded on its own, with markers that carry the numbers of the whole
volume. Then rounds follow. In a round, a block whose neighbours' outer voxels have
changed looks whether they offer something better (`flooding` says what that is), and
if so lets it flow in; all blocks of a round see the faces as they were at its begin.
The rounds end when no face has anything to offer. Then the equations of the flood hold
at every voxel of the volume, and as they have one solution, this is it: independent of
the blocks, of the order of work and of the number of workers.

**Interrupted work.** What a round makes of a block is the one solution of the block's
equations for the faces of its neighbours that the round began with, whatever the state
it started from: a block may be done again. Its faces are kept under a new name each time
that it is flooded, so nothing that a round reads is written in that round or later. What
lies in the volumes may be half written, where a worker was killed, or newer than what is
known to be done, where a machine lost its power; so a checksum goes with the faces, and
a block that does not fit its own floods from its markers again before it looks at what
its neighbours offer.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    Block,
    BlockGrid,
    BlockResult,
    BlockRun,
    BlockStore,
    Triple,
    VolumeLike,
    WritableVolume,
)
from napari_slagseg.segmentation.pieces import BlockPieces
from napari_slagseg.segmentation.places import Place, flat

_SIDES = tuple(itertools.product(range(3), (-1, 1)))


@dataclass(frozen=True)
class FloodState:
    """Volumes that hold the flood between rounds.

    Attributes
    ----------
    labels : (z, y, x) uint32
        0 in the background and where no marker has reached.
    costs : (z, y, x) uint32
        See `flooding`; 0 in the background.
    """

    labels: WritableVolume
    costs: WritableVolume


@dataclass(frozen=True)
class _Given:
    """What one block is told in a round.

    Attributes
    ----------
    markers : (n + 1,) uint32
        Numbers of its pieces of markers in the whole volume.
    times : int
        How often it was flooded after the first time.
    changed : mapping of (axis, side) to int
        Neighbours whose face here has changed in the last round, and how often they
        were flooded.
    neighbours : mapping of (axis, side) to int
        How often each of the neighbours was flooded.
    """

    markers: NDArray[np.uint32]
    times: int
    changed: Mapping[tuple[int, int], int]
    neighbours: Mapping[tuple[int, int], int]


@dataclass(frozen=True)
class _Flood:
    """What both stages know."""

    phases: VolumeLike
    probability: VolumeLike
    markers: BlockPieces
    state: FloodState
    store: BlockStore
    grid: BlockGrid

    def from_markers(self, block: Block, table: NDArray[np.uint32]) -> NDArray[np.int64]:
        """State of the block flooded on its own."""
        from napari_slagseg.segmentation.flooding import flooded  # imports numba

        markers = np.zeros(block.shape, dtype=np.uint32)
        self.markers.again(block).paint(table, Place.of(markers))
        probability = np.asarray(self.probability[block.box])
        return flooded(markers, probability, np.asarray(self.phases[block.box]))

    def load(self, block: Block, given: _Given, check: int) -> NDArray[np.int64]:
        """State of the block as its last flood left it, or one as good."""
        from napari_slagseg.segmentation.flooding import packed

        places = (self.read(self.state.labels, block), self.read(self.state.costs, block))
        state, found = packed(block.shape, *places)
        return state if found == check else self.from_markers(block, given.markers)

    def read(self, volume: VolumeLike, block: Block) -> Place:
        """Voxels of the block, as uint32."""
        if flat(volume):
            return Place.of(volume, block.start)  # type: ignore[arg-type]
        return Place.of(np.ascontiguousarray(volume[block.box], dtype=np.uint32))

    def keep(self, block: Block, state: NDArray[np.int64], times: int) -> BlockResult:
        """Write the block, keep its faces and checksum; hand these back."""
        from napari_slagseg.segmentation.flooding import outer, unpack

        volumes = (self.state.labels, self.state.costs)
        # beside arrays in memory nothing is written first
        own = [None if flat(v) else np.empty(block.shape, dtype=np.uint32) for v in volumes]
        labels, costs = (
            Place.of(v, block.start) if array is None else Place.of(array)  # type: ignore[arg-type]
            for v, array in zip(volumes, own)
        )
        check = unpack(state, labels, costs)
        for volume, array in zip(volumes, own):
            if array is not None:
                volume[block.box] = array
        kept: BlockResult = {_key(*side): outer(state, *side) for side in _SIDES}
        kept["check"] = np.array(check, dtype=np.int64)
        self.store.put(_faces(times), block, kept)
        return kept

    def face_of(self, block: Block, axis: int, side: int, times: int) -> NDArray[np.int64]:
        """What a block's neighbour shows to it."""
        neighbour = self.grid.neighbour(block, axis, side)
        if neighbour is None:
            raise RuntimeError(f"block {block.index} has no neighbour there")
        return self.store.get(_faces(times), neighbour)[_key(axis, -side)]


@dataclass(frozen=True)
class _FirstFlood(_Flood):
    """Stage: flood each block on its own."""

    def __call__(self, block: Block, given: NDArray[np.uint32]) -> BlockResult:
        kept = self.keep(block, self.from_markers(block, given), 0)
        heights = 255 - np.asarray(self.probability[block.box])
        self.store.put("heights", block, {_key(*side): _outer(heights, *side) for side in _SIDES})
        return {"changed": np.array([bool(kept[_key(*side)].any()) for side in _SIDES])}


@dataclass(frozen=True)
class _FloodAgain(_Flood):
    """Stage: let in what the neighbours offer, if it is anything."""

    def __call__(self, block: Block, given: _Given) -> BlockResult:
        from napari_slagseg.segmentation.flooding import settle

        old = self.store.get(_faces(given.times), block)
        unchanged = {"flooded": np.array(False), "changed": np.zeros(len(_SIDES), dtype=bool)}
        if not self._something_to_gain(block, given, old):
            return unchanged
        probability = np.asarray(self.probability[block.box])
        for room in (1.0, 8.0):
            state = self.load(block, given, int(old["check"]))
            for (axis, side), times in given.neighbours.items():
                _frame(state, axis, side)[...] = self.face_of(block, axis, side, times)
            if settle(state, probability, room):
                break
        else:
            raise RuntimeError(f"the queue of block {block.index} was too short")
        new = self.keep(block, state, given.times + 1)
        differ = [not np.array_equal(new[_key(*side)], old[_key(*side)]) for side in _SIDES]
        return {"flooded": np.array(True), "changed": np.array(differ)}

    def _something_to_gain(self, block: Block, given: _Given, mine: BlockResult) -> bool:
        """Whether an equation of an outer voxel is, or may be, broken by a changed face."""
        from napari_slagseg.segmentation.flooding import offers_something

        heights = self.store.get("heights", block)
        for (axis, side), times in given.changed.items():
            now = self.face_of(block, axis, side, times)
            # at first, nothing of what the neighbour has was seen from here
            before = self.face_of(block, axis, side, times - 1) if times else np.zeros_like(now)
            key = _key(axis, side)
            if offers_something(
                mine[key].reshape(-1), heights[key].reshape(-1), now.reshape(-1), before.reshape(-1)
            ):
                return True
        return False


def flood_blocks(
    phases: VolumeLike,
    probability: VolumeLike,
    markers: BlockPieces,
    tables: Mapping[Triple, NDArray[np.uint32]],
    state: FloodState,
    run: BlockRun,
    *,
    says: str,
    part: tuple[float, float],
) -> int:
    """Flood a volume from its markers.

    Parameters
    ----------
    phases : (z, y, x) uint8
        Foreground where above 0.
    probability : (z, y, x) uint8
        High is flooded first.
    markers : BlockPieces
        Inside the foreground.
    tables : mapping of block index to (n + 1,) uint32
        Numbers of each block's markers in the volume.
    state : FloodState
        Where the result goes.
    run : BlockRun
    says, part
        See `BlockRun.stage`.

    Returns
    -------
    rounds : int
        Stages after the first one.
    """
    grid = run.grid
    known = (phases, probability, markers, state, run.store, grid)
    done = part[0] + 0.6 * (part[1] - part[0])
    results = run.stage(
        "flood-0", _FirstFlood(*known), given=tables, says=says, part=(part[0], done)
    )
    times = {block.index: 0 for block in grid}
    task = _FloodAgain(*known)
    rounds = 0
    while True:
        given = {}
        for block in grid:
            changed, neighbours = {}, {}
            for axis, side in _SIDES:
                neighbour = grid.neighbour(block, axis, side)
                if neighbour is None:
                    continue
                neighbours[axis, side] = times[neighbour.index]
                result = results.get(neighbour.index)
                if result is not None and result["changed"][_SIDES.index((axis, -side))]:
                    changed[axis, side] = times[neighbour.index]
            if changed:
                own = times[block.index]
                given[block.index] = _Given(tables[block.index], own, changed, neighbours)
        if not given:
            return rounds
        rounds += 1
        # nobody knows how many rounds will follow: each takes half of what is left of the bar
        begin, done = done, done + 0.5 * (part[1] - done)
        results = run.stage(
            f"flood-{rounds}",
            task,
            given=given,
            blocks=[grid.block(index) for index in given],
            says=says,
            part=(begin, done),
        )
        for index, result in results.items():
            times[index] += int(result["flooded"])


def _faces(times: int) -> str:
    return f"faces-{times}"


def _key(axis: int, side: int) -> str:
    return f"{'zyx'[axis]}{'low' if side < 0 else 'high'}"


def _outer(values: NDArray[Any], axis: int, side: int) -> NDArray[Any]:
    """A copy of the outer voxels of a block on one side."""
    return np.ascontiguousarray(np.take(values, 0 if side < 0 else -1, axis=axis))


def _frame(state: NDArray[np.int64], axis: int, side: int) -> NDArray[np.int64]:
    """The frame's voxels that lie on one face of the block."""
    at: list[Any] = [slice(1, -1)] * 3
    at[axis] = 0 if side < 0 else -1
    return state[tuple(at)]


__all__ = ["FloodState", "flood_blocks"]
