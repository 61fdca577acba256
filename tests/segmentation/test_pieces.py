"""Connected pieces and small changes to labels, block by block."""

import threading

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_slagseg.data import (
    BlockGrid,
    CancelledError,
    MemoryStore,
    SlagsegError,
    ThreadRun,
)
from napari_slagseg.segmentation import (
    connected_pieces,
    label_counts_of_blocks,
    label_pieces,
    label_volumes,
    pieces,
    relabel_sequential,
    remove_small,
    remove_small_in_blocks,
)


def by_first_voxel(labels):
    """The same pieces, numbered in the order of their first voxel."""
    values, first = np.unique(labels, return_index=True)
    order = values[values > 0][np.argsort(first[values > 0])]
    table = np.zeros(labels.max() + 1, np.uint32)
    table[order] = np.arange(1, len(order) + 1)
    return table[labels]


def expected_pieces(values, connectivity):
    """Each value labelled on its own by scipy."""
    structure = ndimage.generate_binary_structure(3, 1 if connectivity == 6 else 3)
    labels, n = np.zeros(values.shape, int), 0
    for value in np.unique(values[values > 0]):
        found, k = ndimage.label(values == value, structure)
        labels[found > 0] = found[found > 0] + n
        n += k
    return by_first_voxel(labels), n


@settings(max_examples=120, deadline=None)
@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(*[st.integers(1, 5)] * 3),
    st.sampled_from([6, 26]),
    st.integers(1, 3),
    st.sampled_from([0.1, 0.3, 0.6, 0.9]),
    st.integers(0, 2**32),
)
def test_pieces_of_blocks_are_those_of_the_volume(shape, edges, connectivity, n, dense, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(1, n + 1, shape).astype(np.uint8) * (rng.random(shape) < dense)
    values = values.astype(np.uint8)
    for by_value in (True, False):
        out = np.full(shape, 77, np.uint32)
        run = ThreadRun(BlockGrid.of(shape, edges))
        found = connected_pieces(values, out, run, connectivity=connectivity, by_value=by_value)
        expected, k = expected_pieces(values if by_value else values > 0, connectivity)
        assert found == k
        assert np.array_equal(out, expected)


def test_numbers_are_those_of_cc3d():
    mask = np.random.default_rng(0).random((40, 41, 42)) < 0.3
    out = np.zeros(mask.shape, np.uint32)
    n = connected_pieces(mask, out, ThreadRun(BlockGrid.of(mask.shape, 16), 3))
    expected, k = cc3d.connected_components(mask, connectivity=6, return_N=True)
    assert n == k
    assert np.array_equal(out, expected)


def test_labels_of_many_types_and_large_numbers():
    rng = np.random.default_rng(3)
    values = rng.integers(0, 3, (9, 8, 7)).astype(np.uint32) * np.uint32(2_000_000_000)
    out = np.zeros(values.shape, np.uint32)
    n = connected_pieces(values, out, ThreadRun(BlockGrid.of(values.shape, 4)))
    expected, k = expected_pieces(values, 6)
    assert n == k
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("connectivity", [6, 26])
@pytest.mark.parametrize("kind", ["|b1", "u1", "<i4", ">u2", "<u8"])
def test_noise_of_every_type_gives_the_pieces_of_cc3d(kind, connectivity):
    """Runs of one voxel, more than there is room for at first; rows of odd length."""
    values = np.random.default_rng(8).integers(0, 4, (21, 30, 37)).astype(kind)
    out = np.full(values.shape, 5, np.uint32)
    n = connected_pieces(
        values, out, ThreadRun(BlockGrid.of(values.shape, (11, 30, 17))), connectivity=connectivity
    )
    native = values.astype(np.uint8) if kind != "|b1" else values
    expected, k = cc3d.connected_components(native, connectivity=connectivity, return_N=True)
    assert n == k
    assert np.array_equal(out, by_first_voxel(expected))


def test_pieces_are_written_beside_other_blocks_and_over_what_was_there():
    """Blocks of no memory of their own: a store and an output that are not in memory."""

    class Elsewhere:
        def __init__(self, array):
            self.array = array
            self.shape, self.dtype = array.shape, array.dtype

        def __getitem__(self, box):
            return self.array[box].copy()

        def __setitem__(self, box, values):
            self.array[box] = values

    class Kept:
        def __init__(self):
            self.memory = MemoryStore()
            self.names = set()

        def put(self, name, block, arrays):
            self.names.add(name)
            self.memory.put(name, block, arrays)

        def get(self, name, block):
            return self.memory.get(name, block)

    mask = np.random.default_rng(1).random((20, 21, 22)) < 0.3
    here, there = np.full(mask.shape, 9, np.uint32), Elsewhere(np.full(mask.shape, 9, np.uint32))
    run = ThreadRun(BlockGrid.of(mask.shape, 8))
    run.store = Kept()
    n = connected_pieces(Elsewhere(mask), there, run)
    assert connected_pieces(mask, here, ThreadRun(BlockGrid.of(mask.shape, 8))) == n
    assert np.array_equal(here, there.array)
    assert run.store.names == {"pieces"}  # faces only


@pytest.mark.parametrize("threads", [1, 3])
def test_arrays_are_labelled_in_slabs(threads, monkeypatch):
    monkeypatch.setattr(pieces, "_SLAB_VOXELS", 2000)
    values = np.random.default_rng(4).integers(0, 3, (20, 21, 22))
    for turned in (values, values.T):
        labels, n = label_pieces(turned, connectivity=26, threads=threads)
        expected, k = expected_pieces(turned, 26)
        assert n == k
        assert np.array_equal(labels, expected)
    assert label_pieces(np.zeros((0, 2, 2), bool))[1] == 0
    with pytest.raises(SlagsegError, match="2 axes"):
        label_pieces(np.zeros((2, 2), bool))


def test_labels_are_changed_in_threads_as_in_one(monkeypatch):
    monkeypatch.setattr(label_volumes, "_CHUNK_VOXELS", 300)
    labels = np.random.default_rng(2).integers(0, 90, (40, 9, 10)) * 7
    values, voxels = np.unique(labels, return_counts=True)
    large = values[(voxels >= 42) & (values > 0)]
    assert 0 < len(large) < len(values) - 1
    expected = np.where(np.isin(labels, large), labels, 0)
    for threads in (1, 3):
        found = remove_small(labels, 42, threads=threads)
        assert np.array_equal(found, expected)
        assert np.array_equal(
            relabel_sequential(found, threads=threads),
            np.where(expected > 0, np.searchsorted(large, expected) + 1, 0),
        )
    with pytest.raises(SlagsegError, match="-1"):
        remove_small(np.where(np.arange(40)[:, None, None] == 39, -1, labels), 2, threads=3)
    token = threading.Event()
    token.set()
    with pytest.raises(CancelledError):
        remove_small(labels, 2, threads=3, cancel=token)


def test_shapes_must_agree():
    values = np.zeros((4, 4, 4), bool)
    run = ThreadRun(BlockGrid.of((4, 4, 5), 2))
    with pytest.raises(SlagsegError, match=r"values.*\(4, 4, 4\).*\(4, 4, 5\)"):
        connected_pieces(values, values.astype(np.uint32), run)


@pytest.mark.parametrize("scale", [1, 1000, 20_000_000])
@pytest.mark.parametrize("edge", [4, (3, 20, 7), 20])
def test_counts_and_small_ones_in_blocks(scale, edge):
    rng = np.random.default_rng(5)
    labels = np.repeat(rng.integers(0, 200, (12, 13, 2)), 7, axis=2).astype(np.uint32)
    labels *= np.uint32(scale)
    run = ThreadRun(BlockGrid.of(labels.shape, edge), 2)
    counts = label_counts_of_blocks(labels, run)
    values, voxels = np.unique(labels, return_counts=True)
    assert np.array_equal(counts.labels, values[1:])
    assert np.array_equal(counts.voxels, voxels[1:])
    for sequential in (False, True):
        out = np.full(labels.shape, 9, np.uint32)
        kept = remove_small_in_blocks(labels, out, run, 10, sequential=sequential)
        expected = remove_small(labels, 10)
        assert kept == np.sum(voxels[1:] >= 10) == len(np.unique(expected)) - 1
        assert np.array_equal(out, relabel_sequential(expected) if sequential else expected)
        assert np.array_equal(
            expected, np.where(voxels[np.searchsorted(values, labels)] >= 10, labels, 0)
        )


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.int64, np.uint64])
def test_labels_of_every_type_are_counted(kind):
    labels = np.array([[[0, 5, 5, 7, 0, 120]]]).astype(kind)
    run = ThreadRun(BlockGrid.of(labels.shape, 4))
    counts = label_counts_of_blocks(labels, run)
    assert counts.labels.tolist() == [5, 7, 120]
    assert counts.voxels.tolist() == [2, 1, 1]
    assert counts.in_block[0, 0, 1].tolist() == [120]
    if np.issubdtype(kind, np.signedinteger):
        with pytest.raises(SlagsegError, match="-3"):
            label_counts_of_blocks(np.where(labels == 5, kind(-3), labels), run)


def test_labels_that_are_no_labels_are_refused():
    run = ThreadRun(BlockGrid.of((2, 2, 2), 2))
    with pytest.raises(SlagsegError, match="float64"):
        label_counts_of_blocks(np.zeros((2, 2, 2)), run)
    with pytest.raises(SlagsegError, match="4294967296"):
        label_counts_of_blocks(np.full((2, 2, 2), 2**32), run)
