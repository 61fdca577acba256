from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.data import SlagsegError, Volume
from napari_slagseg.registration.pyramid import prepare_ct
from napari_slagseg.registration.slabs import slabs


class OnDisk:
    """What a volume on disk offers, and how much of it was asked for at once."""

    def __init__(self, array: np.ndarray) -> None:
        self._array, self.shape, self.dtype, self.most = array, array.shape, array.dtype, 0

    def __getitem__(self, box: object) -> np.ndarray:
        piece = np.array(self._array[box])
        self.most = max(self.most, piece.shape[0] if piece.ndim == 3 else 1)
        return piece


@pytest.fixture
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_slagseg.registration.slabs._SLAB_BYTES", 10 * 64 * 60 * 2)


@pytest.mark.usefixtures("small_slabs")
@pytest.mark.parametrize("size", [(1.0, 1.0, 1.0), (0.5, 1.0, 1.0)])
def test_pyramid_of_a_volume_on_disk_is_the_same_bit_for_bit(size) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 9000, (150, 64, 60), dtype=np.uint16)
    memory = prepare_ct(Volume(array, size))
    disk = OnDisk(array)
    lazy = prepare_ct(Volume(disk, size))
    assert disk.most < 70
    np.testing.assert_array_equal(lazy.rings.table, memory.rings.table)
    for level in (8, 4, 2):
        np.testing.assert_array_equal(lazy.whole(level).data, memory.whole(level).data)


@pytest.mark.usefixtures("small_slabs")
def test_slabs_begin_at_multiples_and_cover_all() -> None:
    array = np.arange(35 * 64 * 60, dtype=">u2").reshape(35, 64, 60)
    parts = list(slabs(OnDisk(array), 4, 1, 34))
    assert [first for first, _ in parts] == [1, 9, 17, 25, 33]
    joined = np.concatenate([part for _, part in parts])
    assert joined.dtype.isnative
    np.testing.assert_array_equal(joined, array[1:34])
    assert [first for first, _ in slabs(array, 4)] == [0]


@pytest.mark.usefixtures("small_slabs")
def test_checks_of_a_volume_on_disk() -> None:
    array = np.ones((40, 64, 60), np.float32)
    volume = Volume(OnDisk(array), (1, 1, 1))
    with pytest.raises(SlagsegError, match="constant"):
        prepare_ct(volume)
    array[33, 2, 2] = np.nan
    with pytest.raises(SlagsegError, match="1 values in slice 33 that are not finite"):
        prepare_ct(replace(volume, data=OnDisk(array)))
