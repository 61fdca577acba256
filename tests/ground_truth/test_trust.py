import numpy as np
import pytest
from scipy.special import erf

from napari_slagseg.ground_truth import build_ground_truth
from napari_slagseg.ground_truth.build import TruthSettings
from napari_slagseg.ground_truth.trust import border_trust


def halves(shape=(9, 40), at=20):
    labels = np.zeros(shape, dtype=np.int16)
    labels[:, at:] = 1
    return labels


def test_trust_beside_a_straight_boundary_is_the_formula():
    s = 1.5
    trust = border_trust(halves(), np.full((9, 40), s * np.sqrt(3)))
    distance = np.abs(np.arange(40) - 19.5)
    assert trust[4] == pytest.approx(erf(distance / (np.sqrt(2) * s)), abs=1e-5)


def test_trust_is_how_much_better_than_a_guess_a_shifted_map_is():
    """The map shifted many times by as much as it is uncertain."""
    s, rng = 2.0, np.random.default_rng(0)
    columns = np.arange(40)
    shifts = rng.normal(0, s, 20_000)
    shown = (columns[None, :] + shifts[:, None]) > 19.5
    right = (shown == (columns > 19.5)).mean(axis=0)
    trust = border_trust(halves(), np.full((9, 40), s * np.sqrt(3)))[4]
    assert trust == pytest.approx(2 * right - 1, abs=0.03)


def test_where_nothing_is_uncertain_labels_are_left_as_they_are():
    doubt = np.full((9, 40), np.nan)
    doubt[:, :5] = 0
    assert np.all(border_trust(halves(), doubt) == 1)
    assert np.all(border_trust(np.full((5, 5), -1), np.ones((5, 5))) == 1)
    assert np.all(border_trust(np.ones((5, 5), int), np.ones((5, 5))) == 1)


def test_unknown_pixels_make_no_boundary():
    labels = halves()
    labels[3:6, 5:9] = -1
    assert border_trust(labels, np.ones((9, 40)))[4, 3] == pytest.approx(1)


def test_ground_truth_weighs_less_beside_boundaries_only_where_asked(flat_cut):
    plain = build_ground_truth(*flat_cut)
    careful = build_ground_truth(*flat_cut, settings=TruthSettings(trust_borders=True))
    np.testing.assert_array_equal(plain.voxels, careful.voxels)
    np.testing.assert_array_equal(plain.phases, careful.phases)
    assert np.all(plain.phase_weights == 1)
    column = plain.zyx()[:, 2]
    boundary = flat_cut[0][2] / 2 - 0.5
    distance = np.abs(column - boundary)
    expected = erf(distance / (np.sqrt(2) * 1.2 / np.sqrt(3)))
    assert careful.phase_weights == pytest.approx(expected, abs=1e-4)
    of_particles = careful.foreground == 1
    totals = [careful.particle_weights[k].sum() for k in (of_particles, careful.foreground == 0)]
    assert totals[0] == pytest.approx(totals[1], rel=1e-4)
