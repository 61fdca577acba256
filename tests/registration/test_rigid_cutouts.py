import numpy as np
import pytest

from napari_slagseg.registration import RegistrationSettings
from napari_slagseg.registration.rigid_cutouts import (
    RIGID_TOLERANCE,
    Window,
    fields_of,
    indices_within,
    local_surface,
    refine,
    usable,
    windows,
)
from napari_slagseg.registration.surface import (
    MapPoints,
    PolynomialSurface,
    fit_surface,
    flat_surface,
)

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
    own = indices_within(points, WINDOW)
    assert len(own) == 30 * 30
    assert (rows[own].min(), rows[own].max()) == (20, 136)
    assert (columns[own].min(), columns[own].max()) == (40, 156)


def test_windows_of_a_stitched_map_stay_inside_its_fields():
    shape, field = (1000, 1300), (400, 450)
    fields = fields_of(shape, field)
    assert len(fields) == 3 * 3
    assert sum(f.height * f.width for f in fields) == shape[0] * shape[1]
    for w in windows(shape, 1 / 2.3, S, field):
        holders = [
            f for f in fields
            if f.row <= w.row and w.row + w.height <= f.row + f.height
            and f.column <= w.column and w.column + w.width <= f.column + f.width
        ]  # fmt: skip
        assert len(holders) == 1


def test_cutouts_need_known_pixels_and_particles():
    rows, columns = (a.ravel() * 1.0 for a in np.mgrid[0:40, 0:40])
    n = len(rows)
    every, window = np.arange(n), Window(0, 0, 40, 40)
    solid = np.zeros((n, 1))
    solid[: n // 10] = 1.0
    points = MapPoints(rows, columns, solid, np.ones(n))
    everywhere = np.ones(n, bool)
    assert usable(points, every, everywhere, window, S)
    assert not usable(points, every, every < 0.5 * n, window, S)
    few = MapPoints(rows, columns, 0.4 * solid, np.ones(n))
    assert not usable(few, every, everywhere, window, S)
    assert not usable(points, every, everywhere, Window(0, 0, 80, 40), S)
    # each point stands for two pixels
    thinned = MapPoints(rows, columns, solid, np.ones(n), 2.0)
    assert usable(thinned, every, everywhere, Window(0, 0, 80, 40), S)


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
    (fit,) = refine(ct, ct.whole(1), points, [(WINDOW, start)])
    assert np.linalg.norm(start.coefficients[0] - true.coefficients[0]) > 1.5
    np.testing.assert_allclose(fit.surface.coefficients[0], true.coefficients[0], atol=0.1)
    assert (
        np.linalg.norm(fit.surface.at(rows, columns) - true.at(rows, columns), axis=1).max() < 0.3
    )
    by_row, by_column = fit.surface.steps(np.array(79.5), np.array(99.5))
    assert np.linalg.norm(by_row) == pytest.approx(0.4, rel=0.005)
    assert np.linalg.norm(by_column) == pytest.approx(0.4, rel=0.005)


def test_the_compiled_fits_are_the_plain_ones(bare, texture):
    """Against `fit_surface`, which does the same with numpy."""
    places = np.moveaxis(np.indices((40, 128, 128)), 0, -1) + 0.5
    rng = np.random.default_rng(0)
    ct = bare(texture(places) + rng.normal(0, 0.3, (40, 128, 128)))
    rows, columns = (a.ravel() * 1.0 for a in np.mgrid[0:240:4, 0:240:4])
    surface = bent(3.0)
    grey = texture(surface.at(rows, columns))
    fractions = np.stack([np.clip(grey, 0, None), np.clip(-grey, 0, None) ** 2], axis=1)
    points = MapPoints(rows, columns, fractions, rng.uniform(0.5, 1, len(rows)))
    pieces = []
    for window in (WINDOW, Window(60, 20, 120, 120), Window(100, 110, 120, 120)):
        moved = np.zeros((10, 3))
        moved[0] = rng.normal(0, 0.8, 3)
        pieces.append((window, local_surface(surface, window).plus(moved)))
    for (window, start), fit in zip(pieces, refine(ct, ct.whole(1), points, pieces)):
        own = indices_within(points, window)
        part = MapPoints(rows[own], columns[own], fractions[own], points.known[own])
        length = float(np.linalg.norm(start.coefficients[1:3], axis=1).mean())
        plain = fit_surface(
            ct, ct.whole(1), part, start, length / start.half,
            order=1, iterations=10, tolerance=RIGID_TOLERANCE,
        )  # fmt: skip
        np.testing.assert_allclose(fit.surface.coefficients, plain.surface.coefficients, atol=1e-5)
        assert fit.score == pytest.approx(plain.score, abs=1e-6)
        assert np.all(np.linalg.eigvalsh(fit.covariance) > 0)
