from __future__ import annotations

import multiprocessing
import os
import pickle
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_slagseg.data import BlockGrid, SlagsegError, VolumeLike, WritableVolume
from napari_slagseg.io import (
    SHARD,
    ZarrVolume,
    create_result_arrays,
    new_zarr_volume,
    read_labels,
    stored_voxel_size,
)

SIZE = (3.0, 1.5, 1.25)
SHAPE = (150, 70, 90)


def noise(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(1).integers(1, 60_000, shape, dtype=np.uint16)


def index_of(shape: tuple[int, ...]) -> st.SearchStrategy[tuple[object, ...]]:
    def one(n: int) -> st.SearchStrategy[object]:
        edge = st.one_of(st.none(), st.integers(-n - 2, n + 2))
        step = st.one_of(st.none(), st.integers(-4, 70).filter(bool))
        return st.one_of(st.integers(-n, n - 1), st.builds(slice, edge, edge, step))

    axes = st.tuples(*(one(n) for n in shape))
    return st.one_of(axes, axes.map(lambda a: a[:2]), axes.map(lambda a: (..., a[2])))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> ZarrVolume:
    volume = new_zarr_volume(tmp_path_factory.mktemp("zarr") / "v.zarr", SHAPE, "uint16")
    volume[...] = noise()
    return volume


@settings(max_examples=150)
@given(index=index_of(SHAPE))
def test_boxes_are_as_numpy_cuts_them(stored: ZarrVolume, index) -> None:
    expected = noise()[index]
    found = stored[index]
    assert isinstance(found, (np.ndarray, np.uint16))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, expected)


def test_much_is_read_in_layers(stored: ZarrVolume, monkeypatch) -> None:
    monkeypatch.setattr("napari_slagseg.io.zarr_volume._LAYER_BYTES", 1000)
    for index in (
        np.s_[::3, ::2, ::5],
        np.s_[20:, 3:70],
        np.s_[...],
        np.s_[1::70, :, ::2],
        np.s_[5:140:64, 3:60:7, ::-2],
    ):
        np.testing.assert_array_equal(stored[index], noise()[index])


def test_what_is_no_box_is_refused(stored: ZarrVolume) -> None:
    for wrong in (
        (0, 0, 0, 0),
        150,
        (0, -71),
        [1, 2],
        np.array([1, 2]),
        None,
        True,
        (..., ...),
        "z",
        1.5,
    ):
        with pytest.raises(IndexError):
            stored[wrong]
    with pytest.raises(IndexError, match="step 1"):
        stored[::2] = 0
    assert sum(1 for _ in stored) == SHAPE[0]


def test_what_it_says_of_itself(stored: ZarrVolume) -> None:
    assert isinstance(stored, VolumeLike)
    assert isinstance(stored, WritableVolume)
    assert (stored.shape, stored.dtype, stored.ndim) == (SHAPE, np.uint16, 3)
    assert (stored.size, stored.nbytes, len(stored)) == (945_000, 1_890_000, 150)
    assert stored.chunks == (64, 64, 64)
    assert stored.file_edges == (192, 128, 128)
    np.testing.assert_array_equal(np.asarray(stored), noise())
    assert np.asarray(stored, np.float32).dtype == np.float32


def test_pickled_it_is_a_path_and_works_in_another_process(stored: ZarrVolume) -> None:
    assert stored[0, 0, 0] == noise()[0, 0, 0]  # opened, so there is something to leave out
    sent = pickle.dumps(stored)
    assert len(sent) < 600
    assert pickle.loads(sent) == stored
    for start in ("spawn", "fork") if os.name == "posix" else ("spawn",):
        with multiprocessing.get_context(start).Pool(1) as pool:
            plane = pool.apply(stored.__getitem__, (np.s_[3, :, 1:4],))
        np.testing.assert_array_equal(plane, noise()[3, :, 1:4])


def test_an_array_of_the_whole_is_refused_where_memory_lacks(stored, monkeypatch) -> None:
    class Memory:
        available = 100

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    with pytest.raises(SlagsegError, match=r"v\.zarr/0 needs .* GB of memory"):
        np.asarray(stored)


@pytest.mark.parametrize("order", [(2, 1, 0), (2, 3, 4), (4, 1, 2)])
def test_other_orders_of_axes(tmp_path: Path, order: tuple[int, ...]) -> None:
    wanted = noise((6, 7, 9))
    full = [1] * (3 if len(set(order)) == 3 and max(order) == 2 else 5)
    for axis, n in zip(order, wanted.shape):
        full[axis] = n
    kept = sorted(order)
    held = wanted.transpose([order.index(a) for a in kept]).reshape(full)
    zarr.create_array(tmp_path / "t.zarr", data=held, chunks=tuple(min(4, n) for n in full))
    volume = ZarrVolume(str(tmp_path / "t.zarr"), order=order)
    assert volume.shape == wanted.shape
    np.testing.assert_array_equal(volume[1:5, 2, ::-2], wanted[1:5, 2, ::-2])
    volume[2:4, 1:3, 5:9] = wanted[0:2, 0:2, 0:4]
    np.testing.assert_array_equal(volume[2:4, 1:3, 5:9], wanted[0:2, 0:2, 0:4])


def test_blocks_written_by_many_at_once(tmp_path: Path) -> None:
    """Also blocks that share shards, which threads take in turns."""
    for edge in (SHARD, 50):
        volume = new_zarr_volume(tmp_path / f"{edge}.zarr", SHAPE, np.uint16)

        def write(block, volume=volume) -> None:
            volume[block.box] = noise()[block.box]

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, BlockGrid.of(SHAPE, edge)))
        np.testing.assert_array_equal(volume[...], noise())
    volume[3, 4:6, 7] = 1
    volume[:, 0, 0] = np.arange(150)
    assert volume[3, 4:6, 7].tolist() == [1, 1]
    assert volume[149, 0, 0] == 149


def test_result_arrays(tmp_path: Path) -> None:
    path = tmp_path / "segmentation.zarr"
    shape = (300, 40, 40)
    volumes = create_result_arrays(
        path, {"phases": np.uint8, "particles": "uint32"}, shape, SIZE, {"seed": 3}
    )
    assert volumes["particles"].dtype == np.uint32
    labels = np.zeros(shape, np.uint32)
    labels[250:260] = 80_000
    for block in BlockGrid.of(shape, SHARD):
        volumes["particles"][block.box] = labels[block.box]
        with pytest.raises(SlagsegError, match=r"phases/0 lacks .*z 0-256.*not finished"):
            volumes["phases"][block.box]
        break
    assert volumes["particles"][255, 3, 3] == 80_000
    with pytest.raises(SlagsegError, match=r"lacks .*c/1/0/0, needed for the box z 256-300"):
        volumes["particles"][256:]
    volumes["particles"][256:] = labels[256:]
    np.testing.assert_array_equal(read_labels(path / "particles"), labels)
    assert stored_voxel_size(path / "particles") == SIZE
    # all zeros is written, too: what is there can be told from what is not
    assert sorted(p.name for p in (path / "particles" / "0" / "c").iterdir()) == ["0", "1"]


def test_a_chunk_missing_within_a_shard_is_seen(tmp_path: Path) -> None:
    volume = new_zarr_volume(tmp_path / "v.zarr", (128, 128, 128), np.uint8)
    volume[:64] = 0
    assert not volume[:64].any()
    with pytest.raises(SlagsegError, match=r"lacks chunk \(1, 0, 0\) of .*c/0/0/0.*z 0-65"):
        volume[:65, :64, :64]
    scratch = new_zarr_volume(tmp_path / "s.zarr", (128, 128, 128), np.uint8, missing="zero")
    assert not scratch[...].any()


def chunk_file(volume: ZarrVolume, name: str = "c/0/0/0") -> Path:
    return volume.folder / name


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data[:9] + b"\xff" * 4000 + data[4009:],
    ],
)
def test_damaged_shards_are_named(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    volume = new_zarr_volume(tmp_path / "v.zarr", SHAPE, np.uint16)
    volume[...] = noise()
    shard = chunk_file(volume)
    shard.write_bytes(harm(shard.read_bytes()))
    with pytest.raises(SlagsegError, match=r"(cut short or damaged|damaged or cut short)") as error:
        volume[:10, :10, :10]
    assert str(volume.folder) in str(error.value)
    # what covers the shard whole may be written again
    volume[...] = noise()
    np.testing.assert_array_equal(volume[...], noise())


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_damaged_chunks_of_others_are_named(tmp_path: Path, zarr_format: int) -> None:
    zarr.create_array(
        tmp_path / "v.zarr", data=noise((64, 32, 32)), chunks=(32,) * 3, zarr_format=zarr_format
    )
    volume = ZarrVolume(str(tmp_path / "v.zarr"))
    chunk = tmp_path / "v.zarr" / ("1.0.0" if zarr_format == 2 else "c/1/0/0")
    chunk.write_bytes(chunk.read_bytes()[:-20])
    assert volume[:32].any()
    message = r"v\.zarr cannot be read in the box z 30-40, y 0-32, x 5-6 .*damaged or cut short"
    with pytest.raises(SlagsegError, match=message):
        volume[30:40, :, 5]
    chunk.unlink()
    assert not volume[32:].any()  # others may leave out what is empty
    with pytest.raises(SlagsegError, match="lacks"):
        ZarrVolume(str(tmp_path / "v.zarr"), missing="error")[32:]


def test_a_box_of_a_large_volume_takes_the_memory_of_a_box(tmp_path: Path) -> None:
    """A volume of 32 GB of which one shard is on disk."""
    volume = new_zarr_volume(tmp_path / "v.zarr", (2048, 2816, 2816), np.uint16, missing="zero")
    volume[:256, :256, :256] = noise((256, 256, 256))
    assert volume[1, 1, 1] > 0
    tracemalloc.start()
    try:
        box = volume[:128, :128, :128]
        assert tracemalloc.get_traced_memory()[1] < 5 * box.nbytes
        tracemalloc.reset_peak()
        sample = volume[::64, ::64, ::64]
        assert sample.shape == (32, 44, 44)
        assert tracemalloc.get_traced_memory()[1] < 80e6
    finally:
        tracemalloc.stop()


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SlagsegError, match=r"no\.zarr cannot be opened as a Zarr array"):
        _ = ZarrVolume(str(tmp_path / "no.zarr")).shape
    zarr.open_group(tmp_path / "g.zarr", mode="w")
    with pytest.raises(SlagsegError, match=r"g\.zarr cannot be opened as a Zarr array"):
        _ = ZarrVolume(str(tmp_path / "g.zarr")).shape


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_to_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(SlagsegError, match="could not be written"):
            new_zarr_volume(tmp_path / "v.zarr", (4, 4, 4), "u1")
    finally:
        tmp_path.chmod(0o700)
