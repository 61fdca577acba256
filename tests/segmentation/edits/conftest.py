import numpy as np
import pytest


def _balls(shape, *centres_and_radii):
    grid = np.indices(shape).astype(float)
    inside = np.zeros(shape, dtype=bool)
    for centre, radius in centres_and_radii:
        inside |= ((grid - np.array(centre)[:, None, None, None]) ** 2).sum(0) <= radius**2
    return inside


@pytest.fixture(scope="session")
def balls():
    """Mask of balls: `balls(shape, (centre, radius), ...)`."""
    return _balls


@pytest.fixture
def dumbbell(balls):
    """Particle 5: balls of radius 10 at x = 12 and 29, merged; by symmetry cut at x = 20.5."""
    labels = np.where(balls((25, 25, 42), ((12, 12, 12), 10), ((12, 12, 29), 10)), 5, 0)
    return labels.astype(np.uint32)
