"""Hulls in whole numbers, and boxes that hold what they are fitted to."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from napari_slagseg.data import BlockGrid, ThreadRun, phase_table_of
from napari_slagseg.descriptors import describe_blocks, minimum_box
from napari_slagseg.descriptors.hull_boxes import extreme_corners
from napari_slagseg.descriptors.integer_hulls import WIDEST, faces_of, hull_triangles
from napari_slagseg.descriptors.rectangles import minimum_rectangle

PHASES = phase_table_of(["background", "target"], ["#000000", "#d55e00"]).with_target("target")


def hull_of(points):
    points = np.ascontiguousarray(points, dtype=np.int64)
    triangles, neighbours, normals, offsets = hull_triangles(points, len(points))
    faces, corners, edges = faces_of(points, triangles, neighbours, normals, offsets)
    return points, normals, offsets, faces, corners, edges


def checked_hull(points):
    """What holds for every convex polyhedron, in whole numbers."""
    points, normals, offsets, faces, corners, edges = hull_of(points)
    assert (points @ normals.T <= offsets).all()
    assert (faces.sum(axis=0) == 0).all()
    least = faces // np.gcd.reduce(faces, axis=1)[:, None]
    assert len(np.unique(least, axis=0)) == len(faces)
    assert len(corners) - len(edges) + len(faces) == 2
    assert (np.bincount(edges[:, :2].ravel()) >= 3).all()
    along = points[corners[edges[:, 1]]] - points[corners[edges[:, 0]]]
    for side in (2, 3):
        assert (np.einsum("ij,ij->i", along, faces[edges[:, side]]) == 0).all()
    # seen from outside the first face is on the left: normals turn to the right of the edge
    turn = np.cross(faces[edges[:, 2]].astype(float), faces[edges[:, 3]].astype(float))
    assert (np.einsum("ij,ij->i", turn, along.astype(float)) > 0).all()
    return points, offsets, faces, corners, edges


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(4, 60), widest=st.integers(1, 7))
def test_hulls_of_lattice_points(seed, n, widest):
    """On so small a lattice most points share planes and lines, or places."""
    points = np.random.default_rng(seed).integers(0, widest + 1, (n, 3))
    if np.linalg.matrix_rank(points - points[0]) < 3:
        assert len(hull_triangles(points, n)[0]) == 0
        return
    points, offsets, _, corners, _ = checked_hull(points)
    qhull = ConvexHull(points)
    assert offsets.sum() / 6 == pytest.approx(qhull.volume, rel=1e-12)
    # a corner is what no mixture of the other points reaches
    assert {tuple(p) for p in points[corners]} <= {tuple(p) for p in points[qhull.vertices]}


def test_hulls_at_the_widest():
    points = np.random.default_rng(1).integers(0, WIDEST + 1, (300, 3))
    points[:8] = WIDEST * np.indices((2, 2, 2)).reshape(3, -1).T
    points, offsets, faces, corners, edges = checked_hull(points)
    assert offsets.astype(object).sum() == 6 * WIDEST**3
    assert (len(faces), len(corners), len(edges)) == (6, 8, 12)
    assert sorted(np.abs(faces).max(axis=1)) == [2 * WIDEST**2] * 6


def test_flat_faces_are_one_face():
    points = np.argwhere(np.ones((5, 6, 7)))
    _, _, faces, corners, edges = checked_hull(points)
    assert (len(faces), len(corners), len(edges)) == (6, 8, 12)
    assert {tuple(p) for p in points[corners]} == {
        (z, y, x) for z in (0, 4) for y in (0, 5) for x in (0, 6)
    }
    # largest first, twice the area long
    assert np.abs(faces).max(axis=1).tolist() == [60, 60, 48, 48, 40, 40]


def voxel_corners(mask):
    offsets = np.indices((2, 2, 2)).reshape(3, -1).T
    return (np.argwhere(mask)[:, None] + offsets).reshape(-1, 3)


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 8)),
    density=st.floats(0.1, 1),
    spacing=st.sampled_from([(1.0, 1.0, 1.0), (1.5, 1.0, 0.8), (0.01, 3.0, 3.0)]),
)
def test_boxes_hold_their_particles(seed, shape, density, spacing):
    """Small and thin particles, cut by the volume's border as it were."""
    mask = np.random.default_rng(seed).random(shape) < density
    assume(mask.any())
    corners = voxel_corners(mask) * spacing
    box = minimum_box(mask, spacing)
    np.testing.assert_allclose(box.axes @ box.axes.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(np.ptp(corners @ box.axes.T, axis=0), box.lengths, rtol=1e-9)
    assert box.volume >= ConvexHull(corners).volume * (1 - 1e-9)
    assert box.volume <= np.prod(np.ptp(corners, axis=0)) * (1 + 1e-9)
    # the same corners as points, with qhull
    points = minimum_box(np.unique(corners, axis=0))
    np.testing.assert_allclose(np.ptp(corners @ points.axes.T, axis=0), points.lengths, rtol=1e-9)
    assert points.volume == pytest.approx(box.volume, rel=0.05)


def test_a_thin_cap_has_a_box_around_it():
    """Two voxels thick: polishing it went through nearly parallel lines of points."""
    rows = ["..... .####", "..#.. #####", "..... #####", "..... ####.", "..... .###."]
    cap = np.array([[[c == "#" for c in line] for line in row.split()] for row in rows])
    box = minimum_box(cap)
    np.testing.assert_allclose(
        np.ptp(voxel_corners(cap) @ box.axes.T, axis=0), box.lengths, rtol=1e-9
    )
    assert box.volume >= ConvexHull(voxel_corners(cap)).volume


def test_lines_of_points_that_rounding_sorts_anyhow():
    """On the left side, from top to bottom and back to the middle, u grows by 1e-13 each."""
    points = [[0.0, 1.0], [1e-13, -2.0], [2e-13, 0.0], [1.0, 1.0]]
    # any rectangle on a side of a triangle has twice its area
    assert np.prod(minimum_rectangle(np.array(points))) == pytest.approx(3, rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(3, 40), noise=st.integers(-17, -9),
    angle=st.floats(0, 7), thin=st.sampled_from([1.0, 0.02]),
)  # fmt: skip
def test_rectangles_of_nearly_straight_lines(seed, n, noise, angle, thin):
    rng = np.random.default_rng(seed)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = rng.integers(0, 5, (n, 2)) + 10.0**noise * rng.normal(size=(n, 2))
    # with the corners of a rectangle, so that this is the smallest around it
    points = np.vstack([points, [[0, 0], [0, 4], [4, 0], [4, 4], [0, 0]]]) * [1, thin]
    sides = minimum_rectangle(points @ turn)
    assert sides == pytest.approx((4, 4 * thin), rel=1e-7)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.5, 1.0, 0.8)])
def test_particles_of_blocks_have_the_boxes_of_their_masks(spacing):
    rng = np.random.default_rng(8)
    seeds = rng.uniform(0, 30, (9, 3))
    places = np.moveaxis(np.indices((30, 30, 30)), 0, -1)[..., None, :]
    distance = np.linalg.norm(places - seeds, axis=-1) + rng.normal(0, 0.5, (30, 30, 30, 9))
    labels = np.where(distance.min(-1) < 8, distance.argmin(-1) + 1, 0).astype(np.uint32)
    run = ThreadRun(BlockGrid.of(labels.shape, (7, 16, 11)), 2)
    frame = describe_blocks(labels, (labels > 0).astype(np.uint8), spacing, PHASES, run).frame
    for row in frame.itertuples():
        lengths = [row.axis_major_um, row.axis_intermediate_um, row.axis_minor_um]
        # hulls of the same corners in another order: equal up to ties among boxes
        box = minimum_box(labels == row.label, spacing)
        assert np.prod(lengths) == pytest.approx(box.volume, rel=1e-3)
        assert lengths == sorted(lengths, reverse=True)


def test_corners_of_a_mask_hold_its_hull():
    mask = np.random.default_rng(0).random((6, 7, 8)) < 0.4
    kept = extreme_corners(mask.astype(np.uint32), 1)
    assert ConvexHull(kept).volume == pytest.approx(ConvexHull(voxel_corners(mask)).volume)
