"""Faults with exact truth: what was asked for is what the coordinates say."""

import re
from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.phantom import LEVELS, PHASES, cut_along
from napari_slagseg.phantom import defects as d
from napari_slagseg.phantom.ct import GREY_RANGE
from napari_slagseg.phantom.presets import VOXEL_UM

EASY = LEVELS["easy"]
MASSES = {
    "H": (1, 1.008), "Li": (3, 6.94), "C": (6, 12.011), "O": (8, 15.999), "Mg": (12, 24.305),
    "Al": (13, 26.982), "Si": (14, 28.085), "Ca": (20, 40.078), "Fe": (26, 55.845),
}  # fmt: skip


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def assert_shows_the_truth(truth, cut, places=None):
    """The undegraded map is what the truth has at the stated coordinates."""
    places = cut.coordinates if places is None else places
    particles, phases = truth.at(places.reshape(-1, 3).astype(float))
    # single precision moves a pixel in thousands to the other side of a boundary
    assert np.mean(phases != cut.phases.ravel()) < 2e-3
    assert np.mean(particles != cut.particles.ravel()) < 2e-3
    assert np.mean(cut.phases > 0) > 0.1


def test_a_map_cut_again_along_its_surface_is_the_same_map(tiny, rng):
    for m in tiny.maps:
        again = cut_along(tiny.truth, m.surface, VOXEL_UM, EASY, "again", rng)
        assert np.array_equal(again.phases, m.phases)
        assert np.array_equal(again.coordinates, m.coordinates)
        assert again.true_pixel_um == m.true_pixel_um


def test_the_surface_knows_its_normal(tiny):
    s = tiny.maps[0].surface
    row, column = s.middle
    flat = replace(s, sag=0.0)
    by_row = flat.at(row + 1, column) - flat.at(row, column)
    by_column = flat.at(row, column + 1) - flat.at(row, column)
    assert s.normal @ s.normal == pytest.approx(1)
    assert s.normal @ by_row == pytest.approx(0, abs=1e-12)
    assert s.normal @ by_column == pytest.approx(0, abs=1e-12)
    assert s.normal[0] > 0.9


@pytest.mark.parametrize(("tilt", "sag", "error"), [(10.0, 12.0, 0.05), (0.0, 3.0, -0.05)])
def test_tilt_sag_and_pixel_size_are_those_asked_for(tiny, tilt, sag, error):
    s = d.reshaped(
        tiny.maps[0].surface, tilt_deg=tilt, sag_voxels=sag, height=28.0, pixel_error=error
    )
    assert np.rad2deg(np.arccos(s.normal[0])) == pytest.approx(tilt, abs=1e-6)
    zyx = s.coordinates()
    centre = np.array(s.centre_zyx)
    assert centre[0] == 28.0
    height = (zyx - centre) @ s.normal
    within = np.hypot(*np.moveaxis(np.indices(s.shape), 0, -1).T - (s.shape[0] - 1) / 2).T
    assert np.ptp(height[within * s.pitch <= s.radius]) == pytest.approx(sag, rel=0.01)
    n = s.shape[0] // 2
    step = np.linalg.norm(zyx[n, n] - zyx[n - 1, n]) * VOXEL_UM
    assert step == pytest.approx(1 + error, rel=1e-3)


@pytest.mark.parametrize("direction", ["plane", "height"])
def test_a_crack_moves_one_side_by_the_step_and_the_other_not_at_all(tiny, rng, direction):
    whole = tiny.maps[0]
    broken = d.cracked(tiny.truth, whole, EASY, 6.0, direction, rng)
    assert_shows_the_truth(tiny.truth, broken)
    off = broken.coordinates.astype(float) - whole.coordinates
    length = np.linalg.norm(off, axis=-1)
    moved = length > 3
    assert np.all(length[~moved] == 0)
    assert length[moved] == pytest.approx(6.0, abs=1e-4)
    assert 0.15 < moved.mean() < 0.85
    along_normal = off[moved] @ whole.surface.normal
    if direction == "height":
        assert along_normal == pytest.approx(6.0, abs=1e-4)
    else:
        assert np.abs(along_normal).max() < 0.5
    # one straight line parts them: a plane through the sides' means separates almost all
    at = np.indices(moved.shape).reshape(2, -1).T
    sides = [at[moved.ravel()].mean(axis=0), at[~moved.ravel()].mean(axis=0)]
    reach = (at - np.mean(sides, axis=0)) @ (sides[0] - sides[1])
    best = max(
        np.mean((reach > t) == moved.ravel()) for t in np.quantile(reach, np.arange(0, 1, 0.01))
    )
    assert best > 0.9


def test_fields_show_what_lies_at_their_offsets_on_the_surface(tiny, rng):
    whole = tiny.maps[1]
    cut, fields = d.stitched(tiny.truth, whole, EASY, (64, 50), 4.0, rng)
    assert_shows_the_truth(tiny.truth, cut)
    rows, columns = whole.surface.shape
    assert len(fields) == -(-rows // 64) * -(-columns // 50)
    covered = np.zeros(whole.surface.shape, int)
    for f in fields:
        covered[f.row : f.row + f.height, f.column : f.column + f.width] += 1
        middle = (f.row + f.height // 2, f.column + f.width // 2)
        stated = whole.surface.at(
            np.array(middle[0] + f.row_shift), np.array(middle[1] + f.column_shift)
        )
        assert cut.coordinates[middle] == pytest.approx(stated, abs=1e-4)
    assert np.all(covered == 1)
    offsets = np.array([(f.row_shift, f.column_shift) for f in fields])
    assert np.sqrt(np.mean(offsets**2)) == pytest.approx(4.0, rel=0.4)


@pytest.mark.parametrize("where", ["side", "middle"])
@pytest.mark.parametrize("share", [1 / 2, 1 / 3])
def test_a_part_of_a_map_holds_the_share_of_the_cross_section(tiny, where, share):
    whole = tiny.maps[0]
    part = d.share_of(whole, tiny.ct.shape, tiny.radius, share, where)

    def held(cut):
        return np.count_nonzero(
            np.hypot(*(cut.coordinates[..., 1:] - 47.5).transpose(2, 0, 1)) <= tiny.radius
        )

    assert held(part) / held(whole) == pytest.approx(share, abs=0.02)
    assert_shows_the_truth(tiny.truth, part)
    assert part.surface.coordinates() == pytest.approx(part.coordinates, abs=1e-4)
    assert part.mineral_map.shape == part.phases.shape == part.surface.shape


def test_a_cropped_cube_has_no_air_and_its_maps_point_at_the_same_grey_values(tiny):
    cube = d.cropped_cube(tiny.ct, tiny.maps, tiny.radius)
    assert cube.ct.data.shape[1] == cube.ct.data.shape[2] <= tiny.radius * np.sqrt(2)
    air = tiny.ct.data[:, 0, 0].mean()
    assert cube.ct.data[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean() > 2 * air
    for before, after in zip(tiny.maps, cube.maps):
        assert after.mineral_map.shape[0] < before.mineral_map.shape[0]
        first = (tiny.ct.shape[1] - cube.ct.shape[1]) // 2
        z, y, x = np.rint(after.coordinates[20, 30]).astype(int)
        assert cube.ct.data[z, y, x] == tiny.ct.data[z, y + first, x + first]
        assert_shows_the_truth(tiny.truth, after, after.coordinates + np.array([0, first, first]))


def test_longer_voxels_are_means_and_lengths_stay(tiny):
    long = d.longer_voxels(tiny.ct, tiny.maps, (2, 1, 3))
    assert long.ct.voxel_size_um == pytest.approx((2 * VOXEL_UM, VOXEL_UM, 3 * VOXEL_UM))
    assert long.ct.shape == (28, 96, 32)
    assert long.ct.data[3, 7, 5] == round(tiny.ct.data[6:8, 7, 15:18].mean(dtype=float))
    before, after = tiny.maps[0].coordinates[50, 60], long.maps[0].coordinates[50, 60]
    # from the volume's corner, in micrometres
    assert (after + 0.5) * long.ct.voxel_size_um == pytest.approx((before + 0.5) * VOXEL_UM)


def test_rings_and_cupping_are_added_as_strong_as_stated(tiny, rng, axial_distance):
    spoilt = d.more_rings_and_cupping(tiny.ct, tiny.radius, 0.5, 0.0, rng)
    grey = (tiny.ct.data.astype(float) - 2000) / GREY_RANGE
    ratio = ((spoilt.data.astype(float) - 2000) / GREY_RANGE).sum(axis=0) / grey.sum(axis=0)
    assert ratio[47, 47] == pytest.approx(0.75, abs=0.01)
    assert ratio[47, 3] == pytest.approx(1.25, abs=0.03)
    ringed = d.more_rings_and_cupping(tiny.ct, tiny.radius, 0.0, 0.1, rng)
    added = (ringed.data.astype(float) - tiny.ct.data)[0] / GREY_RANGE
    same = axial_distance.astype(int) == 20
    assert np.ptp(added[same]) < 1e-4
    by_radius = [added[axial_distance.astype(int) == n].mean() for n in range(45)]
    # 0.7 pixels of smoothing leave 0.63 of the deviation, 1.5 make it up
    assert np.std(by_radius) == pytest.approx(0.095, rel=0.35)


def test_mean_atomic_numbers_are_those_of_the_formulas():
    formulas = ["C21H24O4", *(phase.formula for phase in PHASES if phase.id)]
    for formula, stated in zip(formulas, d.MEAN_ATOMIC_NUMBERS, strict=True):
        parts = [(e, int(n or 1)) for e, n in re.findall(r"([A-Z][a-z]?)(\d*)", formula)]
        masses = [MASSES[e][1] * n for e, n in parts]
        mean = sum(MASSES[e][0] * m for (e, _), m in zip(parts, masses)) / sum(masses)
        assert stated == pytest.approx(mean, abs=0.01)


def test_a_bse_image_is_grey_by_mean_atomic_number(tiny, rng):
    cut = tiny.maps[0]
    plain = d.backscatter(cut, rng, blur_pixels=0.0, noise=0.0, shading=0.0)
    values = [np.unique(plain[cut.phases == i]) for i in range(6)]
    assert all(len(v) == 1 for v in values if len(v))
    order = np.argsort(d.MEAN_ATOMIC_NUMBERS)
    greys = [float(values[i][0]) for i in order if len(values[i])]
    assert greys == sorted(greys)
    # carbon 6 % and iron 28 % of the electrons, as in textbooks
    assert d.backscatter_coefficient(np.array([6.0, 26.0])) == pytest.approx([0.06, 0.28], abs=0.01)
    torn = d.backscatter(cut, rng, torn=1.0, blur_pixels=0.0, noise=0.0, shading=0.0)
    assert np.ptp(torn) == 0
    shaded = d.backscatter(cut, rng, blur_pixels=0.0, noise=0.0, shading=0.2) / plain
    assert 0.19 < np.ptp(shaded) < 0.2 * np.sqrt(2) + 1e-3
    noisy = d.backscatter(cut, rng, blur_pixels=0.0, noise=0.05, shading=0.0) - plain
    step = 1 - plain[cut.phases == 0][0]
    assert noisy.std() == pytest.approx(0.05 * step, rel=0.05)
