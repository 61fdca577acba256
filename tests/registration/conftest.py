"""Phantoms with exact truth, and volumes that are formulas."""

import numpy as np
import pytest

from napari_slagseg.data import Volume
from napari_slagseg.phantom import make_phantom
from napari_slagseg.registration import RegistrationSettings, place_map, prepare_ct
from napari_slagseg.registration.pyramid import PreparedCT
from napari_slagseg.registration.rings import RingModel


@pytest.fixture(scope="session")
def easy():
    return make_phantom("tiny", "easy", 0)


@pytest.fixture(scope="session")
def easy_ct(easy):
    return prepare_ct(easy.ct)


@pytest.fixture(scope="session")
def hints():
    """What a user who knows a map's pose could say of it: narrow hints, quick searches."""

    def of(cut):
        rows, columns = cut.mineral_map.shape
        centre = cut.coordinates[rows // 2, columns // 2]
        by_column = cut.coordinates[rows // 2, -1] - cut.coordinates[rows // 2, 0]
        return {
            "height_window": (float(centre[0]) - 6, float(centre[0]) + 6),
            "angle_deg": float(np.degrees(np.arctan2(by_column[1], by_column[2]))),
            "mirror": "yes" if cut.mirrored else "no",
        }

    return of


@pytest.fixture(scope="session")
def placed_blindly(easy, easy_ct):
    """A map of the easy phantom, placed with nothing known."""
    return place_map(easy_ct, easy.maps[1].mineral_map)


@pytest.fixture(scope="session")
def bare():
    """A prepared CT whose grey values are left as they are: no rings, no cylinder, no scaling."""

    def make(data, voxel_size_um=(1.0, 1.0, 1.0), settings=None):
        volume = Volume(np.asarray(data, np.float32), voxel_size_um)
        unit = float(np.sqrt(volume.voxel_size_um[1] * volume.voxel_size_um[2]))
        rings = RingModel(np.zeros((2, 2), np.float32), 1.0, (0.0, 0.0), np.inf)
        return PreparedCT(volume, settings or RegistrationSettings(), unit, rings, 1.0)

    return make


@pytest.fixture(scope="session")
def texture():
    """A smooth function of lengths (z, y, x), unlike itself anywhere else."""
    rng = np.random.default_rng(3)
    waves = rng.normal(size=(12, 3))
    waves *= (2 * np.pi / rng.uniform(14, 40, (12, 1))) / np.linalg.norm(
        waves, axis=1, keepdims=True
    )
    phases = rng.uniform(0, 2 * np.pi, 12)

    def at(zyx):
        return np.sin(np.asarray(zyx) @ waves.T + phases).sum(-1) / np.sqrt(12)

    return at
