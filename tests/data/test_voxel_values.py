import numpy as np
import pytest
import zarr

from napari_slagseg.data import values_at


class _Boxes:
    """Reads boxes only, and notes how large the largest was."""

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.largest = data, data.shape, data.dtype, 0

    def __getitem__(self, box):
        piece = self.data[box]
        self.largest = max(self.largest, piece.size)
        return piece


def test_values_are_those_of_the_whole_array(tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (150, 40, 270), dtype=np.uint8)
    voxels = np.random.default_rng(1).integers(0, data.size, 5000)
    boxes = _Boxes(data)
    stored = zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(32, 32, 32))
    for volume in (data, boxes, stored):
        np.testing.assert_array_equal(values_at(volume, voxels), data.reshape(-1)[voxels])
    assert 0 < boxes.largest <= 128**3


def test_nothing_and_nonsense():
    boxes = _Boxes(np.zeros((3, 4, 5)))
    assert len(values_at(boxes, np.empty(0, np.int64))) == 0
    with pytest.raises(IndexError):
        values_at(boxes, np.array([60]))
