"""The smallest box around a mask."""

import numpy as np
import pytest

from napari_slagseg.data.box_around import box_around


@pytest.mark.parametrize("margin", [0, 1, 5])
def test_it_holds_all_that_is_set_and_no_more(margin):
    rng = np.random.default_rng(margin)
    for _ in range(30):
        mask = np.zeros((7, 6, 9), bool)
        where = rng.integers(0, mask.shape, (int(rng.integers(1, 4)), 3))
        mask[tuple(where.T)] = True
        low = np.maximum(where.min(axis=0) - margin, 0)
        high = np.minimum(where.max(axis=0) + 1 + margin, mask.shape)
        assert box_around(mask, margin) == tuple(slice(*ends) for ends in zip(low, high))


def test_what_is_empty_has_no_box():
    assert box_around(np.zeros((2, 3, 4), bool)) is None
    assert box_around(np.zeros((0, 3, 4), bool)) is None
