"""The truth of a phantom, beside geometry that other libraries know."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull, HalfspaceIntersection

from napari_slagseg.phantom import PHASES
from napari_slagseg.phantom.particles import gauge, make_shape
from napari_slagseg.phantom.presets import AIR_GREY, GREYS, VOXEL_UM
from napari_slagseg.phantom.truth import ContinuousTruth, rasterise

MATRIX = [((0, 0, 0), 3)]
BOX = np.concatenate([np.eye(3), -np.eye(3)])


def hull_volume(normals, distances, *further):
    """Volume of ``normals @ x <= distances`` (and of further half-spaces n x <= d)."""
    planes = [[*n, -d] for n, d in (*zip(normals, distances), *further)]
    # the particle's centre lies inside; a little off it where a further plane runs through it
    inside = np.zeros(3)
    for n, _ in further:
        inside = inside - 0.1 * np.asarray(n)
    return ConvexHull(HalfspaceIntersection(np.array(planes), inside).intersections).volume


def drawn(packing, shape=(40, 40, 40), subsamples=2):
    truth = ContinuousTruth.of(packing, shape)
    # a cylinder that holds all of it
    return truth, rasterise(truth, subsamples, GREYS, AIR_GREY, 1000.0)


def shape_of(power, seed=0):
    """First particle of a generator that is polyhedral (0) or rounded."""
    rng = np.random.default_rng(seed)
    while True:
        normals, distances, found, reach = make_shape(rng, 24.0)
        if bool(found) == bool(power):
            return {"normals": normals, "distances": distances, "power": found, "reach": reach}


def test_a_polyhedron_has_the_volume_of_its_hull(packing_of):
    shape = shape_of(0.0)
    packing = packing_of([{**shape, "centre": (19.3, 20.4, 19.9), "grains": MATRIX}])
    _, (particles, phases, _, counts) = drawn(packing)
    volume = hull_volume(shape["normals"], shape["distances"])
    assert counts[0, 3] / 8 == pytest.approx(volume, rel=0.004)
    assert np.count_nonzero(particles == 1) == pytest.approx(volume, rel=0.01)
    assert np.count_nonzero(phases == 3) == np.count_nonzero(particles)


def test_a_rounded_particle_has_the_volume_of_its_rays(packing_of):
    shape = shape_of(7.0)
    packing = packing_of([{**shape, "centre": (19.3, 20.4, 19.9), "grains": MATRIX}])
    _, (_, _, _, counts) = drawn(packing)
    # g(r u) = r g(u): the surface lies at 1 / g(u), and V is the mean of 4 pi r^3 / 3
    polar = np.polynomial.legendre.leggauss(60)
    turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    sine = np.sqrt(1 - polar[0] ** 2)[:, None]
    rays = np.stack(
        [sine * np.cos(turn), sine * np.sin(turn), np.repeat(polar[0][:, None], 120, 1)], axis=-1
    ).reshape(-1, 3)
    ratios = np.maximum(rays @ shape["normals"].T / shape["distances"], 0)
    radii = (ratios**7).sum(axis=1) ** (-1 / 7)
    weights = np.repeat(polar[1], 120) / 240
    assert counts[0, 3] / 8 == pytest.approx(4 / 3 * np.pi * weights @ radii**3, rel=0.004)


def test_two_grains_part_a_particle_at_the_plane_between_them(packing_of):
    shape = shape_of(0.0, seed=1)
    step = np.array([2.0, -1.0, 3.0])
    grains = [(-step, 1), (step, 2)]
    packing = packing_of([{**shape, "centre": (20.2, 19.6, 19.7), "grains": grains}])
    _, (_, phases, _, counts) = drawn(packing)
    for phase, side in ((1, step), (2, -step)):
        volume = hull_volume(shape["normals"], shape["distances"], (side, 0.0))
        assert counts[0, phase] / 8 == pytest.approx(volume, rel=0.01)
        assert np.count_nonzero(phases == phase) == pytest.approx(volume, rel=0.02)


def test_a_pore_is_background(packing_of):
    shape = shape_of(0.0)
    grains = [((-3, 0, 0), 3), ((3, 0, 0), 0)]
    packing = packing_of([{**shape, "centre": (20, 20, 20), "grains": grains}])
    truth, _ = drawn(packing)
    particles, phases = truth.at(np.array([[18.0, 20, 20], [22.0, 20, 20]]))
    assert particles.tolist() == [1, 0]
    assert phases.tolist() == [3, 0]


def test_a_film_of_epoxy_as_wide_as_stated_parts_two_boxes(packing_of):
    box = {"normals": BOX, "reach": 12.0, "grains": MATRIX}
    packing = packing_of(
        [
            {**box, "distances": [6.0] * 6, "centre": (13, 20, 20)},
            {**box, "distances": [9.0] * 6, "centre": (28, 20, 20)},
        ]
    )
    truth, _ = drawn(packing)
    z = np.arange(13, 28, 0.001)
    along, _ = truth.at(np.stack([z, np.full_like(z, 20), np.full_like(z, 20)], axis=1))
    film = z[along == 0]
    # 0.9 voxels, about the face at 13 + 6 = 28 - 9
    assert film[[0, -1]] == pytest.approx([19 - 0.45, 19 + 0.45], abs=0.002)
    assert set(along[z < 18.5]) == {1}
    assert set(along[z > 19.5]) == {2}


def plain(packing, points, film=0.9):
    """Particle of every point by the definitions: the least gauge, and films beside neighbours."""
    gauges = np.stack(
        [
            gauge(points - packing.centres[i], *faces)
            for i, faces in enumerate(zip(packing.normals, packing.distances, packing.power))
        ]
    )
    far = np.stack([np.linalg.norm(points - c, axis=1) for c in packing.centres])
    order = np.argsort(gauges, axis=0)
    (a, b), at = order[:2], np.arange(len(points))
    slopes = gauges[a, at] / far[a, at] + gauges[b, at] / far[b, at]
    parted = (gauges[b, at] < 1.2) & ((a * b + a + b) % 8 != 0)
    narrow = gauges[b, at] - gauges[a, at] < 0.5 * film * slopes
    return np.where((gauges[a, at] <= 1) & ~(parted & narrow), a + 1, 0)


def test_every_point_lies_in_the_particle_that_plain_code_finds(continuous):
    points = np.random.default_rng(0).uniform([-4, 0, 0], [60, 96, 96], (20_000, 3))
    particles, phases = continuous.at(points)
    expected = plain(continuous.packing, points)
    pores = (particles == 0) & (expected > 0)
    assert np.array_equal(particles[~pores], expected[~pores])
    assert np.array_equal(particles > 0, phases > 0)
    # what is missing are pores: 3 % of grains and small
    assert 0 < pores.sum() < 0.03 * np.count_nonzero(expected)
    assert np.count_nonzero(expected) > 3000


def test_voxels_hold_the_truth_at_their_centres(tiny, continuous):
    centres = np.indices(tiny.particles.shape).reshape(3, -1).T.astype(float)
    particles, phases = continuous.at(centres)
    assert np.array_equal(particles, tiny.particles.ravel())
    assert np.array_equal(phases, tiny.phases.ravel())


def test_stated_volumes_agree_with_the_voxels(tiny):
    exact = tiny.exact.set_index("label")
    voxel = VOXEL_UM**3
    counted = np.bincount(tiny.particles.ravel())
    assert set(np.flatnonzero(counted)[1:]) <= set(exact.index)
    large = exact[exact["volume_um3"] > 500 * voxel]
    assert len(large) > 30
    ratio = counted[large.index] * voxel / large["volume_um3"]
    assert ratio.between(0.97, 1.03).all()
    assert counted[1:].sum() * voxel == pytest.approx(exact["volume_um3"].sum(), rel=1e-3)
    names = [f"volume_um3_{phase.name}" for phase in PHASES if phase.id]
    assert exact[names].sum(axis=1).to_numpy() == pytest.approx(exact["volume_um3"].to_numpy())
    for phase in PHASES:
        if phase.id:
            voxels = np.count_nonzero(tiny.phases == phase.id) * voxel
            stated = exact[f"volume_um3_{phase.name}"].sum()
            # a count of voxels is about its own root wrong
            assert voxels == pytest.approx(stated, abs=2 * np.sqrt(stated * voxel))


def test_stated_volumes_agree_with_random_points(tiny, continuous):
    """Another sampling of the continuous truth than the phantom's own lattice."""
    low, high = np.array([-0.5] * 3), np.array(tiny.particles.shape) - 0.5
    points = np.random.default_rng(1).uniform(low, high, (400_000, 3))
    particles, phases = continuous.at(points)
    unit = np.prod(high - low) * VOXEL_UM**3 / len(points)
    exact = tiny.exact.set_index("label")
    largest = exact["volume_um3"].nlargest(10)
    found = np.bincount(particles, minlength=largest.index.max() + 1) * unit
    # five standard deviations of a count
    error = 5 * np.sqrt(largest.to_numpy() * unit)
    assert np.all(np.abs(found[largest.index] - largest.to_numpy()) < error)
    for phase in (1, 2, 3):
        stated = exact[f"volume_um3_{PHASES.by_id(phase).name}"].sum()
        assert abs(np.count_nonzero(phases == phase) * unit - stated) < 5 * np.sqrt(stated * unit)


def test_no_particle_leaves_the_cylinder(tiny, axial_distance):
    assert not tiny.particles[:, axial_distance > 0.47 * 96].any()
