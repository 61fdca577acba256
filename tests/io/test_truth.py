from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_slagseg.data import GroundTruth, PhaseTable, SlagsegError
from napari_slagseg.io import read_ground_truth, write_ground_truth, write_zarr_arrays


def sparse(table: PhaseTable, n: int, shape=(20, 300, 300)) -> GroundTruth:
    rng = np.random.default_rng(n)
    voxels = np.sort(rng.choice(np.prod(shape), n, replace=False)).astype(np.int64)
    return GroundTruth(
        shape=shape,
        voxels=voxels,
        phases=rng.integers(-1, 4, n).astype(np.int16),
        particles=rng.integers(-1, 90_000, n).astype(np.int32),
        foreground=rng.integers(-1, 2, n).astype(np.int8),
        phase_weights=rng.random(n, dtype=np.float32),
        particle_weights=rng.random(n, dtype=np.float32),
        map_index=rng.integers(-1, 2, n).astype(np.int16),
        cutout_index=rng.integers(-1, 30, n).astype(np.int16),
        table=table.with_target("spodumene"),
        map_names=("A", "B"),
    )


@pytest.mark.parametrize("n", [0, 1, 300_000])
def test_round_trip(tmp_path: Path, table: PhaseTable, n: int) -> None:
    truth = sparse(table, n)
    write_ground_truth(truth, tmp_path / "truth.zarr")
    again = read_ground_truth(tmp_path / "truth.zarr")
    for field in fields(GroundTruth):
        before, after = getattr(truth, field.name), getattr(again, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before)
            assert after.dtype == before.dtype
        else:
            assert after == before
    size = sum(f.stat().st_size for f in (tmp_path / "truth.zarr").rglob("*") if f.is_file())
    assert size < 27 * n + 10_000


def test_what_is_no_truth(tmp_path: Path, table: PhaseTable) -> None:
    path = tmp_path / "truth.zarr"
    write_zarr_arrays(path, {"voxels": np.arange(3)})
    with pytest.raises(SlagsegError, match=r"holds no ground truth. Run 'annotate'"):
        read_ground_truth(path)
    with pytest.raises(SlagsegError, match="does not exist"):
        read_ground_truth(tmp_path / "no.zarr")
    write_ground_truth(sparse(table, 5), path)
    group = zarr.open_group(path, mode="r+")
    group.attrs["format"] = 2
    with pytest.raises(SlagsegError, match="format version 2, written by a newer"):
        read_ground_truth(path)
    group.attrs["format"] = 1
    del group["foreground"]
    with pytest.raises(SlagsegError, match=r"no array 'foreground'.*Run 'annotate' again"):
        read_ground_truth(path)
    write_ground_truth(sparse(table, 5), path)
    zarr.open_group(path, mode="r+").attrs["shape"] = [1, 1, 1]
    with pytest.raises(SlagsegError, match="voxels outside its volume"):
        read_ground_truth(path)
