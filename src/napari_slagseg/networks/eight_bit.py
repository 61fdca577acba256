"""The CT as the networks see it: 8 bit, read from storage where it is looked at."""

from __future__ import annotations

import itertools
import math
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, Volume
from napari_slagseg.data.blocks import BlockGrid, Triple, VolumeLike

CACHE_BYTES = 2_000_000_000
"""Memory for cells of a CT, unless another number is given."""

CELL = 64
"""Edge of a cell in voxels, where the storage has no chunks of about that size."""

_LARGEST_CELL = 160**3
_SAMPLE_VOXELS = 4_000_000
_SAMPLED_WHOLE = 2**28
_SAMPLE_BOXES, _SAMPLE_EDGE = 5, 64


def grey_limits(volume: Volume) -> tuple[float, float]:
    """Grey values that become 0 and 255: 0.1 and 99.9 per cent of a regular sample.

    Volumes of up to 2^28 voxels (645 cubed) are sampled by single voxels on a regular
    grid; larger ones, of which so much could not be read from storage for that, by every
    second voxel of 125 boxes of edge 64, evenly spaced.

    Raises
    ------
    SlagsegError
        If the sample is constant.
    """
    low, high = np.percentile(_sample(volume.data), (0.1, 99.9))
    if not high > low:
        raise SlagsegError(f"{volume.name} is constant; there is nothing to learn from it.")
    # head room, so that a grey shift does not clip what is bright or dark
    margin = 0.05 * (high - low)
    return float(low - margin), float(high + margin)


def _sample(data: VolumeLike) -> NDArray[Any]:
    voxels = math.prod(data.shape)
    if voxels <= _SAMPLED_WHOLE:
        step = max(1, round((voxels / _SAMPLE_VOXELS) ** (1 / 3)))
        # boxes that begin at multiples of the step, so that nothing is ever held whole
        boxes = [range(0, n, step * max(1, 2 * CELL // step)) for n in data.shape]
        edge = step * max(1, 2 * CELL // step)
    else:
        step, edge = 2, _SAMPLE_EDGE
        boxes = [
            [round((n - edge) * i / (_SAMPLE_BOXES - 1)) for i in range(_SAMPLE_BOXES)]  # type: ignore[misc]
            if n > edge
            else [0]
            for n in data.shape
        ]
    parts = [
        np.asarray(data[tuple(slice(a, min(a + edge, n)) for a, n in zip(low, data.shape))])[
            ::step, ::step, ::step
        ].reshape(-1)
        for low in itertools.product(*boxes)
    ]
    return np.concatenate(parts)


def to_eight_bit(data: NDArray[np.generic], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """Grey values as 8 bit, plane by plane: 1 byte a voxel and one plane more."""
    low, high = limits
    out = np.empty(data.shape, dtype=np.uint8)
    factor = np.float32(255 / (high - low))
    for i in range(data.shape[0]):
        plane = (np.asarray(data[i]).astype(np.float32) - np.float32(low)) * factor
        out[i] = np.rint(np.clip(plane, 0, 255))
    return out


class EightBitVolume:
    """A volume in 8 bit that is read from its storage by cells, the last ones kept.

    Patches lie around the known voxels of a few cut planes, so most cells of a large CT are
    never read. Cells that do not fit the budget any more are dropped, those used longest ago
    first, and read again when they are wanted. What is read does not depend on the storage, on
    the budget or on the threads that read. Safe for use by several threads.

    Parameters
    ----------
    data : VolumeLike
        (z, y, x) grey values.
    limits : (low, high)
        Grey values that become 0 and 255.
    budget : int
        Bytes of cells to keep; one voxel is one byte.

    Attributes
    ----------
    shape : (z, y, x)
    dtype : dtype
        uint8.
    """

    def __init__(
        self, data: VolumeLike, limits: tuple[float, float], budget: int = CACHE_BYTES
    ) -> None:
        z, y, x = data.shape
        self.shape: Triple = (z, y, x)
        self.dtype = np.dtype(np.uint8)
        self._data, self._limits, self._budget = data, limits, budget
        self._grid = BlockGrid.of(self.shape, _cell_edges(data))
        self._cells: OrderedDict[Triple, NDArray[np.uint8]] = OrderedDict()
        self._held = 0
        self._reads = 0
        self._lock = threading.Lock()
        # so that a cell that two threads want is read once, and others meanwhile
        self._reading = [threading.Lock() for _ in range(61)]

    @property
    def held_bytes(self) -> int:
        """Bytes of the cells that are kept."""
        return self._held

    @property
    def cells_read(self) -> int:
        """Cells read from the storage so far, those read again counted again."""
        return self._reads

    def __getitem__(self, box: Any, /) -> NDArray[np.uint8]:
        """Voxels of a box of slices of step 1, as a new array."""
        bounds = [s.indices(n)[:2] for s, n in zip(box, self.shape)]
        low, high = [b[0] for b in bounds], [max(b) for b in bounds]
        out = np.empty([b - a for a, b in zip(low, high)], dtype=np.uint8)
        if not out.size:
            return out
        edges = self._grid.edges
        ranges = [range(a // e, (b - 1) // e + 1) for a, b, e in zip(low, high, edges)]
        for z, y, x in itertools.product(*ranges):
            index = (z, y, x)
            cell = self._cell(index)
            first = [i * e for i, e in zip(index, edges)]
            here = [max(a, f) for a, f in zip(low, first)]
            there = [min(b, f + n) for b, f, n in zip(high, first, cell.shape)]
            target = tuple(slice(h - a, t - a) for h, t, a in zip(here, there, low))
            source = tuple(slice(h - f, t - f) for h, t, f in zip(here, there, first))
            out[target] = cell[source]
        return out

    def _kept(self, index: Triple) -> NDArray[np.uint8] | None:
        with self._lock:
            cell = self._cells.get(index)
            if cell is not None:
                self._cells.move_to_end(index)
            return cell

    def _cell(self, index: Triple) -> NDArray[np.uint8]:
        cell = self._kept(index)
        if cell is not None:
            return cell
        with self._reading[hash(index) % len(self._reading)]:
            cell = self._kept(index)  # another thread may have read it meanwhile
            if cell is not None:
                return cell
            box = self._grid.block(index).box
            cell = to_eight_bit(np.asarray(self._data[box]), self._limits)
        with self._lock:
            self._reads += 1
            self._cells[index] = cell
            self._held += cell.nbytes
            while self._held > self._budget and len(self._cells) > 1:
                _, dropped = self._cells.popitem(last=False)
                self._held -= dropped.nbytes
        return cell


def _cell_edges(data: VolumeLike) -> Triple:
    """Edges of cells: whole chunks of the storage, where they have a sensible size."""
    chunks = getattr(data, "chunks", None)
    if chunks is None or len(chunks) != 3:
        return (CELL, CELL, CELL)
    z, y, x = (int(c) * max(1, round(CELL / int(c))) for c in chunks)
    return (z, y, x) if z * y * x <= _LARGEST_CELL else (CELL, CELL, CELL)


__all__ = ["CACHE_BYTES", "CELL", "EightBitVolume", "grey_limits", "to_eight_bit"]
