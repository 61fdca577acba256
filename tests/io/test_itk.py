from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import read_labels, read_volume, stored_voxel_size

sitk = pytest.importorskip("SimpleITK")
NAMES = ("v.mhd", "v.mha", "v.nrrd", "v.nhdr", "v.nii", "v.nii.gz")


def write(path: Path, array: np.ndarray, spacing=(0.00125, 0.0015, 0.003), **kwargs) -> Path:
    image = sitk.GetImageFromArray(array, **kwargs)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_spacing_is_millimetres(tmp_path: Path, ramp, name: str) -> None:
    path = write(tmp_path / name, ramp)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, ramp)
    assert volume.data.dtype == np.uint16
    assert volume.voxel_size_um == pytest.approx((3.0, 1.5, 1.25), rel=1e-6)
    assert stored_voxel_size(path) == volume.voxel_size_um
    np.testing.assert_array_equal(read_labels(path), ramp)


def test_spacing_that_is_not_stated_is_asked_for(tmp_path: Path, ramp) -> None:
    (tmp_path / "a.raw").write_bytes(ramp.tobytes())
    header = "ObjectType = Image\nNDims = 3\nDimSize = 11 7 5\nElementType = MET_USHORT\n"
    (tmp_path / "v.mhd").write_text(header + "ElementDataFile = a.raw\n")
    nrrd = b"NRRD0004\ntype: uint16\ndimension: 3\nsizes: 11 7 5\nendian: little\nencoding: raw\n"
    (tmp_path / "v.nrrd").write_bytes(nrrd + b"\n" + ramp.tobytes())
    nifti = bytearray(write(tmp_path / "v.nii", ramp).read_bytes())
    nifti[123] = 0
    (tmp_path / "v.nii").write_bytes(nifti)
    for name in ("v.mhd", "v.nrrd", "v.nii"):
        assert stored_voxel_size(tmp_path / name) is None
        with pytest.raises(SlagsegError, match=r"does not state its voxel size \(its header"):
            read_volume(tmp_path / name)
        np.testing.assert_array_equal(read_volume(tmp_path / name, 2).data, ramp)


@pytest.mark.parametrize("field", ["units", "space units"])
def test_nrrd_in_another_unit(tmp_path: Path, ramp, field: str) -> None:
    text = "NRRD0005\ntype: uint16\ndimension: 3\nsizes: 11 7 5\nendian: little\nencoding: raw\n"
    if field == "units":
        text += 'units: "um" "um" "um"\nspacings: 1.25 1.5 3\n'
    else:
        text += 'space dimension: 3\nspace units: "um" "um" "um"\n'
        text += "space directions: (1.25,0,0) (0,1.5,0) (0,0,3)\n"
    (tmp_path / "v.nrrd").write_bytes(text.encode() + b"\n" + ramp.tobytes())
    assert read_volume(tmp_path / "v.nrrd").voxel_size_um == (3, 1.5, 1.25)


@pytest.mark.parametrize(("code", "factor"), [(1, 1e6), (2, 1e3), (3, 1.0)])
def test_nifti_units(tmp_path: Path, ramp, code: int, factor: float) -> None:
    nifti = bytearray(write(tmp_path / "v.nii", ramp, (2.0, 2.0, 4.0)).read_bytes())
    nifti[123] = code
    (tmp_path / "v.nii").write_bytes(nifti)
    expected = (4 * factor, 2 * factor, 2 * factor)
    assert stored_voxel_size(tmp_path / "v.nii") == pytest.approx(expected, rel=1e-6)


def test_colour_axes_and_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "c.mha", np.zeros((4, 5, 6, 3), np.uint8), isVector=True)
    with pytest.raises(SlagsegError, match=r"c\.mha is in colour"):
        read_volume(path, 1)
    path = write(tmp_path / "p.nrrd", np.eye(5, dtype=np.uint8), (1, 1))
    with pytest.raises(SlagsegError, match=r"p\.nrrd is 2-D \(5, 5\)"):
        read_volume(path, 1)
    (tmp_path / "d.nrrd").write_text("nonsense")
    with pytest.raises(SlagsegError, match=r"d\.nrrd cannot be read as NRRD"):
        read_volume(tmp_path / "d.nrrd", 1)


def test_missing_extra_is_named(tmp_path: Path, ramp, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "v.nrrd", ramp)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(SlagsegError, match=r"pip install napari-slagseg\[formats\]"):
        read_volume(path)
