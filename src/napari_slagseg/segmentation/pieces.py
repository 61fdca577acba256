"""Connected pieces of a volume that is cut into blocks.

Pieces are found in each block by its runs (`runs`); those that touch across the faces (edges,
corners) of blocks are joined, and the joined ones are numbered in the order of their
first voxel (C order) in the whole volume: the numbers that the volume has in one piece.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_slagseg.data import (
    Block,
    BlockGrid,
    BlockResult,
    BlockRun,
    BlockStore,
    CancelToken,
    MemoryStore,
    SlagsegError,
    ThreadRun,
    Triple,
    VolumeLike,
    WritableVolume,
)
from napari_slagseg.data.cores import cores
from napari_slagseg.segmentation.places import Place, flat

if TYPE_CHECKING:
    from napari_slagseg.segmentation.runs import Runs

Connectivity = Literal[6, 26]
_SLAB_VOXELS = 1 << 23
_LARGEST = np.iinfo(np.uint32).max


class PieceSource(Protocol):
    """What pieces are made of; picklable."""

    @property
    def by_value(self) -> bool:
        """Whether voxels of different values lie in different pieces."""
        ...

    def values(self, block: Block) -> NDArray[Any]:
        """Voxels of a block, 0 where there is no piece."""
        ...


@dataclass(frozen=True)
class PiecesOf:
    """Pieces of a volume: of equal values, or of all that is not 0."""

    volume: VolumeLike
    by_value: bool

    def values(self, block: Block) -> NDArray[Any]:
        """Voxels of a block, in this machine's order of bytes."""
        values = np.asarray(self.volume[block.box])
        return values.astype(values.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True)
class BlockPieces:
    """Pieces of single blocks; picklable.

    Runs are kept from the first stage for the later ones where the run's store is this
    process's memory; elsewhere finding them again costs less than keeping them.

    Attributes
    ----------
    source : PieceSource
    store : BlockStore
    name : str
        Under which they are kept.
    connectivity : 6 or 26
    """

    source: PieceSource
    store: BlockStore
    name: str
    connectivity: Connectivity

    def found(self, block: Block, values: NDArray[Any]) -> Runs:
        """Pieces of a block whose voxels were read."""
        from napari_slagseg.segmentation.runs import runs_of  # imports numba

        runs = runs_of(values, self.connectivity, self.source.by_value)
        if isinstance(self.store, MemoryStore):
            self.store.put(f"{self.name}-runs", block, runs.arrays())
        return runs

    def again(self, block: Block) -> Runs:
        """Pieces of a block in a later stage, for the last time."""
        from napari_slagseg.segmentation.runs import Runs, runs_of

        if isinstance(self.store, MemoryStore):
            kept = self.store.get(f"{self.name}-runs", block)
            if kept:
                self.store.put(f"{self.name}-runs", block, {})
                return Runs.of(block.shape, kept)
        return runs_of(self.source.values(block), self.connectivity, self.source.by_value)


@dataclass(frozen=True)
class _FindPieces:
    """Stage: pieces of each block; their labels on its six faces are kept for its neighbours."""

    pieces: BlockPieces
    shape: Triple
    count: bool

    def __call__(self, block: Block, given: Any) -> BlockResult:
        source = self.pieces.source
        values = source.values(block)
        runs = self.pieces.found(block, values)
        kept = {}
        if runs.n:
            for axis, side in itertools.product(range(3), (0, 1)):
                face = runs.face(axis, side)
                if not face.any():
                    continue
                kept[f"pieces{axis}{side}"] = face
                if source.by_value:
                    kept[f"values{axis}{side}"] = np.ascontiguousarray(_face(values, axis, side))
        self.pieces.store.put(self.pieces.name, block, kept)
        voxels = runs.voxels() if self.count else np.zeros(runs.n, dtype=np.int64)
        first = runs.first_places(block.start, self.shape[1], self.shape[2])
        return {"first": first, "voxels": voxels}


@dataclass(frozen=True)
class _FindTouching:
    """Stage: which pieces of a block touch which ones of the neighbours that come before it."""

    store: BlockStore
    name: str
    grid: BlockGrid
    connectivity: Connectivity
    by_value: bool

    def __call__(self, block: Block, given: Any) -> BlockResult:
        mine = self.store.get(self.name, block)
        pairs = []
        for offset in _before(self.connectivity):
            index = tuple(i + o for i, o in zip(block.index, offset))
            if not all(0 <= i < n for i, n in zip(index, self.grid.counts)):
                continue
            other = self.grid.block(index)  # type: ignore[arg-type]
            theirs = self.store.get(self.name, other)
            found = self._pairs(mine, theirs, offset)
            if len(found):
                numbers = np.full((len(found), 1), self.grid.number(other), dtype=np.int64)
                pairs.append(np.concatenate([numbers, found], axis=1))
        if not pairs:
            return {}
        return {"touching": np.concatenate(pairs)}

    def _pairs(self, mine: BlockResult, theirs: BlockResult, offset: Triple) -> NDArray[np.int64]:
        """Rows (their piece, my piece), each once."""
        from napari_slagseg.segmentation.label_kernels import touching_pairs  # imports numba

        axis = next(a for a in range(3) if offset[a])
        free = [a for a in range(3) if a != axis]
        names = ("pieces", "values") if self.by_value else ("pieces", "pieces")
        sides = {1: (offset[axis] + 1) // 2, -1: (1 - offset[axis]) // 2}
        # a face without pieces is not kept
        if f"pieces{axis}{sides[1]}" not in mine or f"pieces{axis}{sides[-1]}" not in theirs:
            return np.empty((0, 2), dtype=np.int64)
        here, there = (
            [_edge(faces[f"{name}{axis}{sides[sign]}"], free, offset, sign) for name in names]
            for faces, sign in ((mine, 1), (theirs, -1))
        )
        reach = [int(self.connectivity == 26 and offset[a] == 0) for a in free]
        # rows that are never written to cost nothing
        room = here[0].size * (2 * reach[0] + 1) * (2 * reach[1] + 1)
        keys = np.empty(room, dtype=np.int64)
        n = touching_pairs(
            here[0], here[1], there[0], there[1], reach[0], reach[1], self.by_value, keys
        )
        keys = np.unique(keys[:n])
        return np.stack([keys >> 32, keys & _LARGEST], axis=1)


def _before(connectivity: Connectivity) -> list[Triple]:
    """Offsets of the neighbouring blocks that come first in the grid."""
    steps = (-1, 0, 1)
    every = [o for o in itertools.product(steps, steps, steps) if o < (0, 0, 0)]
    if connectivity == 6:
        return [o for o in every if sum(map(abs, o)) == 1]
    return every


def _face(values: NDArray[Any], axis: int, side: int) -> NDArray[Any]:
    """Outer voxels of a block on the low (0) or high (1) side of an axis."""
    return np.take(values, -1 if side else 0, axis=axis)


def _edge(face: NDArray[Any], free: list[int], offset: Triple, sign: int) -> NDArray[Any]:
    """The part of a face that looks at a neighbour across an edge or a corner."""
    for k, axis in enumerate(free):
        toward = sign * offset[axis]
        if toward:
            face = np.take(face, [-1 if toward > 0 else 0], axis=k)
    return face


@dataclass(frozen=True)
class JoinedPieces:
    """Pieces of a whole volume.

    Attributes
    ----------
    n : int
        How many; they are numbered from 1.
    tables : mapping of block index to (n + 1,) uint32
        Number of each of the block's own pieces, 0 for 0.
    voxels : (n,) int64
        Of each; zeros unless they were asked for.
    first : (n,) int64
        First voxel of each in the volume, as a flat index (C order).
    blocks : BlockPieces
        The blocks' own pieces.
    """

    n: int
    tables: Mapping[Triple, NDArray[np.uint32]]
    voxels: NDArray[np.int64]
    first: NDArray[np.int64]
    blocks: BlockPieces


def joined_pieces(
    source: PieceSource,
    run: BlockRun,
    *,
    name: str,
    connectivity: Connectivity = 6,
    count: bool = False,
    says: str,
    part: tuple[float, float],
) -> JoinedPieces:
    """Find the pieces of all blocks and give each piece of the whole volume its number.

    Parameters
    ----------
    source : PieceSource
    run : BlockRun
    name : str
        For the stages and for what is kept in the run's store.
    connectivity : 6 or 26
    count : bool
        Whether voxels are to be counted.
    says, part
        See `BlockRun.stage`.
    """
    grid = run.grid
    middle = part[0] + 0.8 * (part[1] - part[0])
    pieces = BlockPieces(source, run.store, name, connectivity)
    found = run.stage(
        name,
        _FindPieces(pieces, grid.shape, count),
        says=says,
        part=(part[0], middle),
    )
    blocks = list(grid)
    counts = np.array([len(found[b.index]["first"]) for b in blocks], dtype=np.int64)
    begin = np.concatenate([[0], np.cumsum(counts)])
    total = int(begin[-1])
    if total > _LARGEST:
        raise SlagsegError(
            f"{total:,} pieces do not fit labels of 32 bits. "
            "Remove noise from the volume first, or choose another threshold."
        )
    first = np.concatenate([found[b.index]["first"] for b in blocks]) if total else np.empty(0, int)
    touching = run.stage(
        f"{name}-touching",
        _FindTouching(run.store, name, grid, connectivity, source.by_value),
        says=says,
        part=(middle, part[1]),
    )
    own, other = [], []
    for k, block in enumerate(blocks):
        rows = touching[block.index].get("touching")
        if rows is not None and len(rows):
            other.append(begin[rows[:, 0]] + rows[:, 1] - 1)
            own.append(begin[k] + rows[:, 2] - 1)
    n, number = _numbers(total, own, other, first)
    tables = {}
    for k, block in enumerate(blocks):
        table = np.zeros(counts[k] + 1, dtype=np.uint32)
        table[1:] = number[begin[k] : begin[k + 1]]
        tables[block.index] = table
    voxels = np.zeros(n, dtype=np.int64)
    if total and count:
        np.add.at(voxels, number - 1, np.concatenate([found[b.index]["voxels"] for b in blocks]))
    earliest = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(earliest, number - 1, first)
    return JoinedPieces(n, tables, voxels, earliest, pieces)


def _numbers(
    total: int,
    own: list[NDArray[np.int64]],
    other: list[NDArray[np.int64]],
    first: NDArray[np.int64],
) -> tuple[int, NDArray[np.int64]]:
    """Join pieces that touch; how many are left, and the number of each, by first voxel."""
    if total == 0:
        return 0, np.empty(0, dtype=np.int64)
    if own:
        a, b = np.concatenate(own), np.concatenate(other)
        graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(total, total))
        n, group = connected_components(graph, directed=False)
    else:
        n, group = total, np.arange(total)
    earliest = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(earliest, group, first)
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(earliest)] = np.arange(1, n + 1)
    return int(n), rank[group]


@dataclass(frozen=True)
class _WritePieces:
    """Stage: the numbers of the whole volume, block by block."""

    pieces: BlockPieces
    out: WritableVolume

    def __call__(self, block: Block, given: Any) -> None:
        runs = self.pieces.again(block)
        if flat(self.out):
            runs.paint(given, Place.of(self.out, block.start), clear=True)  # type: ignore[arg-type]
            return
        labels = np.zeros(block.shape, dtype=np.uint32)
        runs.paint(given, Place.of(labels))
        self.out[block.box] = labels


def connected_pieces(
    values: VolumeLike,
    out: WritableVolume,
    run: BlockRun,
    *,
    connectivity: Connectivity = 6,
    by_value: bool = True,
    name: str = "pieces",
    says: str = "finding connected pieces",
    part: tuple[float, float] = (0.0, 1.0),
) -> int:
    """Label the connected pieces of a volume, block by block.

    Parameters
    ----------
    values : (z, y, x) bool or integer volume
        0 is background.
    out : (z, y, x) uint32 volume
        Where the labels go; another volume than `values`. They are numbered 1, 2, ... in
        the order of their first voxel (C order), whatever the blocks.
    run : BlockRun
        Its grid has the shape of `values`.
    connectivity : 6 or 26
        Voxels that share a face, or also an edge or a corner.
    by_value : bool
        Whether pieces end where the value changes. False, for what is not 0, is faster.
    name, says, part
        See `BlockRun.stage`.

    Returns
    -------
    n : int
        Pieces.

    Raises
    ------
    SlagsegError
        If the shapes differ, or there are 2**32 pieces in the blocks or more.
    """
    for what, volume in (("values", values), ("labels", out)):
        if tuple(volume.shape) != tuple(run.grid.shape):
            raise SlagsegError(
                f"The {what} have the shape {tuple(volume.shape)}, "
                f"but the blocks belong to a volume of {tuple(run.grid.shape)}."
            )
    source = PiecesOf(values, by_value)
    middle = part[0] + 0.6 * (part[1] - part[0])
    joined = joined_pieces(
        source, run, name=name, connectivity=connectivity, says=says, part=(part[0], middle)
    )
    run.stage(
        f"{name}-write",
        _WritePieces(joined.blocks, out),
        given=joined.tables,
        says=says,
        part=(middle, part[1]),
    )
    return joined.n


def label_pieces(
    values: NDArray[Any],
    *,
    connectivity: Connectivity = 6,
    by_value: bool = True,
    threads: int | None = None,
    cancel: CancelToken | None = None,
) -> tuple[NDArray[np.uint32], int]:
    """Label the connected pieces of an array in memory.

    Parameters
    ----------
    values : (z, y, x) bool or integer
        0 is background.
    connectivity, by_value
        See `connected_pieces`.
    threads : int, optional
        All cores if not given.
    cancel
        See `napari_slagseg.data.running`.

    Returns
    -------
    labels : (z, y, x) uint32
        1, 2, ... in the order of their first voxel (C order).
    n : int
        Pieces.
    """
    if values.ndim != 3:
        raise SlagsegError(f"Pieces are found in 3-D arrays; this one has {values.ndim} axes.")
    labels = np.empty(values.shape, dtype=np.uint32)
    if not labels.size:
        return labels, 0
    threads = threads or cores()
    # slabs of whole planes are written fastest; the planes on their two sides are kept
    planes = max(1, _SLAB_VOXELS * len(values) // values.size)
    planes = min(planes, -(-len(values) // (2 * threads)))
    grid = BlockGrid.of(values.shape, (planes, *values.shape[1:]))
    run = ThreadRun(grid, threads, cancel=cancel)
    n = connected_pieces(values, labels, run, connectivity=connectivity, by_value=by_value)
    return labels, n


__all__ = [
    "BlockPieces",
    "Connectivity",
    "JoinedPieces",
    "PieceSource",
    "PiecesOf",
    "connected_pieces",
    "joined_pieces",
    "label_pieces",
]
