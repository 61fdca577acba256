"""Probabilities move the way they must, and claim no more than was shown."""

import numpy as np
import pytest

from napari_slagseg.registration.confidence import (
    CERTAIN,
    cutout_probability,
    map_features,
    map_probability,
)


def test_more_correlation_and_a_clearer_lead_are_surer():
    scores = [map_probability(s, 1.3, 1.0, 300) for s in (0.3, 0.5, 0.7, 0.9)]
    ratios = [map_probability(0.6, r, 1.0, 300) for r in (1.0, 1.1, 1.3, 1.6)]
    assert scores == sorted(scores)
    assert ratios == sorted(ratios)
    assert ratios[0] < 0.1
    assert ratios[-1] > 0.9


def test_without_a_second_place_small_maps_need_more_correlation():
    """Wrong places of small maps reach correlations that large maps only reach in the right one."""
    assert map_probability(0.7, None, 1.0, 350) > 0.9
    assert map_probability(0.7, None, 1.0, 80) < 0.5
    assert map_features(0.7, np.inf, 1.0, 350) == map_features(0.7, None, 1.0, 350)


def test_a_prior_moves_the_odds_by_as_much():
    plain = map_probability(0.55, 1.2, 1.0, 300)
    more = map_probability(0.55, 1.2, 1.0, 300, np.log(4.0))
    assert more / (1 - more) == pytest.approx(4 * plain / (1 - plain))


def test_nothing_is_certain():
    assert map_probability(1.0, 9.0, 1.0, 400) == CERTAIN
    assert map_probability(0.0, 1.0, 0.0, 400) == pytest.approx(1 - CERTAIN)


@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [
        ({}, 0.9, 1.0),
        ({"residual": 1.5}, 0.0, 0.89),
        ({"step": 3.0}, 0.0, 0.89),
        ({"uncertainty": 1.5}, 0.0, 0.89),
    ],
)
def test_cutouts_off_the_surface_cracked_or_uncertain_are_not_good(changes, low, high):
    sound = {"relative": 1.0, "residual": 0.05, "step": 0.0, "uncertainty": 0.3}
    assert low <= cutout_probability(**(sound | changes)) <= high
