from __future__ import annotations

import os
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import (
    check_disk,
    check_writable,
    check_zarr_volume,
    fingerprint,
    new_zarr_volume,
    read_volume,
    write_volume,
)


def scan(shape: tuple[int, int, int] = (64, 96, 96)) -> np.ndarray:
    """Noise in a cylinder; around it the scanner's program sets zeros."""
    grey = np.random.default_rng(0).integers(1, 60_000, shape, dtype=np.uint16)
    y, x = np.indices(shape[1:]) - (shape[1] - 1) / 2
    return grey * (np.hypot(y, x) < shape[1] / 2).astype(np.uint16)


def foreign(path: Path, array: np.ndarray, zarr_format: int, shards=None) -> Path:
    """A store as zarr writes it by itself: chunks that are empty are left out."""
    stored = zarr.create_array(
        path,
        shape=array.shape,
        dtype=array.dtype,
        chunks=(12, 12, 12),
        shards=shards,
        zarr_format=zarr_format,
        config={"write_empty_chunks": False},
    )
    stored[...] = array
    return path


@pytest.mark.parametrize(("zarr_format", "shards"), [(2, None), (3, None), (3, (24, 24, 24))])
def test_empty_chunks_left_out_by_others(tmp_path: Path, zarr_format: int, shards) -> None:
    path = foreign(tmp_path / "v.zarr", scan(), zarr_format, shards)
    empty = check_zarr_volume(path)
    # 8 x 8 chunks across, 6 in height: the circle of radius 48 does not reach the one in
    # every corner, whose nearest place is 36 * 1.41 from the axis
    assert empty == 6 * 4
    assert check_zarr_volume(read_volume(path, 1).data) == empty
    with pytest.raises(SlagsegError, match=r"24 of the 384 chunks of .*v\.zarr are missing, the "):
        check_zarr_volume(path, missing="error")
    np.testing.assert_array_equal(read_volume(path, 1).data, scan())


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_copy_that_broke_off(tmp_path: Path, zarr_format: int) -> None:
    path = foreign(tmp_path / "v.zarr", scan(), zarr_format)
    for z in (4, 5):
        for chunk in list(path.rglob(f"{z}.*" if zarr_format == 2 else f"c/{z}/*/*")):
            chunk.unlink()
    message = r"144 of the 384 .*first at \(0, 0, 0\) \(z 0-12, y 0-12, x 0-12\).*chunk \(3, .*Copy"
    with pytest.raises(SlagsegError, match=message):
        check_zarr_volume(path)
    assert check_zarr_volume(path, missing="background") == 24 + 2 * (64 - 4)


def test_one_chunk_lost_among_many_that_are_empty(tmp_path: Path) -> None:
    path = foreign(tmp_path / "v.zarr", scan((600, 96, 96)), 3)
    assert check_zarr_volume(path) == 50 * 4
    (path / "c" / "30" / "4" / "4").unlink()
    with pytest.raises(SlagsegError, match=r"201 of the 3,200 .* right beside a missing one"):
        check_zarr_volume(path)


def test_nothing_there(tmp_path: Path) -> None:
    path = foreign(tmp_path / "v.zarr", np.zeros((24, 24, 24), np.uint8), 3)
    with pytest.raises(SlagsegError, match="8 of the 8 chunks"):
        check_zarr_volume(path)


def test_our_own_stores_are_whole_or_refused(tmp_path: Path) -> None:
    volume = new_zarr_volume(tmp_path / "v.zarr", (300, 70, 70), np.uint8)
    volume[:256] = 0
    with pytest.raises(SlagsegError, match=r"4 of the 20 chunks .*\(4, 0, 0\) \(z 256-300, y 0-64"):
        check_zarr_volume(volume)
    volume[256:] = 0
    assert check_zarr_volume(volume) == 0
    assert check_zarr_volume(tmp_path / "v.zarr") == 0
    assert check_zarr_volume(np.zeros(3)) == 0


@pytest.mark.parametrize("cut", [0, 100, 3000])
@pytest.mark.parametrize("compress", [False, True])
def test_shards_cut_short(tmp_path: Path, cut: int, compress: bool) -> None:
    write_volume(tmp_path / "v.zarr", scan(), 1, compress=compress)
    shard = tmp_path / "v.zarr" / "0" / "c" / "0" / "0" / "0"
    data = shard.read_bytes()
    shard.write_bytes(data[:cut])
    with pytest.raises(SlagsegError, match=r"Shard .*c/0/0/0 is cut short or damaged"):
        check_zarr_volume(tmp_path / "v.zarr")
    # its middle is lost and its end is there: the index points beyond
    shard.write_bytes(data[-2000:])
    with pytest.raises(SlagsegError, match="fewer than its index says"):
        check_zarr_volume(tmp_path / "v.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_cut_short(tmp_path: Path, zarr_format: int) -> None:
    array = np.ones((8, 8, 8), np.uint16)
    options = {"chunks": (4, 8, 8), "compressors": None, "zarr_format": zarr_format}
    zarr.create_array(tmp_path / "v.zarr", data=array, **options)
    chunk = tmp_path / "v.zarr" / ("1.0.0" if zarr_format == 2 else "c/1/0/0")
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(SlagsegError, match=r"is cut short .*511 bytes instead of 512"):
        check_zarr_volume(tmp_path / "v.zarr")


def test_place_that_cannot_be_written_to(tmp_path: Path, monkeypatch) -> None:
    check_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(SlagsegError, match="could not be written"):
        check_writable(tmp_path / "file" / "folder")

    def refused(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refused)
    with pytest.raises(SlagsegError, match=r"new could not be written: Permission denied.*permiss"):
        check_writable(tmp_path / "new")


def test_disk_without_space(tmp_path: Path, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(9, 9, 2_000_000_000))
    check_disk(tmp_path / "not" / "yet", 1_999_999_999)
    with pytest.raises(SlagsegError, match=r"The levels need about 3\.5 GB in .*has 2\.0 GB free"):
        check_disk(tmp_path / "not" / "yet", 3_500_000_000, "The levels")


def test_fingerprint_of_large_files_reads_parts(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "v.raw"
    data = bytearray(np.random.default_rng(0).bytes(100_000))
    path.write_bytes(data)
    small = fingerprint(path)
    assert len(small) == 64
    monkeypatch.setattr("napari_slagseg.io.fingerprints.SAMPLED_BYTES", 50_000)
    monkeypatch.setattr("napari_slagseg.io.fingerprints._BLOCK", 64)
    sampled = fingerprint(path)
    assert sampled.startswith("sampled-")
    assert sampled == fingerprint(path)
    os.utime(path, (1, 1))
    assert sampled == fingerprint(path)  # a copy is the same data
    for place in (3, 390 * 100, 99_999):  # in sampled blocks: the start, the middle, the end
        changed = data.copy()
        changed[place] ^= 1
        path.write_bytes(changed)
        assert fingerprint(path) != sampled
    path.write_bytes(data[:-1])
    assert fingerprint(path) != sampled
    # a folder: names, sizes and the ends of all files count
    (tmp_path / "s").mkdir()
    for i in range(40):
        (tmp_path / "s" / f"{i}").write_bytes(data[i * 2000 : i * 2000 + 2000])
    first = fingerprint(tmp_path / "s")
    assert first.startswith("sampled-")
    (tmp_path / "s" / "7").write_bytes(data[:1999] + b"!")
    assert fingerprint(tmp_path / "s") != first
