"""The CT in 8 bit by cells: the same from any storage, in bounded memory."""

import threading

import numpy as np
import pytest
import zarr

from napari_slagseg.data import Volume
from napari_slagseg.networks import eight_bit
from napari_slagseg.networks.eight_bit import EightBitVolume, grey_limits, to_eight_bit

SHAPE = (70, 130, 150)
LIMITS = (900.0, 3800.0)


class Watched:
    """Array that is read by boxes and remembers them; it has chunks if it is told so."""

    def __init__(self, array, chunks=None):
        self.array, self.boxes = array, []
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        if chunks is not None:
            self.chunks = chunks

    def __getitem__(self, box):
        assert all(s.step in (None, 1) for s in box)
        self.boxes.append(box)
        return self.array[box]


@pytest.fixture(scope="module")
def grey():
    return np.random.default_rng(0).integers(0, 5000, SHAPE).astype(np.uint16)


def boxes(count, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        low = [int(rng.integers(n)) for n in SHAPE]
        yield tuple(slice(a, int(rng.integers(a, n)) + 1) for a, n in zip(low, SHAPE))


@pytest.mark.parametrize("chunks", [None, (32, 32, 32), (50, 20, 96), (1, 130, 150), (300,) * 3])
def test_every_box_is_that_of_the_whole_volume_in_8_bit(grey, chunks):
    whole = to_eight_bit(grey, LIMITS)
    found = EightBitVolume(Watched(grey, chunks), LIMITS)
    assert (found.shape, found.dtype) == (SHAPE, np.uint8)
    for box in boxes(40):
        assert np.array_equal(found[box], whole[box])
    assert found[3:3, :, :].shape == (0, 130, 150)


def test_memory_maps_and_zarr_give_the_same_as_arrays(grey, tmp_path):
    np.save(tmp_path / "ct.npy", grey)
    stored = zarr.create_array(tmp_path / "ct.zarr", data=grey, chunks=(48, 48, 48))
    whole = to_eight_bit(grey, LIMITS)
    for data in (np.load(tmp_path / "ct.npy", mmap_mode="r"), stored):
        found = EightBitVolume(data, LIMITS)
        assert all(np.array_equal(found[box], whole[box]) for box in boxes(10))
        assert grey_limits(Volume(data, (1.0, 1.0, 1.0))) == grey_limits(
            Volume(grey, (1.0, 1.0, 1.0))
        )


def test_a_cell_is_read_once_while_there_is_room(grey):
    watched = Watched(grey)
    found = EightBitVolume(watched, LIMITS)
    for _ in range(3):
        found[10:20, 60:70, 60:70]  # touches the cells on both sides of 64 along y and x
    assert len(watched.boxes) == found.cells_read == 4
    assert found.held_bytes == 64 * (128 * 128)


def test_memory_stays_within_the_budget_and_the_cell_used_longest_ago_goes(grey):
    cell = 64**3
    watched = Watched(grey)
    found = EightBitVolume(watched, LIMITS, budget=2 * cell)
    first, second, third = (
        (slice(0, 9), slice(y, y + 9), slice(x, x + 9)) for y, x in ((0, 0), (64, 0), (0, 64))
    )
    for box in (first, second, first, third, first):
        found[box]
        assert found.held_bytes <= 2 * cell
    assert found.cells_read == 3  # the first was never dropped
    found[second]
    assert found.cells_read == 4
    whole = to_eight_bit(grey, LIMITS)
    for box in boxes(20):
        assert np.array_equal(found[box], whole[box])
        assert found.held_bytes <= 2 * cell


def test_several_threads_read_the_same(grey):
    whole = to_eight_bit(grey, LIMITS)
    found = EightBitVolume(Watched(grey), LIMITS, budget=3 * 64**3)
    wrong = []

    def read(seed):
        wrong.extend(box for box in boxes(30, seed) if not np.array_equal(found[box], whole[box]))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_cells_are_whole_chunks_where_these_have_a_sensible_size(grey):
    def edges(chunks):
        watched = Watched(grey, chunks)
        EightBitVolume(watched, LIMITS)[0:1, 0:1, 0:1]
        return tuple(s.stop for s in watched.boxes[0])

    assert edges((32, 32, 32)) == (64, 64, 64)
    assert edges((48, 48, 100)) == (48, 48, 100)
    assert edges((1, 2000, 2000)) == (64, 64, 64)


def test_grey_limits_of_a_large_volume_come_from_spread_boxes(monkeypatch):
    """Grey rises by one from plane to plane: the limits tell which planes were looked at."""
    data = np.broadcast_to(np.arange(400, dtype=np.uint16)[:, None, None], (400, 80, 80))
    monkeypatch.setattr(eight_bit, "_SAMPLED_WHOLE", 1_000_000)
    watched = Watched(data)
    low, high = grey_limits(Volume(watched, (1.0, 1.0, 1.0)))
    assert {box[0].start for box in watched.boxes} == {0, 84, 168, 252, 336}
    assert len(watched.boxes) == 125
    # every second plane of these: 0.1 and 99.9 per cent are the first and the last of them
    assert (low, high) == pytest.approx((0 - 0.05 * 398, 398 + 0.05 * 398))
