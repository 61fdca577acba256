import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from napari_slagseg.data import (
    Cutout,
    FieldShift,
    GreyMap,
    Landmarks,
    PlacedMap,
    PlacementSurface,
    SlagsegError,
    Volume,
)
from napari_slagseg.registration.steering import (
    LiveFit,
    Nudge,
    hold_surface,
    landmark_residuals,
    nudge_cutout,
    nudge_map,
    refit_surface,
    similarity_from_landmarks,
    worst_landmark,
)

SHAPE = (241, 301)
MIDDLE = np.array([120.0, 150.0])
CUBIC = (2.0, 2.0, 2.0)
SLICES = (3.0, 2.0, 2.2)


def quadratic(rows, columns):
    """A tilted, turned and bent cut; voxels over map pixels of 1 um."""
    r, c = (np.asarray(rows) - 120.0) / 150, (np.asarray(columns) - 150.0) / 150
    z = 40 + 5 * r - 3 * c + 4 * r**2 - 2 * r * c + 3 * c**2
    y = 90 + 60 * r + 20 * c + 0.5 * r * c
    x = 100 - 20 * r + 60 * c - 0.4 * c**2
    return np.stack([z, y, x], axis=-1)


def lattice(function):
    rows, columns = np.linspace(0, 240, 13), np.linspace(0, 300, 16)
    doubt = np.full((13, 16), 0.3)
    return PlacementSurface(
        rows, columns, function(*np.meshgrid(rows, columns, indexing="ij")), doubt
    )


def cutout_on(function, row, column, edge=81, **values):
    r, c = row + (edge - 1) / 2, column + (edge - 1) / 2
    centre = function(r, c)
    by_row = function(r + 0.5, c) - function(r - 0.5, c)
    by_column = function(r, c + 0.5) - function(r, c - 0.5)
    return Cutout(row, column, edge, edge, *map(tuple, (centre, by_row, by_column)), 0.7, **values)


def placement(function, cutouts=(), voxel=CUBIC, **values):
    return PlacedMap(
        "cut", SHAPE, 1.0, (120, 200, 220), voxel, True, 0.7, surface=lattice(function),
        cutouts=tuple(cutouts), probability=0.99, details={"run_key": "k"}, **values,
    )  # fmt: skip


def grid_of_cutouts(function, count=4, **values):
    rows = np.linspace(0, 160, count).astype(int)
    columns = np.linspace(0, 220, count).astype(int)
    return [cutout_on(function, int(r), int(c), **values) for r in rows for c in columns]


def everywhere(placed):
    rows, columns = np.arange(0, 241, 8.0), np.arange(0, 301, 10.0)
    return placed.surface.on_grid(rows, columns)


def same_poses(a, b):
    for name in ("centre_zyx", "row_step_zyx", "column_step_zyx"):
        for p, q in zip(a.cutouts, b.cutouts, strict=True):
            assert np.allclose(getattr(p, name), getattr(q, name), atol=1e-9), name


# -- nudges -------------------------------------------------------------------


@pytest.mark.parametrize("voxel", [CUBIC, SLICES])
def test_one_step_is_one_voxel_along_the_maps_own_directions(voxel):
    placed = placement(quadratic, grid_of_cutouts(quadratic), voxel)
    old = placed.cutouts[5]
    for nudge, along in (
        (Nudge(down=1), old.row_step_zyx),
        (Nudge(right=1), old.column_step_zyx),
        (Nudge(up=1), (1.0, 0.0, 0.0)),
    ):
        new = nudge_cutout(placed, 5, nudge).cutouts[5]
        moved = np.subtract(new.centre_zyx, old.centre_zyx)
        assert np.linalg.norm(moved) == pytest.approx(1, abs=1e-12)
        assert moved @ along / np.linalg.norm(along) == pytest.approx(1, abs=1e-12)
        assert np.allclose(new.row_step_zyx, old.row_step_zyx, atol=1e-12)
    before = placed.surface.at(*MIDDLE)
    moved = nudge_map(placed, Nudge(down=1)).surface.at(*MIDDLE) - before
    assert np.linalg.norm(moved) == pytest.approx(1, abs=1e-9)
    step = placed.surface.at(120.5, 150.0) - placed.surface.at(119.5, 150.0)
    assert moved @ step / np.linalg.norm(step) == pytest.approx(1, abs=1e-9)


def test_a_flat_map_moves_by_whole_voxels_and_slices():
    """Rows along y, columns along x, in voxels of 3 x 2 x 2.2 um."""

    def flat(rows, columns):
        rows, columns = np.broadcast_arrays(rows, columns)
        return np.stack([np.full(rows.shape, 30.0), 5 + rows / 2.0, 7 + columns / 2.2], axis=-1)

    placed = placement(flat, [cutout_on(flat, 80, 110)], SLICES)
    moved = nudge_map(placed, Nudge(down=2, right=-3, up=0.5))
    assert np.allclose(everywhere(moved) - everywhere(placed), (0.5, 2, -3), atol=1e-9)
    cutout = nudge_cutout(placed, 0, Nudge(down=2, right=-3, up=0.5)).cutouts[0]
    assert np.allclose(
        np.subtract(cutout.centre_zyx, placed.cutouts[0].centre_zyx), (0.5, 2, -3), atol=1e-9
    )


@pytest.mark.parametrize("voxel", [CUBIC, SLICES])
def test_a_turn_is_rigid_in_micrometres_from_columns_towards_rows(voxel):
    placed = placement(quadratic, grid_of_cutouts(quadratic), voxel)
    turned = nudge_map(placed, Nudge(turn_deg=30))
    size = np.array(voxel)
    a, b = everywhere(placed) * size, everywhere(turned) * size
    for i, j in ((0, -1), (3, 17), (25, 8)):
        before = np.linalg.norm(a.reshape(-1, 3)[i] - a.reshape(-1, 3)[j])
        after = np.linalg.norm(b.reshape(-1, 3)[i] - b.reshape(-1, 3)[j])
        assert after == pytest.approx(before, rel=1e-9)
    assert np.allclose(turned.surface.at(*MIDDLE), placed.surface.at(*MIDDLE), atol=1e-9)

    def steps(p):
        r = p.surface.at(120.5, 150.0) - p.surface.at(119.5, 150.0)
        c = p.surface.at(120.0, 150.5) - p.surface.at(120.0, 149.5)
        return r * size, c * size

    by_row, by_column = steps(placed)
    # scipy's rotations take (x, y, z)
    axis = np.cross(by_column[::-1], by_row[::-1])
    spin = Rotation.from_rotvec(np.radians(30) * axis / np.linalg.norm(axis))
    new_row, new_column = steps(turned)
    assert np.allclose(new_column[::-1], spin.apply(by_column[::-1]), atol=1e-7)
    assert np.allclose(new_row[::-1], spin.apply(by_row[::-1]), atol=1e-7)
    assert new_column @ by_row > by_column @ by_row
    # cutouts go with the surface
    for old, new in zip(placed.cutouts, turned.cutouts, strict=True):
        off = np.subtract(old.centre_zyx, placed.surface.at(old.row + 40.0, old.column + 40.0))
        now = np.subtract(new.centre_zyx, turned.surface.at(old.row + 40.0, old.column + 40.0))
        assert np.linalg.norm(now * size) == pytest.approx(np.linalg.norm(off * size), abs=1e-6)


def test_a_nudge_and_its_inverse_restore_the_placement():
    nudge = Nudge(down=1.5, right=-2.25, up=3, turn_deg=17)
    back = Nudge(down=-1.5, right=2.25, up=-3, turn_deg=-17)
    for voxel in (CUBIC, SLICES):
        placed = placement(quadratic, grid_of_cutouts(quadratic), voxel)
        again = nudge_map(nudge_map(placed, nudge), back)
        assert np.allclose(again.surface.zyx, placed.surface.zyx, atol=1e-9)
        same_poses(again, placed)
        again = nudge_cutout(nudge_cutout(placed, 6, nudge), 6, back)
        same_poses(again, placed)
        # all but exactly: the surface is a lattice
        assert np.allclose(everywhere(again), everywhere(placed), atol=0.01)


def test_nudges_keep_what_else_is_known():
    fields = (FieldShift(0, 0, 100, 100, 2.0, -1.0),)
    placed = placement(quadratic, grid_of_cutouts(quadratic, probability=0.95), fields=fields)
    for moved in (nudge_map(placed, Nudge(up=1)), nudge_cutout(placed, 0, Nudge(up=1))):
        assert moved.fields == fields
        assert np.array_equal(moved.surface.uncertainty_voxels, placed.surface.uncertainty_voxels)
        assert moved.details == {"run_key": "k", "by_hand": "nudged"}
    assert moved.cutouts[0].state == "locked"
    assert moved.cutouts[0].grade == "unknown"
    assert {c.state for c in moved.cutouts[1:]} == {"accepted"}
    assert {c.grade for c in moved.cutouts[1:]} == {"good"}


def test_what_cannot_be_nudged_is_told():
    placed = placement(quadratic, grid_of_cutouts(quadratic))
    with pytest.raises(SlagsegError, match="no cutout 16; it has 16"):
        nudge_cutout(placed, 16, Nudge())
    with pytest.raises(SlagsegError, match="no cutout -1"):
        nudge_cutout(placed, -1, Nudge())
    with pytest.raises(SlagsegError, match="lies nowhere"):
        nudge_map(replace(placed, surface=None), Nudge(up=1))
    with pytest.raises(SlagsegError, match="turn_deg = nan"):
        Nudge(turn_deg=float("nan"))


# -- the surface ----------------------------------------------------------------


@pytest.mark.parametrize("voxel", [CUBIC, SLICES])
def test_a_surface_through_cutouts_of_a_quadratic_is_that_quadratic(voxel):
    def plane(rows, columns):
        return quadratic(120.0, 150.0) + 0 * quadratic(rows, columns) + 1.0

    cutouts = grid_of_cutouts(quadratic)
    cutouts[3] = replace(cutouts[3], state="locked")
    wrong = replace(cutout_on(plane, 10, 20), state="rejected")
    placed = placement(plane, [*cutouts, wrong], voxel)
    refitted = refit_surface(placed)
    rows, columns = np.meshgrid(np.arange(0, 241, 8.0), np.arange(0, 301, 10.0), indexing="ij")
    assert np.allclose(everywhere(refitted), quadratic(rows, columns), atol=0.01)
    assert max(c.residual_voxels for c in refitted.cutouts[:-1]) < 0.01
    off = (quadratic(120.0, 150.0) + 1 - quadratic(50.0, 60.0)) * voxel
    expected = np.linalg.norm(off) / np.sqrt(voxel[1] * voxel[2])
    assert refitted.cutouts[-1].residual_voxels == pytest.approx(expected, abs=0.01)
    assert [c.state for c in refitted.cutouts] == [c.state for c in placed.cutouts]


def detailed(rows, columns):
    """The quadratic with waves that no polynomial of a few cutouts could follow."""
    waves = 0.6 * np.sin(np.asarray(rows) / 18) * np.cos(np.asarray(columns) / 21)
    return quadratic(rows, columns) + waves[..., None] * np.array([1.0, 0.2, -0.3])


def far_from(cutout, reach):
    rows, columns = np.meshgrid(np.arange(0, 241, 8.0), np.arange(0, 301, 10.0), indexing="ij")
    middle = cutout.row + (cutout.height - 1) / 2, cutout.column + (cutout.width - 1) / 2
    return np.hypot(rows - middle[0], columns - middle[1]) > reach


def test_a_moved_cutout_takes_the_surface_along_and_only_near_it():
    placed = placement(detailed, grid_of_cutouts(quadratic, 7, edge=41))
    moved = nudge_cutout(placed, 24, Nudge(up=3))
    c = moved.cutouts[24]
    there = moved.surface.at(c.row + 20.0, c.column + 20.0)
    assert np.allclose(there, c.centre_zyx, atol=0.01)
    assert c.residual_voxels < 0.01
    far = far_from(c, 2 * 41 + 40)
    assert np.abs(everywhere(moved) - everywhere(placed))[far].max() < 0.01
    # a second one leaves the first where it is
    again = nudge_cutout(moved, 25, Nudge(down=-2))
    assert again.cutouts[24].residual_voxels < 0.01
    assert again.cutouts[25].residual_voxels < 0.01
    # so does a refit, which follows the others' quadratic but keeps the waves
    refitted = refit_surface(again)
    assert max(refitted.cutouts[k].residual_voxels for k in (24, 25)) < 0.01
    far &= far_from(again.cutouts[25], 2 * 41 + 40)
    change = np.abs(everywhere(refitted) - everywhere(placed))[far]
    assert np.median(change) < 0.2
    assert change.max() < 0.8


def test_rejected_cutouts_that_are_nudged_into_place_hold_the_surface_too():
    cutouts = grid_of_cutouts(quadratic)
    wrong = tuple(np.add(cutouts[6].centre_zyx, (6, -3, 2)))
    cutouts[6] = replace(cutouts[6], centre_zyx=wrong, state="rejected")
    moved = nudge_cutout(placement(quadratic, cutouts), 6, Nudge(up=-6))
    assert moved.cutouts[6].state == "locked"
    assert moved.cutouts[6].residual_voxels < 0.01


def test_the_surface_turns_with_a_cutout():
    placed = placement(detailed, grid_of_cutouts(quadratic))
    turned = nudge_cutout(placed, 5, Nudge(turn_deg=4))
    c = turned.cutouts[5]
    r, k = np.array([c.row + 20.0, c.row + 60.0]), np.array([c.column + 60.0, c.column + 20.0])
    moved = turned.surface.at(r, k) - placed.surface.at(r, k)
    expected = c.at(r, k) - placed.cutouts[5].at(r, k)
    middle = np.subtract(c.centre_zyx, placed.surface.at(c.row + 40.0, c.column + 40.0))
    assert np.allclose(moved, expected + middle, atol=0.1)
    assert np.linalg.norm(expected, axis=-1).min() > 0.4


def test_a_cutout_in_a_shifted_field_lies_where_the_field_does():
    fields = (FieldShift(0, 0, 121, 301, 6.0, -4.0),)
    cutouts = [
        replace(c, centre_zyx=tuple(quadratic(c.row + 40.0 + 6, c.column + 40.0 - 4)))
        if c.row + 40 < 120.5 else c
        for c in grid_of_cutouts(quadratic)
    ]  # fmt: skip
    placed = placement(quadratic, cutouts, fields=fields)
    refitted = refit_surface(placed)
    assert max(c.residual_voxels for c in refitted.cutouts) < 5e-3
    assert np.allclose(everywhere(refitted), everywhere(placed), atol=5e-3)
    moved = nudge_cutout(placed, 0, Nudge(up=2))
    there = moved.surface.at(46.0, 36.0)
    assert np.allclose(there, moved.cutouts[0].centre_zyx, atol=0.01)


def test_the_order_of_nudges_hardly_matters():
    placed = placement(detailed, grid_of_cutouts(quadratic))
    one = nudge_cutout(nudge_cutout(placed, 2, Nudge(up=2)), 9, Nudge(down=1, turn_deg=3))
    other = nudge_cutout(nudge_cutout(placed, 9, Nudge(down=1, turn_deg=3)), 2, Nudge(up=2))
    same_poses(one, other)
    assert np.abs(everywhere(one) - everywhere(other)).max() < 0.4
    for p in (one, other):
        assert max(p.cutouts[k].residual_voxels for k in (2, 9)) < 0.01


def test_a_cutout_that_is_registered_again_takes_its_trace_along():
    """As after a run for this one cutout alone, which gave it a new pose."""
    placed = placement(detailed, grid_of_cutouts(detailed, 6, edge=61))
    moved = nudge_cutout(placed, 14, Nudge(down=3, up=-2))
    back = replace(placed.cutouts[14], state="locked")
    again = hold_surface(replace(moved, cutouts=(*moved.cutouts[:14], back, *moved.cutouts[15:])))
    assert np.abs(everywhere(moved) - everywhere(placed)).max() > 2.5
    assert np.abs(everywhere(again) - everywhere(placed)).max() < 0.1


def test_many_small_steps_do_not_wear_the_surface():
    placed = placement(detailed, grid_of_cutouts(quadratic))
    first = nudge_cutout(placed, 5, Nudge(up=0.5))
    walked = first
    for nudge in [Nudge(up=0.5)] * 10 + [Nudge(right=1)] * 5 + [Nudge(turn_deg=1)] * 4:
        walked = nudge_cutout(walked, 5, nudge)
    for nudge in [Nudge(turn_deg=-1)] * 4 + [Nudge(right=-1)] * 5 + [Nudge(up=-0.5)] * 10:
        walked = nudge_cutout(walked, 5, nudge)
    same_poses(walked, first)
    assert np.allclose(everywhere(walked), everywhere(first), atol=0.02)


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 5])
def test_few_cutouts_move_the_surface_as_a_whole(kept):
    def higher(rows, columns):
        return quadratic(rows, columns) + np.array([2.0, 0.0, 0.0])

    cutouts = [
        replace(c, state="accepted" if k < kept else "rejected")
        for k, c in enumerate(grid_of_cutouts(higher))
    ]
    refitted = refit_surface(placement(quadratic, cutouts))
    shift = everywhere(refitted) - everywhere(placement(quadratic))
    # the quadratic itself is a lattice of splines, good to a few thousandths
    assert np.allclose(shift, (2.0 if kept else 0.0, 0, 0), atol=5e-3)
    assert np.isfinite(refitted.surface.zyx).all()


# -- the live fit -----------------------------------------------------------------


@pytest.fixture(scope="module")
def true_placement(easy):
    cut = easy.maps[1]
    rows, columns = (
        np.unique(np.linspace(0, n - 1, 30).astype(int)) for n in cut.coordinates.shape[:2]
    )
    surface = PlacementSurface(
        rows.astype(float), columns.astype(float),
        cut.coordinates[np.ix_(rows, columns)].astype(np.float64),
    )  # fmt: skip

    def true(r, c):
        return surface.at(r, c)

    edge = 120
    cutouts = [cutout_on(true, r, c, edge) for r in (0, 94) for c in (0, 94)]
    return PlacedMap(
        cut.mineral_map.name, cut.mineral_map.shape, cut.mineral_map.pixel_size_um,
        easy.ct.shape, easy.ct.voxel_size_um, True, 0.0, cut.mirrored, surface, tuple(cutouts),
    )  # fmt: skip


def test_the_live_score_peaks_at_the_true_pose(easy, true_placement):
    live = LiveFit(easy.ct, easy.maps[1].mineral_map)
    best = live.map_score(true_placement)
    assert best > 0.8
    ways = [Nudge(**{n: s * d}) for n in ("down", "right", "up") for s in (1, -1) for d in (1, 3)]
    ways += [Nudge(turn_deg=2), Nudge(turn_deg=-2)]
    for way in ways:
        assert live.map_score(nudge_map(true_placement, way)) < best - 0.005, way
        for k in (0, 3):
            own, moved = live.cutout_score(true_placement, k), nudge_cutout(true_placement, k, way)
            # the height of so small a piece is uncertain by half a voxel
            if max(np.abs([way.down, way.right, way.up])) == 3:
                assert live.cutout_score(moved, k) < own - 0.02, (way, k)
    # further off is worse
    assert live.map_score(nudge_map(true_placement, Nudge(up=3))) < live.map_score(
        nudge_map(true_placement, Nudge(up=1))
    )


def test_the_live_score_is_about_that_of_a_run(easy, placed_blindly):
    live = LiveFit(easy.ct, easy.maps[1].mineral_map)
    assert live.map_score(placed_blindly) == pytest.approx(placed_blindly.score, abs=0.08)
    for k, c in enumerate(placed_blindly.cutouts):
        if c.accepted:
            assert live.cutout_score(placed_blindly, k) == pytest.approx(c.score, abs=0.15)
    again = live.scored(placed_blindly, [0])
    assert again.score == live.map_score(placed_blindly)
    assert again.cutouts[0].score == live.cutout_score(placed_blindly, 0)
    assert again.cutouts[1:] == placed_blindly.cutouts[1:]


def test_own_pose_and_surface_are_told_apart(easy, true_placement):
    live = LiveFit(easy.ct, easy.maps[1].mineral_map)
    off = replace(true_placement.cutouts[0], centre_zyx=tuple(
        np.add(true_placement.cutouts[0].centre_zyx, (5, 0, 0))
    ))  # fmt: skip
    changed = replace(true_placement, cutouts=(off, *true_placement.cutouts[1:]))
    good = live.cutout_score(true_placement, 0)
    assert live.cutout_score(changed, 0, own_pose=False) == pytest.approx(
        live.cutout_score(true_placement, 0, own_pose=False)
    )
    assert live.cutout_score(changed, 0) < good - 0.1


def test_the_live_fit_reads_any_kind_of_volume_alike(easy, true_placement, tmp_path):
    cut = easy.maps[1].mineral_map
    grey = easy.ct.data
    np.save(tmp_path / "ct.npy", grey)
    scores = []
    for data in (
        grey,
        grey.astype(np.float64),
        grey.astype(">u2"),
        grey.astype(np.int32),
        np.load(tmp_path / "ct.npy", mmap_mode="r"),
        np.asfortranarray(grey),
    ):
        live = LiveFit(Volume(data, easy.ct.voxel_size_um), cut, step=4)
        scores.append(live.map_score(true_placement))
        # the slices that were kept do for another height, too
        low = live.map_score(nudge_map(true_placement, Nudge(up=-40)))
        assert low < scores[0] - 0.1
        assert live.map_score(true_placement) == scores[-1]
    assert scores == pytest.approx([scores[0]] * len(scores), abs=1e-6)


def test_a_map_outside_the_ct_scores_nothing(easy, true_placement):
    live = LiveFit(easy.ct, easy.maps[1].mineral_map)
    outside = nudge_map(true_placement, Nudge(up=10_000))
    assert live.map_score(outside) == 0
    assert live.cutout_score(outside, 0) == 0
    with pytest.raises(SlagsegError, match="lies nowhere"):
        live.map_score(replace(true_placement, surface=None))
    with pytest.raises(SlagsegError, match="no cutout 4"):
        live.cutout_score(true_placement, 4)
    with pytest.raises(SlagsegError, match="step"):
        LiveFit(easy.ct, easy.maps[1].mineral_map, step=0)


def test_the_drawn_map_has_the_greys_of_the_ct(easy, true_placement):
    from napari_slagseg.registration import reslice

    cut = easy.maps[1].mineral_map
    drawn = LiveFit(easy.ct, cut).expected_grey(true_placement)
    assert drawn.shape == cut.shape
    assert drawn.dtype == np.float32
    assert np.array_equal(np.isnan(drawn), cut.phases < 0)
    seen = reslice(easy.ct.data, true_placement)
    both = np.isfinite(seen) & np.isfinite(drawn)
    assert np.corrcoef(seen[both], drawn[both])[0, 1] > 0.7
    assert drawn[both].mean() == pytest.approx(seen[both].mean(), rel=0.05)


def test_the_drawn_map_is_drawn_as_coarsely_as_is_asked(easy, true_placement):
    live = LiveFit(easy.ct, easy.maps[1].mineral_map)
    fine, coarse = live.expected_grey(true_placement), live.expected_grey(true_placement, 4)
    rows, columns = fine.shape
    assert coarse.shape == (-(-rows // 4), -(-columns // 4))
    whole = fine[: rows // 4 * 4, : columns // 4 * 4].reshape(rows // 4, 4, columns // 4, 4)
    means, drawn = whole.mean(axis=(1, 3)), coarse[: rows // 4, : columns // 4]
    inner = np.isfinite(means)  # where every pixel is known
    assert np.corrcoef(means[inner], drawn[inner])[0, 1] > 0.999
    assert drawn[inner].mean() == pytest.approx(means[inner].mean(), rel=0.005)
    assert np.array_equal(live.expected_grey(true_placement), fine, equal_nan=True)


def test_a_grey_image_is_fitted_live_as_a_mineral_map_is(easy, true_placement):
    from napari_slagseg.phantom.defects import backscatter
    from napari_slagseg.registration import reslice

    grey = backscatter(easy.maps[1], np.random.default_rng(0))
    grey[:7, :5] = np.nan
    bse = GreyMap(grey, easy.maps[1].mineral_map.pixel_size_um, "bse")
    live = LiveFit(easy.ct, bse)
    best = live.map_score(true_placement)
    assert best == pytest.approx(
        LiveFit(easy.ct, easy.maps[1].mineral_map).map_score(true_placement), abs=0.1
    )
    for way in (Nudge(down=2), Nudge(right=-2), Nudge(up=2), Nudge(turn_deg=2)):
        assert live.map_score(nudge_map(true_placement, way)) < best - 0.01, way
    assert live.scored(true_placement).cutouts[3].score > 0.7
    drawn = live.expected_grey(true_placement)
    assert drawn.shape == grey.shape
    assert np.array_equal(np.isnan(drawn), np.isnan(grey))
    seen = reslice(easy.ct.data, true_placement)
    both = np.isfinite(seen) & np.isfinite(drawn)
    assert np.corrcoef(seen[both], drawn[both])[0, 1] > 0.7


def test_the_live_fit_knows_the_fields_of_a_stitched_map(easy, true_placement):
    """Shown as shifted, a map is scored where its pixels were cut."""
    cut = easy.maps[1].mineral_map
    rows, columns = cut.shape
    half, off = columns // 2, 9
    phases = cut.phases.copy()
    phases[:, half : columns - off] = cut.phases[:, half + off :]
    torn = replace(cut, phases=phases)
    plain = LiveFit(easy.ct, torn).map_score(true_placement)
    fields = (FieldShift(0, 0, rows, half, 0.0, 0.0),
              FieldShift(0, half, rows, columns - half, 0.0, float(off)))  # fmt: skip
    known = LiveFit(easy.ct, torn).map_score(replace(true_placement, fields=fields))
    whole = LiveFit(easy.ct, cut).map_score(true_placement)
    assert known == pytest.approx(whole, abs=0.03)
    assert known > plain + 0.05


def test_live_feedback_takes_milliseconds(easy, true_placement, record_property):
    """How many is noted, and judged by eye: a busy machine must not fail it."""
    live = LiveFit(easy.ct, easy.maps[1].mineral_map)
    live.map_score(true_placement)
    began = time.perf_counter()
    for _ in range(20):
        live.map_score(true_placement)
    took = (time.perf_counter() - began) / 20 * 1000
    record_property("milliseconds_a_map_score", took)
    assert live.map_score(true_placement) == live.map_score(true_placement)


# -- landmarks ----------------------------------------------------------------------


class Frame:
    name, shape, pixel_size_um = "cut", SHAPE, 1.0


def flat_pose(voxel, angle=40.0, mirrored=True, tilt=6.0):
    """Known plane: map pixels of 1 um to voxels."""
    a, t = np.radians(angle), np.radians(tilt)
    sign = -1.0 if mirrored else 1.0
    by_column = np.array([0.0, np.sin(a), np.cos(a)])
    by_row = sign * np.array([np.sin(t) * sign, np.cos(t) * np.cos(a), -np.cos(t) * np.sin(a)])
    centre = np.array([150.0, 180.0, 200.0])

    def at(rows, columns):
        r = (np.asarray(rows, float) - 120)[..., None]
        c = (np.asarray(columns, float) - 150)[..., None]
        return (centre + r * by_row + c * by_column) / np.asarray(voxel)

    return at


PIXELS = np.array([[10, 20], [200, 40], [120, 280], [60, 150], [220, 220], [30, 250.0]])


@pytest.mark.parametrize("voxel", [CUBIC, SLICES])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("count", [3, 4, 6])
def test_exact_landmarks_place_the_map_exactly(voxel, mirrored, count):
    at = flat_pose(voxel, mirrored=mirrored)
    pairs = Landmarks(PIXELS[:count], at(*PIXELS[:count].T))
    placed = similarity_from_landmarks(pairs, Frame, (120, 200, 220), voxel)
    rows, columns = np.meshgrid(np.arange(0, 241, 8.0), np.arange(0, 301, 10.0), indexing="ij")
    assert np.allclose(everywhere(placed), at(rows, columns), atol=1e-6)
    assert placed.placed
    assert placed.mirrored == mirrored
    assert placed.details["angle_deg"] == pytest.approx(
        40 if voxel == CUBIC else np.degrees(np.arctan2(np.sin(np.radians(40)) / 2.0,
                                                        np.cos(np.radians(40)) / 2.2)), abs=0.01
    )  # fmt: skip
    assert placed.details["tilt_deg"] == pytest.approx(6, abs=0.01)
    assert "landmarks alone" in placed.reason
    assert np.isfinite(placed.coordinates()).all()
    for c in placed.cutouts:
        assert np.allclose(
            c.centre_zyx, at(c.row + (c.height - 1) / 2, c.column + (c.width - 1) / 2)
        )
    assert landmark_residuals(pairs, placed) == pytest.approx(np.zeros(count), abs=1e-6)
    assert worst_landmark(landmark_residuals(pairs, placed)) is None


@pytest.mark.parametrize("count", [4, 5, 6])
@pytest.mark.parametrize("bad", [0, 2])
def test_a_pair_moved_by_twenty_voxels_is_the_worst(count, bad):
    at = flat_pose(CUBIC)
    voxels = at(*PIXELS[:count].T)
    voxels[bad] += (0, 12, 16)
    pairs = Landmarks(PIXELS[:count], voxels)
    placed = similarity_from_landmarks(pairs, Frame, (120, 200, 220), CUBIC)
    residuals = landmark_residuals(pairs, placed)
    assert worst_landmark(residuals) == bad
    assert residuals[bad] == pytest.approx(20, abs=1.5)
    # against a placement that is right it is off by exactly as much as it was moved
    exact = similarity_from_landmarks(
        Landmarks(PIXELS, at(*PIXELS.T)), Frame, (120, 200, 220), CUBIC
    )
    expected = np.where(np.arange(count) == bad, 20.0, 0.0)
    assert landmark_residuals(pairs, exact) == pytest.approx(expected, abs=1e-6)


def test_residuals_follow_the_fields_and_mean_the_same_along_all_axes():
    at = flat_pose(SLICES)
    exact = similarity_from_landmarks(
        Landmarks(PIXELS, at(*PIXELS.T)), Frame, (120, 200, 220), SLICES
    )
    shifted = replace(exact, fields=(FieldShift(0, 0, 241, 150, 4.0, -3.0),))
    pairs = Landmarks(PIXELS[:2], at(*(PIXELS[:2] + np.array([4.0, -3.0])).T))
    assert landmark_residuals(pairs, shifted) == pytest.approx([0, 0], abs=1e-6)
    higher = Landmarks(PIXELS[:1], at(*PIXELS[:1].T) + np.array([2.0, 0, 0]))
    # two slices of 3 um in voxels of sqrt(2 x 2.2) um
    assert landmark_residuals(higher, exact) == pytest.approx([6 / np.sqrt(4.4)], abs=1e-6)
    assert np.isnan(landmark_residuals(higher, replace(exact, surface=None))).all()


def test_nothing_stands_out_of_clicks_that_are_all_a_little_off():
    assert worst_landmark(np.array([1.0, 2.0, 3.0, 2.0])) is None
    assert worst_landmark(np.array([15.0, 18.0, 21.0, 12.0])) is None
    assert worst_landmark(np.array([0.0, 20.0])) is None
    assert worst_landmark(np.array([1.0, np.nan, 30.0])) is None
    assert worst_landmark(np.array([1.0, 30.0, 2.0])) == 1


def test_impossible_tilts_are_laid_level():
    at = flat_pose(CUBIC, tilt=0.0)
    voxels = at(*PIXELS[:3].T)
    voxels[0, 0] += 60
    placed = similarity_from_landmarks(Landmarks(PIXELS[:3], voxels), Frame, (200, 200, 220), CUBIC)
    assert "no cut has" in placed.reason
    assert np.ptp(placed.surface.zyx[..., 0]) == pytest.approx(0, abs=1e-9)
    by = flat_pose(CUBIC, tilt=0.0)
    assert np.allclose(placed.surface.at(*MIDDLE)[1:], by(120.0, 150.0)[1:], atol=1e-6)


@pytest.mark.parametrize(
    ("pixels", "voxels", "words"),
    [
        (PIXELS[:2], None, "at least three pairs; map cut has 2. Add 1 more"),
        (np.array([[0, 0], [50, 50], [120, 120.0]]), None, "in one line in the map"),
        (PIXELS[:3], np.array([[1, 1, 1], [2, 2, 2], [9, 9, 9.0]]), "in one line in the CT"),
        (np.array([[0, 0], [50, 500], [120, 20.0]]), None, r"Landmark 2 of map cut .*\(50, 500\)"),
        (PIXELS[:3], np.array([[1, 1, 1], [2, 9, 2], [120, 9, 3.0]]), "Landmark 3 .* of the CT"),
        (PIXELS[:3], np.array([[1, 1, 1], [np.nan, 9, 2], [3, 9, 3.0]]), "Landmark 2 .* of the CT"),
        (PIXELS[:4], flat_pose(CUBIC)(*PIXELS[:3].T), "4 map pixels and 3 CT voxels"),
    ],
)
def test_landmarks_that_cannot_place_a_map_are_told(pixels, voxels, words):
    if voxels is None:
        voxels = flat_pose(CUBIC)(*np.clip(pixels, 0, 200).T)
    with pytest.raises(SlagsegError, match=words):
        similarity_from_landmarks(Landmarks(pixels, voxels), Frame, (120, 200, 220), CUBIC)
