"""Tiny phantoms, and the continuous truth that one of them was drawn from."""

import numpy as np
import pytest

from napari_slagseg.phantom import LEVELS, PRESETS, make_phantom
from napari_slagseg.phantom.particles import FACES, SEEDS, Packing, pack
from napari_slagseg.phantom.presets import VOXEL_UM
from napari_slagseg.phantom.truth import ContinuousTruth

RADIUS = 0.47 * 96
"""Of the tiny phantoms' cylinder, in voxels."""


@pytest.fixture(scope="session")
def levels():
    """The same tiny phantom at every level of degradation, the last with one map more."""
    return {name: make_phantom("tiny", name, 0, n_maps=2 + (name == "extreme")) for name in LEVELS}


@pytest.fixture(scope="session")
def tiny(levels):
    return levels["easy"]


@pytest.fixture(scope="session")
def other():
    """Another seed."""
    return make_phantom("tiny", "easy", 1)


@pytest.fixture(scope="session")
def packed():
    """Packing of the tiny phantom: the first of the seed's three streams."""
    stream = np.random.SeedSequence([0, 0]).spawn(3)[0]
    return pack(PRESETS["tiny"], VOXEL_UM, RADIUS, np.random.default_rng(stream))


@pytest.fixture(scope="session")
def continuous(packed):
    """The truth that `tiny` is drawn from."""
    return ContinuousTruth.of(packed, PRESETS["tiny"].shape)


@pytest.fixture(scope="session")
def axial_distance():
    y, x = np.ogrid[:96, :96]
    return np.hypot(y - 47.5, x - 47.5)


@pytest.fixture(scope="session")
def packing_of():
    """Particles with given centres, faces and grains."""

    def make(particles):
        n = len(particles)
        packing = Packing(
            np.array([p["centre"] for p in particles], float),
            np.zeros(n),
            np.zeros((n, FACES, 3)),
            np.ones((n, FACES)),
            np.array([p.get("power", 0.0) for p in particles]),
            np.zeros((n, SEEDS, 3)),
            np.tile(np.eye(3), (n, SEEDS, 1, 1)),
            np.full((n, SEEDS), -1, dtype=np.int64),
        )
        for i, p in enumerate(particles):
            faces = len(p["distances"])
            packing.reach[i] = p["reach"]
            packing.normals[i, :faces] = p["normals"]
            packing.distances[i, :faces] = p["distances"]
            for g, (seed, phase) in enumerate(p["grains"]):
                packing.seeds[i, g], packing.seed_phase[i, g] = seed, phase
        return packing

    return make
