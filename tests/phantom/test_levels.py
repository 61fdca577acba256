"""Easy, medium, hard, extreme: each is worse in what comes out, not only in its settings."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, gaussian_laplace

from napari_slagseg.phantom import LEVELS
from napari_slagseg.phantom.ct import GREY_RANGE


@pytest.fixture(scope="session")
def measured(levels, axial_distance):
    """Name of a fault to its size at every level, easiest first."""
    found = {}
    for name, phantom in levels.items():
        for fault, value in {
            **of_ct(phantom, axial_distance),
            **of_maps(phantom.maps),
        }.items():
            found.setdefault(fault, []).append(value)
        assert len(set(map(len, found.values()))) == 1, name
    return found


def of_ct(phantom, r):
    grey = phantom.ct.data.astype(float) / GREY_RANGE
    epoxy = binary_erosion(phantom.particles == 0, iterations=3) & (r < 43)
    both = epoxy[:-1] & epoxy[1:]
    # rings and hardening are alike in neighbouring planes, noise is not
    both[23] = both[47] = False
    noise = np.diff(grey, axis=0)[both].std() / np.sqrt(2)
    # where the particles end, what is left of the edge; the mean over many drowns the noise
    edge = -gaussian_laplace(grey, 1.0)
    rim = (phantom.particles > 0) & ~binary_erosion(phantom.particles > 0)
    # rings change from slab to slab: the first has them in full, all together hide them
    radii = np.arange(8, 43)
    rings, all_planes = (
        np.array([g[e & (r.astype(int) == n)].mean() for n in radii])
        for g, e in ((grey[:24], epoxy[:24]), (grey, epoxy))
    )
    return {
        "noise": noise,
        "blur": -edge[rim].mean(),
        "beam hardening": np.polyfit(radii**2, all_planes, 1)[0],
        "rings": np.diff(rings).std(),
    }


def of_maps(maps):
    share = {"torn": [0, 0], "mislabelled": [0, 0], "unknown": [0, 0], "outside": [0, 0]}
    for m in maps:
        seen = m.mineral_map.phases
        inner = binary_erosion(m.phases > 0, iterations=3)
        torn = [
            np.all(seen[m.particles == n] == 0) for n in np.unique(m.particles[m.particles > 0])
        ]
        there = np.where(m.particles > 0, seen, 0) != 0
        inner &= there
        background = m.phases == 0
        for fault, hits in {
            "torn": np.array(torn),
            "mislabelled": (seen != m.phases)[inner & (seen > 0)],
            "unknown": (seen < 0)[inner],
            "outside": (seen > 0)[background],
        }.items():
            share[fault][0] += hits.sum()
            share[fault][1] += hits.size
    return {fault: hits / total for fault, (hits, total) in share.items()} | {
        "tilt": max(m.tilt_deg for m in maps),
        "sag": max(m.sag_voxels for m in maps),
        "error of the pixel size": max(abs(m.true_pixel_um - 1) for m in maps),
    }


FAULTS = [
    "noise",
    "blur",
    "beam hardening",
    "rings",
    "torn",
    "mislabelled",
    "unknown",
    "outside",
    "tilt",
    "sag",
    "error of the pixel size",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_level_is_worse_than_the_one_before(measured, fault):
    easy_to_extreme = measured[fault]
    assert len(easy_to_extreme) == 4
    if fault == "torn":
        # a map of the tiny phantom has about 20 particles: 2 % may be none
        assert easy_to_extreme == sorted(easy_to_extreme)
        assert easy_to_extreme[0] < 0.1 < easy_to_extreme[2] < easy_to_extreme[3]
    else:
        assert np.all(np.diff(easy_to_extreme) > 0), easy_to_extreme


def test_shares_of_the_faults_are_near_those_stated(measured):
    levels = list(LEVELS.values())
    for got, level in zip(measured["noise"], levels):
        assert got == pytest.approx(1.17 * level.noise, rel=0.05)
    for got, level in zip(measured["mislabelled"], levels):
        # a wrong area may get the phase it has
        assert 0.4 * level.mislabelled < got < 1.5 * (level.mislabelled + level.speckle)
    for got, level in zip(measured["unknown"], levels):
        assert got == pytest.approx(level.unknown, rel=0.5)


def test_a_map_is_changed_nowhere_but_in_its_phases(tiny):
    for m in tiny.maps:
        assert m.mineral_map.shape == m.phases.shape == m.particles.shape
        assert np.array_equal(m.phases > 0, m.particles > 0)
        assert set(np.unique(m.mineral_map.phases)) <= {-1, 0, 1, 2, 3, 4, 5}
        assert np.mean(m.mineral_map.phases == m.phases) > 0.95
