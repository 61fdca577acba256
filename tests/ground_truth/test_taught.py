"""What edits teach, in boxes whose voxels can be counted by hand."""

import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.ground_truth.taught import (
    BACKGROUND,
    BORDER,
    INSIDE,
    MARGIN,
    known_around,
    network_foreground,
    taught_errors,
)
from napari_slagseg.ground_truth.touching import touching_particles

SHAPE = (12, 12, 30)


def bars(*parts):
    """Labels with bars (label, first x, last x) of 8 x 8 voxels across."""
    labels = np.zeros(SHAPE, np.uint32)
    for label, first, stop in parts:
        labels[2:10, 2:10, first:stop] = label
    return labels


def test_foreground_is_that_of_the_sparse_truth():
    labels = np.random.default_rng(3).integers(0, 4, (9, 10, 11)).astype(np.uint32)
    voxels = np.arange(labels.size)
    within, _ = touching_particles(
        voxels, labels.reshape(-1).astype(np.int32), np.zeros(labels.size, np.int16), labels.shape
    )
    wanted = (labels > 0) & ~within.reshape(labels.shape)
    assert np.array_equal(network_foreground(labels), wanted)


def test_a_split_teaches_its_border():
    one, two = bars((1, 5, 25)), bars((1, 5, 15), (2, 15, 25))
    errors = taught_errors(one, two, one > 0)
    assert errors.sum() == 2 * 64
    assert errors[5, 5].nonzero()[0].tolist() == [14, 15]
    gap = one > 0
    gap[:, :, 15] = False  # the network saw a part of it by itself
    assert taught_errors(one, two, gap)[5, 5].nonzero()[0].tolist() == [14]


def test_a_merge_teaches_the_whole_gap():
    two, one = bars((1, 5, 15), (2, 15, 25)), bars((1, 5, 25))
    gap = one > 0
    gap[:, :, 12:18] = False  # six voxels wide, of which the particles' border is two
    assert taught_errors(two, one, gap)[5, 5].nonzero()[0].tolist() == list(range(12, 18))
    assert taught_errors(two, one, gap, reach=0)[5, 5].nonzero()[0].tolist() == [14, 15]


def test_added_and_deleted_particles_are_taught_where_the_network_differs():
    bar, nothing = bars((1, 5, 15)), bars()
    assert np.array_equal(taught_errors(bar, nothing, bar > 0), bar > 0)
    assert not taught_errors(bar, nothing, nothing > 0).any()
    assert np.array_equal(taught_errors(nothing, bar, nothing > 0), bar > 0)
    assert not taught_errors(nothing, bar, bar > 0).any()


def test_a_new_number_and_what_was_not_edited_teach_nothing():
    wrong = np.random.default_rng(0).random(SHAPE) > 0.5
    assert not taught_errors(bars((1, 5, 15)), bars((7, 5, 15)), wrong).any()


def test_boxes_must_be_the_same():
    with pytest.raises(SlagsegError, match="all must be the same"):
        taught_errors(bars(), bars(), np.zeros((3, 3, 3), bool))
    with pytest.raises(SlagsegError, match="unsigned"):
        network_foreground(np.zeros((3, 3, 3), np.int64))


def test_a_particle_is_known_with_its_border_and_the_background_around():
    labels = bars((1, 8, 15), (2, 15, 22))
    known, kinds = known_around(labels, 1)
    told = np.full(SHAPE, -1)
    told[known] = kinds
    line = told[5, 5]
    assert line[8:14].tolist() == [INSIDE] * 6
    assert line[14] == BORDER  # its own side of the border
    assert line[15:].tolist() == [-1] * 15  # the neighbour's other sides are not known
    assert line[:8].tolist() == [-1] * (8 - MARGIN) + [BACKGROUND] * MARGIN
    assert (told == INSIDE).sum() == 6 * 64
    assert (told == BORDER).sum() == 64
