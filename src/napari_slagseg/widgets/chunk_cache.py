"""Chunks of volumes kept in memory, so that the next slice needs no decompression.

A slice through a chunked volume touches a slab of chunks of which it needs one
plane. The slab is kept for the slices that follow, and while they are looked at,
the slab after it is read by another thread.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_slagseg.widgets.lazy_array import Ranges

Index = tuple[int, int, int]

MOST_BYTES = 2 << 30
"""Of all chunks together; on small machines an eighth of the memory."""

BATCH_BYTES = 128 << 20
"""Chunks that are held at once while a large part is put together."""

_THREADS = min(4, os.cpu_count() or 1)


class ChunkCache:
    """Chunks by reader and index; those not used for longest go first.

    Parameters
    ----------
    most_bytes : int, optional
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        self.most_bytes = most_bytes or min(MOST_BYTES, psutil.virtual_memory().total // 8)
        self.bytes = 0
        self._kept: OrderedDict[tuple[int, Index], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[int, Index]) -> NDArray[Any] | None:
        """A chunk, if it is kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def has(self, key: tuple[int, Index]) -> bool:
        """Whether a chunk is kept."""
        return key in self._kept

    def put(self, key: tuple[int, Index], chunk: NDArray[Any]) -> None:
        """Keep a chunk."""
        with self._lock:
            old = self._kept.pop(key, None)
            self.bytes += chunk.nbytes - (0 if old is None else old.nbytes)
            self._kept[key] = chunk
            while self.bytes > self.most_bytes and len(self._kept) > 1:
                _, gone = self._kept.popitem(last=False)
                self.bytes -= gone.nbytes

    def forget(self, reader: int) -> None:
        """Let go of all chunks of a reader."""
        with self._lock:
            for key in [k for k in self._kept if k[0] == reader]:
                self.bytes -= self._kept.pop(key).nbytes

    def drop(self, key: tuple[int, Index]) -> None:
        """Let go of a chunk, if it is kept."""
        with self._lock:
            found = self._kept.pop(key, None)
            if found is not None:
                self.bytes -= found.nbytes


_CACHE: list[ChunkCache] = []
_NUMBERS = itertools.count()


def shared_cache() -> ChunkCache:
    """The one cache of all layers."""
    if not _CACHE:
        _CACHE.append(ChunkCache())
    return _CACHE[0]


class ChunkReader:
    """Reads a volume by whole chunks and keeps them.

    Parameters
    ----------
    source : VolumeLike
        Read by boxes, from several threads.
    chunks : (z, y, x)
        Voxels of a chunk.
    cache : ChunkCache, optional
        By default the one that all layers share.
    """

    def __init__(self, source: Any, chunks: Index, cache: ChunkCache | None = None) -> None:
        self.source = source
        self.chunks = chunks
        self.shape: tuple[int, ...] = tuple(int(n) for n in source.shape)
        self.dtype: np.dtype[Any] = np.dtype(source.dtype).newbyteorder("=")
        self.cache = cache or shared_cache()
        self._number = next(_NUMBERS)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="slagseg-chunks")
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="slagseg-ahead")
        self._pending: dict[Index, Future[dict[Index, NDArray[Any]]]] = {}
        self._lock = threading.Lock()
        self._last: tuple[int, int, tuple[range, ...]] | None = None
        self._changes = 0
        self._changed: dict[Index, int] = {}
        weakref.finalize(self, self.cache.forget, self._number)

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Voxels at the places of three ranges."""
        out = np.empty(tuple(len(r) for r in ranges), dtype=self.dtype)
        if not out.size:
            return out
        needed = [_chunks_of(r, edge) for r, edge in zip(ranges, self.chunks)]
        for batch in self._batches(itertools.product(*needed)):
            for index, chunk in self._load(batch).items():
                to, of = zip(
                    *(_overlap(r, i, e) for r, i, e in zip(ranges, index, self.chunks)),
                )
                out[to] = chunk[of]
        self._look_ahead(ranges)
        return out

    def forget(self, ranges: Ranges) -> None:
        """Read the chunks of a part anew when they are needed: the source has changed there.

        What is being read of them meanwhile is read again, so that nothing old is kept.
        """
        if not all(len(r) for r in ranges):
            return
        with self._lock:
            self._changes += 1
            for index in itertools.product(*map(_chunks_of, ranges, self.chunks)):
                self._changed[index] = self._changes
                self._pending.pop(index, None)
                self.cache.drop((self._number, index))

    def missing(self, ranges: Ranges) -> list[Index]:
        """Chunks needed for a part that are not kept."""
        needed = [_chunks_of(r, edge) for r, edge in zip(ranges, self.chunks)]
        return [i for i in itertools.product(*needed) if not self.cache.has((self._number, i))]

    def has_room_for(self, ranges: Ranges) -> bool:
        """Whether the chunks of a part can be kept, beside those of other layers."""
        count = math.prod(len(_chunks_of(r, edge)) for r, edge in zip(ranges, self.chunks))
        size = math.prod(self.chunks) * self.dtype.itemsize
        return 4 * size * count <= self.cache.most_bytes

    def fetch(self, wanted: list[Index], then: Callable[[list[Future[Any]]], None]) -> None:
        """Read chunks in other threads; what was asked for before and is not begun is dropped.

        Parameters
        ----------
        wanted : list of index
        then : callable
            Is called in another thread when all are there, with what became of each part;
            not called where all of them are being read already.
        """
        with self._lock:
            coming = {i: f for i, f in self._pending.items() if not f.done()}
        asked = set(wanted)
        for index, future in coming.items():
            if index not in asked:
                future.cancel()
        parts = [
            self._begin(self._pool, run) for run in _runs(i for i in wanted if i not in coming)
        ]
        left = len(parts)

        def count(_: Future[Any]) -> None:
            nonlocal left
            with self._lock:
                left -= 1
                last = left == 0
            if last:
                then(parts)

        for part in parts:
            part.add_done_callback(count)

    def _begin(self, pool: ThreadPoolExecutor, run: list[Index]) -> Future[Any]:
        future = pool.submit(self._read_run, run)
        with self._lock:
            self._pending.update(dict.fromkeys(run, future))
        future.add_done_callback(lambda _: self._arrived(run))
        return future

    def _batches(self, wanted: Iterable[Index]) -> Iterator[list[Index]]:
        at_once = max(1, BATCH_BYTES // (int(np.prod(self.chunks)) * self.dtype.itemsize))
        left = iter(wanted)
        while batch := list(itertools.islice(left, at_once)):
            yield batch

    def _load(self, wanted: list[Index]) -> dict[Index, NDArray[Any]]:
        """Chunks, from the cache, from what is being read, or from the source."""
        found: dict[Index, NDArray[Any]] = {}
        missing, coming = [], {}
        for index in wanted:
            chunk = self.cache.get((self._number, index))
            if chunk is not None:
                found[index] = chunk
                continue
            with self._lock:
                future = self._pending.get(index)
            if future is not None and not future.cancel():
                coming[index] = future
            else:
                missing.append(index)
        runs = list(_runs(missing))
        for part in (
            self._pool.map(self._read_run, runs) if len(runs) > 1 else map(self._read_run, runs)
        ):
            found.update(part)
        for index, future in coming.items():
            if index not in found:
                found.update((k, v) for k, v in future.result().items() if k in coming)
        return found

    def _read_run(self, run: list[Index]) -> dict[Index, NDArray[Any]]:
        """Neighbours along x, in one reading; again if they change meanwhile."""
        while True:
            before = self._changes
            parts = self._read_once(run)
            with self._lock:
                if all(self._changed.get(index, 0) <= before for index in run):
                    for index, part in parts.items():
                        self.cache.put((self._number, index), part)
                    return parts

    def _read_once(self, run: list[Index]) -> dict[Index, NDArray[Any]]:
        low = [i * e for i, e in zip(run[0], self.chunks)]
        high = [min(n, (i + 1) * e) for i, e, n in zip(run[-1], self.chunks, self.shape)]
        box = np.asarray(self.source[tuple(slice(a, b) for a, b in zip(low, high))])
        edge = self.chunks[2]
        parts = {}
        for n, index in enumerate(run):
            part = box[..., n * edge : (n + 1) * edge]
            # a copy, so that one chunk does not keep its whole run in memory
            parts[index] = (
                np.array(part, dtype=self.dtype)
                if len(run) > 1
                else np.asarray(part, dtype=self.dtype)
            )
        return parts

    def _look_ahead(self, ranges: Ranges) -> None:
        """Read the slab that comes next, where slices follow each other."""
        thin = [axis for axis, r in enumerate(ranges) if len(r) == 1]
        if len(thin) != 1:
            return
        (axis,) = thin
        at = ranges[axis][0]
        across = tuple(r for i, r in enumerate(ranges) if i != axis)
        before, self._last = self._last, (axis, at, across)
        if before is None or before[0] != axis or before[1] == at or before[2] != across:
            return
        following = at // self.chunks[axis] + (1 if at > before[1] else -1)
        if not 0 <= following * self.chunks[axis] < self.shape[axis]:
            return
        needed = [_chunks_of(r, edge) for r, edge in zip(ranges, self.chunks)]
        needed[axis] = [following]
        slab = [i for i in itertools.product(*needed) if not self.cache.has((self._number, i))]
        # with this slab and the next in it there must be room for those of other layers
        if not slab or not self.has_room_for(ranges):
            return
        with self._lock:
            slab = [i for i in slab if i not in self._pending]
        for run in _runs(slab):
            self._begin(self._ahead, run)

    def _arrived(self, run: list[Index]) -> None:
        with self._lock:
            for index in run:
                self._pending.pop(index, None)


def _chunks_of(places: range, edge: int) -> list[int]:
    """Numbers of the chunks that hold the places of a range."""
    if places.step <= edge:
        return list(range(places[0] // edge, places[-1] // edge + 1))
    return sorted({i // edge for i in places})


def _overlap(places: range, number: int, edge: int) -> tuple[slice, slice]:
    """Which of the places lie in a chunk, and where in the chunk they lie."""
    low, high = number * edge, (number + 1) * edge
    first = max(0, -(-(low - places.start) // places.step))
    last = min(len(places), -(-(high - places.start) // places.step))
    start = places.start + first * places.step - low
    stop = places.start + (last - 1) * places.step - low + 1
    return slice(first, last), slice(start, stop, places.step)


def _runs(indices: Iterable[Index]) -> Iterator[list[Index]]:
    """Indices that follow each other along x, together."""
    run: list[Index] = []
    for index in indices:
        if run and (index[:2] != run[-1][:2] or index[2] != run[-1][2] + 1):
            yield run
            run = []
        run.append(index)
    if run:
        yield run


__all__ = ["ChunkCache", "ChunkReader", "shared_cache"]
