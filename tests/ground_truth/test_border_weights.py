import numpy as np
import pytest
from scipy import ndimage

from napari_slagseg.ground_truth import border_weight, touching_particles


def test_one_where_both_neighbours_are_one_voxel_away():
    labels = np.zeros((5, 7), dtype=np.int32)
    labels[:, :3], labels[:, 4:] = 1, 2
    weight = border_weight(labels)
    assert weight[:, 3] == pytest.approx(1)
    assert np.all(weight[labels > 0] == 0)


@pytest.mark.parametrize(("gap", "expected"), [(2, (1, 2)), (4, (1, 4)), (5, (1, 5))])
def test_the_weight_in_wider_gaps(gap, expected):
    labels = np.zeros((9, 20), dtype=np.int32)
    labels[:, :6], labels[:, 6 + gap :] = 7, 3
    d1, d2 = expected
    assert border_weight(labels)[4, 6] == pytest.approx(np.exp((4 - (d1 + d2) ** 2) / 50))


def test_nothing_where_the_second_particle_is_more_than_five_voxels_away():
    labels = np.zeros((9, 30), dtype=np.int32)
    labels[:, :6], labels[:, 12:] = 1, 2  # a gap of six: 1 and 6 away at its ends
    weight = border_weight(labels)[4]
    assert weight[6] == weight[11] == 0
    assert weight[7] > 0
    assert np.all(border_weight(np.where(labels == 2, 0, labels)) == 0)  # one particle only


@pytest.mark.parametrize(("sigma", "reach"), [(5.0, 5.0), (2.0, 3.5), (10.0, 8.0)])
def test_against_whole_plane_distances(sigma, reach):
    rng = np.random.default_rng(3)
    labels = ndimage.label(ndimage.gaussian_filter(rng.standard_normal((90, 80)), 3) > 0.04)[0]
    labels = labels.astype(np.int32)
    labels[rng.random(labels.shape) < 0.02] = -1
    assert labels.max() > 8
    distances = np.sort(
        [ndimage.distance_transform_edt(labels != i) for i in range(1, labels.max() + 1)], axis=0
    )
    expected = np.exp((4 - (distances[0] + distances[1]) ** 2) / (2 * sigma**2))
    expected[(distances[1] > reach) | (labels > 0)] = 0
    assert np.count_nonzero(expected) > 30
    assert border_weight(labels, sigma=sigma, reach=reach) == pytest.approx(expected, abs=1e-6)


def test_touching_against_a_search_in_the_dense_volume():
    rng = np.random.default_rng(5)
    shape = (7, 8, 9)
    voxels = np.flatnonzero(rng.random(np.prod(shape)) < 0.5)
    particles = rng.integers(-1, 4, len(voxels)).astype(np.int32)
    of_map = rng.integers(0, 2, len(voxels)).astype(np.int16)
    within, across = touching_particles(voxels, particles, of_map, shape)
    zyx = np.stack(np.unravel_index(voxels, shape), axis=1)
    for i in range(len(voxels)):
        near = np.abs(zyx - zyx[i]).max(axis=1) == 1
        other = near & (particles > 0) & (particles != particles[i]) & (particles[i] > 0)
        assert within[i] == np.any(other & (of_map == of_map[i]))
        assert across[i] == np.any(other & (of_map != of_map[i]))
