"""Descriptors of balls, ellipsoids, boxes, tori and cut balls, turned at random."""

import numpy as np
import pytest
from benchmarks.known_shapes import SHAPES, sampled
from skimage.measure import perimeter_crofton, regionprops

from napari_slagseg.data import phase_table_of
from napari_slagseg.descriptors import describe_particles, describe_plane

PHASES = phase_table_of(
    ["background", "target", "rest"], ["#000000", "#d55e00", "#56b4e9"]
).with_target("target")
BY_NAME = {shape.name.split(",")[0].split(" of")[0]: shape for shape in SHAPES[:4]}
CUT = SHAPES[4]


def rows(shape, radius, n=8, spacing=(1.0, 1.0, 1.0)):
    for phases in sampled(shape, radius, n, seed=3, spacing=spacing):
        labels = (phases > 0).astype(np.uint32)
        yield describe_particles(labels, phases, spacing, PHASES).frame.iloc[0]


def errors(shape, radius, column, **options):
    true = shape.truth(radius)[column]
    return np.array([row[column] / true - 1 for row in rows(shape, radius, **options)])


@pytest.mark.parametrize(
    ("name", "bias", "spread"),
    [
        ("ball", 0.005, 0.005),
        ("ellipsoid", 0.01, 0.008),
        ("torus", 0.015, 0.008),
        # flat faces read up to 7.3 % low, by their direction, and edges are rounded
        ("box", 0.08, 0.02),
    ],
)
def test_surfaces_of_turned_shapes(name, bias, spread):
    found = errors(BY_NAME[name], 10, "surface_area_um2")
    assert abs(found.mean()) < bias
    assert found.std() < spread
    assert np.abs(errors(BY_NAME[name], 10, "volume_um3")).max() < (0.04 if name == "box" else 0.02)


@pytest.mark.parametrize("spacing", [(2.0, 1.0, 1.0), (1.0, 0.7, 1.6)])
@pytest.mark.parametrize("name", BY_NAME)
def test_surfaces_where_voxels_are_long(name, spacing):
    found = errors(BY_NAME[name], 18, "surface_area_um2", n=4, spacing=spacing)
    assert abs(found.mean()) < (0.06 if name == "box" else 0.02)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.5, 0.7, 1.0)])
@pytest.mark.parametrize("name", BY_NAME)
def test_hulls_reach_less_than_a_voxel_beyond_turned_shapes(name, spacing):
    """Every corner of a voxel whose centre is inside is within half a voxel's diagonal."""
    shape, radius = BY_NAME[name], 15
    beyond = np.linalg.norm(spacing) / 2
    truth = shape.truth(radius)
    for row in rows(shape, radius, n=4, spacing=spacing):
        for column in ("feret_max_um", "feret_min_um", "sieve_diameter_um"):
            # corners of a box are easily missed by the voxels' centres
            missed = 2 * beyond if name == "box" else beyond
            assert -missed < row[column] - truth[column] <= 2 * beyond, column
        # Steiner: a body thickened by d has the volume V + S d + M d^2 + 4/3 pi d^3, and
        # the mean curvature M of bodies of this size is below that of the ball around them
        most = (
            truth["convex_volume_um3"]
            + truth["convex_surface_um2"] * beyond
            + 4 * np.pi * radius * beyond**2
            + 4 / 3 * np.pi * beyond**3
        )
        assert 0.97 * truth["convex_volume_um3"] < row["convex_volume_um3"] <= most
        assert row["solidity"] == pytest.approx(row["volume_um3"] / row["convex_volume_um3"])
        assert row["convexity"] == pytest.approx(
            row["convex_surface_um2"] / row["surface_area_um2"]
        )


def test_solidity_tells_a_torus_from_a_ball():
    ball, torus = (
        np.mean([row["solidity"] for row in rows(BY_NAME[name], 30, n=3)])
        for name in ("ball", "torus")
    )
    # both hulls are too large by about as much
    true = BY_NAME["torus"].truth(30)["solidity"]
    assert torus / ball == pytest.approx(true, abs=0.04)


@pytest.mark.parametrize(("radius", "low"), [(10, 0.1), (20, 0.05)])
def test_a_cap_cut_off_a_ball(radius, low):
    truth = CUT.truth(radius)
    found = list(rows(CUT, radius))
    interface = np.mean([row["intergrowth_boundary_um2"] for row in found])
    # pairs at the rim lead out of the ball: low by a share that falls with the radius
    assert 1 - low < interface / truth["intergrowth_boundary_um2"] < 1
    exposed = np.mean([row["exposed_target_area_um2"] for row in found])
    assert exposed == pytest.approx(truth["exposed_target_area_um2"], rel=low / 2)
    for row in found:
        assert row["volume_liberation"] == pytest.approx(truth["volume_liberation"], abs=0.01)
        assert row["surface_liberation"] == pytest.approx(truth["surface_liberation"], abs=0.02)
        assert row["surface_fraction_target"] == row["surface_liberation"]


def test_half_spaces_at_any_height():
    """Cuts of a ball in all directions: the share of volume and surface that they leave."""
    rng = np.random.default_rng(0)
    radius = 16
    places = np.indices((37, 37, 37)) - 18.0
    ball = (places**2).sum(axis=0) <= radius**2
    for height in np.linspace(-0.9, 0.9, 10) * radius:
        normal = rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        above = np.tensordot(normal, places, axes=1) >= height
        phases = np.where(ball, np.where(above, 1, 2), 0).astype(np.uint8)
        row = describe_particles(ball.astype(np.uint32), phases, 1.0, PHASES).frame.iloc[0]
        cap = (radius - height) ** 2 * (2 * radius + height) / (4 * radius**3)
        assert row["volume_liberation"] == pytest.approx(cap, abs=0.01)
        assert row["surface_liberation"] == pytest.approx((1 - height / radius) / 2, abs=0.03)


def plane_of(name, radius=14):
    volume = next(iter(sampled(BY_NAME[name], radius, 1, seed=5)))
    return volume[volume.shape[0] // 2] > 0


@pytest.mark.parametrize("name", BY_NAME)
def test_boundaries_in_planes_are_scikit_images_crofton_perimeters(name):
    mask = plane_of(name)
    contacts = describe_plane(
        mask.astype(np.uint32), mask.astype(np.uint8), (1, 1), PHASES
    ).contacts
    assert contacts["length_um"].sum() == pytest.approx(perimeter_crofton(mask, 4), rel=1e-9)


@pytest.mark.parametrize("name", BY_NAME)
def test_ferets_in_planes_beside_scikit_image(name):
    mask = plane_of(name)
    table = describe_plane(mask.astype(np.uint32), mask.astype(np.uint8), (1, 1), PHASES)
    # it takes the outline halfway between the pixels of a hull that it rounds to pixels
    peer = regionprops(mask.astype(np.int32))[0].feret_diameter_max
    assert table.frame["feret_max_um"].iat[0] == pytest.approx(peer, abs=1)


def test_counts_and_surfaces_beside_porespy():
    metrics = pytest.importorskip("porespy.metrics")
    labels = np.zeros((60, 60, 60), np.int32)
    labels[5:48, 5:48, 5:48][next(iter(sampled(BY_NAME["torus"], 18, 1))) > 0] = 1
    peer = metrics.props_to_DataFrame(metrics.regionprops_3D(labels)).iloc[0]
    row = describe_particles(labels, (labels > 0).astype(np.uint8), 1.0, PHASES).frame.iloc[0]
    assert row["n_voxels"] == peer["volume"]
    assert row["equivalent_diameter_um"] == pytest.approx(peer["equivalent_diameter_area"])
    # its mesh runs outside of the voxels, so the tube of radius 6 is about a voxel thicker
    true = BY_NAME["torus"].truth(18)["surface_area_um2"]
    assert row["surface_area_um2"] == pytest.approx(true, rel=0.02)
    assert 1 < peer["surface_area"] / true < 7.5 / 6
