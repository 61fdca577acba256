"""What a history of edits teaches, against the whole volume at once."""

import numpy as np
import pytest

from napari_slagseg.data import CancelledError, EditedVolume, delta_between
from napari_slagseg.ground_truth.taught import taught_errors
from napari_slagseg.workflow.proofreading.taught import correction_of_edits, known_of_particles

SHAPE = (90, 80, 150)


@pytest.fixture
def edited():
    """Bars through several chunks: one cut at x = 64, two joined, one deleted, one painted."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[10:80, 10:30, 20:110] = 1
    labels[10:80, 40:50, 20:63] = 2
    labels[10:80, 40:50, 63:110] = 3
    labels[60:70, 60:75, 120:140] = 4
    volume = EditedVolume(labels, "particles")
    after = labels.copy()
    after[10:80, 10:30, 64:110] = 5
    after[labels == 3] = 2
    after[labels == 4] = 0
    after[0:8, 0:8, 0:8] = 6
    volume.write(delta_between("particles", (0, 0, 0), labels, after))
    return volume


def test_chunk_by_chunk_is_the_same_as_all_at_once(edited):
    rng = np.random.default_rng(0)
    chance = rng.integers(0, 256, SHAPE).astype(np.uint8)
    found = correction_of_edits(edited, chance, 0.7)
    whole = taught_errors(edited.base, edited[...], chance > 0.7 * 255)
    assert np.array_equal(found.voxels, np.flatnonzero(whole))
    assert np.array_equal(found.predicted_foreground, (chance > 0.7 * 255)[whole])


def test_crowded_labels_edited_all_over_are_taught_the_same_way():
    rng = np.random.default_rng(1)
    labels = np.kron(rng.integers(0, 9, (30, 25, 50)), np.ones((3, 3, 3))).astype(np.uint32)
    labels = labels[:90, :70, :140]
    after = labels.copy()
    for _ in range(300):
        z, y, x = (int(rng.integers(n - 4)) for n in labels.shape)
        after[z : z + 4, y : y + 3, x : x + 2] = rng.integers(0, 12)
    volume = EditedVolume(labels, "particles")
    volume.write(delta_between("particles", (0, 0, 0), labels, after))
    chance = rng.integers(0, 256, labels.shape).astype(np.uint8)
    found = correction_of_edits(volume, chance, 0.5)
    assert np.array_equal(
        found.voxels, np.flatnonzero(taught_errors(labels, after, chance > 127.5))
    )


def test_a_certain_network_is_taught_exactly_the_edits(edited):
    chance = np.where(edited.base > 0, 255, 0).astype(np.uint8)
    found = correction_of_edits(edited, chance, 0.5)
    becomes_background = found.voxels[found.predicted_foreground]
    becomes_particle = found.voxels[~found.predicted_foreground]
    assert len(becomes_particle) == 8 * 8 * 8  # painted
    assert len(becomes_background) == 2 * 70 * 20 + 10 * 15 * 20  # a border and a deleted bar


def test_nothing_edited_and_all_undone_teach_nothing(edited):
    chance = np.zeros(SHAPE, np.uint8)
    assert not len(correction_of_edits(EditedVolume(edited.base), chance, 0.5).voxels)
    edited.write(delta_between("particles", (0, 0, 0), edited[...], edited.base))
    assert not len(correction_of_edits(edited, chance, 0.5).voxels)


def test_it_can_be_stopped(edited):
    class Set:
        def is_set(self):
            return True

    with pytest.raises(CancelledError):
        correction_of_edits(edited, np.zeros(SHAPE, np.uint8), 0.5, cancel=Set())


NONE = np.empty(0, np.int64)


def test_kept_particles_are_known_but_for_maps_and_what_is_held_out(edited):
    labels = np.asarray(edited)
    box = (slice(10, 80), slice(10, 30))
    boxes = {1: (*box, slice(20, 64)), 5: (*box, slice(64, 110))}
    found = known_of_particles(labels, boxes, seen=NONE, held_out=NONE)
    voxels, kinds, numbers = found.voxels, found.kinds, found.numbers
    assert not len(found.left_out)
    assert np.array_equal(voxels, np.unique(voxels))
    assert np.array_equal(numbers, labels.reshape(-1)[voxels])
    assert (numbers > 0).sum() == 70 * 20 * 90
    assert (kinds == 2).sum() == 2 * 70 * 20  # one layer on either side of the cut
    # three voxels of background around both, the far ends of the volume included
    assert (kinds == 0).sum() == 76 * 26 * 96 - 70 * 20 * 90
    of_map = np.arange(12 * 80 * 150, 13 * 80 * 150)  # a slice
    fewer = known_of_particles(labels, boxes, seen=of_map, held_out=NONE).voxels
    assert np.array_equal(fewer, np.setdiff1d(voxels, of_map))
    at = np.ravel_multi_index((40, 20, 100), SHAPE)  # inside 5
    found = known_of_particles(labels, boxes, seen=NONE, held_out=np.array([at]))
    assert set(found.numbers.tolist()) == {0, 1}
    assert (found.numbers == 1).sum() == 70 * 20 * 44
    assert (found.kinds == 2).sum() == 70 * 20
    assert (labels.reshape(-1)[found.left_out] == 5).sum() == 70 * 20 * 46
