"""Patches: around known voxels, the image and its truth moved as one."""

import dataclasses

import numpy as np
import pytest

from napari_slagseg.data import GroundTruth, SlagsegError, Volume
from napari_slagseg.networks.augmentation import turns
from napari_slagseg.networks.eight_bit import grey_limits, to_eight_bit
from napari_slagseg.networks.patches import (
    SparseLabels,
    cut_out,
    draw_patch,
    fitting_patch,
    fixed_windows,
)

CUBIC = (1.0, 1.0, 1.0)


def labels_at(shape, voxels, classes=None, weights=None):
    voxels = np.sort(np.asarray(voxels, dtype=np.int64))
    n = len(voxels)
    return SparseLabels(
        shape,
        voxels,
        np.ones(n, dtype=np.int64) if classes is None else np.asarray(classes, dtype=np.int64),
        np.ones(n, dtype=np.float32) if weights is None else np.asarray(weights, dtype=np.float32),
    )


@pytest.fixture
def told_by_grey():
    """Volume whose grey value is the class of each voxel, and labels of a tenth of it."""
    rng = np.random.default_rng(0)
    data = rng.integers(0, 6, (30, 34, 38)).astype(np.uint8)
    voxels = np.flatnonzero(rng.random(data.size) < 0.1)
    classes = data.reshape(-1)[voxels]
    return data, labels_at(data.shape, voxels, classes, 1 + classes / 8)


@pytest.mark.parametrize("mirrors", [False, True])
def test_truth_stays_on_its_voxels(told_by_grey, mirrors):
    data, labels = told_by_grey
    rng = np.random.default_rng(1)
    allowed = turns((16, 16, 16), CUBIC, mirrors)
    seen = set()
    for _ in range(60):
        patch = draw_patch(data, labels, (16, 16, 16), allowed, rng)
        assert patch.image.shape == (16, 16, 16)
        assert patch.image.flags.c_contiguous
        assert len(patch.known)
        assert np.array_equal(patch.image.reshape(-1)[patch.known], patch.classes)
        assert np.array_equal(patch.weights, (1 + patch.classes / 8).astype(np.float32))
        seen.add(patch.image[:2].tobytes())
    assert len(seen) == 60


def test_all_known_voxels_of_the_box_are_in_the_patch(told_by_grey):
    data, labels = told_by_grey
    patch = draw_patch(data, labels, (16, 16, 16), [], np.random.default_rng(4))
    windows = np.lib.stride_tricks.sliding_window_view(data, (16, 16, 16))
    (start,) = np.argwhere((windows == patch.image).all(axis=(3, 4, 5)))
    known = np.zeros(data.shape, dtype=bool)
    known.reshape(-1)[labels.voxels] = True
    box = known[tuple(slice(s, s + 16) for s in start)]
    assert np.array_equal(np.flatnonzero(box), patch.known)


def test_the_grey_shift_leaves_the_truth_alone(told_by_grey):
    data, labels = told_by_grey
    shifts = set()
    rng = np.random.default_rng(2)
    for _ in range(200):
        patch = draw_patch(data + 100, labels, (8, 8, 8), [], rng, grey_shift=3)
        difference = patch.image.reshape(-1)[patch.known].astype(int) - 100 - patch.classes
        assert len(set(difference)) == 1
        shifts.add(int(difference[0]))
    assert shifts == set(range(-3, 4))


def test_elastic_deformation_bends_image_and_truth_alike():
    """Two halves of different grey: after bending, labels still tell the grey apart."""
    data = np.zeros((32, 32, 32), dtype=np.uint8)
    data[:, :, 16:] = 200
    sheet = np.zeros(data.shape, dtype=bool)
    sheet[14:18] = True
    voxels = np.flatnonzero(sheet)
    labels = labels_at(data.shape, voxels, data.reshape(-1)[voxels] > 0)
    rng = np.random.default_rng(3)
    moved = 0.0
    for _ in range(5):
        patch = draw_patch(data, labels, (32, 32, 32), [], rng, elastic=True)
        assert set(patch.classes) == {0, 1}
        grey = patch.image.reshape(-1)[patch.known] > 100
        assert (grey == patch.classes).mean() > 0.995
        unbent = data.reshape(-1)[patch.known] > 100
        moved += (unbent != patch.classes).mean()
    # had the truth stayed where it was, many labels would be wrong
    assert moved / 5 > 0.02


@pytest.mark.parametrize("elastic", [False, True])
def test_every_patch_holds_a_known_voxel(elastic):
    shape = (40, 40, 40)
    data = np.zeros(shape, dtype=np.uint8)
    rng = np.random.default_rng(0)
    for voxel in (0, 39, 40**3 - 1, 20 * 1600 + 20 * 40 + 20):
        for _ in range(10):
            patch = draw_patch(
                data, labels_at(shape, [voxel]), (16, 16, 16), turns((16,) * 3, CUBIC), rng,
                elastic=elastic,
            )  # fmt: skip
            assert len(patch.known) >= 1
            assert set(patch.classes) == {1}


def test_known_voxels_fall_everywhere_in_a_patch():
    """A network that met truth only at patch centres would learn the centre."""
    shape = (64, 64, 64)
    rng = np.random.default_rng(0)
    data = np.zeros(shape, dtype=np.uint8)
    labels = labels_at(shape, [32 * 4096 + 32 * 64 + 32])
    places = [
        np.unravel_index(draw_patch(data, labels, (16,) * 3, [], rng).known, (16,) * 3)
        for _ in range(400)
    ]
    for axis in np.array(places)[:, :, 0].T:
        assert set(axis) == set(range(16))
        assert abs(axis.mean() - 7.5) < 4 * 4.61 / 20  # four standard errors of a uniform draw


def test_patches_follow_the_seed(told_by_grey):
    data, labels = told_by_grey
    allowed = turns((16, 16, 16), CUBIC)

    def draw(seed):
        return draw_patch(
            data, labels, (16, 16, 16), allowed, np.random.default_rng(seed), grey_shift=10,
            elastic=True,
        )  # fmt: skip

    first, again, other = draw(5), draw(5), draw(6)
    for name in ("image", "known", "classes", "weights"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.image, other.image)


def test_volume_smaller_than_the_patch():
    data = np.arange(5 * 9 * 20, dtype=np.uint16).reshape(5, 9, 20).astype(np.uint8)
    assert fitting_patch((96, 96, 96), data.shape) == (8, 16, 24)
    assert fitting_patch((16, 16, 16), data.shape) == (8, 16, 16)
    voxels = np.arange(0, data.size, 7)
    labels = labels_at(data.shape, voxels, data.reshape(-1)[voxels])
    patch = draw_patch(data, labels, (8, 16, 24), [], np.random.default_rng(0))
    assert np.array_equal(patch.image, np.pad(data, ((0, 3), (0, 7), (0, 4)), mode="edge"))
    assert len(patch.known) == len(voxels)
    assert np.array_equal(patch.image.reshape(-1)[patch.known], patch.classes)


def test_cut_out_repeats_the_edge():
    data = np.random.default_rng(0).integers(0, 255, (6, 7, 8)).astype(np.uint8)
    wide = np.pad(data, 5, mode="edge")
    for start in ((-4, 0, 3), (2, -3, 4), (1, 1, 1)):
        box = tuple(slice(s + 5, s + 10) for s in start)
        assert np.array_equal(cut_out(data, start, (5, 5, 5)), wide[box])


def test_fixed_windows_hold_the_most_known_voxels():
    shape = (32, 32, 40)
    known = np.zeros(shape, dtype=bool)
    known[3, :, :] = True  # lower layer of windows: 256 voxels each, the last one half outside
    known[20, 4, 4:8] = True
    labels = labels_at(shape, np.flatnonzero(known))
    windows = fixed_windows(labels, (16, 16, 16), 6)
    assert windows == [(0, 0, 0), (0, 0, 16), (0, 0, 24), (0, 16, 0), (0, 16, 16), (0, 16, 24)]
    assert (16, 0, 0) in fixed_windows(labels, (16, 16, 16), 12)
    assert fixed_windows(labels, (16, 16, 16), 6) == windows


def test_unknown_and_weightless_voxels_are_left_out(problem):
    _, sparse_truth = problem
    truth = sparse_truth(np.ones((4, 4, 4), dtype=np.uint8), (1,))
    phases, weights = truth.phases.copy(), truth.phase_weights.copy()
    phases[:3] = -1
    weights[3:5] = 0
    truth = GroundTruth(**{**vars(truth), "phases": phases, "phase_weights": weights})
    assert np.array_equal(SparseLabels.of(truth, "phase").voxels, truth.voxels[5:])
    assert len(SparseLabels.of(truth, "particle").voxels) == 16
    assert set(SparseLabels.of(truth, "particle").weights) == {np.float32(0.04)}
    nothing = GroundTruth(**{**vars(truth), "phase_weights": np.zeros_like(weights)})
    with pytest.raises(SlagsegError, match="no voxel for the phase network to learn from"):
        SparseLabels.of(nothing, "phase")


def test_eight_bit_grey_values():
    data = np.arange(10_000, dtype=np.uint16).reshape(10, 20, 50)
    low, high = grey_limits(Volume(data, CUBIC))
    inner = np.percentile(data, (0.1, 99.9))
    margin = 0.05 * (inner[1] - inner[0])
    assert (low, high) == pytest.approx((inner[0] - margin, inner[1] + margin))
    eight = to_eight_bit(data, (1000.0, 1000.0 + 2550.0))
    assert eight.dtype == np.uint8
    # steps of ten: rounded, not cut, and clipped at both ends
    assert eight.reshape(-1)[[0, 1000, 1004, 1006, 1500, 3550, 9999]].tolist() == [
        0, 0, 0, 1, 50, 255, 255,
    ]  # fmt: skip
    with pytest.raises(SlagsegError, match="CT is constant"):
        grey_limits(Volume(np.full((4, 4, 4), 7), CUBIC))


def test_a_share_of_the_patches_is_drawn_around_corrections():
    rng = np.random.default_rng(0)
    data = np.zeros((40, 40, 40), np.uint8)
    shape = data.shape
    maps = np.ravel_multi_index(np.indices((4, 4, 4)).reshape(3, -1), shape)  # one corner
    corner = np.ravel_multi_index((39, 39, 39), shape)  # the one correction, in the other
    voxels = np.append(np.sort(maps), corner).astype(np.int64)
    labels = SparseLabels(
        shape, voxels, np.ones(len(voxels), np.int64), np.ones(len(voxels), np.float32),
        np.array([len(voxels) - 1]),
    )  # fmt: skip

    def share(focus, labels=labels):
        drawn = [draw_patch(data, labels, (8, 8, 8), [], rng, focus=focus) for _ in range(400)]
        return np.mean([len(patch.known) == 1 and patch.known[0] == 511 for patch in drawn])

    assert share(0.0) < 0.06  # one of 65 voxels
    assert 0.4 < share(0.5) < 0.6
    assert share(1.0) == 1
    many = dataclasses.replace(labels, corrected=np.arange(1, 65))  # all but one
    drawn = [many.draw(rng, 0.5) for _ in range(400)]
    assert 0.4 < np.mean(np.array(drawn) == 0) < 0.6  # maps keep their share of the patches
    none = dataclasses.replace(labels, corrected=np.empty(0, np.int64))
    assert share(1.0, none) < 0.06
