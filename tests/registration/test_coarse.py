import numpy as np
import pytest

from napari_slagseg.registration.coarse import (
    Candidate,
    SearchSpace,
    distinct_candidates,
)
from napari_slagseg.registration.fractions import FractionImages
from napari_slagseg.registration.patches import choose_patches
from napari_slagseg.registration.plane_vote import add_patches, vote_at
from napari_slagseg.registration.pyramid import Block
from napari_slagseg.registration.slice_correlator import SliceCorrelator


def block_of(data):
    return Block(np.asarray(data, np.float32), np.zeros(3), np.full(3, 8.0))


def test_correlation_is_what_plain_sums_give():
    """At the rim too, where the transforms wrap round."""
    rng = np.random.default_rng(0)
    data = rng.uniform(-1, 1, (3, 21, 26)).astype(np.float32)
    correlator = SliceCorrelator(block_of(data), 5.0, 1)
    disc, (my, mx) = correlator.disc, correlator.margin
    r = disc.shape[0] // 2
    rows, columns = correlator.padded
    assert (rows, columns) == (21 + 2 * my, 26 + 2 * mx)
    template = rng.uniform(-1, 1, disc.shape).astype(np.float32)
    template = ((template - template[disc > 0].mean()) * disc).astype(np.float32)
    out = np.empty((3, *correlator.padded), np.float32)
    correlator.correlate([template], out[None])
    grown = np.pad(data, ((0, 0), (r + my, r + my), (r + mx, r + mx)))
    last_y, last_x = rows - 1, columns - 1
    for z, y, x in [(0, 0, 0), (1, 4, last_x), (2, 12, 15), (2, last_y, last_x), (1, last_y, 2)]:
        seen = grown[z, y : y + 2 * r + 1, x : x + 2 * r + 1]
        mean = (seen * disc).sum() / disc.sum()
        deviation = np.sqrt((seen**2 * disc).sum() / disc.sum() - mean**2)
        if deviation < 0.45:  # held at a floor there
            continue
        plain = (seen * template).sum() / (deviation * np.sqrt((template**2).sum() * disc.sum()))
        assert out[z, y, x] == pytest.approx(plain, abs=2e-4)
    # in the middle this is the ordinary coefficient of correlation
    seen = data[2, 10 - r : 11 + r, 13 - r : 14 + r][disc > 0]
    assert out[2, 10 + my, 13 + mx] == pytest.approx(
        np.corrcoef(seen, template[disc > 0])[0, 1], abs=2e-3
    )


def test_a_planted_patch_is_the_best_place():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(6, 40, 40)).astype(np.float32)
    correlator = SliceCorrelator(block_of(data), 6.0, 1)
    r, (my, mx) = correlator.disc.shape[0] // 2, correlator.margin
    seen = np.clip(data, -3, 3)[4, 20 - r : 21 + r, 13 - r : 14 + r]
    template = (seen - seen[correlator.disc > 0].mean()) * correlator.disc
    out = np.empty((6, *correlator.padded), np.float32)
    correlator.correlate([template.astype(np.float32)], out[None])
    assert np.unravel_index(out.argmax(), out.shape) == (4, 20 + my, 13 + mx)
    assert out.max() == pytest.approx(1.0, abs=0.01)


def test_peaks_are_the_largest_of_all_slices_on_any_number_of_threads():
    rng = np.random.default_rng(4)
    data = rng.normal(size=(19, 30, 34)).astype(np.float32)
    alone, shared = (SliceCorrelator(block_of(data), 5.0, n) for n in (1, 3))
    templates = [
        (rng.normal(size=alone.disc.shape) * alone.disc).astype(np.float32) for _ in "abcd"
    ]
    volumes = np.empty((4, 19, *alone.padded), np.float32)
    peaks = shared.correlate(templates, volumes)
    assert np.array_equal(peaks, volumes.max(axis=1))
    assert np.array_equal(peaks, alone.correlate(templates))


def planted(slope_y, slope_x, height, at, shifts, shape=(8, 30, 60, 60)):
    """Correlations that are 1 where each patch lies on a plane, and noise elsewhere."""
    volumes = np.random.default_rng(2).uniform(0, 0.3, shape).astype(np.float32)
    for p, (dy, dx) in enumerate(shifts):
        z = height + slope_y * dy + slope_x * dx
        low = int(np.floor(z))
        y, x = round(at[0] + dy), round(at[1] + dx)
        volumes[p, low, y, x] = 1 - (z - low) / 2
        volumes[p, low + 1, y, x] = 1 - (low + 1 - z) / 2
    return volumes


SHIFTS = np.array(
    [[-18, -16], [-15, 2], [-17, 19], [1, -18], [0, 17], [16, -18], [19, 1], [17, 18.0]]
)


@pytest.mark.parametrize(("slope_y", "slope_x"), [(0.0, 0.0), (0.1, -0.05), (-0.12, 0.12)])
def test_patches_vote_for_the_plane_they_lie_on(slope_y, slope_x):
    volumes = planted(slope_y, slope_x, 14, (29, 31), SHIFTS)
    places = np.array([[0, 29, 31], [0, 40, 20]])
    voted = vote_at(volumes, SHIFTS[None], places, 0.0, 29.0, np.array([0.17, 0.17]))
    votes, height, found_y, found_x = voted[0]
    assert votes > 0.8
    assert votes > voted[1, 0] + 0.3
    assert height == pytest.approx(14, abs=1)
    assert found_y == pytest.approx(slope_y, abs=0.03)
    assert found_x == pytest.approx(slope_x, abs=0.03)


def test_a_height_window_is_kept():
    volumes = planted(0.0, 0.0, 14, (29, 31), SHIFTS)
    places = np.array([[0, 29, 31]])
    voted = vote_at(volumes, SHIFTS[None], places, 2.0, 9.0, np.array([0.17, 0.17]))
    assert 2 <= voted[0, 1] <= 9
    assert voted[0, 0] < 0.6


def test_peaks_add_up_at_the_centre():
    peaks = np.zeros((8, 60, 60), np.float32)
    for p, (dy, dx) in enumerate(SHIFTS):
        peaks[p, round(29 + dy), round(31 + dx)] = 1.0
    summed = add_patches(peaks, np.stack([SHIFTS, SHIFTS[:, ::-1]]))
    assert np.unravel_index(summed[0].argmax(), (60, 60)) == (29, 31)
    assert summed[0].max() == pytest.approx(1.0)
    assert summed[1].max() < 0.5


def test_patches_are_spread_and_keep_to_what_is_known():
    rng = np.random.default_rng(3)
    known = np.zeros((80, 80), np.float32)
    known[:, :50] = 1.0
    grey = rng.random((80, 80)).astype(np.float32)
    images = FractionImages(grey[None], known, 4, 8.0)
    patches = np.array(choose_patches(images, grey, 8.0, 10))
    assert len(patches) == 10
    assert patches[:, 1].max() < 50
    apart = np.linalg.norm(patches[:, None] - patches[None], axis=-1) + 1e9 * np.eye(10)
    assert apart.min() >= 4.0
    assert np.ptp(patches[:, 0]) > 50


def test_candidates_are_distinct_and_best_first():
    def candidate(votes, z, angle, mirrored=False):
        return Candidate(votes, np.array([z, 0.0, 0.0]), angle, mirrored, (0.0, 0.0))

    found = [
        candidate(0.5, 0, 359), candidate(0.9, 2, 3), candidate(0.8, 100, 3),
        candidate(0.7, 2, 3, True), candidate(0.6, 2, 50),
    ]  # fmt: skip
    kept = distinct_candidates(found, 32.0, 10.0, 16)
    assert [c.votes for c in kept] == [0.9, 0.8, 0.7, 0.6]
    assert [c.votes for c in distinct_candidates(found, 32.0, 10.0, 2)] == [0.9, 0.8]


def test_angles_go_all_the_way_round_or_between_hints():
    assert len(SearchSpace().angles(5.0)) == 72
    assert SearchSpace().angles(5.0)[-1] == pytest.approx(355.0)
    around = SearchSpace(angles_deg=(-15.0, 15.0)).angles(5.0)
    np.testing.assert_allclose(around, [-15, -10, -5, 0, 5, 10, 15])
