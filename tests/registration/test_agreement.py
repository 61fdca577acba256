import numpy as np
import pytest

from napari_slagseg.registration.agreement import find_consensus
from napari_slagseg.registration.surface import flat_surface

SHAPE = (600, 600)


def cutouts(n):
    """Centres of n x n cutouts, and a plane they started from."""
    at = np.linspace(80, 520, n)
    rows, columns = (a.ravel() for a in np.meshgrid(at, at, indexing="ij"))
    return rows, columns, flat_surface(SHAPE, 0.4, np.array([50.0, 128.0, 128.0]), 10.0, False)


def displaced(surface, rows, columns, bend):
    u, v = surface.normalised(rows, columns)
    shift = np.stack([2 + 3 * u - v + bend * (u**2 + 0.5 * u * v), 1 - u, 0.5 + 0.5 * v], axis=-1)
    return surface.at(rows, columns) + shift


def worst(found, centres, rows, columns):
    return np.linalg.norm(found.at(rows, columns) - centres, axis=-1).max()


@pytest.mark.parametrize("n", [4, 6])
def test_a_quadratic_is_found_among_outliers(n):
    rows, columns, surface = cutouts(n)
    true = displaced(surface, rows, columns, 3.0)
    rng = np.random.default_rng(n)
    wrong = rng.choice(n * n, n * n // 4, replace=False)
    centres = true + rng.normal(0, 0.05, true.shape)
    centres[wrong] += rng.uniform(6, 25, (len(wrong), 3)) * rng.choice([-1, 1], (len(wrong), 3))
    found = find_consensus(surface, rows, columns, centres, np.full(n * n, 0.9), 1.5, 0)
    assert set(np.flatnonzero(~found.inliers)) == set(wrong)
    assert worst(found.surface, true, rows, columns) < 0.3
    np.testing.assert_allclose(
        found.residuals[wrong], np.linalg.norm(centres - true, axis=1)[wrong], atol=0.5
    )


def test_a_plane_comes_back_exactly():
    rows, columns, surface = cutouts(5)
    centres = displaced(surface, rows, columns, 0.0)
    found = find_consensus(surface, rows, columns, centres, np.full(25, 0.9), 1.5, 0)
    assert worst(found.surface, centres, rows, columns) < 1e-6
    assert found.inliers.all()


def test_poor_cutouts_weigh_less():
    """A quarter of the cutouts, all of low correlation, agree on another shift."""
    rows, columns, surface = cutouts(4)
    centres = surface.at(rows, columns)
    centres[:6] += (1.0, 0, 0)
    scores = np.full(16, 0.9)
    alike = find_consensus(surface, rows, columns, centres, scores, 1.5, 0)
    scores[:6] = 0.1
    poor = find_consensus(surface, rows, columns, centres, scores, 1.5, 0)
    off = [np.abs(f.surface.at(rows, columns) - surface.at(rows, columns)) for f in (alike, poor)]
    assert off[1].mean() < 0.3 * off[0].mean()


def test_one_cutout_is_a_shift():
    surface = flat_surface(SHAPE, 0.4, np.array([50.0, 128.0, 128.0]), 10.0, False)
    rows, columns = np.array([300.0]), np.array([200.0])
    centres = surface.at(rows, columns) + np.array([1.0, 2.0, 3.0])
    found = find_consensus(surface, rows, columns, centres, np.array([0.8]), 1.5, 0)
    np.testing.assert_allclose(
        found.surface.at(np.array(10.0), np.array(20.0))
        - surface.at(np.array(10.0), np.array(20.0)),
        (1, 2, 3),
        atol=1e-6,
    )


def test_a_locked_cutout_is_never_an_outlier_and_pulls_the_surface():
    rows, columns, surface = cutouts(5)
    centres = surface.at(rows, columns)
    centres[12] += (1.4, 0, 0)
    scores, firm = np.full(25, 0.9), np.arange(25) == 12
    plain = find_consensus(surface, rows, columns, centres, scores, 1.0, 0)
    held = find_consensus(surface, rows, columns, centres, scores, 1.0, 0, firm)
    assert not plain.inliers[12]
    assert held.inliers.all()
    assert plain.residuals[12] > 1.3
    assert held.residuals[12] < 0.5 * plain.residuals[12]
