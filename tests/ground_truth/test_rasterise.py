from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_slagseg.data import FieldShift
from napari_slagseg.ground_truth import invert_surface, sheet_on_cutouts, sheet_on_surface

EVERYWHERE = np.ones((3, 3, 3), dtype=bool)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
@pytest.mark.parametrize("tilt", [(0.0, 0.0), (0.25, -0.4), (-0.65, 0.6)])
def test_the_sheet_is_one_voxel_thick_and_without_holes(cuts, order, tilt):
    Cut, _, curved = cuts
    centre = (60.0, 30.0, 10.0)
    cut = Cut(curved(centre, tilt, 0.002, order), (180, 240), (150, 150, 150))
    sheet = sheet_on_surface(cut.placed)
    assert sheet.axis == order.index(0)
    lines = np.delete(sheet.voxels, sheet.axis, axis=1)
    assert len(np.unique(lines, axis=0)) == len(lines)
    # as many lines as the section covers: its area seen along the axis
    corners = cut.formula(*np.array([[-0.5, -0.5], [-0.5, 239.5], [179.5, 239.5], [179.5, -0.5]]).T)
    b, c = np.delete(corners, sheet.axis, axis=1).T
    area = abs(np.dot(b, np.roll(c, -1)) - np.dot(c, np.roll(b, -1))) / 2
    assert len(lines) == pytest.approx(area, rel=0.01)
    # looked at along the axis: one piece, and filling its holes adds nothing
    seen = np.zeros((150, 150), dtype=bool)
    seen[tuple(lines.T)] = True
    assert np.array_equal(ndimage.binary_fill_holes(seen), seen)
    # in space: face neighbours in the view are 26-neighbours wherever the slope is at most one
    height = np.full(seen.shape, -1)
    height[tuple(lines.T)] = sheet.voxels[:, sheet.axis]
    for axis in (0, 1):
        low, high = height[:-1], height[1:]
        if axis:
            low, high = height[:, :-1], height[:, 1:]
        both = (low >= 0) & (high >= 0)
        assert np.abs(low - high)[both].max() <= 1
    volume = np.zeros((150, 150, 150), dtype=bool)
    volume[tuple(sheet.voxels.T)] = True
    assert ndimage.label(volume, EVERYWHERE)[1] == 1


def test_every_voxel_takes_the_nearest_pixel_and_lies_half_a_voxel_from_the_surface(cuts):
    Cut, _, curved = cuts
    cut = Cut(curved((30.0, 25.0, 8.0), (0.3, -0.2), 0.003), (150, 160), (70, 110, 110))
    sheet = sheet_on_surface(cut.placed)
    # dense sampling of the formula, a tenth of a pixel apart
    fine = np.arange(-0.5, 160, 0.1)
    r, c = np.meshgrid(fine[fine < 149.5], fine[fine < 159.5], indexing="ij")
    points = cut.formula(r, c).reshape(-1, 3)
    near = np.round(points[:, 1:]).astype(int)
    close = np.abs(points[:, 1:] - near).max(axis=1) < 0.04
    found = {}
    for (y, x), z, row, column in zip(
        near[close], points[close, 0], r.ravel()[close], c.ravel()[close]
    ):
        found.setdefault((y, x), []).append((z, row, column))
    checked = 0
    for (z, y, x), row, column in zip(sheet.voxels, sheet.rows, sheet.columns):
        if (y, x) in found:
            dense = np.mean(found[(y, x)], axis=0)
            assert abs(z - dense[0]) < 0.5 + 0.06
            assert abs(row - dense[1]) < 0.5 + 0.15
            assert abs(column - dense[2]) < 0.5 + 0.15
            checked += 1
    assert checked > 0.9 * len(sheet.voxels)


def test_a_plane_is_inverted_exactly(cuts):
    Cut, plane, _ = cuts
    cut = Cut(plane((10, 5, 6), (0.05, 0.4, -0.1), (-0.1, 0.1, 0.4)), (120, 130), (40, 80, 80))
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 119, (200, 2))
    points = cut.formula(*pixels.T)
    found, heights = invert_surface(cut.placed.surface, 0, points[:, 1:])
    assert np.allclose(found, pixels, atol=1e-2)
    assert np.allclose(heights, points[:, 0], atol=1e-2)


def test_only_accepted_cutouts_and_the_best_score_is_recorded(cuts):
    Cut, plane, _ = cuts
    cut = Cut(plane((10, 2, 2), (0, 0.5, 0), (0, 0, 0.5)), (100, 100), (20, 60, 60), grid=60)
    corners = [cut.cutout(0, 0, 60, 0.5), cut.cutout(0, 40, 60, 0.8), cut.cutout(40, 0, 60, 0.9)]
    placed = cut.placed
    object.__setattr__(placed, "cutouts", tuple(corners))
    placed = placed.with_states({2: "rejected"})
    for sheet in (sheet_on_surface(placed), sheet_on_cutouts(placed)):
        assert np.all(sheet.rows < 60)  # rows from 60 on lie in the rejected cutout only
        assert np.array_equal(sheet.cutout, np.where(sheet.columns >= 40, 1, 0))
        assert np.allclose(sheet.score, np.where(sheet.columns >= 40, 0.8, 0.5))
        assert len(sheet.rows) == 30 * 50  # half a voxel a pixel: 60 x 100 pixels
        assert np.all(sheet.voxels[:, 0] == 10)


def test_cutouts_keep_their_own_plane_and_the_better_one_wins(cuts):
    Cut, plane, _ = cuts
    cut = Cut(plane((10, 2, 2), (0, 0.5, 0), (0, 0, 0.5)), (60, 100), (30, 60, 60))
    low = cut.cutout(0, 0, 60, 0.5)
    high = cut.cutout(0, 40, 60, 0.8)
    high = type(high)(**{**vars(high), "centre_zyx": (13.0, *high.centre_zyx[1:])})
    placed = cut.placed
    object.__setattr__(placed, "cutouts", (low, high))
    sheet = sheet_on_cutouts(placed)
    assert np.array_equal(sheet.voxels[:, 0], np.where(sheet.columns >= 40, 13, 10))
    assert len(np.unique(sheet.voxels[:, 1:], axis=0)) == len(sheet.voxels) == 30 * 50


def test_flat_sections_give_the_same_sheet_both_ways(cuts):
    Cut, plane, _ = cuts
    cut = Cut(plane((12, 9, 3), (0.06, 0.4, -0.12), (0.02, 0.12, 0.4)), (150, 150), (40, 90, 90))
    smooth, rigid = sheet_on_surface(cut.placed), sheet_on_cutouts(cut.placed)
    order = np.lexsort(smooth.voxels.T), np.lexsort(rigid.voxels.T)
    same = np.all(smooth.voxels[order[0]] == rigid.voxels[order[1]], axis=1)
    assert np.mean(same) > 0.995  # many crossings lie on exact halves here


def test_parts_outside_the_volume_are_left_out(cuts):
    Cut, plane, _ = cuts
    cut = Cut(plane((-3, -10, 2), (0.1, 0.4, 0), (0, 0, 0.4)), (150, 100), (8, 30, 30))
    sheet = sheet_on_surface(cut.placed)
    assert len(sheet.voxels)
    assert sheet.voxels.min() >= 0
    assert np.all(sheet.voxels.max(axis=0) < (8, 30, 30))


def test_pixels_of_shifted_fields_go_where_the_surface_has_them(flat_cut):
    """The right half of the map was put down four pixels too far to the left."""
    _, _, _, (placed,), _ = flat_cut
    fields = (FieldShift(0, 0, 80, 40, 0.0, 0.0), FieldShift(0, 40, 80, 40, 0.0, 4.0))
    plain, moved = sheet_on_surface(placed), sheet_on_surface(replace(placed, fields=fields))
    column_of = dict(zip(map(tuple, moved.voxels), moved.columns))
    for voxel, column in zip(map(tuple, plain.voxels), plain.columns):
        if column < 40:
            assert column_of[voxel] == column
        elif column >= 45:
            assert column_of[voxel] == column - 4
    # two voxels between the fields show nothing
    gap = {v[2] for v in map(tuple, plain.voxels)} - {v[2] for v in column_of}
    assert gap == {20, 21}
