import numpy as np
import pytest

from napari_slagseg.registration import RegistrationSettings
from napari_slagseg.registration.rigid_cutouts import (
    Window,
    local_surface,
    points_within,
    refine,
    usable,
    windows,
)
from napari_slagseg.registration.surface import MapPoints, PolynomialSurface, flat_surface

S = RegistrationSettings()
WINDOW = Window(20, 40, 120, 120)


def bent(sag):
    surface = flat_surface((240, 240), 0.4, np.array([20.0, 64.0, 62.0]), 25.0, True)
    change = np.zeros((10, 3))
    change[3, 0], change[5, 0], change[7, 0] = sag, 0.5 * sag, 0.2 * sag
    return surface.plus(change)


@pytest.mark.parametrize("shape", [(1200, 1500), (414, 414), (214, 300), (80, 500)])
def test_windows_cover_the_map_and_overlap(shape):
    pixel = 1 / 2.3
    found = windows(shape, pixel, S)
    covered = np.zeros(shape, int)
    for w in found:
        assert w.row >= 0
        assert w.column >= 0
        covered[w.row : w.row + w.height, w.column : w.column + w.width] += 1
    assert covered.min() >= 1
    if min(shape) * pixel > 400:
        assert all(w.height == w.width == 414 for w in found)  # 180 voxels
    rows = np.unique([w.row for w in found])
    assert (np.diff(rows) <= found[0].height / 3 + 1).all()


def test_points_of_a_window_are_those_inside():
    rows, columns = (a.ravel() * 1.0 for a in np.mgrid[0:240:4, 0:240:4])
    points = MapPoints(rows, columns, np.ones((len(rows), 1)), np.ones(len(rows)))
    own = points_within(points, WINDOW)
    assert len(own.rows) == 30 * 30
    assert (own.rows.min(), own.rows.max()) == (20, 136)
    assert (own.columns.min(), own.columns.max()) == (40, 156)


def test_cutouts_need_known_pixels_and_particles():
    rows, columns = (a.ravel() * 1.0 for a in np.mgrid[0:40, 0:40])
    n = len(rows)
    solid = np.zeros((n, 1))
    solid[: n // 10] = 1.0
    points = MapPoints(rows, columns, solid, np.ones(n))
    everywhere = np.ones(n, bool)
    assert usable(points, everywhere, n, S)
    assert not usable(points, np.arange(n) < 0.5 * n, n, S)
    assert not usable(MapPoints(rows, columns, 0.4 * solid, np.ones(n)), everywhere, n, S)
    assert not usable(points, everywhere, 2 * n, S)


def test_a_surface_is_itself_in_a_windows_coordinates():
    surface = bent(4.0)
    local = local_surface(surface, WINDOW)
    rows, columns = (a.ravel() * 1.0 for a in np.mgrid[20:140:7, 40:160:7])
    np.testing.assert_allclose(local.at(rows, columns), surface.at(rows, columns), atol=1e-9)
    assert local.centre == (79.5, 99.5)
    np.testing.assert_allclose(local.coefficients[0], surface.at(np.array(79.5), np.array(99.5)))
    assert local.mirrored is surface.mirrored


def turned(surface, degrees, shift):
    """Rigidly moved: about the x axis through the surface's middle, then shifted."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    coefficients = surface.coefficients @ turn.T
    coefficients[0] = surface.coefficients[0] + shift
    return PolynomialSurface(coefficients, surface.centre, surface.half)


@pytest.mark.parametrize("sag", [0.0, 4.0])
def test_shift_and_rotation_of_a_curved_cutout_are_found(bare, texture, sag):
    """The curvature goes along, so that it is not taken for a displacement."""
    places = np.moveaxis(np.indices((40, 128, 128)), 0, -1) + 0.5
    ct = bare(texture(places))
    start = local_surface(bent(sag), WINDOW)
    true = turned(start, 1.5, (0.8, -1.2, 0.9))
    rows, columns = (a.ravel() * 1.0 for a in np.mgrid[21:140:2, 41:160:2])
    grey = texture(true.at(rows, columns))
    points = MapPoints(rows, columns, grey[:, None], np.ones(len(rows)))
    fit = refine(ct, ct.whole(1), points, start)
    assert np.linalg.norm(start.coefficients[0] - true.coefficients[0]) > 1.5
    np.testing.assert_allclose(fit.surface.coefficients[0], true.coefficients[0], atol=0.1)
    assert (
        np.linalg.norm(fit.surface.at(rows, columns) - true.at(rows, columns), axis=1).max() < 0.3
    )
    by_row, by_column = fit.surface.steps(np.array(79.5), np.array(99.5))
    assert np.linalg.norm(by_row) == pytest.approx(0.4, rel=0.005)
    assert np.linalg.norm(by_column) == pytest.approx(0.4, rel=0.005)
