"""Shapes whose descriptors are known beforehand, and another library."""

import numpy as np
import pytest
from scipy.integrate import dblquad

from napari_slagseg.data import (
    PARTICLE_COLUMNS,
    SECTION_COLUMNS,
    MineralMap,
    Phase,
    PhaseTable,
    SlagsegError,
)
from napari_slagseg.descriptors import describe_map, describe_particles, describe_sections

TABLE = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "target", "#d55e00"),
        Phase(2, "rest", "#56b4e9"),
    ),
    "target",
)
CUBIC = (1.0, 1.0, 1.0)


def grid(shape):
    return np.indices(shape).astype(float)


def ball(radius, centre=None, spacing=CUBIC):
    half = [int(np.ceil(radius / s)) + 3 for s in spacing]
    shape = tuple(2 * h + 1 for h in half)
    z, y, x = ((g - h) * s for g, h, s in zip(grid(shape), half, spacing))
    dz, dy, dx = centre or (0.13, -0.21, 0.32)
    return (z - dz) ** 2 + (y - dy) ** 2 + (x - dx) ** 2 <= radius**2


def describe(mask, phases=None, spacing=CUBIC, **options):
    phases = mask.astype(np.uint8) if phases is None else phases
    table = describe_particles(mask.astype(np.uint32), phases, spacing, TABLE, **options)
    return table.frame.iloc[0]


def ellipsoid_area(a, b, c):
    def element(theta, phi):
        n = np.array(
            [np.sin(theta) * np.cos(phi) / a, np.sin(theta) * np.sin(phi) / b, np.cos(theta) / c]
        )
        return a * b * c * np.sin(theta) * np.linalg.norm(n)

    return 8 * dblquad(element, 0, np.pi / 2, 0, np.pi / 2)[0]


@pytest.mark.parametrize(("radius", "error"), [(5, 0.012), (10, 0.006), (20, 0.003)])
def test_balls(radius, error):
    row = describe(ball(radius))
    assert row["surface_area_um2"] == pytest.approx(4 * np.pi * radius**2, rel=error)
    assert row["volume_um3"] == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.02)
    assert row["equivalent_diameter_um"] == pytest.approx(2 * radius, rel=0.01)
    assert row["sphericity"] == pytest.approx(1, abs=0.015)
    assert not row["touches_border"]


@pytest.mark.parametrize("spacing", [(2.0, 1.0, 1.0), (3.0, 1.0, 1.5)])
def test_a_ball_on_a_lattice_that_is_not_cubic(spacing):
    row = describe(ball(20, spacing=spacing), spacing=spacing)
    assert row["surface_area_um2"] == pytest.approx(4 * np.pi * 400, rel=0.01)
    assert row["volume_um3"] == pytest.approx(4 / 3 * np.pi * 8000, rel=0.01)


def test_a_turned_ellipsoid():
    z, y, x = (g - 30 for g in grid((61, 61, 61)))
    angle = np.deg2rad(33)
    u, v = np.cos(angle) * z + np.sin(angle) * x, -np.sin(angle) * z + np.cos(angle) * x
    row = describe((u / 24) ** 2 + (y / 15) ** 2 + (v / 10) ** 2 <= 1)
    assert row["surface_area_um2"] == pytest.approx(ellipsoid_area(24, 15, 10), rel=0.02)
    axes = [row[f"axis_{n}_um"] for n in ("major", "intermediate", "minor")]
    # a box holds whole voxels, so an axis reads up to about one voxel long
    assert axes == pytest.approx([48.5, 30.5, 20.5], abs=0.8)


def test_a_box_on_the_axes_is_exact():
    mask = np.zeros((12, 20, 30), bool)
    mask[3:8, 4:14, 5:25] = True
    row = describe(mask, spacing=(2.0, 2.0, 2.0))
    assert [row[f"axis_{n}_um"] for n in ("major", "intermediate", "minor")] == [40, 20, 10]
    assert row["elongation"] == pytest.approx(0.5)
    assert row["flatness"] == pytest.approx(0.5)
    assert row["n_voxels"] == 1000
    assert row["volume_um3"] == 8000
    assert [row[f"centroid_{a}_um"] for a in "zyx"] == pytest.approx([10, 17, 29])


@pytest.mark.parametrize("angle", [17, 30, 45])
def test_a_turned_box_is_found_to_a_voxel(angle):
    z, y, x = (g - 30 for g in grid((61, 61, 61)))
    a = np.deg2rad(angle)
    u, v = np.cos(a) * y + np.sin(a) * x, -np.sin(a) * y + np.cos(a) * x
    row = describe((np.abs(z) <= 6) & (np.abs(u) <= 20) & (np.abs(v) <= 10))
    axes = [row[f"axis_{n}_um"] for n in ("major", "intermediate", "minor")]
    assert axes == pytest.approx([41, 21, 13], abs=1.3)


def test_surfaces_agree_with_simpleitk():
    sitk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(3)
    labels = np.zeros((40, 44, 48), np.uint32)
    for label in range(1, 9):
        centre = rng.uniform(12, 30, 3)
        z, y, x = grid(labels.shape)
        d = np.sqrt((z - centre[0]) ** 2 + 1.4 * (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
        labels[(d < rng.uniform(4, 9)) & (labels == 0)] = label
    spacing = (1.5, 1.5, 1.5)
    frame = describe_particles(labels, (labels > 0).astype(np.uint8), spacing, TABLE).frame
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(spacing[::-1])
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(image)
    for row in frame.itertuples():
        assert row.surface_area_um2 == pytest.approx(statistics.GetPerimeter(row.label), rel=1e-5)


def test_half_a_ball_of_target():
    mask = ball(20, centre=(0.0, 0.0, 0.0))
    z = grid(mask.shape)[0] - mask.shape[0] // 2
    phases = np.where(mask, np.where(z > 0.5, 1, 2), 0).astype(np.uint8)
    row = describe(mask, phases)
    # the plane lies half a voxel above the middle: 1/2 - (pi R^2 / 2) / (4/3 pi R^3)
    assert row["volume_liberation"] == pytest.approx(0.5 - 0.375 / 20, abs=0.001)
    assert row["fraction_target"] + row["fraction_rest"] == pytest.approx(1)
    # a flat (100) face reads 7 % low with these weights, and a disc's rim loses the pairs that
    # leave the particle: about 3 % at this radius
    assert row["intergrowth_boundary_um2"] == pytest.approx(np.pi * (400 - 0.25), rel=0.12)
    interface, surface = row["intergrowth_boundary_um2"], row["surface_area_um2"]
    assert row["amstutz_giger_index"] == pytest.approx(interface / (interface + surface))


def test_a_core_of_target_is_locked():
    mask = ball(16, centre=(0.0, 0.0, 0.0))
    z, y, x = (g - mask.shape[0] // 2 for g in grid(mask.shape))
    core = z**2 + y**2 + x**2 <= 64
    row = describe(mask, np.where(core, 1, mask * 2).astype(np.uint8), erosion_voxels=1)
    assert row["surface_liberation"] == 0
    assert row["volume_liberation"] == pytest.approx(1 / 8, rel=0.03)
    assert row["intergrowth_boundary_um2"] == pytest.approx(4 * np.pi * 64, rel=0.015)
    # K Eq. 7: a ball has the least boundary for its volume
    assert row["normalized_intergrowth_boundary"] == pytest.approx(1, abs=0.02)
    assert row["surface_liberation_eroded"] == 0


def test_touching_particles_are_surface_to_each_other():
    labels = np.zeros((20, 20, 30), np.uint32)
    labels[5:15, 5:15, 5:15] = 4
    labels[5:15, 5:15, 15:25] = 9
    frame = describe_particles(labels, (labels > 0).astype(np.uint8), CUBIC, TABLE).frame
    assert frame["label"].tolist() == [4, 9]
    assert frame["surface_area_um2"].nunique() == 1
    alone = describe(labels == 4)
    assert frame["surface_area_um2"].iat[0] == pytest.approx(alone["surface_area_um2"])


def test_particles_at_the_border_are_flagged():
    mask = np.zeros((10, 10, 10), bool)
    mask[0:4, 3:6, 3:6] = True
    assert describe(mask)["touches_border"]
    assert not describe(np.pad(mask, 1))["touches_border"]


def test_the_columns_stand_in_the_order_of_the_contract():
    table = describe_particles(np.zeros((4, 5, 6), np.uint32), np.zeros((4, 5, 6), np.uint8),
                               CUBIC, TABLE)  # fmt: skip
    assert tuple(table.frame.columns[: len(PARTICLE_COLUMNS)]) == PARTICLE_COLUMNS
    assert list(table.frame.columns[len(PARTICLE_COLUMNS) :]) == [
        "fraction_target",
        "fraction_rest",
        "surface_fraction_target",
        "surface_fraction_rest",
        "grains_target",
        "grains_rest",
        "largest_grain_target_um3",
        "largest_grain_rest_um3",
    ]
    assert len(table) == 0
    assert len(table.contacts) == 0
    assert set(table.frame.columns) <= set(table.definitions)


def test_a_ratio_without_a_denominator_is_not_a_number():
    row = describe(ball(6))
    assert row["intergrowth_boundary_um2"] == 0
    assert np.isnan(row["normalized_intergrowth_boundary"])
    assert row["amstutz_giger_index"] == 0


def test_shapes_and_targets_are_checked():
    with pytest.raises(SlagsegError, match="shape"):
        describe_particles(
            np.zeros((4, 4, 4), np.uint32), np.zeros((4, 4, 5), np.uint8), CUBIC, TABLE
        )
    with pytest.raises(SlagsegError, match="target"):
        describe_particles(
            np.zeros((4, 4, 4), np.uint32),
            np.zeros((4, 4, 4), np.uint8),
            CUBIC,
            TABLE.with_target(None),
        )


def test_a_disc_in_section_and_as_a_map():
    r, c = (g - 30 for g in grid((61, 61)))
    disc = r**2 + c**2 <= 25**2
    phases = np.where(disc, np.where(c > 0, 1, 2), 0)
    volume = np.repeat(phases[None].astype(np.uint8), 3, axis=0)
    labels = np.repeat(disc[None].astype(np.uint32), 3, axis=0)
    section = describe_sections(labels, volume, (1.0, 2.0, 2.0), TABLE, axis=0, indices=[1]).frame
    described = describe_map(MineralMap(phases.astype(np.int16), 2.0, TABLE, "m"), TABLE).frame
    assert tuple(section.columns[: len(SECTION_COLUMNS)]) == SECTION_COLUMNS
    for row in (section.iloc[0], described.iloc[0]):
        assert row["area_um2"] == pytest.approx(np.pi * 50**2, rel=0.01)
        assert row["equivalent_diameter_um"] == pytest.approx(100, rel=0.01)
        assert row["perimeter_um"] == pytest.approx(2 * np.pi * 50, rel=0.06)
        assert row["volume_liberation"] == pytest.approx(0.49, abs=0.02)
        assert row["axis_major_um"] == pytest.approx(102, rel=0.03)
        assert row["elongation"] == pytest.approx(1, abs=0.03)
