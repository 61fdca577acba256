"""Sizes of particles and how they lie beside each other."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull, HalfspaceIntersection

from napari_slagseg.data import MineralMap
from napari_slagseg.ground_truth import label_map_particles
from napari_slagseg.phantom import PHASES, PRESETS
from napari_slagseg.phantom.particles import make_shape, pack
from napari_slagseg.phantom.presets import VOXEL_UM


def polyhedral_diameters(shapes):
    """Volume-equivalent diameters in voxels, volumes by qhull."""
    found = []
    for normals, distances, power in shapes:
        if not power:
            planes = np.column_stack([normals, -distances])
            corners = HalfspaceIntersection(planes, np.zeros(3)).intersections
            found.append((6 * ConvexHull(corners).volume / np.pi) ** (1 / 3))
    return np.array(found)


def test_a_particle_has_the_diameter_asked_for():
    rng = np.random.default_rng(0)
    diameters = polyhedral_diameters([make_shape(rng, 20.0)[:3] for _ in range(150)])
    assert len(diameters) > 50
    assert np.abs(diameters / 20 - 1).max() < 0.015
    assert diameters.mean() == pytest.approx(20, rel=0.002)


@pytest.mark.parametrize(
    ("preset", "sieves"),
    [
        ("tiny", [(20, 45), (63, 100)]),
        ("sample", [(20, 45), (63, 100)]),
        ("512", [(20, 45), (63, 100), (100, 250)]),
    ],
)
def test_particles_lie_in_the_stated_sieve_fractions(preset, sieves):
    # a piece of the large ones shows the same
    scale = PRESETS[preset].scale
    edge = round(320 * scale)
    size = replace(PRESETS[preset], shape=(edge // 2, edge, edge))
    packing = pack(size, VOXEL_UM, 0.47 * edge, np.random.default_rng(0))
    shapes = zip(packing.normals, packing.distances, packing.power)
    diameters = polyhedral_diameters(shapes) * VOXEL_UM / scale
    # 2,000 rays scale a particle to its volume; their error in the diameter is about 1 %
    held = np.array([(diameters > 0.97 * a) & (diameters < 1.03 * b) for a, b in sieves])
    assert held.any(axis=0).all()
    # no fraction is missing, and each is filled from its lower to its upper third
    for (low, high), inside in zip(sieves, held):
        assert diameters[inside].min() < low + (high - low) / 3
        assert diameters[inside].max() > high - (high - low) / 3


def test_drawn_particles_are_no_larger_than_their_fraction(tiny):
    largest = (6 * tiny.exact["volume_um3"].max() / np.pi) ** (1 / 3)
    assert 0.7 * 100 < largest / PRESETS["tiny"].scale < 1.03 * 100


def neighbours(labels, gap):
    """Pairs of labels that follow each other along an axis at a distance of `gap` voxels."""
    pairs = set()
    for axis in range(3):
        moved = np.moveaxis(labels, axis, 0)
        a, b = moved[:-gap].ravel(), moved[gap:].ravel()
        met = (a > 0) & (b > 0) & (a != b)
        pairs |= set(map(tuple, np.unique(np.sort(np.stack([a, b], 1)[met], 1), axis=0)))
    return pairs


def test_many_particles_touch_and_most_are_near_another(tiny):
    n = len(tiny.exact)
    touching, near = (neighbours(tiny.particles, gap) for gap in (1, 2))
    assert len(set(itertools.chain(*touching))) > 0.35 * n
    assert len(set(itertools.chain(*near))) > 0.8 * n
    # the film keeps most pairs of neighbours apart, but not all
    assert 0.1 < len(touching) / len(near) < 0.5


def test_map_particles_seldom_merge_at_the_maps_own_pixels(tiny, other):
    merged = present = 0
    for m in (*tiny.maps, *other.maps):
        labels = label_map_particles(MineralMap(m.phases, 1.0, PHASES, "undegraded"))
        both = (labels > 0) & (m.particles > 0)
        pairs = np.unique(np.stack([labels[both], m.particles[both]], 1), axis=0)
        component, count = np.unique(pairs[:, 0], return_counts=True)
        merged += len(np.unique(pairs[np.isin(pairs[:, 0], component[count > 1]), 1]))
        present += len(np.unique(pairs[:, 1]))
    assert present > 60
    assert merged / present < 0.15
