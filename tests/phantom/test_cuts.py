"""Maps beside the truth they were cut from, and the surfaces they were cut along."""

import numpy as np
import pytest

from napari_slagseg.phantom import LEVELS
from napari_slagseg.phantom.presets import PIXEL_UM, VOXEL_UM


@pytest.fixture(scope="session")
def cuts(levels, other):
    """Maps and the level of each."""
    found = [(m, LEVELS[name]) for name, phantom in levels.items() for m in phantom.maps]
    return [*found, *((m, LEVELS["easy"]) for m in other.maps)]


def frame_at_centre(cut):
    """Centre, and steps of a row and of a column there; maps have even edges."""
    n = cut.coordinates.shape[0] // 2
    four = cut.coordinates[n - 1 : n + 1, n - 1 : n + 1].astype(float)
    row = (four[1] - four[0]).mean(axis=0)
    column = (four[:, 1] - four[:, 0]).mean(axis=0)
    return four.mean(axis=(0, 1)), row, column


def inside(cut, margin=1.0):
    """Pixels in the cylinder."""
    y, x = cut.coordinates[..., 1] - 47.5, cut.coordinates[..., 2] - 47.5
    return np.hypot(y, x) <= margin * 0.47 * 96


def test_every_pixel_holds_the_truth_at_its_coordinate(tiny, continuous):
    for m in tiny.maps:
        particles, phases = continuous.at(m.coordinates.reshape(-1, 3).astype(float))
        # coordinates are kept in single precision: a pixel in thousands changes sides
        assert np.mean(particles != m.particles.ravel()) < 1e-3
        assert np.mean(phases != m.phases.ravel()) < 1e-3
        assert np.mean(phases > 0) > 0.1


def test_a_pixel_agrees_with_the_voxel_it_lies_in_where_its_neighbours_do(tiny):
    for m in tiny.maps:
        z, y, x = np.rint(m.coordinates[inside(m, 0.98)]).astype(int).T
        around = np.stack(
            [
                tiny.phases[z + i, y + j, x + k]
                for i in (-1, 0, 1)
                for j in (-1, 0, 1)
                for k in (-1, 0, 1)
            ]
        )
        sure = (around > 0).all(axis=0) & (around == around[0]).all(axis=0)
        assert sure.mean() > 0.03
        # films narrower than a voxel run between voxels
        assert np.mean(m.phases[inside(m, 0.98)][sure] == around[0][sure]) > 0.98
        # and a map that lies elsewhere does not
        elsewhere = np.roll(m.phases, 12, axis=0)[inside(m, 0.98)][sure]
        assert np.mean(elsewhere == around[0][sure]) < 0.7


def test_mirrored_maps_are_left_handed_and_others_right_handed(cuts):
    assert {m.mirrored for m, _ in cuts} == {True, False}
    for m, _ in cuts:
        row, column = np.diff(m.coordinates, axis=0)[:, :-1], np.diff(m.coordinates, axis=1)[:-1]
        # (z, y, x): the z component of row x column, seen against the upward normal
        triple = row[..., 1] * column[..., 2] - row[..., 2] * column[..., 1]
        assert np.all(triple < 0) if m.mirrored else np.all(triple > 0)


def test_the_stated_angle_turns_the_rows(cuts):
    for m, level in cuts:
        _, row, _ = frame_at_centre(m)
        # rows run along (y, x) = (cos, sin); a tilt turns them by less than its versine
        turn = np.rad2deg(np.arctan2(row[2], row[1])) - m.angle_deg
        assert abs((turn + 180) % 360 - 180) < 30 * np.deg2rad(level.tilt_deg) ** 2


def test_steps_are_a_pixel_long_and_square(cuts):
    for m, level in cuts:
        _, row, column = frame_at_centre(m)
        for step in (row, column):
            assert np.linalg.norm(step) * VOXEL_UM == pytest.approx(m.true_pixel_um, rel=1e-4)
        assert abs(row @ column) < 1e-4 * np.linalg.norm(row) * np.linalg.norm(column)
        assert m.mineral_map.pixel_size_um == PIXEL_UM == 1.0
        assert abs(m.true_pixel_um - 1) <= level.pixel_error
        # the surface bends but little: elsewhere steps are as long
        for axis in (0, 1):
            lengths = np.linalg.norm(np.diff(m.coordinates, axis=axis), axis=-1) * VOXEL_UM
            assert np.all(np.abs(lengths / m.true_pixel_um - 1) < 0.01)


def test_tilt_and_sag_are_those_stated_and_within_the_level(cuts):
    for m, level in cuts:
        centre, row, column = frame_at_centre(m)
        normal = np.cross(row, column)
        normal /= np.linalg.norm(normal)
        tilt = np.rad2deg(np.arccos(abs(normal[0])))
        assert tilt == pytest.approx(m.tilt_deg, abs=0.02)
        assert 0.4 * level.tilt_deg <= m.tilt_deg <= level.tilt_deg
        # heights above the plane that touches the surface at its centre
        height = (m.coordinates[inside(m)].astype(float) - centre) @ normal
        assert 0.4 < np.ptp(height) / m.sag_voxels < 1.4
        edge = m.mineral_map.shape[0] * PIXEL_UM / VOXEL_UM
        assert 0.5 * level.sag * edge <= m.sag_voxels <= level.sag * edge


def test_maps_lie_in_the_ct_at_different_heights(levels):
    for phantom in levels.values():
        depth = phantom.ct.data.shape[0]
        heights = []
        for m in phantom.maps:
            z = m.coordinates[inside(m), 0]
            assert z.min() >= 0
            assert z.max() <= depth - 1
            heights.append(z.mean())
            # the map covers the whole cylinder but for the shift of its centre
            assert inside(m).sum() * m.true_pixel_um**2 / VOXEL_UM**2 > 0.97 * np.pi * 45.12**2
        assert np.diff(heights).min() > 2
