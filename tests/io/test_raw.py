from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import RawLayout, read_volume


def test_offset_and_type(tmp_path: Path, ramp) -> None:
    path = tmp_path / "v.vol"
    path.write_bytes(b"HEAD" * 4 + ramp.tobytes())
    volume = read_volume(path, (1, 2, 3), raw=RawLayout((5, 7, 11), "uint16", offset=16))
    np.testing.assert_array_equal(volume.data, ramp)
    assert volume.voxel_size_um == (1, 2, 3)
    with pytest.raises(SlagsegError, match="a raw file states none"):
        read_volume(path, raw=RawLayout((5, 7, 11), "uint16", offset=16))


def test_wrong_size_is_refused(tmp_path: Path, ramp) -> None:
    path = tmp_path / "v.raw"
    ramp.tofile(path)
    with pytest.raises(SlagsegError, match=r"has 770 bytes, but \(5, 7, 12\).*need 840"):
        read_volume(path, 1, raw=RawLayout((5, 7, 12), "uint16"))
    with pytest.raises(SlagsegError, match="need 386"):
        read_volume(path, 1, raw=RawLayout((5, 7, 11), "uint8", offset=1))


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (RawLayout((5, 7, 11), "uint17"), "'uint17' is no type of voxel"),
        (RawLayout((5, 7, 11), "object"), "only whole numbers"),
        (RawLayout((5, 7, 0), "uint8"), "above 0"),
        (RawLayout((5, 7), "uint8"), "three numbers"),  # type: ignore[arg-type]
        (RawLayout((5, 7, 11), "uint8", offset=-1), "offset"),
        (RawLayout((5, 7, 11), "uint8", byte_order="middle"), "byte order"),  # type: ignore[arg-type]
    ],
)
def test_no_layout(tmp_path: Path, layout: RawLayout, message: str) -> None:
    (tmp_path / "v.raw").write_bytes(bytes(385))
    with pytest.raises(SlagsegError, match=message):
        read_volume(tmp_path / "v.raw", 1, raw=layout)


@pytest.mark.parametrize(
    ("name", "n_bytes", "hint"),
    [
        ("foo_11x7x5_uint8.raw", 385, r"\(5, 7, 11\) or \(11, 7, 5\) voxels of uint8\."),
        ("foo_11x7x5.raw", 770, r"voxels of uint16 or int16\."),
        ("foo-7x7x7-16bit.raw", 686, r"be \(7, 7, 7\) voxels of uint16\."),
    ],
)
def test_name_is_a_hint_only(tmp_path: Path, name: str, n_bytes: int, hint: str) -> None:
    (tmp_path / name).write_bytes(bytes(n_bytes))
    with pytest.raises(SlagsegError, match=rf"without a header\. Give its shape.*{hint}"):
        read_volume(tmp_path / name, 1)


def test_name_that_does_not_fit_gives_no_hint(tmp_path: Path) -> None:
    (tmp_path / "foo_11x7x5_uint8.raw").write_bytes(bytes(384))
    with pytest.raises(SlagsegError) as error:
        read_volume(tmp_path / "foo_11x7x5_uint8.raw", 1)
    assert "Going by" not in str(error.value)
