"""Particles that stayed, changed, came and went, counted by hand."""

import numpy as np

from napari_slagseg.evaluation.changes import changes_between
from napari_slagseg.evaluation.contingency import contingency, merged


def test_counted_by_hand_across_blocks():
    before = np.zeros((140, 4, 100), np.uint32)
    before[:, :, 0:20] = 1  # stays, through two blocks, under another number
    before[:, :, 20:40] = 2  # loses two thirds
    before[:, :, 40:50] = 3  # goes
    after = np.zeros_like(before)
    after[:, :, 0:19] = 9
    after[:, :, 34:40] = 8
    after[0:5, :, 60:70] = 7  # comes
    after[0:3, :, 49:52] = 6  # shares next to nothing with 3
    found = changes_between(before, after)
    assert (found.before, found.after) == (3, 4)
    assert (found.unchanged, found.changed, found.new, found.gone) == (1, 1, 2, 1)


def test_a_table_of_parts_is_that_of_the_whole():
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-1, 5, (20, 6)) for _ in range(2))
    whole = contingency(a, b)
    parts = merged([contingency(a[:7], b[:7]), contingency(a[7:], b[7:])])
    for name in ("truth", "predicted", "counts"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    assert merged([]).total == 0
