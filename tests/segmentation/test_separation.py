import threading

import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import watershed

from napari_slagseg.data import CancelledError, SlagsegError
from napari_slagseg.segmentation import relabel_sequential, remove_small, separate_particles

FACES = ndimage.generate_binary_structure(3, 1)


def smooth_noise(shape, seed, sigma):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.standard_normal(shape), sigma)
    return (field - field.min()) / (field.max() - field.min())


def same_partition(a, b):
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    one_to_one = len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    return one_to_one and np.array_equal(a == 0, b == 0)


def two_balls():
    """Two overlapping balls of radius 10, the particle network sees both cores."""
    z, y, x = np.indices((24, 24, 40))
    first = np.sqrt((z - 12) ** 2 + (y - 12) ** 2 + (x - 12) ** 2)
    second = np.sqrt((z - 12) ** 2 + (y - 12) ** 2 + (x - 27) ** 2)
    phases = ((first <= 10) | (second <= 10)).astype(np.uint8)
    probability = (255 * np.clip(1 - np.minimum(first, second) / 12, 0, 1)).astype(np.uint8)
    return phases, probability


def test_two_touching_balls_part_at_the_plane_between_them():
    phases, probability = two_balls()
    found = separate_particles(phases, probability)
    assert (found.n_markers, found.n_without_marker, found.n_removed) == (2, 0, 0)
    assert found.particles.dtype == np.uint32
    # the plane of equal distance lies at x = 19.5: every voxel is on its own side
    z, y, x = np.nonzero(found.particles)
    assert np.array_equal(found.particles[z, y, x], np.where(x < 19.5, 1, 2))


def test_the_union_of_the_particles_is_the_foreground():
    phases = (smooth_noise((40, 44, 48), 0, 3) > 0.5).astype(np.uint8) * 2
    probability = (255 * smooth_noise((40, 44, 48), 1, 1.5)).astype(np.uint8)
    found = separate_particles(phases, probability, minimum_voxels=0)
    assert found.n_markers > 20  # a hard case: markers reach out of the foreground
    assert np.any((probability > 127) & (phases == 0))
    assert np.array_equal(found.particles > 0, phases > 0)
    n = found.particles.max()
    assert n == found.n_markers + found.n_without_marker
    assert np.array_equal(np.unique(found.particles), np.arange(n + 1))
    for label, box in enumerate(ndimage.find_objects(found.particles.astype(np.int32)), 1):
        assert ndimage.label(found.particles[box] == label, FACES)[1] == 1


@pytest.mark.parametrize("seed", range(4))
def test_the_flood_against_scikit_image_on_different_heights(seed):
    """Every height once in a particle: no ties, so there is one right answer."""
    rng = np.random.default_rng(seed)
    phases = (rng.random((6, 6, 7)) < 0.85).astype(np.uint8)
    probability = (rng.permutation(252) + 2).reshape(6, 6, 7).astype(np.uint8)
    # single voxels as markers: the 12 highest, in a foreground that joins almost everything
    threshold = 240.5 / 255
    found = separate_particles(phases, probability, threshold=threshold, minimum_voxels=0)
    seeds = (probability > 240) & (phases > 0)
    markers, n = ndimage.label(seeds, FACES)
    assert found.n_markers == n > 5
    expected = watershed(255 - probability, markers, mask=phases > 0)
    rest, n_rest = ndimage.label((phases > 0) & (expected == 0), FACES)
    expected = np.where(rest > 0, rest + n, expected)
    assert found.n_without_marker == n_rest
    assert np.array_equal(found.particles, expected)


def test_the_flood_against_scikit_image_with_ties():
    """Where two ways are equally low, the order is free; nearly all voxels must agree."""
    phases = (smooth_noise((60, 60, 60), 5, 4) > 0.45).astype(np.uint8)
    probability = (255 * smooth_noise((60, 60, 60), 6, 3)).astype(np.uint8)
    found = separate_particles(phases, probability, minimum_voxels=0)
    markers, n = ndimage.label((probability > 127) & (phases > 0), FACES)
    expected = watershed(255 - probability, markers, mask=phases > 0)
    grown = found.particles <= n
    assert np.mean(found.particles[grown] == expected[grown]) > 0.995
    assert np.all(expected[~grown] == 0)


def test_pieces_without_a_marker_are_particles_and_small_ones_go():
    phases = np.zeros((12, 12, 40), dtype=np.uint8)
    probability = np.zeros_like(phases)
    phases[2:8, 2:8, 1:7] = 1  # 216 voxels with a marker
    probability[4:6, 4:6, 3:5] = 200
    phases[2:8, 2:8, 10:16] = 3  # 216 voxels without
    phases[2:7, 2:7, 20:24] = 1  # 100 voxels without: just stays
    phases[2:5, 2:5, 28:39] = 1  # 99 voxels with a marker: goes
    probability[3, 3, 30:36] = 255
    probability[10, 10, 0:9] = 255  # a marker outside the foreground counts for nothing
    found = separate_particles(phases, probability)
    assert (found.n_markers, found.n_without_marker, found.n_removed) == (2, 2, 1)
    assert np.bincount(found.particles.ravel()).tolist()[1:] == [216, 216, 100]
    assert np.all(found.particles[2:5, 2:5, 28:39] == 0)


def test_a_marker_that_bridges_background_makes_two_particles():
    phases = np.ones((6, 6, 21), dtype=np.uint8)
    phases[:, :, 10] = 0
    probability = np.full_like(phases, 255)
    found = separate_particles(phases, probability)
    assert found.n_markers == found.particles.max() == 2
    assert found.particles[0, 0, 0] != found.particles[0, 0, 20]


def test_the_threshold_is_above_not_at():
    phases = np.ones((5, 5, 8), dtype=np.uint8)
    probability = np.full_like(phases, 127)  # 0.498
    assert separate_particles(phases, probability).n_markers == 0
    assert separate_particles(phases, probability + np.uint8(1)).n_markers == 1
    assert separate_particles(phases, probability, threshold=0.4).n_markers == 1


def test_nothing_at_all_and_the_same_twice():
    empty = np.zeros((4, 5, 6), dtype=np.uint8)
    found = separate_particles(empty, empty)
    assert found.particles.max() == found.n_markers == found.n_without_marker == 0
    phases, probability = two_balls()
    again = [separate_particles(phases, probability).particles for _ in range(2)]
    assert np.array_equal(*again)
    # views that are not contiguous give the same partition
    turned = separate_particles(phases.T, probability.T)
    assert same_partition(turned.particles.T, again[0])


def test_progress_rises_and_a_set_token_stops():
    phases, probability = two_balls()
    events = []
    separate_particles(phases, probability, progress=events.append)
    fractions = [e.fraction for e in events]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == 1
    token = threading.Event()
    token.set()
    with pytest.raises(CancelledError):
        separate_particles(phases, probability, cancel=token)


def test_a_token_set_while_flooding_stops_the_flood():
    phases = np.ones((160, 160, 160), dtype=np.uint8)
    probability = np.full_like(phases, 10)
    probability[0, 0, 0] = 255
    token = threading.Event()
    seen = []

    def listen(event):
        seen.append(event)
        if event.stage == "growing the particles":
            token.set()

    with pytest.raises(CancelledError):
        separate_particles(phases, probability, progress=listen, cancel=token)
    assert seen[-1].stage == "growing the particles"
    assert seen[-1].fraction < 0.7


def test_wrong_input_is_refused_in_words():
    volume = np.zeros((3, 4, 5), dtype=np.uint8)
    with pytest.raises(SlagsegError, match=r"\(3, 4, 5\).*\(3, 4, 6\)"):
        separate_particles(volume, np.zeros((3, 4, 6), dtype=np.uint8))
    with pytest.raises(SlagsegError, match="float32"):
        separate_particles(volume, volume.astype(np.float32))
    with pytest.raises(SlagsegError, match="between 0 and 1"):
        separate_particles(volume, volume, threshold=1.0)


def test_small_labels_go_and_numbers_close_up():
    labels = np.repeat([0, 7, 3, 4_000_000_000], [5, 3, 2, 4])
    assert np.unique(remove_small(labels, 3)).tolist() == [0, 7, 4_000_000_000]
    assert relabel_sequential(labels).tolist() == np.repeat([0, 2, 1, 3], [5, 3, 2, 4]).tolist()
    assert relabel_sequential(remove_small(labels, 3)).dtype == np.uint32
    assert relabel_sequential(np.zeros((2, 2), int)).max() == 0
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 30, (9, 10, 11))
    counts = np.bincount(labels.ravel())
    kept = remove_small(labels, 33)
    assert np.array_equal(kept, np.where(counts[labels] >= 33, labels, 0))
    with pytest.raises(SlagsegError, match="-1"):
        relabel_sequential(np.array([-1, 2]))
    with pytest.raises(SlagsegError, match="float64"):
        remove_small(np.zeros(3), 1)
