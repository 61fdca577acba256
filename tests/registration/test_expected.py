"""Maps of one sample: roughly parallel, often in order; a prior and not a rule."""

import numpy as np
import pytest

from napari_slagseg.registration.expected import Expected, expected_for, slopes_of
from napari_slagseg.registration.surface import SurfaceFit, flat_surface

HEIGHTS = (0.0, 200.0)


def plane(z, slopes=(0.0, 0.0), mirrored=False, angle=30.0):
    return flat_surface((400, 400), 0.4, np.array([z, 80.0, 80.0]), angle, mirrored, slopes)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0.0, 77.0, 200.0])
def test_slopes_do_not_depend_on_how_the_map_lies(mirrored, angle):
    assert slopes_of(plane(50.0, (0.08, -0.05), mirrored, angle)) == pytest.approx(
        (0.08, -0.05), abs=1e-6
    )


def test_nothing_is_expected_without_other_maps():
    assert expected_for(1, [], HEIGHTS) is None


def test_parallel_cuts_are_likelier():
    expected = expected_for(2, [(0, plane(40, (0.1, 0.0))), (1, plane(90, (0.12, 0.0)))], HEIGHTS)
    like = expected.log_odds(plane(140, (0.11, 0.0)))
    tilted = expected.log_odds(plane(140, (-0.08, 0.0)))
    assert like > 1.5
    assert tilted < like - 3
    assert tilted > -5  # never ruled out


def test_order_is_a_prior_too():
    placed = [(0, plane(160)), (2, plane(60))]
    expected = expected_for(1, placed, HEIGHTS)
    assert expected.heights == (60.0, 160.0)
    assert expected.log_odds(plane(100)) > expected.log_odds(plane(190)) + 1.5
    above = expected_for(3, placed, HEIGHTS)
    assert above.heights == (0.0, 60.0)


def test_maps_out_of_order_say_nothing_of_heights():
    placed = [(0, plane(60)), (1, plane(160)), (2, plane(100))]
    assert expected_for(3, placed, HEIGHTS).heights is None
    assert expected_for(1, [(0, plane(60))], HEIGHTS).heights is None


def test_likely_places_come_first_but_a_far_better_fit_wins():
    expected = Expected((0.0, 0.0), None, HEIGHTS)
    fits = [
        SurfaceFit(plane(50.0, slopes), score, np.zeros(1), 1.0, 1.0)
        for slopes, score in (((0.15, 0.0), 0.45), ((0.0, 0.0), 0.42), ((0.15, 0.1), 0.95))
    ]
    assert [f.score for f in expected.sorted(fits)] == [0.95, 0.42, 0.45]
