"""Boxes that a marker threshold is chosen on: spread, bounded, blind to storage."""

import math

import numpy as np
import pytest

from napari_slagseg.data import GroundTruth, PhaseTable, phase_table_of
from napari_slagseg.workflow.marker_threshold import choose_threshold
from napari_slagseg.workflow.threshold_boxes import CELL, MARGIN, KnownBox, known_boxes

TABLE: PhaseTable = phase_table_of(["background", "ore"], ["#000000", "#d55e00"])


def truth_of(shape, voxels, particles, maps=None):
    n = len(voxels)
    solid = (particles > 0).astype(np.int8)
    return GroundTruth(
        shape=shape, voxels=voxels, phases=solid.astype(np.int16),
        particles=particles.astype(np.int32), foreground=solid,
        phase_weights=np.ones(n, np.float32), particle_weights=np.ones(n, np.float32),
        map_index=np.zeros(n, np.int16) if maps is None else maps,
        cutout_index=np.zeros(n, np.int16), table=TABLE, map_names=("a", "b"),
    )  # fmt: skip


def planes(shape, heights):
    """Truth that fills planes, one map each; the particle is the voxel's place in the plane."""
    area = shape[1] * shape[2]
    voxels = np.concatenate([np.arange(z * area, (z + 1) * area) for z in heights])
    maps = np.repeat(np.arange(len(heights)), area).astype(np.int16)
    return truth_of(shape, voxels, voxels % area, maps)


def test_a_small_volume_is_one_box():
    truth = planes((30, 200, 200), (4, 20))
    (box,) = known_boxes(truth, most=30 * 200 * 200)
    assert box.box == (slice(0, 30), slice(0, 200), slice(0, 200))
    assert np.array_equal(box.voxels, truth.voxels)
    assert np.array_equal(box.particles, truth.particles)


def test_boxes_are_flat_where_the_map_is():
    shape = (300, 256, 384)
    truth = planes(shape, (100,))
    boxes = known_boxes(truth, most=10**8 // 4)
    assert len(boxes) == 6
    for box in boxes:
        assert box.box[0] == slice(100 - MARGIN, 101 + MARGIN)
    starts = {(b.box[1].start, b.box[2].start) for b in boxes}
    assert starts == {(y, x) for y in (0, 96) for x in (0, 96, 224)}
    together = np.concatenate([b.particles[b.own] for b in boxes])
    assert np.array_equal(np.sort(together), np.arange(256 * 384))


def test_the_known_voxels_of_a_box_lie_where_they_lie_in_the_volume():
    shape = (160, 300, 300)
    rng = np.random.default_rng(0)
    voxels = np.sort(rng.choice(math.prod(shape), 4000, replace=False))
    numbers = np.arange(1, 4001)
    whole = np.zeros(shape, np.int64)
    whole.reshape(-1)[voxels] = numbers
    boxes = known_boxes(truth_of(shape, voxels, numbers), most=13_000_000)
    assert len(boxes) > 1
    for box in boxes:
        assert np.array_equal(whole[box.box].reshape(-1)[box.voxels], box.particles)
        inside = np.zeros(shape, bool)
        inside[box.box] = True
        assert len(box.voxels) == np.count_nonzero(inside.reshape(-1)[voxels])
    own = np.concatenate([b.particles[b.own] for b in boxes])
    assert len(np.unique(own)) == len(own) > 1000


@pytest.mark.parametrize("most", [1, 2_500_000, 6_000_000, 20_000_000])
def test_they_are_bounded_and_of_every_map(most):
    shape = (700, 512, 512)
    boxes = known_boxes(planes(shape, (100, 600)), most=most)
    sizes = [b.size for b in boxes]
    assert sum(sizes) <= most or len(boxes) == 1
    if most >= 6_000_000:
        assert {b.box[0].start for b in boxes} == {100 - MARGIN, 600 - MARGIN}
    if most == 20_000_000:
        # 65 planes of 160^2 to 192^2: four or five of each map fit
        assert 8 <= len(boxes) <= 12
        # spread over the map, and not all on one side
        assert {b.box[1].start for b in boxes} >= {0, 3 * CELL - MARGIN}


def test_what_the_border_of_a_cell_cuts_off_counts_for_nothing():
    """A row of voxels; the cell ends in the middle. Wanted: A, B over the border, C beyond."""
    particles = np.array([1, 1, 1, 0, 2, 2, 2, 2, 0, 3, 3, 0])
    own = np.arange(12) < 7
    box = KnownBox((slice(0, 1), slice(0, 1), slice(0, 12)), np.arange(12), particles, own)
    labels = np.array([5, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 0])
    found, wanted = box.compared(labels)
    assert wanted.tolist() == [1, 1, 1, 0, 2, 2, 2]  # three of its four voxels lie inside
    assert found.tolist() == [5, 5, 5, 5, 6, 6, 6]
    less = KnownBox(box.box, box.voxels, particles, np.arange(12) < 5)
    found, wanted = less.compared(labels)
    assert wanted.tolist() == [1, 1, 1, 0, -1]
    assert found.tolist() == [5, 5, 5, 5, -1]
    joined = np.where(labels > 0, 9, 0)  # of one label for all, nothing is left out
    assert less.compared(joined)[0].tolist() == [9] * 5


class Watched:
    """Volume that remembers which boxes were read."""

    def __init__(self, array):
        self.array, self.read = array, []
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, box):
        self.read.append(box)
        return self.array[box]


def test_a_large_volume_gets_the_threshold_of_its_parts():
    """Bricks with gaps of a probability of 0.67: thresholds from 0.7 to 0.75 part them."""
    shape, edge, pitch = (80, 300, 300), 8, 10
    at = np.arange(300)
    row = np.where(at % pitch < edge, at // pitch + 1, 0)
    numbers = np.where((row[:, None] > 0) & (row[None] > 0), row[:, None] * 40 + row[None], 0)
    phases = np.zeros(shape, np.uint8)
    phases[36:46] = 1
    probability = np.zeros(shape, np.uint8)
    probability[36:46] = np.where(numbers > 0, round(0.78 * 255), round(0.67 * 255))
    voxels = np.arange(40 * 300 * 300, 41 * 300 * 300)
    truth = truth_of(shape, voxels, numbers.reshape(-1))
    whole = choose_threshold(phases, probability, truth, minimum_voxels=9)
    watched = Watched(phases), Watched(probability)
    parts = choose_threshold(*watched, truth, minimum_voxels=9, most_voxels=5_000_000)
    assert whole.threshold == parts.threshold == 0.7
    assert (whole.f1_match[0.7], parts.f1_match[0.7]) == (1.0, 1.0)
    assert all(f < 0.2 for t, f in parts.f1_match.items() if t < 0.67)
    for volume in watched:
        read = [math.prod(s.stop - s.start for s in box) for box in volume.read]
        assert len(read) > 1
        assert sum(read) <= 5_000_000
    assert 100 < parts.n_particles < whole.n_particles == 900
