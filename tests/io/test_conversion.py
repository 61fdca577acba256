from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from napari_slagseg.data import BlockGrid, SlagsegError, ThreadRun
from napari_slagseg.io import (
    check_zarr_volume,
    convert_volume,
    multiscale_levels,
    read_volume,
    write_volume,
)

SIZE = (3.0, 1.5, 1.25)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("threads", [0, 2])
def test_ct_as_ome_zarr(tmp_path: Path, compress: bool, threads: int) -> None:
    array = np.random.default_rng(0).integers(0, 60_000, (70, 130, 270), dtype=np.uint16)
    write_volume(tmp_path / "ct.tif", array, SIZE, compress=compress)
    run = ThreadRun(BlockGrid.of(array.shape, 256), threads) if threads else None
    convert_volume(read_volume(tmp_path / "ct.tif"), tmp_path / "ct.zarr", run)
    found = read_volume(tmp_path / "ct.zarr")
    np.testing.assert_array_equal(found.data[...], array)
    assert found.voxel_size_um == SIZE
    assert check_zarr_volume(found.data) == 0
    levels = multiscale_levels(tmp_path / "ct.zarr").levels
    assert [v.shape for v in levels] == [array.shape, (35, 65, 135), (18, 33, 68)]
    corner = array[:2, :2, :2].astype(int).sum()
    assert levels[1][0, 0, 0] == (corner + 4) // 8
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ct.tif", "ct.zarr"]


def test_no_space_for_it(tmp_path: Path, ramp, monkeypatch) -> None:
    write_volume(tmp_path / "ct.tif", ramp, SIZE)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(9, 9, 700))
    with pytest.raises(SlagsegError, match=r"ct\.zarr and its levels need"):
        convert_volume(read_volume(tmp_path / "ct.tif"), tmp_path / "ct.zarr")
    assert not (tmp_path / "ct.zarr").exists()
