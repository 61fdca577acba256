"""Arrays that are read by parts give what numpy gives, and read no more than they must."""

import threading

import numpy as np
import pytest

from napari_slagseg.widgets.chunk_cache import ChunkCache, ChunkReader
from napari_slagseg.widgets.lazy_array import DirectReader, LazyArray
from napari_slagseg.widgets.levels import (
    MappedReader,
    contrast_limits,
    levels_needed,
    levels_of,
    reader_of,
)
from napari_slagseg.widgets.quick_reader import Arrivals, quickened
from napari_slagseg.widgets.sparse_volume import SparseReader, sparse_levels


class Counting:
    """A volume read by boxes of step 1 that counts the voxels handed out."""

    def __init__(self, data, chunks=None):
        self.data, self.read, self.reads = data, 0, 0
        self.shape, self.dtype = data.shape, data.dtype
        self.threads = set()
        if chunks is not None:
            self.chunks = chunks

    def __getitem__(self, box):
        assert all(isinstance(s, slice) and s.step in (None, 1) for s in box)
        part = self.data[box]
        self.read += part.size
        self.reads += 1
        self.threads.add(threading.current_thread().name)
        return part


@pytest.fixture
def data():
    return np.random.default_rng(0).integers(0, 1 << 20, (70, 101, 53)).astype(np.uint32)


def parts(shape, count=80):
    """Random numbers and slices, some of them with steps."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        key = []
        for n in shape:
            if rng.random() < 0.4:
                key.append(int(rng.integers(-n, n)))
            else:
                low, high = (int(i) for i in sorted(rng.integers(0, n + 1, 2)))
                key.append(slice(low, high, int(rng.integers(1, 40))))
        yield tuple(key)


@pytest.mark.parametrize(
    "reader",
    [
        DirectReader,
        MappedReader,
        lambda d: DirectReader(Counting(d)),
        lambda d: ChunkReader(Counting(d), (32, 16, 25)),
        lambda d: ChunkReader(Counting(d), (7, 64, 64), ChunkCache(100_000)),
    ],
)
def test_any_part_is_what_numpy_gives(data, reader):
    array = LazyArray(reader(data))
    assert (array.shape, array.dtype, array.ndim, array.size) == (
        data.shape, data.dtype, 3, data.size,
    )  # fmt: skip
    for key in parts(data.shape):
        assert np.array_equal(np.asarray(array[key]), data[key]), key
    twice = array[::2, 3:, ::3][1:, ::2, 4:]
    assert isinstance(twice, LazyArray)
    assert np.array_equal(np.asarray(twice), data[::2, 3:, ::3][1:, ::2, 4:])
    assert np.array_equal(array[..., 5], data[..., 5])


def test_cutting_reads_nothing_until_a_plane_is_asked_for(data):
    source = Counting(data)
    tile = LazyArray(DirectReader(source))[:, 10:40, 5:35]
    assert source.read == 0
    assert np.array_equal(tile[8], data[8, 10:40, 5:35])
    assert source.read == 30 * 30


def test_a_slab_of_chunks_is_read_once(data):
    source = Counting(data, (32, 32, 32))
    array = LazyArray(ChunkReader(source, source.chunks, ChunkCache()))
    for z in range(32):
        assert np.array_equal(array[z], data[z])
    wait_for(array.reader)
    # the slab that is looked at, and the one that comes next
    assert source.read == 64 * data[0].size


def test_the_next_slab_is_read_by_another_thread(data):
    source = Counting(data, (32, 32, 32))
    array = LazyArray(ChunkReader(source, source.chunks, ChunkCache()))
    array[40], array[39]  # going down
    wait_for(array.reader)
    before = source.reads
    assert np.array_equal(array[31], data[31])
    assert source.reads == before
    assert any(name.startswith("slagseg-ahead") for name in source.threads)


def wait_for(reader):
    """Until nothing is read ahead any more."""
    reader._ahead.submit(lambda: None).result()


def test_the_cache_keeps_to_its_bounds(data):
    cache = ChunkCache(200_000)
    array = LazyArray(ChunkReader(data, (16, 16, 16), cache))
    np.asarray(array)
    assert 0 < cache.bytes <= 200_000
    del array
    assert cache.bytes == 0


def test_a_chunk_that_cannot_be_read_is_told(data):
    class Broken(Counting):
        def __getitem__(self, box):
            if box[0].start >= 32:
                raise OSError("shard is cut short")
            return super().__getitem__(box)

    array = LazyArray(ChunkReader(Broken(data), (32, 32, 32), ChunkCache()))
    array[0], array[1]  # the broken slab is tried ahead, and fails in silence
    assert np.array_equal(array[2], data[2])
    with pytest.raises(OSError, match="cut short"):
        array[33]


def test_levels_halve_with_odd_ends_rounded_up():
    levels = levels_of([np.zeros((515, 257, 30), np.uint8)])
    assert [level.shape for level in levels] == [(515, 257, 30), (258, 129, 15), (129, 65, 8)][:3]
    assert len(levels) == levels_needed((515, 257, 30))


def test_listed_voxels_are_a_volume_and_cost_what_is_listed():
    shape = (2000, 2000, 2000)
    rng = np.random.default_rng(0)
    zyx = np.stack([rng.integers(0, 2000, 5000) for _ in range(3)], axis=1)
    zyx[:50] = [1000, 7, 0] + np.arange(50)[:, None] * [0, 3, 2]
    values = rng.integers(1, 200, 5000).astype(np.uint8)
    levels = sparse_levels(shape, zyx, values, levels_needed(shape))
    assert levels[0].reader.nbytes == 5000 * (3 * 4 + 1)
    assert [level.shape[0] for level in levels] == [2000, 1000, 500, 250]
    plane = levels[0][1000]
    here = zyx[:, 0] == 1000
    assert np.array_equal(np.flatnonzero(plane), np.unique(zyx[here, 1] * 2000 + zyx[here, 2]))
    assert np.array_equal(plane[zyx[:50, 1], zyx[:50, 2]], values[:50])
    assert np.array_equal(levels[0][:, 7][1000], plane[7])
    assert np.array_equal(levels[0][..., 2][1000], plane[:, 2])
    coarse = np.asarray(levels[3])
    assert np.array_equal(np.unique(np.flatnonzero(coarse)),
                          np.unique(np.ravel_multi_index((zyx // 8).T, coarse.shape)))  # fmt: skip


def test_of_voxels_listed_twice_the_last_counts():
    reader = SparseReader(
        (3, 3, 3), np.array([[1, 1, 1], [0, 0, 0], [1, 1, 1]]), np.array([4, 5, 6])
    )
    assert LazyArray(reader)[1, 1, 1] == 6


@pytest.mark.parametrize("chunks", [None, (64, 64, 64), (16, 128, 128)])
def test_contrast_comes_from_a_small_part_of_the_voxels(chunks):
    z = np.arange(400, dtype=np.uint16)[:, None, None]
    source = Counting(np.broadcast_to(1000 + z * 10, (400, 400, 400)), chunks)
    low, high = contrast_limits(source)
    assert source.read <= 0.04 * 400**3
    assert low < 1000 + 0.2 * 4000
    assert high > 1000 + 0.8 * 4000


def many_chunks():
    """Labels in 10 x 10 chunks a slab, and the level after them."""
    fine = np.random.default_rng(0).integers(0, 9, (40, 161, 160)).astype(np.uint32)
    return fine, [Counting(fine, (16, 16, 16)), Counting(fine[::2, ::2, ::2], (16, 81, 80))]


def test_a_plane_comes_coarse_at_once_and_exact_when_it_is_read(qtbot, monkeypatch):
    fine, stored = many_chunks()
    hold = threading.Event()
    read = Counting.__getitem__

    def slow(self, box):
        if self is stored[0] and threading.current_thread() is not threading.main_thread():
            hold.wait(5)
        return read(self, box)

    monkeypatch.setattr(Counting, "__getitem__", slow)
    arrivals = Arrivals()
    level = quickened([LazyArray(reader_of(s)) for s in stored], arrivals)[0]
    rough = level[4, 3:, ::2]
    at = np.minimum(np.arange(3, 161) // 2, 80)
    assert np.array_equal(rough, fine[4][2 * at][:, ::2])
    assert stored[0].read == 0
    # a voxel is never a guess
    hold.set()
    assert level[4, 3, 5] == fine[4, 3, 5]
    with qtbot.waitSignal(arrivals._came, timeout=5000):
        level[20]
    wait_for(level.reader.exact)
    for z in (5, 21):
        qtbot.waitUntil(lambda z=z: np.array_equal(level[z], fine[z]), timeout=5000)
    assert np.array_equal(np.asarray(level), fine)


def test_a_plane_that_cannot_be_read_is_told_in_the_end(qtbot):
    _, stored = many_chunks()

    class Broken(Counting):
        def __getitem__(self, box):
            raise OSError("shard is cut short")

    arrivals = Arrivals()
    finest = LazyArray(reader_of(Broken(stored[0].data, stored[0].chunks)))
    level = quickened([finest, LazyArray(reader_of(stored[1]))], arrivals)[0]
    with qtbot.waitSignal(arrivals._came, timeout=5000):
        level[4]
    with pytest.raises(OSError, match="cut short"):
        level[4]


def test_contrast_is_not_fooled_by_what_repeats_itself():
    z = np.arange(1000)
    data = np.where(z % 25 < 12, 40, 200).astype(np.uint8)[:, None, None]
    assert contrast_limits(np.broadcast_to(data, (1000, 200, 200))) == (40, 200)
