"""The CT: one fault at a time on grey values that are known, then a whole phantom."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, gaussian_filter
from scipy.special import erf

from napari_slagseg.phantom import LEVELS
from napari_slagseg.phantom.ct import GREY_RANGE, scan
from napari_slagseg.phantom.presets import GREYS

OFFSET = 2000
IDEAL = replace(LEVELS["easy"], noise=0, blur_voxels=0, cupping=0, rings=0)
SHAPE = (48, 81, 81)
RADIUS = 36.0


def scanned(grey=0.5, seed=0, **faults):
    """Grey values of a scan, before the offset and the 16 bits."""
    volume = np.broadcast_to(np.float32(grey), SHAPE).copy()
    ct = scan(volume, replace(IDEAL, **faults), RADIUS, np.random.default_rng(seed))
    assert ct.dtype == np.uint16
    return (ct.astype(float) - OFFSET) / GREY_RANGE


def axial():
    y, x = np.ogrid[:81, :81]
    return np.hypot(y - 40, x - 40)


def test_without_faults_the_grey_values_are_those_given():
    ramp = np.linspace(0, 1, 81)
    # whole counts
    # whole counts, none rounded up; single precision may miss one
    missing = ramp - scanned(ramp)
    assert missing.min() > -1e-6
    assert missing.max() < 1.01 / GREY_RANGE


def test_grey_values_end_where_16_bits_end():
    assert (scanned(2.0) == (65535 - OFFSET) / GREY_RANGE).all()
    assert (scanned(-1.0) == -OFFSET / GREY_RANGE).all()


@pytest.mark.parametrize("blur", [0.8, 1.6])
def test_blur_turns_an_edge_into_an_error_function(blur):
    edge = np.where(np.arange(81) < 40, 0.2, 0.8)
    x = np.arange(81) - 39.5
    expected = 0.5 + 0.3 * erf(x / (np.sqrt(2) * blur))
    assert scanned(edge, blur_voxels=blur)[20, 40] == pytest.approx(expected, abs=0.012)


def test_beam_hardening_raises_the_grey_with_the_square_of_the_radius():
    r = axial()
    found = scanned(0.5, cupping=0.2)
    expected = 0.5 * (1 + 0.2 * (np.minimum(r / RADIUS, 1) ** 2 - 0.5))
    assert np.abs(found - expected).max() < 1e-4
    assert found[0, 40, 40] == pytest.approx(0.45, abs=1e-4)
    assert found[0, 40, 40 + 36] == pytest.approx(0.55, abs=1e-4)


def test_rings_are_round_and_stay_for_a_while():
    found = scanned(0.5, rings=0.02) - 0.5
    ring = axial().astype(int)
    assert np.unique(ring).size > 50
    profiles = np.array([[plane[ring == n][0] for n in range(57)] for plane in found])
    for plane, profile in zip(found, profiles):
        assert np.array_equal(plane[ring < 57], profile[ring[ring < 57]])
    # all planes of a slab have the same rings, and the next has others
    assert np.array_equal(profiles[0], profiles[23])
    assert np.corrcoef(profiles[23], profiles[24])[0, 1] < 0.6
    assert profiles.std() == pytest.approx(0.02, rel=0.3)


def test_noise_has_the_stated_width_and_no_bias():
    found = scanned(0.5, noise=0.03)
    assert found.mean() == pytest.approx(0.5, abs=2e-4)
    assert found.std() == pytest.approx(1.17 * 0.03, rel=0.01)
    # neighbours are alike in the plane, as reconstruction leaves them; planes are not
    noise = found - found.mean()
    along = [np.mean(noise * np.roll(noise, 1, axis)) / noise.var() for axis in range(3)]
    assert along[0] == pytest.approx(0, abs=0.01)
    assert along[1] == pytest.approx(along[2], abs=0.01)
    assert 0.1 < along[1] < 0.4


def test_noise_and_rings_follow_the_generator():
    faults = {"noise": 0.03, "rings": 0.02}
    assert np.array_equal(scanned(**faults), scanned(**faults))
    assert not np.array_equal(scanned(**faults), scanned(seed=1, **faults))


@pytest.fixture(scope="session")
def interior_greys(levels, axial_distance):
    """Mean grey of each phase away from its borders, and its spread, at every level."""
    found = {}
    for name, phantom in levels.items():
        hardening = 1 + LEVELS[name].cupping * ((axial_distance / (0.47 * 96)) ** 2 - 0.5)
        grey = (phantom.ct.data.astype(float) - OFFSET) / GREY_RANGE / hardening
        cylinder = np.broadcast_to(axial_distance < 0.44 * 96, grey.shape)
        means = {}
        for phase in range(4):
            mask = phantom.phases == phase
            if phase == 0:
                mask &= phantom.particles == 0
            # beside a border blur mixes phases; epoxy holds films, which the truth does not show
            mask = binary_erosion(mask, iterations=4 if phase == 0 else 2) & cylinder
            assert mask.sum() > 100
            means[phase] = grey[mask].mean(), grey[mask].std()
        found[name] = means
    return found


def test_phases_have_their_greys_in_the_ct(interior_greys):
    for phase, (mean, _) in interior_greys["easy"].items():
        assert mean == pytest.approx(GREYS[phase], abs=0.01)
    for means in interior_greys.values():
        in_order = [means[phase][0] for phase in range(4)]
        assert in_order == sorted(in_order)


def test_target_and_eucryptite_are_nearly_equal_in_grey(interior_greys):
    means = interior_greys["easy"]
    step = means[2][0] - means[1][0]
    assert 0.025 < step < 0.055
    assert step < 0.3 * min(means[1][0] - means[0][0], means[3][0] - means[2][0])
    # one voxel tells them apart at the easy level, and does not at the hard one
    assert step > 2 * means[1][1]
    assert step < interior_greys["hard"][1][1]


def test_air_is_darker_than_all_else(tiny, axial_distance):
    outside = tiny.ct.data[:, axial_distance > 0.47 * 96 + 3]
    within = gaussian_filter(tiny.ct.data.astype(float), 1)[:, axial_distance < 0.45 * 96]
    assert outside.mean() < 0.6 * within.min()
    assert tiny.ct.voxel_size_um == (2.3, 2.3, 2.3)
    # the levels leave room below the end of 16 bits
    assert tiny.ct.data.max() < 65535
