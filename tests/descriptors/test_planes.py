"""Planes in any direction: slices to the bit, discs of balls, uniform directions."""

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.data import SlagsegError, phase_table_of
from napari_slagseg.descriptors import (
    Plane,
    describe_planes,
    describe_sections,
    parallel_planes,
    random_planes,
    slice_planes,
)
from napari_slagseg.descriptors.plane_sampling import plane_grid, sampled
from napari_slagseg.descriptors.plane_sections import window_weights
from napari_slagseg.descriptors.planes import polygon_area, polygon_of

PHASES = phase_table_of(["background", "target", "rest"], ["#000000", "#d55e00", "#56b4e9"])
PHASES = PHASES.with_target("target")
SPACING = (1.5, 1.0, 0.8)


def blobs(shape=(18, 21, 23), seed=0):
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(0, 1, (7, 3)) * shape
    places = np.moveaxis(np.indices(shape), 0, -1)[..., None, :]
    distance = np.linalg.norm(places - seeds, axis=-1)
    labels = np.where(distance.min(-1) < 6, distance.argmin(-1) + 1, 0).astype(np.uint32)
    return labels, np.where(labels > 0, rng.integers(1, 3, shape), 0).astype(np.uint8)


def ball(edge=61, radius=24.0):
    """A ball in the middle; its lower half along z is target."""
    z, y, x = np.indices((edge,) * 3) - edge // 2
    labels = (z**2 + y**2 + x**2 <= radius**2).astype(np.uint32)
    return labels, np.where(labels > 0, np.where(z < 0, 1, 2), 0).astype(np.uint8)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_slices_are_those_of_describe_sections_to_the_bit(axis, sign):
    labels, phases = blobs()
    indices = np.arange(labels.shape[axis])
    planes = [
        Plane(tuple(sign * v for v in p.normal), sign * p.offset)
        for p in slice_planes(axis, indices, SPACING)
    ]
    ours = describe_planes(labels, phases, SPACING, PHASES, planes, erosion_pixels=1)
    theirs = describe_sections(
        labels, phases, SPACING, PHASES, axis=axis, indices=indices, erosion_voxels=1
    )
    pd.testing.assert_frame_equal(ours.frame, theirs.frame, check_exact=True)
    pd.testing.assert_frame_equal(ours.contacts, theirs.contacts, check_exact=True)
    assert ours.voxel_size_um == theirs.voxel_size_um


@pytest.mark.parametrize("normal", [(1, 1, 0), (1, 2, 3), (-2, 1, 0.5), (0, 1, 1e-3)])
def test_oblique_planes_cut_discs_from_a_ball(normal):
    labels, phases = ball()
    centre = np.array([30.0, 30.0, 30.0])
    unit = np.asarray(Plane(normal, 0).normal)
    heights = np.array([0.0, 10.0, -18.0])
    planes = [Plane(normal, unit @ centre + h) for h in heights]
    table = describe_planes(labels, phases, 1.0, PHASES, planes)
    assert table.frame["section"].tolist() == [0, 1, 2]
    assert not table.frame["touches_border"].any()
    expected = np.pi * (24.0**2 - heights**2)
    assert table.frame["area_um2"].to_numpy() == pytest.approx(expected, rel=0.015)
    # a plane through the middle halves the disc; the layer at z = 0 is half a voxel off
    assert table.frame["volume_liberation"].iloc[0] == pytest.approx(0.5, abs=0.035)


def test_pixels_of_another_size_and_voxels_that_are_not_cubes():
    z, y, x = np.indices((40, 60, 75))
    z, y, x = (z - 20) * 1.5, (y - 30) * 1.0, (x - 37) * 0.8
    labels = (z**2 + y**2 + x**2 <= 20**2).astype(np.uint16)
    phases = labels.astype(np.uint8)
    unit = np.asarray(Plane((1, 1, 1), 0).normal)
    plane = Plane((1, 1, 1), unit @ np.array([30.0, 30.0, 29.6]))
    for pixel in (None, 0.5, 1.5):
        table = describe_planes(labels, phases, SPACING, PHASES, [plane], pixel_um=pixel)
        edge = 0.8 if pixel is None else pixel
        assert table.voxel_size_um == (1.0, edge, edge)
        assert table.frame["area_um2"].tolist() == pytest.approx([np.pi * 400], rel=0.01)


def test_a_section_at_a_face_of_the_volume_touches_the_border():
    labels = np.zeros((20, 20, 20), np.uint32)
    labels[:, 2:6, 2:6] = 1  # a rod through the volume: cut by both faces
    labels[8:12, 10:14, 10:14] = 2
    phases = (labels > 0).astype(np.uint8)
    plane = Plane((1, 1, 0), np.array([1, 1, 0]) / np.sqrt(2) @ [9.5, 12, 0])
    frame = describe_planes(labels, phases, 1.0, PHASES, [plane]).frame.set_index("label")
    assert frame["touches_border"].to_dict() == {1: True, 2: False}
    assert frame.loc[1, "border_weight"] == 0
    assert frame.loc[2, "border_weight"] > 1


def test_what_is_read_is_a_box_around_the_plane():
    class Watched:
        shape, dtype, largest = (300, 300, 300), np.dtype(np.uint8), 0

        def __getitem__(self, box):
            shape = tuple(s.stop - s.start for s in box)
            Watched.largest = max(Watched.largest, int(np.prod(shape)))
            return np.ones(shape, np.uint8)

    grid = plane_grid(Plane((1, 1, 1), 259.0), Watched.shape, (1.0, 1.0, 1.0), (1.0, 1.0))
    (values,), inside = sampled((Watched(),), grid)
    assert np.array_equal(values > 0, inside)
    assert inside.sum() == pytest.approx(polygon_area(grid.polygon), rel=0.01)
    assert Watched.largest < 130 * 130 * 230


def test_the_polygon_of_a_plane_in_a_cube_is_known():
    shape, spacing = (10, 10, 10), (1.0, 1.0, 1.0)
    middle = np.full(3, 4.5)
    unit = np.ones(3) / np.sqrt(3)
    hexagon = polygon_of(Plane((1, 1, 1), unit @ middle), shape, spacing)
    assert len(hexagon) == 6
    assert polygon_area(hexagon) == pytest.approx(0.75 * np.sqrt(3) * 100)  # 3/4 sqrt(3) a^2
    corner = polygon_of(Plane((1, 1, 1), unit @ np.full(3, -0.5) + 1.0), shape, spacing)
    assert polygon_area(corner) == pytest.approx(1.5 * np.sqrt(3))  # at height 1 over a corner
    assert len(polygon_of(Plane((1, 0, 0), 9.6), shape, spacing)) == 0


def test_random_planes_are_isotropic_uniform_and_seeded():
    shape = (40, 60, 80)
    planes = random_planes(2000, shape, 1.0, seed=1)
    assert planes == random_planes(2000, shape, 1.0, seed=1)
    assert planes != random_planes(2000, shape, 1.0, seed=2)
    normals = np.array([p.normal for p in planes])
    # of planes that hit a box, directions are in proportion to its width in them
    rng = np.random.default_rng(0)
    free = rng.standard_normal((200_000, 3))
    free /= np.linalg.norm(free, axis=1, keepdims=True)
    width = np.abs(free) @ np.array(shape)
    expected = (width[:, None] * free**2).sum(axis=0) / width.sum()
    assert (normals**2).mean(axis=0) == pytest.approx(expected, abs=0.02)
    # mean area of the sections of the box: volume over mean width
    areas = [polygon_area(polygon_of(p, shape, (1.0, 1.0, 1.0))) for p in planes]
    assert np.mean(areas) == pytest.approx(np.prod(shape) / width.mean(), rel=0.05)


@pytest.mark.parametrize("normal", [(1, 1, 0), (1, 2, 3), (-3, 1, 2)])
def test_sections_of_parallel_planes_sum_to_the_volume(normal):
    """Cavalieri: area times distance of the planes is the volume, in any direction."""
    labels = np.zeros((40, 40, 40), np.uint32)
    labels[10:14, 8:32, 10:30] = 1  # a plate of 1920 voxels
    labels[22:34, 12:24, 12:24] = 2  # a cube of 1728
    phases = (labels > 0).astype(np.uint8)
    planes = parallel_planes(normal, 80, labels.shape, 1.0, seed=3)
    distance = planes[1].offset - planes[0].offset
    frame = describe_planes(labels, phases, 1.0, PHASES, planes).frame
    volume = frame.groupby("label")["area_um2"].sum() * distance
    assert volume.tolist() == pytest.approx([1920, 1728], rel=0.02)


def test_random_planes_hit_particles_by_their_mean_width():
    low, edges = np.array([[10, 8, 10], [22, 12, 12]]), np.array([[4, 24, 20], [12, 12, 12]])
    planes = random_planes(20_000, (40, 40, 40), 1.0, seed=10)
    normals, offsets = np.array([p.normal for p in planes]), np.array([p.offset for p in planes])
    centres = low + (edges - 1) / 2
    hit = np.abs(normals @ centres.T - offsets[:, None]) <= np.abs(normals) @ edges.T / 2
    # the mean width of a box is half the sum of its edges
    assert hit[:, 0].mean() / hit[:, 1].mean() == pytest.approx(48 / 36, rel=0.03)


def test_parallel_planes_share_the_extent():
    planes = parallel_planes((0, 0, 2), 4, (5, 5, 8), (1.0, 1.0, 0.5))
    assert [p.offset for p in planes] == pytest.approx([0.25, 1.25, 2.25, 3.25])
    shifted = parallel_planes((0, 0, 2), 4, (5, 5, 8), (1.0, 1.0, 0.5), seed=1)
    steps = np.diff([p.offset for p in shifted])
    assert steps == pytest.approx([1, 1, 1])


def test_weights_in_a_slanted_window_are_those_of_a_rectangle():
    # the plane through z = y cuts a rectangle of 40 sqrt(2) by 40 um from a cube
    labels = np.zeros((40, 40, 40), np.uint32)
    labels[17:23, 17:23, 10:30] = 7
    grid = plane_grid(Plane((1, -1, 0), 0.0), labels.shape, (1.0, 1.0, 1.0), (1.0, 1.0))
    (plane,), _ = sampled((labels,), grid)
    height = np.count_nonzero((plane == 7).any(axis=1))
    length = 40 * np.sqrt(2)
    expected = length / (length - height) * 40 / (40 - 20)
    assert window_weights(plane, np.array([7]), grid) == pytest.approx([expected], rel=1e-6)


def test_wrong_planes_are_refused():
    labels, phases = blobs()
    with pytest.raises(SlagsegError, match="misses the volume"):
        describe_planes(labels, phases, SPACING, PHASES, [Plane((1, 0, 0), 99.0)])
    with pytest.raises(SlagsegError, match="at least one"):
        describe_planes(labels, phases, SPACING, PHASES, [])
    with pytest.raises(SlagsegError, match="not all 0"):
        Plane((0, 0, 0), 1.0)
    with pytest.raises(SlagsegError, match="must be above 0"):
        describe_planes(labels, phases, SPACING, PHASES, [Plane((1, 0, 0), 1.0)], pixel_um=-1)
    with pytest.raises(SlagsegError, match="at least one plane"):
        random_planes(0, labels.shape, SPACING)
    with pytest.raises(SlagsegError, match="section axis"):
        slice_planes(3, [0], 1.0)


def test_planes_without_particles_are_an_empty_table():
    empty = np.zeros((9, 9, 9), np.uint8)
    table = describe_planes(empty, empty, 1.0, PHASES, random_planes(3, empty.shape, 1.0))
    assert len(table) == 0
    assert "volume_liberation" in table.frame
