"""Cracked maps: the larger piece is placed, the rest is found and left out."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_slagseg.phantom import LEVELS, make_phantom, pack_sample
from napari_slagseg.phantom.defects import cracked
from napari_slagseg.registration import RegistrationSettings, place_map, prepare_ct
from napari_slagseg.registration.crack import Crack, PieceJob, find_crack
from napari_slagseg.registration.local_windows import LocalFit
from napari_slagseg.registration.rigid_cutouts import Window
from napari_slagseg.registration.surface import MapPoints, flat_surface

PIXEL = 0.5
SURFACE = flat_surface((900, 900), PIXEL, np.array([60.0, 225.0, 225.0]), 0.0, False)


def windows_of(off):
    """Small windows that lie `off(row, column)` from the surface."""
    rows, columns = (a.ravel().astype(float) for a in np.mgrid[100:801:100, 100:801:100])
    values = np.array([off(r, c) for r, c in zip(rows, columns)], float)
    values += np.random.default_rng(0).normal(0, 0.3, values.shape)
    n = len(rows)
    # windows of this correlation are taken to scatter 4.5 times as far as their fit says
    fits = [SimpleNamespace(score=0.8, covariance=(0.3 / 4.5) ** 2 * np.eye(3))] * n
    at = np.stack([rows, columns], axis=1)
    return LocalFit(fits, at, values, 96.0, np.zeros(n, bool), np.ones(n, bool), None)


def job():
    return SimpleNamespace(pixel=PIXEL)


def test_a_smooth_map_has_no_crack():
    bent = windows_of(lambda r, c: (2e-5 * (r - 450) ** 2, 0.004 * c, 0.0))
    assert find_crack(job(), SURFACE, bent) is None


def test_the_line_and_the_step_are_found():
    """Beyond column 550 everything lies 6 lower and 3 to the side, on a bent surface."""
    slipped = windows_of(
        lambda r, c: (2e-5 * (r - 450) ** 2 + 6.0 * (c > 550), 0.0, 3.0 * (c > 550))
    )
    crack = find_crack(job(), SURFACE, slipped)
    np.testing.assert_allclose(crack.normal, (0, 1), atol=1e-6)
    assert 500 <= crack.offset <= 600
    np.testing.assert_allclose(crack.step, (6, 0, 3), atol=0.5)
    at = crack.surface.at(np.array([100.0, 450.0]), np.array([200.0, 700.0]))
    plain = SURFACE.at(np.array([100.0, 450.0]), np.array([200.0, 700.0]))
    np.testing.assert_allclose(at - plain, [(2.45, 0, 0), (0, 0, 0)], atol=0.5)


def test_the_larger_side_is_kept_unless_the_user_holds_the_other():
    slipped = windows_of(lambda r, c: (0.0, 8.0 * (r > 350), 0.0))
    assert find_crack(job(), SURFACE, slipped).beyond(np.array(100.0), np.array(0.0))
    firm = slipped.at[:, 0] < 150
    held = find_crack(job(), SURFACE, replace(slipped, firm=firm))
    assert not held.beyond(np.array(100.0), np.array(0.0))
    np.testing.assert_allclose(held.step, (0, 8, 0), atol=0.5)


def test_what_lies_beyond():
    crack = Crack(np.array([0.0, 1.0]), 500.0, np.array([0.0, 0.0, 4.0]), SURFACE)
    assert crack.share_beyond(Window(0, 400, 100, 200)) == pytest.approx(0.5, abs=0.03)
    assert crack.share_beyond(Window(0, 0, 100, 100)) == 0
    assert not crack.reaches(Window(0, 300, 100, 180), 10.0)
    assert crack.reaches(Window(0, 300, 100, 195), 10.0)
    assert crack.turned().share_beyond(Window(0, 0, 100, 100)) == 1


def test_a_piece_takes_its_own_pixels_and_smaller_cutouts():
    rows, columns = (a.ravel().astype(float) for a in np.mgrid[0:900:10, 0:900:10])
    points = MapPoints(rows, columns, np.ones((len(rows), 1)), np.ones(len(rows)), 100.0)

    class Whole:
        def __init__(self):
            self.pixel, self.settings = PIXEL, RegistrationSettings()

        def points(self, level, maximum=60_000):
            return points

    whole = Whole()
    crack = Crack(np.array([0.0, 1.0]), 500.0, np.array([0.0, 0.0, 4.0]), SURFACE)
    piece = PieceJob(whole, [crack])
    assert piece.points(2).columns.max() == 500
    assert len(piece.points(2).rows) == 90 * 51
    assert piece.settings.cutout_voxels == pytest.approx(0.45 * 250, abs=1)
    assert whole.settings.cutout_voxels == 180


@pytest.fixture(scope="module")
def sample():
    phantom = make_phantom("sample", "easy", 3)
    return prepare_ct(phantom.ct), phantom.maps[0]


def hinted(cut):
    rows, columns = cut.coordinates.shape[:2]
    middle = cut.coordinates[rows // 2, columns // 2]
    along = cut.coordinates[rows // 2, -1] - cut.coordinates[rows // 2, 0]
    return {
        "height_window": (float(middle[0]) - 10, float(middle[0]) + 10),
        "angle_deg": float(np.degrees(np.arctan2(along[1], along[2]))),
        "mirror": "yes" if cut.mirrored else "no",
    }


def worst_of(placed, cut, cutout):
    part = (slice(cutout.row, cutout.row + cutout.height),
            slice(cutout.column, cutout.column + cutout.width))  # fmt: skip
    off = np.linalg.norm(placed.coordinates() - cut.coordinates, axis=-1)[part]
    return float(np.nanmax(off))


def test_a_cracked_map_is_placed_on_its_larger_piece(sample):
    ct, whole = sample
    truth = pack_sample("sample", 3).truth
    cut = cracked(truth, whole, LEVELS["easy"], 10.0, "plane", np.random.default_rng(0))
    placed = place_map(ct, cut.mineral_map, **hinted(cut))
    assert placed.placed, placed.reason
    kept = [c for c in placed.cutouts if c.accepted]
    assert kept
    assert max(worst_of(placed, cut, c) for c in kept) < 2.0
    (found,) = placed.details["cracks"]
    assert found["in_plane_voxels"] == pytest.approx(10.0, abs=1.5)
    assert found["in_height_voxels"] < 1.5
    assert "voxels off the rest in its plane, as if cracked" in placed.reason


def test_a_sound_map_keeps_its_cutouts(sample):
    ct, cut = sample
    placed = place_map(ct, cut.mineral_map, **hinted(cut))
    assert placed.details["cracks"] == []
    assert all(c.accepted for c in placed.cutouts)
    assert max(worst_of(placed, cut, c) for c in placed.cutouts) < 2.0
