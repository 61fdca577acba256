"""Fits against a CT that is a formula, so that the true surface is known exactly."""

from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.registration.surface import (
    MapPoints,
    fit_surface,
    flat_surface,
)

PIXEL = 0.5
SHAPE = (160, 200)
VOLUME = (40, 128, 128)


@pytest.fixture(scope="module")
def textured(bare, texture):
    places = np.moveaxis(np.indices(VOLUME), 0, -1) + 0.5
    return bare(texture(places))


def true_surface(mirrored=False, tilt=(0.0, 0.0), sag=0.0):
    surface = flat_surface(SHAPE, PIXEL, np.array([20.0, 64.0, 62.0]), 25.0, mirrored, tilt)
    change = np.zeros((6, 3))
    change[3, 0], change[5, 0] = sag, 0.6 * sag
    return surface.plus(change)


def points_on(surface, texture, known=None):
    """A map with one phase, whose share is the CT's own grey value."""
    rows, columns = (a.ravel() for a in np.mgrid[1 : SHAPE[0] : 2, 1 : SHAPE[1] : 2] * 1.0)
    grey = texture(surface.at(rows, columns))
    return MapPoints(rows, columns, grey[:, None], np.ones(len(rows)) if known is None else known)


def worst(found, true):
    rows, columns = np.meshgrid(np.linspace(0, 159, 9), np.linspace(0, 199, 9), indexing="ij")
    return np.linalg.norm(found.at(rows, columns) - true.at(rows, columns), axis=-1).max()


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_offset_is_found(textured, texture, mirrored):
    true = true_surface(mirrored)
    start = true.plus(np.array([[1.5, -2.0, 1.0]]))
    fit = fit_surface(textured, textured.whole(1), points_on(true, texture), start, PIXEL, order=0)
    assert worst(start, true) > 2.5
    assert worst(fit.surface, true) < 0.05
    assert fit.score > 0.99
    assert fit.coverage == 1.0
    assert fit.greys[0] == pytest.approx(1.0, abs=0.03)


def test_tilt_and_angle_are_found(textured, texture):
    true = true_surface(tilt=(0.05, -0.08))
    start = flat_surface(SHAPE, PIXEL, np.array([20.5, 63.0, 62.5]), 23.5, False)
    fit = fit_surface(textured, textured.whole(1), points_on(true, texture), start, PIXEL, order=1)
    assert worst(start, true) > 4
    assert worst(fit.surface, true) < 0.15
    assert fit.surface.angle_deg == pytest.approx(true.angle_deg, abs=0.1)
    assert fit.surface.tilt_deg == pytest.approx(true.tilt_deg, abs=0.1)


def test_sag_is_found_by_second_order(textured, texture):
    true = true_surface(sag=3.0)
    start = true_surface()
    points = points_on(true, texture)
    flat = fit_surface(textured, textured.whole(1), points, start, PIXEL, order=1)
    bent = fit_surface(textured, textured.whole(1), points, start, PIXEL, order=2)
    assert worst(flat.surface, true) > 1
    assert worst(bent.surface, true) < 0.2
    assert bent.score > flat.score


def test_a_pixel_size_one_per_cent_off_is_found(textured, texture):
    true = true_surface()
    start = flat_surface(SHAPE, PIXEL * 1.01, np.array([20.0, 64.0, 62.0]), 25.0, False)
    fit = fit_surface(
        textured, textured.whole(1), points_on(true, texture), start, PIXEL * 1.01, order=1
    )
    assert worst(fit.surface, true) < 0.1


def test_grey_values_are_free(textured, texture):
    """Phases with any grey values, upside down even, on top of slopes and cupping."""
    true = true_surface()
    points = points_on(true, texture)
    grey = points.fractions[:, 0]
    two = np.stack([np.maximum(grey, 0), np.minimum(grey, 0)], axis=1) * (-1 / 40, 1 / 7)
    start = true.plus(np.array([[1.0, 1.0, -1.0]]))
    fit = fit_surface(
        textured, textured.whole(1), replace(points, fractions=two), start, PIXEL, order=0
    )
    assert worst(fit.surface, true) < 0.05
    np.testing.assert_allclose(fit.greys, (-40, 7), rtol=0.05)


def test_wrong_areas_do_not_pull(textured, texture):
    """A quarter of the map is some other place: robust weights leave it out."""
    true = true_surface()
    points = points_on(true, texture)
    wrong = points.rows > 0.75 * SHAPE[0]
    grey = points.fractions.copy()
    grey[wrong] = texture(true.at(points.rows, points.columns)[wrong] + (9.0, 5.0, -7.0))[:, None]
    start = true.plus(np.array([[1.0, -1.0, 1.0]]))
    fit = fit_surface(
        textured, textured.whole(1), replace(points, fractions=grey), start, PIXEL, order=0
    )
    assert worst(fit.surface, true) < 0.25


def test_a_start_outside_of_the_ct_has_no_score(textured, texture):
    true = true_surface()
    start = true.plus(np.array([[0.0, 300.0, 0.0]]))
    fit = fit_surface(textured, textured.whole(1), points_on(true, texture), start, PIXEL, order=1)
    assert fit.score == 0.0
    assert fit.coverage == 0.0


@pytest.mark.parametrize("mirrored", [False, True])
def test_flat_surface_keeps_sizes_and_handedness(mirrored):
    surface = flat_surface(SHAPE, PIXEL, np.array([5.0, 6.0, 7.0]), -140.0, mirrored, (0.1, -0.2))
    np.testing.assert_allclose(surface.at(np.array(79.5), np.array(99.5)), (5, 6, 7))
    by_row, by_column = surface.steps(np.array(10.0), np.array(20.0))
    assert np.linalg.norm(by_row) == pytest.approx(PIXEL)
    assert np.linalg.norm(by_column) == pytest.approx(PIXEL)
    assert by_row @ by_column == pytest.approx(0, abs=1e-12)
    # both directions lie in the plane z = 0.1 y - 0.2 x
    for step in (by_row, by_column):
        assert step[0] == pytest.approx(0.1 * step[1] - 0.2 * step[2])
    assert surface.mirrored is mirrored
    assert surface.tilt_deg == pytest.approx(np.degrees(np.arctan(np.hypot(0.1, 0.2))))
