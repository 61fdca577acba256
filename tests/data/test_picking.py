import numpy as np
import pytest

from napari_slagseg.data.picking import picked_places
from napari_slagseg.io import add_levels, create_result_arrays


@pytest.mark.parametrize("shape", [(1, 7, 523), (5, 257, 130), (2, 3, 1031)])
def test_picked_places_are_those_of_levels_on_disk(tmp_path, shape):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2**32, shape, dtype=np.uint32)
    store = tmp_path / "s.zarr"
    create_result_arrays(store, {"particles": "u4"}, shape, (1.0,) * 3, {})["particles"][...] = (
        labels
    )
    made = add_levels(store, "particles", "labels")
    assert len(made.levels) >= 3
    for level, volume in enumerate(made.levels):
        assert np.array_equal(volume[...], labels[np.ix_(*picked_places(shape, level))])


def test_picked_places_by_hand():
    # pairs of pairs: of 0..3 the middle is 1.5, and 2 is the odd pair's even voxel
    assert picked_places((4, 9, 1), 2)[0].tolist() == [2]
    assert picked_places((4, 9, 1), 2)[1].tolist() == [2, 6, 8]
    assert picked_places((4, 9, 1), 2)[2].tolist() == [0]
