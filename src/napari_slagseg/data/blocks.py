"""A volume cut into blocks, and what work on blocks needs to know of where it runs.

A *stage* is one function that is called once for every block (or for some of them).
It reads what it needs of whole volumes, writes only into its own block, and hands
back small arrays. Stages are strung together by plain functions of the science
rooms that take a `BlockRun`; whether that runs threads over arrays in memory,
processes over Zarr stores or workers on other machines is not their concern.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.errors import SlagsegError

Triple = tuple[int, int, int]
Box = tuple[slice, slice, slice]
BlockResult = dict[str, NDArray[Any]]
"""Small arrays by name: what a stage says of a block."""


@runtime_checkable
class VolumeLike(Protocol):
    """A volume that is read by boxes: numpy array, memory map, or a Zarr array's handle."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        ...

    def __getitem__(self, box: Any, /) -> Any:
        """Voxels of a box of slices (of step 1), as a numpy array."""
        ...


@runtime_checkable
class WritableVolume(VolumeLike, Protocol):
    """A volume that blocks are written into."""

    def __setitem__(self, box: Any, values: Any, /) -> None:
        """Write a box; boxes of different blocks may be written at the same time."""
        ...


@dataclass(frozen=True)
class Block:
    """One block of a grid.

    Attributes
    ----------
    index : (z, y, x)
        Its place in the grid.
    start, stop : (z, y, x)
        Voxels, `stop` outside.
    """

    index: Triple
    start: Triple
    stop: Triple

    @property
    def box(self) -> Box:
        """Its voxels in the volume."""
        return _box(self.start, self.stop)

    @property
    def shape(self) -> Triple:
        """Voxels along (z, y, x)."""
        return tuple(b - a for a, b in zip(self.start, self.stop))  # type: ignore[return-value]

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    def around(self, halo: int, shape: Triple) -> tuple[Box, Box]:
        """The block with a halo, as far as the volume reaches.

        Parameters
        ----------
        halo : int
            Voxels on every side.
        shape : (z, y, x)
            Of the volume.

        Returns
        -------
        outer : Box
            In the volume.
        inner : Box
            The block itself within `outer`.
        """
        low = tuple(max(0, a - halo) for a in self.start)
        high = tuple(min(n, b + halo) for b, n in zip(self.stop, shape))
        inner = _box(
            tuple(a - s for a, s in zip(self.start, low)),
            tuple(b - s for b, s in zip(self.stop, low)),
        )
        return _box(low, high), inner


@dataclass(frozen=True)
class BlockGrid:
    """A volume's blocks: equal boxes from its origin, those at the far sides cut off.

    Parameters
    ----------
    shape : (z, y, x)
        Of the volume.
    edges : (z, y, x)
        Of a block.
    """

    shape: Triple
    edges: Triple

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or len(self.edges) != 3 or min(*self.shape, *self.edges) < 1:
            raise SlagsegError(
                f"A volume of shape {self.shape} cannot be cut into blocks of {self.edges} voxels; "
                "both need three numbers (z, y, x) above 0."
            )

    @classmethod
    def of(cls, shape: Iterable[int], edge: int | Iterable[int]) -> BlockGrid:
        """Grid of blocks of one edge, or of three; none is longer than the volume."""
        whole = tuple(int(n) for n in shape)
        edges = (edge,) * 3 if isinstance(edge, int) else tuple(int(e) for e in edge)
        if len(whole) == 3 and len(edges) == 3:
            edges = tuple(min(e, max(n, 1)) for e, n in zip(edges, whole))
        return cls(whole, edges)  # type: ignore[arg-type]

    @property
    def counts(self) -> Triple:
        """Blocks along (z, y, x)."""
        return tuple(-(-n // e) for n, e in zip(self.shape, self.edges))  # type: ignore[return-value]

    def __len__(self) -> int:
        return math.prod(self.counts)

    def __iter__(self) -> Iterator[Block]:
        """All blocks, x fastest."""
        z, y, x = self.counts
        return (self.block(i) for i in itertools.product(range(z), range(y), range(x)))

    def block(self, index: Triple) -> Block:
        """Block at a place of the grid."""
        start = tuple(i * e for i, e in zip(index, self.edges))
        stop = tuple(min(n, a + e) for a, e, n in zip(start, self.edges, self.shape))
        return Block(index, start, stop)  # type: ignore[arg-type]

    def number(self, block: Block) -> int:
        """Position of a block in the order of iteration."""
        return int(np.ravel_multi_index(block.index, self.counts))

    def neighbour(self, block: Block, axis: int, side: int) -> Block | None:
        """Block that shares a face, on the low (-1) or high (+1) side; None at the border."""
        index = list(block.index)
        index[axis] += side
        if not 0 <= index[axis] < self.counts[axis]:
            return None
        return self.block((index[0], index[1], index[2]))


class BlockTask(Protocol):
    """What a stage does with one block.

    Must be picklable (a frozen dataclass at the top of a module), give the same for the
    same block and argument however often it is called, and write nowhere but into
    its own block of a `WritableVolume` and under its own block's key of a `BlockStore`.
    """

    def __call__(self, block: Block, given: Any, /) -> BlockResult | None:
        """Work on one block."""
        ...


class BlockStore(Protocol):
    """Middle-sized results of blocks that only other blocks need (faces of labels, say).

    Picklable; shared by all workers. What was put is there for later stages.
    """

    def put(self, name: str, block: Block, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays of a block under a name, in place of older ones."""
        ...

    def get(self, name: str, block: Block) -> BlockResult:
        """Arrays kept; `KeyError` where there are none."""
        ...


class BlockRun(Protocol):
    """Where the stages of one piece of work run."""

    @property
    def grid(self) -> BlockGrid:
        """How the volume is cut."""
        ...

    @property
    def store(self) -> BlockStore:
        """Results of blocks for other blocks."""
        ...

    def scratch(self, name: str, dtype: Any) -> WritableVolume:
        """Volume of the grid's shape, zero at first, that lasts as long as the work.

        Asked for twice by one name, it is the same volume.
        """
        ...

    def stage(
        self,
        name: str,
        task: BlockTask,
        *,
        given: Mapping[Triple, Any] | None = None,
        blocks: Iterable[Block] | None = None,
        says: str = "",
        part: tuple[float, float] = (0.0, 1.0),
    ) -> dict[Triple, BlockResult]:
        """Call `task` on every block, or on `blocks`.

        A block that an earlier, interrupted run of the same work has done is not
        done again: its result is the one kept then.

        Parameters
        ----------
        name : str
            Of the stage; once only in a piece of work ("flood-2").
        task : BlockTask
        given : mapping of block index to anything picklable and small, optional
            Second argument of the task; None for blocks that are not in it.
        blocks : iterable of Block, optional
        says : str
            What is being done, in the user's words, for the progress bar.
        part : (float, float)
            From where to where in the whole work's bar this stage goes.

        Returns
        -------
        results : dict of block index to BlockResult
            Empty dicts where the task gave None.

        Raises
        ------
        SlagsegError
            After all other blocks are done, if some failed: names them and why.
        CancelledError
        """
        ...


def _box(low: Iterable[int], high: Iterable[int]) -> Box:
    return tuple(slice(a, b) for a, b in zip(low, high))  # type: ignore[return-value]


__all__ = [
    "Block",
    "BlockGrid",
    "BlockResult",
    "BlockRun",
    "BlockStore",
    "BlockTask",
    "Box",
    "Triple",
    "VolumeLike",
    "WritableVolume",
]
