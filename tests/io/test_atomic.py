from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import (
    atomic_file,
    atomic_folder,
    fingerprint,
    read_json,
    read_text,
    read_zarr_array,
    to_json,
    write_frame,
    write_json,
    write_text,
    write_volume,
    write_zarr_arrays,
)


def only(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_file_replaced_only_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def break_off() -> None:
        with atomic_file(path) as part:
            part.write_text("half")
            assert path.read_text() == "old"
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert path.read_text() == "old"
    assert only(tmp_path) == ["a.txt"]
    write_text(path, "new\r\nlines\n")
    assert path.read_bytes() == b"new\r\nlines\n"


def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_json(path, [1])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        SlagsegError, match=r"a\.json could not be written: the disk is full \(.*MB"
    ):
        write_json(path, [2])
    assert read_json(path) == [1]
    assert only(tmp_path) == ["a.json"]


def test_file_too_large_for_the_disk(tmp_path: Path, largest_file) -> None:
    old = np.zeros((2, 3, 4), np.uint8)
    new = np.random.default_rng(0).integers(0, 2**32, (40, 60, 60), dtype=np.uint32)
    for name in ("v.tif", "v.npy", "v.zarr"):
        write_volume(tmp_path / name, old, (1, 1, 1))
    write_zarr_arrays(tmp_path / "s.zarr", {"particles": old})
    frame = pd.DataFrame({"a": np.arange(50_000)})
    with largest_file(100_000):
        for name in ("v.tif", "v.npy", "v.zarr"):
            reason = "(the disk is full|it would be larger than a file may be)"
            message = rf"{name} could not be written: {reason}.* MB free.*untouched"
            with pytest.raises(SlagsegError, match=message):
                write_volume(tmp_path / name, new, (1, 1, 1))
        with pytest.raises(SlagsegError, match="larger than a file may be"):
            write_zarr_arrays(tmp_path / "s.zarr", {"particles": new})
        with pytest.raises(SlagsegError, match=r"t\.csv could not be written"):
            write_frame(tmp_path / "t.csv", frame)
    assert only(tmp_path) == ["s.zarr", "v.npy", "v.tif", "v.zarr"]
    assert np.array_equal(np.load(tmp_path / "v.npy"), old)
    assert np.array_equal(read_zarr_array(tmp_path / "v.zarr", "0"), old)
    assert np.array_equal(read_zarr_array(tmp_path / "s.zarr", "particles"), old)


def test_no_permission_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        SlagsegError, match=r"b\.txt could not be written: .*file is a file, not a folder"
    ):
        write_text(tmp_path / "file" / "b.txt", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SlagsegError, match="folder could not be written: Is a directory"):
        write_text(tmp_path / "folder", "x")


def test_folder_replaced_only_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with atomic_folder(path) as part:
        (part / "one").write_text("1")
        assert not path.exists()

    def break_off() -> None:
        with atomic_folder(path) as part:
            (part / "two").write_text("2")
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert only(path) == ["one"]
    with atomic_folder(path) as part:
        (part / "three").write_text("3")
    assert only(path) == ["three"]
    assert only(tmp_path) == ["s"]


def test_folder_takes_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a file")
    with atomic_folder(tmp_path / "s") as part:
        (part / "one").write_text("1")
    assert only(tmp_path / "s") == ["one"]
    assert only(tmp_path) == ["s"]


def test_old_folder_comes_back_if_the_new_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    with atomic_folder(path) as part:
        (part / "one").write_text("1")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if Path(target) == path and "older" not in self.name:
            raise OSError(errno.EIO, "input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(SlagsegError, match=r"input/output error.*untouched"), atomic_folder(path):
        pass
    assert only(path) == ["one"]
    assert only(tmp_path) == ["s"]


def test_store_is_recovered_after_a_kill_between_two_renames(tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    write_zarr_arrays(path, {"a": np.arange(4)})
    path.rename(tmp_path / ".s.zarr.older")
    assert np.array_equal(read_zarr_array(path, "a"), np.arange(4))
    assert only(tmp_path) == ["s.zarr"]


def test_killed_writer_leaves_the_old_store(tmp_path: Path) -> None:
    """A real process, killed in the middle of writing."""
    path = tmp_path / "s.zarr"
    write_zarr_arrays(path, {"a": np.arange(4)})
    code = (
        "import os, sys, numpy as np\n"
        "from napari_slagseg.io import atomic_folder\n"
        "with atomic_folder(sys.argv[1]) as part:\n"
        "    (part / 'half').write_text('half')\n"
        "    os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == 9
    assert np.array_equal(read_zarr_array(path, "a"), np.arange(4))
    assert "a" in zarr.open(path, mode="r")


def test_json_is_strict_and_takes_numpy() -> None:
    value = {
        "nan": float("nan"),
        "inf": np.float32(np.inf),
        "array": np.array([[1, 2]], np.int16),
        "flag": np.bool_(True),
        "path": Path("a") / "b",
        3: (np.float64(0.1), None),
    }

    def refuse(constant: str) -> float:
        raise AssertionError(constant)

    read = json.loads(to_json(value), parse_constant=refuse)
    assert read == {
        "nan": None,
        "inf": None,
        "array": [[1, 2]],
        "flag": True,
        "path": "a/b",
        "3": [0.1, None],
    }
    with pytest.raises(TypeError):
        to_json({"what": object()})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_json_round_trip(value: object) -> None:
    def expected(v: object) -> object:
        if isinstance(v, float) and math.isinf(v):
            return None
        if isinstance(v, list):
            return [expected(i) for i in v]
        return {k: expected(i) for k, i in v.items()} if isinstance(v, dict) else v

    assert json.loads(to_json(value)) == expected(value)


def test_json_errors_name_file_and_place(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"a": 1,\n "b": }')
    with pytest.raises(SlagsegError, match=r"p\.json \(the project\).*line 2, column 7"):
        read_json(path, "the project")
    with pytest.raises(SlagsegError, match="does not exist"):
        read_json(tmp_path / "q.json")
    with pytest.raises(SlagsegError, match="is a folder"):
        read_json(tmp_path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SlagsegError, match="UTF-8"):
        read_text(path)
    path.write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(path) == [1]
    path.write_text("[" * 100_000)
    with pytest.raises(SlagsegError, match="not valid JSON"):
        read_json(path)


def test_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    # FIPS 180-2, example B.1
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert fingerprint(tmp_path / "f") == known
    folder = tmp_path / "d"
    (folder / "in").mkdir(parents=True)
    (folder / "a").write_bytes(b"1")
    (folder / "in" / "b").write_bytes(b"2")
    first = fingerprint(folder)
    assert first == fingerprint(folder)
    (folder / "in" / "b").rename(folder / "in" / "c")
    assert fingerprint(folder) != first
    (folder / "in" / "c").rename(folder / "in" / "b")
    assert fingerprint(folder) == first
    (folder / "a").write_bytes(b"3")
    assert fingerprint(folder) != first
    with pytest.raises(SlagsegError, match="does not exist"):
        fingerprint(tmp_path / "nothing")
