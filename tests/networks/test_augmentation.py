"""Augmentation moves image and truth alike."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from napari_slagseg.networks.augmentation import (
    shifted_grey,
    turned,
    turns,
)
from napari_slagseg.networks.elastic import deformed, elastic_displacement

CUBIC = (1.0, 1.0, 1.0)


def numbered(shape):
    return np.arange(np.prod(shape)).reshape(shape)


def matrix(turn):
    """Linear map of voxel offsets that a turn is, from what it does to three axes."""
    columns = []
    for axis in range(3):
        pair = np.zeros((3, 3, 3), dtype=int)
        pair[1, 1, 1] = 1
        tip = [1, 1, 1]
        tip[axis] = 2
        pair[tuple(tip)] = 2
        after = turned(pair, turn)
        assert after[1, 1, 1] == 1
        columns.append(np.argwhere(after == 2)[0] - 1)
    return np.stack(columns, axis=1)


def test_the_24_rotations_of_a_cube():
    found = turns((8, 8, 8), CUBIC)
    images = {turned(numbered((2, 2, 2)), t).tobytes() for t in found}
    assert len(found) == len(images) == 24
    assert all(np.linalg.det(matrix(t)) == pytest.approx(1) for t in found)
    # numpy's own quarter turns about the axes make the same group
    group = set()
    for a, b, c in itertools.product(range(4), repeat=3):
        cube = np.rot90(np.rot90(np.rot90(numbered((2, 2, 2)), a, (0, 1)), b, (1, 2)), c, (0, 2))
        group.add(np.ascontiguousarray(cube).tobytes())
    assert images == group


def test_mirror_images_make_it_48():
    found = turns((8, 8, 8), CUBIC, mirrors=True)
    assert len({turned(numbered((2, 2, 2)), t).tobytes() for t in found}) == 48
    signs = [round(np.linalg.det(matrix(t))) for t in found]
    assert signs.count(1) == signs.count(-1) == 24


@pytest.mark.parametrize(
    ("patch", "voxel", "count"),
    [
        ((8, 8, 16), CUBIC, 8),  # the rotations of a square prism
        ((8, 16, 24), CUBIC, 4),  # of a brick
        ((8, 8, 8), (2.0, 1.0, 1.0), 8),  # voxels that are prisms
        ((16, 8, 8), (2.0, 1.0, 1.0), 8),
        ((8, 8, 8), (3.0, 2.0, 1.0), 4),
    ],
)
def test_turns_keep_patch_and_voxel(patch, voxel, count):
    found = turns(patch, voxel)
    assert len(found) == count
    assert all(turned(np.zeros(patch), t).shape == patch for t in found)
    for t in found:
        axes = np.argmax(np.abs(matrix(t)), axis=1)  # which axis each axis was before
        assert [voxel[a] for a in axes] == list(voxel)


def test_a_known_quarter_turn():
    turn = ((0, 2, 1), (False, True, False))
    assert turn in turns((8, 8, 8), CUBIC)
    array = numbered((3, 4, 4))
    assert np.array_equal(turned(array, turn), np.rot90(array, 1, axes=(1, 2)))


@given(st.integers(-300, 300))
def test_grey_shift_clips(shift):
    image = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    found = shifted_grey(image, shift)
    assert found.dtype == np.uint8
    assert found.reshape(-1).tolist() == [min(max(v + shift, 0), 255) for v in range(256)]


def test_elastic_field_has_the_stated_length_and_is_smooth():
    field = elastic_displacement((32, 32, 32), np.random.default_rng(0), sigma=4.0, length=2.5)
    assert field.shape == (3, 32, 32, 32)
    assert field.dtype == np.float32
    rms = np.sqrt((field.astype(np.float64) ** 2).sum(axis=0).mean())
    assert rms == pytest.approx(2.5, rel=1e-4)
    # white noise smoothed with sigma s: neighbours differ by 1/(s sqrt 2) of a deviation
    steps = np.concatenate([np.diff(field, axis=a + 1).ravel() for a in range(3)])
    assert steps.std() < 1.5 * field.std() / (4.0 * np.sqrt(2))


def test_elastic_deformation_keeps_the_set_of_labels():
    labels = np.zeros((32, 32, 32), dtype=np.int32)
    labels[4:14, 4:28, 4:28] = 7
    labels[18:28, 4:28, 4:28] = 3_000_001
    field = elastic_displacement(labels.shape, np.random.default_rng(1))
    found = deformed(labels, field, order=0)
    assert found.dtype == labels.dtype
    assert set(np.unique(found)) == {0, 7, 3_000_001}
    assert 0.005 < (found != labels).mean() < 0.3


def test_deformation_by_a_known_shift():
    image = np.random.default_rng(0).integers(0, 255, (12, 12, 12)).astype(np.uint8)
    field = np.zeros((3, 12, 12, 12), dtype=np.float32)
    field[1] = 3.0  # what lies 3 voxels on comes here
    for order in (0, 1):
        assert np.array_equal(deformed(image, field, order=order)[:, :9], image[:, 3:])


@pytest.mark.parametrize("shape", [(24, 24, 24), (8, 40, 17), (1, 16, 16)])
def test_deformation_is_that_of_scipy(shape):
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, shape).astype(np.uint8)
    field = elastic_displacement(shape, rng, length=5.0)
    places = np.indices(shape, dtype=np.float32) + field
    expected = map_coordinates(image, places, order=1, mode="nearest").astype(int)
    found = deformed(image, field, order=1).astype(int)
    # places in single or double precision: a value between two greys may be rounded either way
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.005
    labels = rng.permutation(image.size).reshape(shape).astype(np.int32)
    expected = map_coordinates(labels, places, order=0, mode="nearest")
    assert (deformed(labels, field, order=0) != expected).mean() < 0.005


def test_a_coarsely_drawn_field_is_as_smooth_as_one_drawn_at_every_voxel():
    """How alike displacements are at a distance d: exp(-d^2 / (4 sigma^2)), as for white noise
    smoothed by a Gaussian of that sigma."""
    sigma = 6.0
    fields = [elastic_displacement((64, 64, 64), np.random.default_rng(i), sigma) for i in range(6)]
    inner = np.stack([f[:, 12:-12, 12:-12, 12:-12] for f in fields]).astype(np.float64)
    for distance in (2, 4, 6, 9):
        alike = []
        for axis in (2, 3, 4):
            a = np.take(inner, range(inner.shape[axis] - distance), axis)
            b = np.take(inner, range(distance, inner.shape[axis]), axis)
            alike.append((a * b).mean() / np.sqrt((a**2).mean() * (b**2).mean()))
        assert np.mean(alike) == pytest.approx(np.exp(-(distance**2) / (4 * sigma**2)), abs=0.06)
