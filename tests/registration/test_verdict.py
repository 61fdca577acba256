"""What is accepted, at the default thresholds."""

import re
from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.registration import RegistrationSettings
from napari_slagseg.registration.surface import SurfaceFit, flat_surface
from napari_slagseg.registration.verdict import (
    distinct_places,
    ratio_to_second,
    reasons_to_refuse,
    refusal,
    warning_for,
)

S = RegistrationSettings()


def fit(score, z=50.0, angle=0.0, mirrored=False):
    surface = flat_surface((400, 400), 0.4, np.array([z, 80.0, 80.0]), angle, mirrored)
    return SurfaceFit(surface, score, np.zeros(1), 1.0, 1.0)


def test_the_second_place_is_another_place():
    near = [fit(0.9), fit(0.88, z=55.0), fit(0.87, angle=4.0), fit(0.45, z=110.0)]
    assert ratio_to_second(near, 8) == pytest.approx(2.0)
    assert ratio_to_second([fit(0.9), fit(0.6, mirrored=True)], 8) == pytest.approx(1.5)
    assert ratio_to_second([fit(0.9, angle=359.0), fit(0.6, angle=30.0)], 8) == pytest.approx(1.5)


def test_what_lies_outside_counts_as_unexplained():
    """A sliver that matches well does not stand above a whole map that matches."""
    sliver, whole = replace(fit(0.8, z=90.0), coverage=0.3), fit(0.6)
    assert distinct_places([sliver, whole], 8) == [whole, sliver]
    assert ratio_to_second([sliver, whole], 8) == pytest.approx(0.6 / (0.8 * np.sqrt(0.3)))


def test_no_second_place_is_no_doubt_and_no_place_is_no_ratio():
    assert ratio_to_second([fit(0.9), fit(0.89, z=52.0)], 8) == np.inf
    assert ratio_to_second([fit(0.9)], 8) == np.inf
    assert ratio_to_second([], 8) == 0.0


def test_a_good_map_is_accepted():
    assert reasons_to_refuse(S.sure_score, 2.0, 1.0, 400, S) == []
    assert reasons_to_refuse(S.sure_score, np.inf, 1.0, 400, S) == []


@pytest.mark.parametrize(
    ("score", "ratio", "share", "words"),
    [
        (0.31, 1.9, 1.0, f"correlation with the CT is 0.31.*{S.accept_score}"),
        (0.62, 1.07, 1.0, f"second place.*ratio 1.07, at least {S.accept_ratio}"),
        (0.62, 1.9, 0.1, "only 10% of its cutouts"),
    ],
)
def test_a_refusal_names_the_numbers(score, ratio, share, words):
    reasons = reasons_to_refuse(score, ratio, share, 400, S)
    assert len(reasons) == 1
    assert re.search(words, refusal(reasons))
    assert "landmarks" in refusal(reasons)


def test_without_a_second_place_more_correlation_is_asked_for():
    score = (S.accept_score + S.lone_score) / 2
    assert reasons_to_refuse(score, np.inf, 1.0, 400, S)
    assert not reasons_to_refuse(score, S.accept_ratio + 0.01, 1.0, 400, S)


def test_small_maps_need_more():
    score = (S.accept_score + S.small_map_score) / 2
    assert not reasons_to_refuse(score, 2.0, 1.0, 400, S)
    (reason,) = reasons_to_refuse(score, 2.0, 1.0, 90, S)
    assert f"at least {S.small_map_score} is needed for a map of only 90 voxels" in reason
    assert not reasons_to_refuse(S.small_map_score, 2.0, 1.0, 90, S)


def test_small_maps_are_accepted_with_a_warning():
    assert "100 voxels across" in warning_for(0.7, 100, S)
    assert warning_for(0.7, 300, S) == ""
    assert warning_for(0.95, 100, S) == ""
