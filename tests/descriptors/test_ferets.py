"""Feret diameters, sieve holes and hulls of particles with known shapes."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from napari_slagseg.data import phase_table_of
from napari_slagseg.descriptors import describe_particles
from napari_slagseg.descriptors.hull_boxes import SHAPES, extreme_corners, shape_of_hull
from napari_slagseg.descriptors.square_holes import SEARCH

PHASES = phase_table_of(["background", "target"], ["#000000", "#d55e00"]).with_target("target")


def measured(mask, spacing=(1.0, 1.0, 1.0)):
    corners = extreme_corners(np.ascontiguousarray(mask).astype(np.uint32), 1)
    out = np.empty(len(SHAPES))
    shape_of_hull(corners, len(corners), np.array(spacing), 24, SEARCH, out)
    return dict(zip(SHAPES, out, strict=True))


def corners_of(mask, spacing):
    offsets = np.indices((2, 2, 2)).reshape(3, -1).T
    return np.unique((np.argwhere(mask)[:, None] + offsets).reshape(-1, 3), axis=0) * spacing


def plain_width(hull, points):
    """Smallest width by trying all faces and all pairs of edges."""
    sides = hull.simplices[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    along = points[sides[:, 1]] - points[sides[:, 0]]
    i, j = np.triu_indices(len(along), 1)
    across = np.cross(along[i], along[j])
    long = np.linalg.norm(across, axis=1)
    across = across[long > 1e-9] / long[long > 1e-9, None]
    directions = np.vstack([across, hull.equations[:, :3]])
    corners = points[hull.vertices]
    return min(
        np.ptp(corners @ directions[k : k + 10_000].T, axis=0).min()
        for k in range(0, len(directions), 10_000)
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 8)),
    density=st.floats(0.05, 1),
    spacing=st.sampled_from([(1.0, 1.0, 1.0), (1.5, 1.0, 0.8), (0.1, 3.0, 3.0)]),
)
def test_hulls_of_any_particles(seed, shape, density, spacing):
    mask = np.random.default_rng(seed).random(shape) < density
    assume(mask.any())
    points = corners_of(mask, spacing)
    hull = ConvexHull(points)
    found = measured(mask, spacing)
    corners = points[hull.vertices]
    farthest = np.linalg.norm(corners[:, None] - corners, axis=-1).max()
    assert found["feret_max"] == pytest.approx(farthest, rel=1e-12)
    assert found["feret_min"] == pytest.approx(plain_width(hull, points), rel=1e-9)
    assert found["convex_volume"] == pytest.approx(hull.volume, rel=1e-9)
    assert found["convex_surface"] == pytest.approx(hull.area, rel=1e-9)
    # the box's two smaller sides are a hole, and no hole is below the least width
    assert found["feret_min"] <= found["sieve_diameter"] * (1 + 1e-9)
    assert found["sieve_diameter"] <= found["axis_intermediate"] * (1 + 1e-9)
    assert found["axis_minor"] >= found["feret_min"] * (1 - 1e-9)


def test_the_least_width_may_lie_between_edges():
    """Opposite edges of a regular tetrahedron are nearer than a face and a corner."""
    points = 10 * np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]])
    found = np.empty(len(SHAPES))
    shape_of_hull(points, 4, np.ones(3), 24, SEARCH, found)
    assert found[SHAPES.index("feret_min")] == pytest.approx(10, rel=1e-12)
    rng = np.random.default_rng(0)
    spacing, between_edges = np.array([1.0, 1.2, 0.9]), 0
    for _ in range(40):
        points = rng.integers(0, 30, (12, 3))
        hull = ConvexHull(points * spacing)
        shape_of_hull(points, 12, spacing, 24, SEARCH, found)
        width = found[SHAPES.index("feret_min")]
        assert width == pytest.approx(plain_width(hull, points * spacing), rel=1e-9)
        on_faces = np.ptp(points * spacing @ hull.equations[:, :3].T, axis=0).min()
        between_edges += width < on_faces * (1 - 1e-6)
    assert between_edges > 5


@pytest.mark.parametrize(
    ("edges", "hole"),
    [
        # the second edge, unless a plate goes through along the diagonal
        ((20, 12, 9), 12),
        ((20, 12, 3), 15 / 2**0.5),
        ((24, 24, 2), 26 / 2**0.5),
        ((9, 9, 9), 9),
        ((30, 2, 2), 2),
    ],
)
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
def test_boxes_pass_the_holes_they_are_known_to_pass(edges, hole, axes):
    found = measured(np.ones([edges[i] for i in axes], bool))
    a, b, c = edges
    assert found["sieve_diameter"] == pytest.approx(hole, rel=1e-9)
    assert found["feret_max"] == pytest.approx((a * a + b * b + c * c) ** 0.5)
    assert found["feret_min"] == pytest.approx(c)
    assert found["convex_volume"] == pytest.approx(a * b * c)
    assert found["convex_surface"] == pytest.approx(2 * (a * b + b * c + a * c))


def test_a_box_of_long_voxels():
    found = measured(np.ones((4, 6, 5), bool), (3.0, 1.0, 0.5))
    assert found["feret_max"] == pytest.approx((12**2 + 6**2 + 2.5**2) ** 0.5)
    assert (found["feret_min"], found["sieve_diameter"]) == pytest.approx((2.5, 6.0))
    assert found["convex_volume"] == pytest.approx(180)


@pytest.mark.parametrize("seed", range(3))
def test_turned_shapes_keep_their_ferets(seed):
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    places = (np.indices((61, 61, 61)) - 30).reshape(3, -1).T @ turn
    box = (np.abs(places) <= (22, 14, 8)).all(axis=1).reshape(61, 61, 61)
    found = measured(box)
    # a hull of corners reaches up to a voxel's half diagonal beyond the shape, on both sides
    for name, true in (("feret_max", 2 * (22**2 + 14**2 + 8**2) ** 0.5), ("feret_min", 16),
                       ("sieve_diameter", 28)):  # fmt: skip
        assert 0 <= found[name] - true + 0.5 <= 3**0.5 + 0.5
    ellipsoid = ((places / (24, 16, 10)) ** 2).sum(axis=1).reshape(61, 61, 61) <= 1
    found = measured(ellipsoid)
    # widths along u and v at right angles: w(u)^2 + w(v)^2 is at least 4 (b^2 + c^2), and both
    # are equal at 45 degrees to the axes
    hole = 2 * ((16**2 + 10**2) / 2) ** 0.5
    for name, true in (("feret_max", 48), ("feret_min", 20), ("sieve_diameter", hole)):
        assert 0 <= found[name] - true <= 3**0.5


def test_the_table_has_solidity_and_convexity():
    labels = np.zeros((14, 24, 24), np.uint32)
    labels[2:12, 2:22, 2:22] = 1
    # a notch through the block: a quarter of the volume is gone, the hull stays
    labels[2:12, 7:17, 2:12] = 0
    row = describe_particles(labels, labels.astype(np.uint8), (2.0, 1.0, 1.0), PHASES).frame.iloc[0]
    assert row["convex_volume_um3"] == pytest.approx(20 * 20 * 20)
    assert row["convex_surface_um2"] == pytest.approx(6 * 400)
    assert row["solidity"] == pytest.approx(0.75)
    assert row["convexity"] == pytest.approx(2400 / row["surface_area_um2"])
    assert row["sieve_diameter_um"] == pytest.approx(20)
    assert row["feret_max_um"] == pytest.approx(20 * 3**0.5)
