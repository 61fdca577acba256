"""CTs that stay on disk: mapped, plane by plane, and turned into a usual type as they are read."""

from __future__ import annotations

import multiprocessing
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_slagseg.data import SlagsegError, VolumeLike
from napari_slagseg.io import (
    MappedVolume,
    RawLayout,
    ZarrVolume,
    open_labels,
    read_labels,
    read_volume,
    shared_volume,
    write_volume,
    write_zarr_arrays,
)

BOXES = (np.s_[1:4, 2:5, 3:9], np.s_[2], np.s_[:, :, 4], np.s_[::2, ::-1, 1:9:3], np.s_[...])


def slices(folder: Path, array: np.ndarray, suffix: str) -> Path:
    folder.mkdir()
    for i, plane in enumerate(array):
        path = folder / f"s{i}{suffix}"
        if suffix == ".tif":
            tifffile.imwrite(path, plane, compression="zlib")
        else:
            Image.fromarray(plane).save(path)
    return folder


def stored_as(tmp_path: Path, array: np.ndarray, form: str) -> tuple[Path, RawLayout | None]:
    path = tmp_path / f"ct.{form.split('-')[0]}"
    if form == "tif-compressed":
        tifffile.imwrite(path, array, compression="zlib")
    elif form == "tif-tiled":
        tifffile.imwrite(path, array, tile=(16, 16), photometric="minisblack")
    elif form == "tif-big-endian":
        tifffile.imwrite(path, array, byteorder=">", photometric="minisblack")
    elif form in ("slices-tif", "slices-png"):
        path = slices(tmp_path / "ct", array, f".{form.split('-')[1]}")
    elif form == "raw-big-endian":
        array.astype(">u2").tofile(path)
        return path, RawLayout(array.shape, "uint16", byte_order="big")
    else:
        write_volume(path, array, None)
    return path, None


@pytest.mark.parametrize(
    "form",
    [
        "tif",
        "tif-compressed",
        "tif-tiled",
        "tif-big-endian",
        "npy",
        "raw-big-endian",
        "zarr",
        "slices-tif",
        "slices-png",
    ],
)
def test_boxes_of_every_format_here_and_in_another_process(tmp_path: Path, ramp, form) -> None:
    path, layout = stored_as(tmp_path, ramp, form)
    volume = read_volume(path, 2, raw=layout)
    shared = shared_volume(volume.data)
    assert isinstance(shared, VolumeLike)
    assert isinstance(volume.data, np.memmap) or not isinstance(volume.data, np.ndarray)
    sent = pickle.dumps(shared)
    assert len(sent) < 1500
    other = pickle.loads(sent)
    for box in BOXES:
        for read in (volume.data, shared, other):
            assert read[box].dtype == np.uint16
            np.testing.assert_array_equal(read[box], ramp[box])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(shared.__getitem__, (BOXES[0],)), ramp[BOXES[0]])
    with ThreadPoolExecutor(4) as pool:
        for z, plane in enumerate(pool.map(other.__getitem__, range(5))):
            np.testing.assert_array_equal(plane, ramp[z])


def test_views_of_memory_maps_are_found_in_their_file(tmp_path: Path, ramp) -> None:
    np.save(tmp_path / "v.npy", ramp)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    for view in (mapped, mapped[2:, 1:, ::2], mapped[::-1], mapped.transpose(2, 0, 1)):
        shared = shared_volume(view)
        assert isinstance(shared, MappedVolume)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(shared))[...], view)
    assert isinstance(shared_volume(mapped + 1), np.ndarray)
    (tmp_path / "v.npy").write_bytes(b"")
    with pytest.raises(SlagsegError, match=r"v\.npy cannot be read any more"):
        pickle.loads(pickle.dumps(shared_volume(mapped)))[0]


def test_other_types_are_turned_as_they_are_read(tmp_path: Path, ramp) -> None:
    for form in ("npy", "zarr"):
        for dtype, expected in (("f8", "f4"), ("i8", "u4"), ("?", "u1"), ("f2", "f4")):
            path = tmp_path / f"{dtype.replace('?', 'b')}.{form}"
            array = (ramp % 2 if dtype == "?" else ramp).astype(dtype)
            if form == "npy":
                np.save(path, array)
            else:
                zarr.create_array(path, data=array, chunks=(2, 3, 4))
            data = read_volume(path, 1).data
            assert not isinstance(data, np.ndarray)
            assert data.dtype == np.dtype(expected)
            np.testing.assert_array_equal(data[1:3, ::2], array[1:3, ::2].astype(expected))


def test_nans_beyond_what_is_looked_through_are_found_when_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("napari_slagseg.io.guards.SCANNED_BYTES", 4_000)
    monkeypatch.setattr("napari_slagseg.io.guards._BLOCK_VOXELS", 100)
    array = np.random.default_rng(0).random((90, 10, 10)).astype(np.float32)
    array[1, 3, 4] = np.nan  # every ninth plane is looked at
    np.save(tmp_path / "v.npy", array)
    zarr.create_array(tmp_path / "v.zarr", data=array, chunks=(1, 10, 10))
    for name in ("v.npy", "v.zarr"):
        data = read_volume(tmp_path / name, 1).data
        np.testing.assert_array_equal(data[2:5], array[2:5])
        with pytest.raises(SlagsegError, match=rf"{name} has 1 voxels .* in the box z 0-2, y 0-10"):
            data[:2]
    array[9, 0, 0] = np.inf
    np.save(tmp_path / "v.npy", array)
    with pytest.raises(SlagsegError, match=r"v\.npy has 1 voxels .* z=9, y=0, x=0"):
        read_volume(tmp_path / "v.npy", 1)


def test_a_sample_that_is_constant_is_not_the_whole(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("napari_slagseg.io.guards.SCANNED_BYTES", 400)
    monkeypatch.setattr("napari_slagseg.io.guards._BLOCK_VOXELS", 100)
    array = np.zeros((90, 10, 10), np.uint8)
    array[1, 3, 4] = 1
    np.save(tmp_path / "v.npy", array)
    assert read_volume(tmp_path / "v.npy", 1).data[1, 3, 4] == 1
    np.save(tmp_path / "v.npy", array * 0)
    with pytest.raises(SlagsegError, match="constant: every voxel is 0"):
        read_volume(tmp_path / "v.npy", 1)


@pytest.mark.parametrize("form", ["tif-compressed", "slices-tif", "slices-png", "zarr"])
def test_opening_takes_no_memory_of_the_volume(tmp_path: Path, monkeypatch, form: str) -> None:
    monkeypatch.setattr("napari_slagseg.io.plane_volume.KEPT_BYTES", 300_000)
    monkeypatch.setattr("napari_slagseg.io.guards._BLOCK_VOXELS", 9000)
    array = np.random.default_rng(0).integers(0, 60_000, (200, 128, 128), dtype=np.uint16)
    path, _ = stored_as(tmp_path, array, form)
    read_volume(path, 1)  # what modules keep for ever is made before
    tracemalloc.start()
    try:
        data = read_volume(path, 1).data
        assert tracemalloc.get_traced_memory()[1] < array.nbytes / 2
        # in planes: from a compressed stack no other are decoded
        for z in range(0, 200, 7):
            np.testing.assert_array_equal(data[z], array[z])
        assert tracemalloc.get_traced_memory()[1] < array.nbytes / 2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["tif-compressed", "slices-tif", "slices-png"])
def test_damage_of_large_stacks_is_found(tmp_path: Path, monkeypatch, form: str) -> None:
    """Cut short: when it is opened. Wrong bytes in a plane: when that is read."""
    monkeypatch.setattr("napari_slagseg.io.plane_volume.KEPT_BYTES", 1)
    monkeypatch.setattr("napari_slagseg.io.guards._BLOCK_VOXELS", 9000)
    array = np.random.default_rng(0).integers(0, 60_000, (9, 64, 64), dtype=np.uint16)
    path, _ = stored_as(tmp_path, array, form)
    last = path / f"s8.{form.split('-')[1]}" if path.is_dir() else path
    whole = last.read_bytes()
    last.write_bytes(whole[:-1500])
    with pytest.raises(SlagsegError, match=last.name.replace(".", r"\.")):
        read_volume(path, 1)
    middle = len(whole) // 2 if path.is_dir() else len(whole) - 4000
    last.write_bytes(whole[:middle] + bytes(2000) + whole[middle + 2000 :])
    data = read_volume(path, 1).data
    np.testing.assert_array_equal(data[2], array[2])
    with pytest.raises(SlagsegError, match=last.name.replace(".", r"\.")):
        data[8]


def test_labels_may_stay_on_disk(tmp_path: Path) -> None:
    labels = np.zeros((10, 12, 14), np.uint32)
    labels[3:5] = 70_000
    write_zarr_arrays(tmp_path / "s.zarr", {"particles": labels, "phases": labels > 0}, (1, 1, 1))
    found = open_labels(tmp_path / "s.zarr" / "particles")
    assert isinstance(found, ZarrVolume)
    np.testing.assert_array_equal(found[2:4], labels[2:4])
    phases = open_labels(tmp_path / "s.zarr", what="phases")
    assert phases.dtype == np.uint8
    np.testing.assert_array_equal(phases[2:4], labels[2:4] > 0)
    assert isinstance(read_labels(tmp_path / "s.zarr", what="phases"), np.ndarray)
    write_volume(tmp_path / "l.tif", labels, None)
    assert isinstance(open_labels(tmp_path / "l.tif"), np.memmap)
