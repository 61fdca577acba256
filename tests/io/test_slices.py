from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import read_labels, read_volume


def save(folder: Path, array: np.ndarray, name: str = "slice_{}.tif", start: int = 8) -> Path:
    folder.mkdir(exist_ok=True)
    for i, plane in enumerate(array):
        path = folder / name.format(start + i)
        if path.suffix == ".tif":
            tifffile.imwrite(path, plane, compression="zlib" if i % 2 else None)
        else:
            Image.fromarray(plane).save(path)
    return folder


@pytest.mark.parametrize("name", ["slice_{}.tif", "{}.tif", "a10_s{}_x.tif", "s{}.png"])
def test_natural_order(tmp_path: Path, ramp, name: str) -> None:
    """Slices 8 to 12: sorted as text, 10 would come before 8."""
    folder = save(tmp_path / "ct", ramp, name)
    (folder / "notes.txt").write_text("not a slice")
    (folder / "._slice_8.tif").write_text("what other systems leave behind")
    volume = read_volume(folder, 2)
    np.testing.assert_array_equal(volume.data, ramp)
    assert volume.data.dtype == np.uint16
    np.testing.assert_array_equal(read_labels(folder), ramp)
    with pytest.raises(SlagsegError, match="does not state the distance"):
        read_volume(folder)


def test_odd_slice_is_named(tmp_path: Path, ramp) -> None:
    folder = save(tmp_path / "ct", ramp)
    odd = folder / "slice_10.tif"
    for wrong, message in (
        (ramp[0, :, :-1], r"slice_10\.tif is \(7, 10\) uint16, but slice_8\.tif is \(7, 11\)"),
        (ramp[0].astype(np.uint8), r"slice_10\.tif is \(7, 11\) uint8"),
        (ramp[:2], r"slice_10\.tif has the shape \(2, 7, 11\)"),
    ):
        tifffile.imwrite(odd, wrong)
        with pytest.raises(SlagsegError, match=message):
            read_volume(folder, 1)
    tifffile.imwrite(odd, np.zeros((7, 11, 3), np.uint8), photometric="rgb")
    with pytest.raises(SlagsegError, match=r"slice_10\.tif has the shape .*in colour"):
        read_volume(folder, 1)
    odd.write_bytes(b"II*\0nonsense")
    with pytest.raises(SlagsegError, match=r"slice_10\.tif"):
        read_volume(folder, 1)


def test_missing_slice_is_noticed(tmp_path: Path, ramp) -> None:
    folder = save(tmp_path / "ct", ramp)
    (folder / "slice_10.tif").unlink()
    with pytest.raises(SlagsegError, match=r"After slice_9\.tif .*from number 9 to 11"):
        read_volume(folder, 1)


def test_every_second_slice_is_a_stack(tmp_path: Path, ramp) -> None:
    folder = save(tmp_path / "ct", ramp)
    for i in (9, 11):
        (folder / f"slice_{i}.tif").unlink()
    np.testing.assert_array_equal(read_volume(folder, 1).data, ramp[::2])


def test_folder_with_nothing_or_a_mixture(tmp_path: Path, ramp) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SlagsegError, match="empty holds no slices"):
        read_volume(tmp_path / "empty", 1)
    folder = save(tmp_path / "ct", ramp)
    Image.fromarray(ramp[0]).save(folder / "preview.png")
    with pytest.raises(SlagsegError, match=r"several formats .*preview\.png"):
        read_volume(folder, 1)


def test_folder_with_one_multi_page_file(tmp_path: Path, ramp) -> None:
    (tmp_path / "ct").mkdir()
    tifffile.imwrite(tmp_path / "ct" / "all.tif", ramp)
    np.testing.assert_array_equal(read_volume(tmp_path / "ct", 1).data, ramp)
