"""What is accepted, at the default thresholds."""

import re
from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.data import Cutout, PlacementSurface
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


def test_probability_alone_decides():
    assert reasons_to_refuse(S.accept_probability, 0.4, 1.01, 1.0, 400, S) == []
    assert reasons_to_refuse(S.accept_probability - 0.01, 0.9, 2.0, 1.0, 400, S)


@pytest.mark.parametrize(
    ("score", "ratio", "share", "extent", "kind", "words"),
    [
        (0.31, 1.9, 1.0, 400, "correlation", "correlation with the CT is 0.31"),
        (0.62, 1.07, 1.0, 400, "second_place", "second place.*ratio 1.07"),
        (0.62, 1.9, 0.1, 400, "cutouts", "only 10% of its cutouts"),
        (0.62, 1.9, 1.0, 90, "small", "only 90 voxels across"),
        (0.62, 1.9, 1.0, 400, "doubt", "too little speaks"),
        (0.62, None, 1.0, 400, "doubt", "too little speaks"),
    ],
)
def test_a_refusal_names_the_numbers(score, ratio, share, extent, kind, words):
    reasons = reasons_to_refuse(0.2, score, ratio, share, extent, S)
    assert [r.kind for r in reasons] == [kind, "probability"]
    assert re.search(words, refusal(reasons))
    assert "probability of 0.2" in refusal(reasons)
    assert "landmarks" in refusal(reasons)
    assert "Exchanged?" in refusal(reasons, "Exchanged?")


def cutout(state="accepted", step=0.0):
    return Cutout(0, 0, 9, 9, (1, 2, 3), (0, 1, 0), (0, 0, 1), 0.9, state, step_voxels=step)


def lattice(doubt):
    axis = np.linspace(0, 9, 4)
    return PlacementSurface(axis, axis, np.zeros((4, 4, 3)), np.full((4, 4), doubt))


def test_a_sure_map_comes_without_a_warning():
    assert warning_for(0.999, fit(0.9), lattice(0.3), 400, [cutout()] * 5, S) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probability": 0.95}, "probability of 0.95 only"),
        ({"probability": 0.95, "extent": 100}, r"small \(100 voxels across\)"),
        ({"fit": replace(fit(0.9), coverage=0.45)}, "only 45% of the map lies inside the CT"),
        ({"cutouts": [cutout()] * 3 + [cutout("rejected")] * 2}, "2 of 5 cutouts were rejected"),
        ({"cutouts": [cutout()] * 5 + [cutout("accepted", 7.2)]}, "step of up to 7 voxels"),
        ({"surface": lattice(2.2)}, "uncertain by 2.2 voxels"),
    ],
)
def test_a_degraded_map_comes_with_a_warning_that_says_what_is_uncertain(changes, words):
    values = {
        "probability": 0.999, "fit": fit(0.9), "surface": lattice(0.3), "extent": 400,
        "cutouts": [cutout()] * 5, "settings": S,
    } | changes  # fmt: skip
    assert re.search(words, warning_for(**values))
