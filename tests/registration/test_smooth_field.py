"""Kriging: exact where it must be, and honest about what it does not know."""

import numpy as np
import pytest

from napari_slagseg.registration.smooth_field import fit_smooth_field

EDGE = 96.0


def grid(n=7, size=600.0):
    at = np.linspace(60, size - 60, n)
    return np.stack(np.meshgrid(at, at, indexing="ij"), axis=-1).reshape(-1, 2)


def bump(at, height=0.8):
    """Smooth, and no polynomial of order three."""
    r2 = ((at - (240.0, 330.0)) ** 2).sum(axis=1)
    return np.stack([height * np.exp(-r2 / (2 * 110.0**2)), 0 * r2, 0 * r2], axis=1)


def fitted(at, values, deviations, **more):
    return fit_smooth_field(
        at, values, deviations, EDGE, middle=np.array([300.0, 300.0]), half=300.0, **more
    )


def test_a_smooth_bump_is_followed_between_the_windows():
    at = grid()
    field = fitted(at, bump(at), np.full((49, 3), 0.05))
    between = grid(6, 560.0)
    mean, deviation = field.predict(between)
    assert np.abs(mean - bump(between)).max() < 0.1
    assert np.all(deviation > 0)


def test_scatter_is_smoothed_and_no_signal_is_made_of_it():
    rng = np.random.default_rng(0)
    at = grid(9)
    noise = rng.normal(0, 0.5, (81, 3))
    mean, _ = fitted(at, noise, np.full((81, 3), 0.5)).predict(at)
    assert np.sqrt(np.mean(mean**2)) < 0.2


def test_a_few_windows_far_off_do_not_bend_the_field():
    rng = np.random.default_rng(1)
    at = grid()
    values = bump(at) + rng.normal(0, 0.05, (49, 3))
    wrong = rng.choice(49, 5, replace=False)
    values[wrong] += rng.choice([-1, 1], (5, 3)) * rng.uniform(1.5, 2.5, (5, 3))
    mean, _ = fitted(at, values, np.full((49, 3), 0.1)).predict(at)
    assert np.linalg.norm(mean - bump(at), axis=1).max() < 0.45
    assert np.median(np.linalg.norm(mean - bump(at), axis=1)) < 0.1


def test_the_stated_deviation_is_that_of_the_error():
    """Many fields drawn, each measured with noise: errors over stated deviations."""
    rng = np.random.default_rng(2)
    at, there = grid(), grid(5, 580.0)
    ratios = []
    for _ in range(12):
        waves = rng.normal(0, 1 / 130.0, (6, 2))
        phase, size = rng.uniform(0, 2 * np.pi, 6), rng.normal(0, 0.15, (6, 3))

        def true(points, waves=waves, phase=phase, size=size):
            return np.sin(points @ waves.T + phase) @ size

        values = true(at) + rng.normal(0, 0.1, (49, 3))
        mean, deviation = fitted(at, values, np.full((49, 3), 0.1)).predict(there)
        ratios.append((mean - true(there)) / deviation)
    assert 0.5 < np.sqrt(np.mean(np.square(ratios))) < 1.6


def test_uncertainty_grows_away_from_the_windows():
    at = grid()[:20]
    field = fitted(at, bump(at), np.full((20, 3), 0.1))
    _, deviation = field.predict(np.array([[100.0, 300.0], [560.0, 300.0]]))
    assert np.all(deviation[1] > 2 * deviation[0])


def test_windows_that_share_pixels_count_for_less():
    """The same window nine times says no more than once."""
    at = np.repeat(grid(4), 9, axis=0)
    alone = fitted(grid(4), np.zeros((16, 3)), np.full((16, 3), 0.3))
    often = fitted(at, np.zeros((144, 3)), np.full((144, 3), 0.3))
    where = np.array([[300.0, 300.0]])
    assert often.predict(where)[1][0] == pytest.approx(alone.predict(where)[1][0], rel=0.35)
