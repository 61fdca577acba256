"""The kernels beside plain code that follows the definitions word by word, and beside libraries."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation
from skimage.measure import perimeter

from napari_slagseg.data import MineralMap, SlagsegError, phase_table_of
from napari_slagseg.descriptors import (
    describe_map,
    describe_particles,
    describe_sections,
    direction_fractions,
    minimum_box,
    minimum_rectangle,
    surface_area,
)
from napari_slagseg.descriptors.surface_weights import DIRECTIONS
from napari_slagseg.ground_truth import label_map_particles

PHASES = phase_table_of(
    ["background", "target", "rest", "minor"], ["#000000", "#d55e00", "#56b4e9", "#009e73"]
).with_target("target")
SPACING = (1.5, 1.0, 0.8)


def random_sample(shape=(17, 13, 15), seed=0):
    """Blobs that touch each other and the border, with phases that vary from voxel to voxel."""
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(0, 1, (5, 3)) * shape
    places = np.moveaxis(np.indices(shape), 0, -1)[..., None, :]
    distance = np.linalg.norm(places - seeds, axis=-1) + rng.normal(0, 0.6, (*shape, 5))
    labels = np.where(distance.min(-1) < 5, distance.argmin(-1) + 1, 0).astype(np.uint32)
    phases = np.where(labels > 0, rng.integers(0, 4, shape), 0).astype(np.uint8)
    return labels, phases


def plain_area(mask, spacing, shares=None):
    """S = 2 v sum_u c_u N_u / |d_u|, each N_u by shifting the padded mask."""
    padded = np.pad(mask, 1)
    total = 0.0
    for step, share in zip(DIRECTIONS, direction_fractions(spacing) if shares is None else shares):
        crossings = np.count_nonzero(padded != np.roll(padded, step, axis=(0, 1, 2)))
        total += share * crossings / np.linalg.norm(np.multiply(step, spacing))
    return 2 * np.prod(spacing) * total


def plain_surface_share(mask, target, erosions=0):
    cross = ndimage.generate_binary_structure(mask.ndim, 1)
    if erosions:
        mask = ndimage.binary_erosion(mask, cross, iterations=erosions)
    rim = mask & ~ndimage.binary_erosion(mask, cross)
    return target[rim].mean() if rim.any() else np.nan


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), SPACING])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_particle_beside_plain_code(spacing, seed):
    labels, phases = random_sample(seed=seed)
    frame = describe_particles(labels, phases, spacing, PHASES, erosion_voxels=1).frame
    assert frame["label"].tolist() == [1, 2, 3, 4, 5]
    for row in frame.itertuples():
        mask = labels == row.label
        target = mask & (phases == 1)
        whole, inner, outer = (plain_area(m, spacing) for m in (mask, target, mask & ~target))
        assert row.n_voxels == mask.sum()
        assert row.surface_area_um2 == pytest.approx(whole, rel=1e-8)
        # K Eq. 5, with each area measured on its own
        assert row.intergrowth_boundary_um2 == pytest.approx((inner + outer - whole) / 2, rel=1e-8)
        assert row.volume_liberation == pytest.approx(target.sum() / mask.sum())
        assert row.surface_liberation == pytest.approx(plain_surface_share(mask, target))
        assert row.surface_liberation_eroded == pytest.approx(
            plain_surface_share(mask, target, 1), nan_ok=True
        )
        centre = np.argwhere(mask).mean(axis=0) * spacing
        assert [row.centroid_z_um, row.centroid_y_um, row.centroid_x_um] == pytest.approx(centre)
        low, high = np.argwhere(mask).min(0), np.argwhere(mask).max(0)
        at_border = bool((low == 0).any() or (high == np.array(mask.shape) - 1).any())
        assert row.touches_border == at_border
        # voxels of phase 0 count in the whole and in no fraction
        fractions = row.fraction_target + row.fraction_rest + row.fraction_minor
        assert fractions == pytest.approx((phases[mask] > 0).mean())


@pytest.mark.parametrize("erosions", [1, 2, 3])
def test_erosion_beside_scipy(erosions):
    labels, phases = random_sample((24, 25, 26), seed=4)
    frame = describe_particles(labels, phases, 1.0, PHASES, erosion_voxels=erosions).frame
    expected = [
        plain_surface_share(labels == n, (labels == n) & (phases == 1), erosions)
        for n in frame["label"]
    ]
    assert np.isfinite(expected).any()
    np.testing.assert_allclose(frame["surface_liberation_eroded"], expected)


def test_a_particle_that_erodes_away_has_no_value():
    labels = np.zeros((6, 6, 6), np.uint32)
    labels[2:4, 2:4, 2:4] = 1
    frame = describe_particles(labels, labels.astype(np.uint8), 1.0, PHASES, erosion_voxels=1).frame
    assert frame.columns[-4] == "surface_liberation_eroded"
    for name in ("liberation_eroded", "fraction_eroded_target", "fraction_eroded_minor"):
        assert np.isnan(frame[f"surface_{name}"].iat[0])
    assert frame["surface_liberation"].iat[0] == 1


def test_weights_of_cubic_voxels_are_the_published_ones():
    expected = [0.09155578240952] * 3 + [0.07396125575216] * 6 + [0.07039127956464] * 4
    np.testing.assert_allclose(direction_fractions(), expected, atol=1e-12)
    assert direction_fractions(SPACING).sum() == pytest.approx(1)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.0, 1.0), SPACING])
def test_areas_beside_simpleitk(spacing):
    sitk = pytest.importorskip("SimpleITK")
    mask = np.pad(random_sample(seed=7)[0] == 2, 2)
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing[::-1])
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(image)
    # it keeps the weights of cubic voxels whatever the spacing: with them the numbers are equal
    cubic = plain_area(mask, spacing, direction_fractions())
    assert cubic == pytest.approx(statistics.GetPerimeter(1), rel=1e-6)
    assert surface_area(mask, spacing) == pytest.approx(plain_area(mask, spacing), rel=1e-8)
    if len(set(spacing)) == 1:
        assert surface_area(mask, spacing) == pytest.approx(statistics.GetPerimeter(1), rel=1e-6)


def test_flat_faces_read_low_by_the_stated_share():
    def plate(edge):
        mask = np.zeros((5, edge + 2, edge + 2), bool)
        mask[1:4, 1:-1, 1:-1] = True
        return surface_area(mask)

    # faces grow with the square of the edge, the rim with the edge: second differences hold
    # nothing but the faces, here 2 x (150^2 - 2 x 100^2 + 50^2) = 10,000 voxel faces
    faces = plate(150) - 2 * plate(100) + plate(50)
    assert faces / 10_000 == pytest.approx(0.927, abs=0.001)


def test_numbers_do_not_depend_on_the_threads():
    labels, phases = random_sample((140, 150, 12), seed=3)
    tables = [
        describe_particles(labels, phases, SPACING, PHASES, erosion_voxels=1, threads=n).frame
        for n in (1, 3)
    ]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.uint64])
def test_any_integer_type_gives_the_same(dtype):
    labels, phases = random_sample()
    expected = describe_particles(labels, phases, 1.0, PHASES).frame
    found = describe_particles(labels.astype(dtype), phases.astype(dtype), 1.0, PHASES).frame
    pd.testing.assert_frame_equal(found, expected)


def test_labels_may_have_gaps_and_be_large():
    labels, phases = random_sample()
    expected = describe_particles(labels, phases, 1.0, PHASES).frame
    names = np.array([0, 7, 90, 5_000_000, 2**31, 2**40])
    found = describe_particles(names[labels], phases, 1.0, PHASES).frame
    assert found["label"].tolist() == names[1:].tolist()
    pd.testing.assert_frame_equal(
        found.drop(columns="label"), expected.drop(columns="label"), check_exact=True
    )


def test_unknown_labels_and_phases():
    labels, phases = random_sample()
    labels, phases = labels.astype(np.int32), phases.astype(np.int16)
    expected = describe_particles(labels, phases, 1.0, PHASES).frame
    nowhere = np.where(labels == 0, -1, labels)
    pd.testing.assert_frame_equal(describe_particles(nowhere, phases, 1.0, PHASES).frame, expected)
    # unknown inside a particle is, like background, in no fraction
    unknown = np.where((labels > 0) & (phases == 0), -1, phases)
    pd.testing.assert_frame_equal(describe_particles(labels, unknown, 1.0, PHASES).frame, expected)


def test_phases_that_the_table_lacks_are_named():
    labels, phases = random_sample()
    phases[labels == 3] = 9
    with pytest.raises(SlagsegError, match="phase id 9"):
        describe_particles(labels, phases, 1.0, PHASES)
    # outside the particles they do no harm
    phases = np.where(labels == 3, 1, np.where(labels == 0, 9, phases)).astype(np.uint8)
    assert len(describe_particles(labels, phases, 1.0, PHASES)) == 5


def plain_face_boxes(points):
    """Volume of the best box with a side on a face of the hull: all faces, all their edges."""
    hull = ConvexHull(points)
    corners = points[hull.vertices]
    best = np.inf
    for normal in np.unique(np.round(hull.equations[:, :3], 9), axis=0):
        normal = normal / np.linalg.norm(normal)
        frame = np.linalg.svd(normal[None])[2]
        flat = corners @ frame[1:].T
        outline = flat[ConvexHull(flat).vertices]
        sides = np.roll(outline, -1, axis=0) - outline
        sides /= np.linalg.norm(sides, axis=1, keepdims=True)
        across = np.stack([-sides[:, 1], sides[:, 0]], axis=1)
        area = np.ptp(outline @ sides.T, axis=0) * np.ptp(outline @ across.T, axis=0)
        best = min(best, area.min() * np.ptp(corners @ normal))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_a_box_is_never_above_the_best_on_a_face(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(60, 3)) * rng.uniform(0.3, 3, 3)
    box = minimum_box(points)
    assert box.volume <= plain_face_boxes(points) * (1 + 1e-9)
    # and it is a box around the points
    np.testing.assert_allclose(box.axes @ box.axes.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(np.ptp(points @ box.axes.T, axis=0), box.lengths, rtol=1e-9)


def test_a_box_of_voxels_is_never_above_the_best_on_a_face():
    labels, _ = random_sample(seed=5)
    mask = labels == 1
    offsets = np.indices((2, 2, 2)).reshape(3, -1).T - 0.5
    corners = (np.argwhere(mask)[:, None] + offsets).reshape(-1, 3)
    corners = np.unique(corners, axis=0) * SPACING
    assert minimum_box(mask, SPACING).volume <= plain_face_boxes(corners) * (1 + 1e-9)


@pytest.mark.parametrize("lengths", [(3.0, 2.0, 1.0), (1.0, 1.0, 1.0), (50.0, 2.0, 0.1)])
def test_turned_boxes_of_points_come_back(lengths):
    rng = np.random.default_rng(2)
    corners = np.indices((2, 2, 2)).reshape(3, -1).T
    points = np.vstack([corners, rng.random((300, 3)), corners]) * lengths
    for turn in Rotation.random(5, rng=rng):
        np.testing.assert_allclose(minimum_box(turn.apply(points)).lengths, lengths, rtol=1e-7)


@pytest.mark.parametrize(
    ("points", "lengths"),
    [
        ([[1, 2, 3]], [0, 0, 0]),
        ([[1, 2, 3]] * 4, [0, 0, 0]),
        ([[0, 0, 0], [0, 3, 4]], [5, 0, 0]),
        ([[0, 0, 0], [1, 1, 1], [2, 2, 2]], [12**0.5, 0, 0]),
        ([[5, 0, 0], [5, 2, 2], [5, -1, 1], [5, 1, 3]], [8**0.5, 2**0.5, 0]),
    ],
)
def test_flat_points_have_flat_boxes(points, lengths):
    box = minimum_box(np.array(points, float))
    np.testing.assert_allclose(box.lengths, lengths, atol=1e-9)
    assert box.axes.shape == (3, 3)


def test_small_masks():
    np.testing.assert_allclose(minimum_box(np.ones((1, 1, 1), bool), SPACING).lengths, SPACING)
    plate = np.zeros((3, 9, 9), bool)
    plate[1, 2:7, 1:8] = True
    np.testing.assert_allclose(minimum_box(plate).lengths, [7, 5, 1])
    with pytest.raises(ValueError, match="points"):
        minimum_box(np.zeros((3, 3, 3), bool))


def test_rectangles():
    angle = np.deg2rad(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[0, 0], [0, 5], [2, 0], [2, 5], [1, 1], [0, 0]], float)
    assert minimum_rectangle(corners @ turn) == pytest.approx((5, 2))
    assert minimum_rectangle(np.array([[0.0, 0.0], [3, 4]])) == pytest.approx((5, 0))
    assert minimum_rectangle(np.array([[1.0, 1.0]])) == (0, 0)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("neighborhood", [4, 8])
def test_sections_beside_scikit_image(axis, neighborhood):
    labels, phases = random_sample(seed=9)
    index = labels.shape[axis] // 2
    frame = describe_sections(
        labels, phases, 2.0, PHASES, axis=axis, indices=[index],
        neighborhood=neighborhood, erosion_voxels=1,
    ).frame  # fmt: skip
    plane, in_plane = (np.take(a, index, axis=axis) for a in (labels, phases))
    assert frame["label"].tolist() == np.unique(plane[plane > 0]).tolist()
    for row in frame.itertuples():
        mask = plane == row.label
        target = mask & (in_plane == 1)
        # alone on an empty plane, as scikit-image sees it
        whole, inner, outer = (
            2 * perimeter(m, neighborhood) for m in (mask, target, mask & ~target)
        )
        assert row.perimeter_um == pytest.approx(whole)
        assert row.intergrowth_boundary_um == pytest.approx(
            max((inner + outer - whole) / 2, 0), abs=1e-9
        )
        round_as = 4 * np.pi * 4 * mask.sum() / whole**2 if whole else np.nan
        assert row.circularity == pytest.approx(round_as, nan_ok=True)
        assert row.surface_liberation == pytest.approx(plain_surface_share(mask, target))
        assert row.surface_liberation_eroded == pytest.approx(
            plain_surface_share(mask, target, 1), nan_ok=True
        )


def test_pieces_of_a_particle_are_one_section():
    labels = np.zeros((3, 10, 12), np.uint32)
    labels[1, 2:5, 2:5] = labels[1, 6:8, 6:10] = 5
    frame = describe_sections(labels, (labels > 0).astype(np.uint8), 1.0, PHASES, indices=[1]).frame
    assert frame["n_pixels"].tolist() == [17]
    assert frame["perimeter_um"].iat[0] == pytest.approx(perimeter(labels[1] > 0))


def chain_code_excess(edge):
    """Mean of chain-code length over true length, all directions of a curve being alike.

    A piece of unit length that runs s um along the rows and c um along the columns takes
    min(s / edge, c) diagonal links; the rest are straight. Square: 8 / pi (sqrt 2 - 1).
    """
    angle = (np.arange(100_000) + 0.5) * np.pi / 200_000
    down, right = np.sin(angle) / edge, np.cos(angle)
    links = np.minimum(down, right) * np.hypot(edge, 1)
    links += np.where(down > right, (down - right) * edge, right - down)
    return links.mean() - 1


@pytest.mark.parametrize("edge", [1.0, 1.5, 2.0])
def test_a_perimeter_where_pixels_are_not_square(edge):
    height = 2 * int(110 / edge) + 1
    rows, columns = np.indices((height, 221)) - np.array([height // 2, 110])[:, None, None]
    disc = (rows * edge) ** 2 + columns**2 <= 100**2
    labels = np.repeat(disc[None].astype(np.uint32), 2, axis=0)
    row = describe_sections(labels, labels.astype(np.uint8), (1, edge, 1), PHASES).frame.iloc[0]
    # the chain runs through the centres of border pixels, about half a pixel inside the disc
    long = row["perimeter_um"] / (2 * np.pi * 100) - 1
    assert long == pytest.approx(chain_code_excess(edge), abs=0.01)
    assert chain_code_excess(1.0) == pytest.approx(8 / np.pi * (2**0.5 - 1) - 1)
    assert row["area_um2"] == pytest.approx(np.pi * 100**2, rel=0.005)


def test_fifty_sections_lie_evenly():
    labels = np.ones((200, 3, 3), np.uint8)
    table = describe_sections(labels, labels, (1, 2, 3), PHASES)
    assert table.frame["section"].tolist() == list(range(2, 200, 4))
    assert table.voxel_size_um == (1.0, 2.0, 3.0)
    assert table.dimension == 2
    with pytest.raises(SlagsegError, match="slices 0 to 199"):
        describe_sections(labels, labels, 1.0, PHASES, indices=[200])
    with pytest.raises(SlagsegError, match="axis"):
        describe_sections(labels, labels, 1.0, PHASES, axis=3)


def test_a_map_has_the_particles_of_the_ground_truth_or_takes_given_ones():
    phases = np.zeros((12, 14), np.int16)
    phases[1:5, 1:5] = 1
    phases[5:9, 5:9] = 2  # touches the first at a corner: K's ground truth keeps them apart
    phases[8:12, 10:14] = 3
    phases[0, 13] = 1  # speckle
    phases[0, 0] = -1
    mineral_map = MineralMap(phases, 0.5, PHASES)
    found = describe_map(mineral_map, PHASES, section=4).frame
    assert found["n_pixels"].tolist() == [16, 16, 16]
    assert found["touches_border"].tolist() == [False, False, True]
    assert set(found["section"]) == {4}
    labels = label_map_particles(mineral_map)
    pd.testing.assert_frame_equal(found, describe_map(mineral_map, PHASES, labels, section=4).frame)
    given = np.where(phases == 1, 1, np.where(phases == 2, 2, -1))
    assert describe_map(mineral_map, PHASES, given).frame["n_pixels"].tolist() == [17, 16]


def test_a_section_is_cut_off_by_its_own_edges_only():
    """A particle in the volume's first slice is cut off; its section there is whole."""
    labels = np.zeros((6, 9, 9), np.uint32)
    labels[0:3, 3:6, 3:6] = 1
    labels[2:4, 0:2, 3:6] = 2
    phases = (labels > 0).astype(np.uint8)
    whole = describe_particles(labels, phases, 1.0, PHASES).frame
    assert whole["touches_border"].tolist() == [True, True]
    cut = describe_sections(labels, phases, 1.0, PHASES, indices=[0, 2]).frame
    assert cut[["section", "label"]].to_numpy().tolist() == [[0, 1], [2, 1], [2, 2]]
    assert cut["touches_border"].tolist() == [False, False, True]
    across = describe_sections(labels, phases, 1.0, PHASES, axis=1, indices=[0, 4]).frame
    assert across[["section", "label"]].to_numpy().tolist() == [[0, 2], [4, 1]]
    assert across["touches_border"].tolist() == [False, True]
    as_map = MineralMap(phases[2].astype(np.int16), 1.0, PHASES)
    found = describe_map(as_map, PHASES, labels[2]).frame
    assert found["touches_border"].tolist() == [False, True]


def test_a_map_is_eroded_as_its_sections_are():
    labels, phases = random_sample()
    as_map = describe_map(
        MineralMap(phases[8].astype(np.int16), 1.0, PHASES), PHASES, labels[8], erosion_voxels=2
    ).frame
    section = describe_sections(labels, phases, 1.0, PHASES, indices=[8], erosion_voxels=2).frame
    expected = [
        plain_surface_share(labels[8] == n, (labels[8] == n) & (phases[8] == 1), 2)
        for n in section["label"]
    ]
    assert np.isfinite(expected).any()
    for frame in (as_map, section):
        assert frame["surface_liberation_eroded"].to_numpy() == pytest.approx(expected, nan_ok=True)


def test_every_column_is_defined():
    labels, phases = random_sample()
    for table in (
        describe_particles(labels, phases, 1.0, PHASES, erosion_voxels=2),
        describe_sections(labels, phases, 1.0, PHASES, erosion_voxels=2),
        describe_particles(labels * 0, phases, 1.0, PHASES),
        describe_sections(labels * 0, phases, 1.0, PHASES),
    ):
        assert list(table.definitions) == list(table.frame.columns)
        assert all(definition.meaning for definition in table.definitions.values())
