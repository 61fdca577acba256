"""What the Alignment dock shows, on arrays whose values are known."""

from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.data import (
    Cutout,
    MineralMap,
    PlacedMap,
    PlacementSurface,
    SlagsegError,
    Volume,
)
from napari_slagseg.widgets import outlines
from napari_slagseg.widgets.fit_picture import (
    VIEWS,
    ViewSettings,
    first_look,
    gap_of,
    look_at,
    on_picture_grid,
    picture,
)
from napari_slagseg.widgets.surface_mesh import surface_mesh
from napari_slagseg.widgets.surface_slab import Region, SurfaceSlab

DEPTH, HEIGHT, WIDTH = 90, 44, 52


class Recorded:
    """An array that notes which slices were read of it."""

    def __init__(self, data):
        self.data, self.read = data, []
        self.shape, self.ndim, self.dtype = data.shape, data.ndim, data.dtype

    def __getitem__(self, key):
        self.read.append((key.start, key.stop))
        return self.data[key]


def ramp():
    z, y, x = np.indices((DEPTH, HEIGHT, WIDTH))
    return (100 * z + 10 * y + x).astype(np.float32)


@pytest.fixture
def placed():
    """A map of 80 x 96 pixels at two pixels a voxel, rising by one slice in 16 rows."""
    rows, columns = np.linspace(0, 79, 5), np.linspace(0, 95, 5)
    zyx = np.stack(
        np.broadcast_arrays(40 + rows[:, None] / 16, rows[:, None] / 2 + 1, columns[None] / 2 + 1),
        axis=-1,
    )
    cutouts = tuple(
        Cutout(r, c, 40, 48, (41.0, r / 2 + 10.75, c / 2 + 12.75), (0, 0.5, 0), (0, 0, 0.5), 0.9)
        for r in (0, 20, 40)
        for c in (0, 24, 48)
    )
    return PlacedMap(
        "cut", (80, 96), 1.0, (DEPTH, HEIGHT, WIDTH), (2.0,) * 3, True, 0.9,
        surface=PlacementSurface(rows, columns, zyx), cutouts=cutouts,
    )  # fmt: skip


@pytest.fixture
def cut(table):
    phases = np.zeros((80, 96), np.int16)
    phases[20:40, 20:60] = 1
    phases[40:60, 20:60] = 2
    return MineralMap(phases, 1.0, table, "cut")


def expected_ramp(rows, columns):
    return 100 * (40 + rows / 16) + 10 * (rows / 2 + 1) + columns / 2 + 1


def test_only_slices_around_the_surface_are_read_and_nudging_reads_no_more(placed):
    data = Recorded(ramp())
    volume = Volume(data, (2.0,) * 3)
    slab = SurfaceSlab(volume, placed, room=6)
    assert data.read == [(34, 52)]
    image = slab.reslice(placed, step=4)
    rows, columns = np.arange(0, 80, 4), np.arange(0, 96, 4)
    assert np.allclose(image, expected_ramp(rows[:, None], columns[None]), atol=0.01)
    surface = placed.surface
    near = replace(placed, surface=replace(surface, zyx=surface.zyx + np.array([4.0, 0, 0])))
    far = replace(placed, surface=replace(surface, zyx=surface.zyx + np.array([9.0, 0, 0])))
    assert slab.covers(near)
    assert not slab.covers(far)
    assert np.allclose(slab.reslice(near, step=4), image + 400, atol=0.01)
    assert data.read == [(34, 52)]


def test_a_cutout_is_sampled_at_its_own_pose_on_the_maps_grid(placed):
    slab = SurfaceSlab(Volume(ramp(), (2.0,) * 3), placed)
    cutout = placed.cutouts[4]  # row 20, column 24
    part = slab.on_cutout(cutout, step=3)
    rows, columns = np.arange(21, 60, 3), np.arange(24, 72, 3)
    assert Region.of(cutout).on_grid(3) == (slice(7, 20), slice(8, 24))
    assert part.shape == (13, 16)
    expected = 4100 + 10 * (rows[:, None] / 2 + 1) + columns[None] / 2 + 1
    assert np.allclose(part, expected, atol=0.01)


def test_outside_of_the_ct_there_is_nothing(placed):
    surface = placed.surface
    moved = replace(placed, surface=replace(surface, zyx=surface.zyx + np.array([0, 0, 30.0])))
    image = SurfaceSlab(Volume(ramp(), (2.0,) * 3), moved).reslice(moved)
    assert np.isfinite(image[:, :30]).all()
    assert np.isnan(image[:, 44:]).all()


def test_a_map_without_a_place_is_shown_alone(cut):
    look = first_look(cut)
    assert look.step == 1
    assert np.array_equal(picture(look, ViewSettings("residual")), look.colours)
    unplaced = PlacedMap("cut", (80, 96), 1.0, (DEPTH, HEIGHT, WIDTH), (2.0,) * 3, False, 0.0)
    with pytest.raises(SlagsegError, match="cut"):
        look_at(look, Volume(ramp(), (2.0,) * 3), unplaced)


def test_every_view_of_a_look(placed, cut):
    look, slab = look_at(first_look(cut), Volume(ramp(), (2.0,) * 3), placed)
    look = replace(look, expected=look.ct + 50)
    for view in VIEWS:
        shape = (80, 96 + gap_of(look) + 96) if view == "side" else (80, 96)
        assert picture(look, ViewSettings(view, 0.5)).shape == (*shape, 3)
    assert np.array_equal(picture(look, ViewSettings("swipe", 0)), look.colours)
    grey = picture(look, ViewSettings("swipe", 1))
    assert np.ptp(grey.astype(int), axis=-1).max() == 0
    # the map draws edges where its phases meet, and nowhere else
    edged = picture(look, ViewSettings("map edges"))
    assert np.array_equal((edged != grey).any(axis=-1), look.edges)
    assert look.edges[39, 30]
    assert not look.edges[50, 40]
    # a coarser picture has the same size
    coarse, _ = look_at(look, Volume(ramp(), (2.0,) * 3), placed, slab, coarser=2)
    assert coarse.ct.shape == look.ct.shape
    assert np.allclose(coarse.ct[::2, ::2], look.ct[::2, ::2], atol=0.01)
    assert coarse.limits == look.limits


def test_a_part_is_exchanged_and_the_rest_stays(placed, cut):
    look, _ = look_at(first_look(cut), Volume(ramp(), (2.0,) * 3), placed)
    region = Region.of(placed.cutouts[4])
    new = look.with_part(region, np.full((40, 48), -7.0, np.float32))
    changed = new.ct != look.ct
    assert changed[20:60, 24:72].all()
    assert changed.sum() == 40 * 48
    assert (look.ct != -7).all()


def test_an_image_of_another_pitch_is_brought_to_the_picture(cut):
    big = MineralMap(np.zeros((2600, 1300), np.int16), 1.0, cut.table, "big")
    look = first_look(big)
    assert look.step == 3
    assert look.classes.shape == (867, 434)
    whole = np.broadcast_to(np.arange(2600, dtype=np.float32)[:, None], (2600, 1300))
    found = on_picture_grid(whole, look)
    assert found.shape == (867, 434)
    assert np.abs(found[:, 0] - np.arange(867) * 3).max() <= 2


def test_frames_share_the_map_without_a_gap_or_an_overlap(placed):
    frames = outlines.frames(placed.cutouts)
    assert frames.shape == (9, 4)
    middle = frames[4]  # cells of 20 x 24, less three per cent of half of that on each side
    assert middle == pytest.approx([29.5 + 0.3, 35.5 + 0.36, 49.5 - 0.3, 59.5 - 0.36])
    assert frames[0][:2] == pytest.approx([-0.5 + 0.3, -0.5 + 0.36])  # the outer edge
    for a in range(9):
        for b in range(a):
            apart = np.maximum(frames[a][:2], frames[b][:2]) >= np.minimum(
                frames[a][2:], frames[b][2:]
            )
            assert apart.any()


def test_lines_are_coloured_by_grade_and_dashed_where_rejected(placed):
    sure = [0.95, 0.6, 0.2, None]
    cutouts = [replace(c, probability=p) for c, p in zip(placed.cutouts, sure)]
    cutouts[1] = replace(cutouts[1], state="rejected")
    cutouts.append(replace(placed.cutouts[4], state="locked", probability=0.2))
    accepted = outlines.cutout_lines(cutouts, "accepted")
    assert accepted.lines.shape == (12, 2, 2)
    assert accepted.colours[::4] == ["#009e73", "#d55e00", "#9a9a9a"]
    rejected = outlines.cutout_lines(cutouts, "rejected")
    assert len(rejected.lines) == 4 * outlines.DASHES
    assert set(rejected.colours) == {"#e69f00"}
    assert set(outlines.cutout_lines(cutouts, "locked").colours) == {"#0072b2"}
    whole = outlines.chosen_lines(cutouts, (0,)).lines
    assert whole[0].tolist() == [[0, 0], [0, 47]]
    assert np.allclose(whole[:, 0] + whole[:, 1], np.roll(whole[:, 0], -1, axis=0))


def test_the_mesh_lies_on_the_surface_with_the_map_the_right_way_round(placed, cut):
    mesh = surface_mesh(placed, cut)
    n, m = 67, 80
    assert mesh.vertices.shape == (n * m, 3)
    assert len(mesh.faces) == 2 * (n - 1) * (m - 1)
    assert mesh.faces.max() == n * m - 1
    corners = mesh.vertices.reshape(n, m, 3)[[0, 0, -1], [0, -1, 0]]
    assert corners == pytest.approx(
        np.array([[40, 1, 1], [40, 1, 48.5], [40 + 79 / 16, 40.5, 1]]), abs=1e-4
    )
    # a texture's second coordinate goes up: the first row has the largest
    right, up = mesh.texcoords.reshape(n, m, 2)[0, 0]
    assert (right, up) == pytest.approx((0.5 / 96, 1 - 0.5 / 80))
    ore = np.array([0xD5, 0x5E, 0x00])
    assert np.array_equal(mesh.texture[30, 40, :3], ore)
    assert mesh.texture[30, 40, 3] == 255
    assert mesh.texture[5, 5, 3] < 128
