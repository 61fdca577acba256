"""Small problems that a network can learn, with truth on a few planes as maps give it."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_slagseg.data import GroundTruth, Phase, PhaseTable, Volume

TABLE = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "target", "#d55e00"),
        Phase(2, "rest", "#56b4e9"),
    ),
    target="target",
)
GREYS = np.array([8000, 24000, 40000])


def sparse_truth(phases, planes, table=TABLE, axis=0):
    """Truth of whole planes of a dense phase volume, as placed maps would give it."""
    known = np.zeros(phases.shape, dtype=bool)
    np.moveaxis(known, axis, 0)[list(planes)] = True
    voxels = np.flatnonzero(known)
    found = phases.reshape(-1)[voxels]
    n = len(voxels)
    return GroundTruth(
        shape=phases.shape,
        voxels=voxels,
        phases=found.astype(np.int16),
        particles=(found > 0).astype(np.int32),
        foreground=(found > 0).astype(np.int8),
        phase_weights=np.ones(n, dtype=np.float32),
        particle_weights=np.where(found > 0, 0.04, 0.013).astype(np.float32),
        map_index=np.zeros(n, dtype=np.int16),
        cutout_index=np.zeros(n, dtype=np.int16),
        table=table,
        map_names=("map",),
    )


def blobs(shape, seed, noise=2500):
    """CT and phases of round grains of two greys in a darker ground."""
    rng = np.random.default_rng(seed)
    solid = gaussian_filter(rng.standard_normal(shape), 3)
    kind = gaussian_filter(rng.standard_normal(shape), 5)
    phases = np.where(solid > 0.25 * solid.std(), np.where(kind > 0, 1, 2), 0)
    grey = GREYS[phases] + rng.normal(0, noise, shape)
    return Volume(grey.clip(0, 65535).astype(np.uint16), (2.0, 2.0, 2.0)), phases.astype(np.uint8)


@pytest.fixture(scope="session")
def problem():
    """`blobs` and `sparse_truth`, for tests that want their own sizes."""
    return blobs, sparse_truth


@pytest.fixture(scope="session")
def little():
    """CT (24, 24, 24), training truth on three planes, validation truth on one."""
    ct, phases = blobs((24, 24, 24), seed=5)
    return ct, sparse_truth(phases, (4, 11, 18)), sparse_truth(phases, (14,))


@pytest.fixture(scope="session")
def phase_table():
    return TABLE
