"""Cracked maps: the larger piece is placed, the rest is found and left out."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_slagseg.data import GreyMap, no_progress
from napari_slagseg.phantom import LEVELS, make_phantom, pack_sample
from napari_slagseg.phantom.defects import cracked
from napari_slagseg.registration import RegistrationSettings, place_map
from napari_slagseg.registration.crack import Crack, PieceJob, find_crack
from napari_slagseg.registration.job import MapJob
from napari_slagseg.registration.local_windows import LocalFit
from napari_slagseg.registration.pieces import register_pieces
from napari_slagseg.registration.rigid_cutouts import Window
from napari_slagseg.registration.slip import Slip
from napari_slagseg.registration.surface import MapPoints, flat_surface

PIXEL = 0.5
SURFACE = flat_surface((900, 900), PIXEL, np.array([60.0, 225.0, 225.0]), 0.0, False)


def windows_of(off):
    """Small windows that lie `off(row, column)` from the surface."""
    rows, columns = (a.ravel().astype(float) for a in np.mgrid[100:801:100, 100:801:100])
    values = np.array([off(r, c) for r, c in zip(rows, columns)], float)
    values += np.random.default_rng(0).normal(0, 0.3, values.shape)
    n = len(rows)
    fits = [SimpleNamespace(score=0.8)] * n
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


SIDE, LINE, STEP = 420, 260, np.array([2.0, 8.0, 0.0])
TRUE = flat_surface((SIDE, SIDE), PIXEL, np.array([40.0, 120.0, 120.0]), 10.0, False, (0.03, -0.02))


@pytest.fixture(scope="module")
def volume(bare, texture):
    z, y, x = np.indices((80, 240, 240))
    grey = texture(np.stack([z, y, x], -1) + 0.5)
    return bare(grey + 0.3 * np.random.default_rng(0).standard_normal(grey.shape))


def pieces_of(volume, texture, step):
    """A map whose columns from `LINE` on show what lies `step` off, from a rough start."""
    rows, columns = np.indices((SIDE, SIDE)).astype(float)
    at = TRUE.at(rows, columns) + (columns >= LINE)[..., None] * step
    job = MapJob(volume, GreyMap(texture(at).astype(np.float32), PIXEL), seed=0)
    fit = job.fit(4, job.fit(4, TRUE, 1).surface, 2)
    return register_pieces(job, fit, (), None, no_progress, None)


def test_the_larger_piece_is_registered_and_the_other_one_found(volume, texture):
    pieces = pieces_of(volume, texture, STEP)
    (crack,) = pieces.cracks
    np.testing.assert_allclose(crack.step, STEP, atol=0.5)
    rows, columns = np.indices((SIDE, SIDE)).astype(float)
    wrong = crack.beyond(rows, columns) != (columns >= LINE)
    assert wrong.mean() < 0.02
    grid = np.meshgrid(np.linspace(20, 400, 9), np.linspace(20, LINE - 20, 9))
    off = pieces.registered.consensus.surface.at(*grid) - TRUE.at(*grid)
    assert np.linalg.norm(off, axis=-1).max() < 0.5
    far = [f for f in pieces.beyond if f.window.column >= LINE]
    assert far
    for f in far:
        expected = TRUE.at(*map(np.array, f.window.centre)) + STEP
        assert np.linalg.norm(f.centre - expected) < 1.0
    assert pieces.crack_step(Window(0, 0, 100, 100)) == 0
    assert pieces.crack_step(Window(0, 200, 100, 100)) == pytest.approx(8.2, abs=0.5)


def test_a_sound_map_stays_whole(volume, texture):
    pieces = pieces_of(volume, texture, np.zeros(3))
    assert pieces.cracks == ()
    assert pieces.beyond == ()
    assert pieces.registered.consensus.inliers.all()


@pytest.mark.parametrize(
    ("along", "across", "words"),
    [
        (9.7, 0.4, "34% of it (its lower right part) lies 9.7 voxels off the rest in its plane,"),
        (0.2, 4.0, "lies 4.0 voxels off the rest in height,"),
        (3.0, 4.0, "lies 3.0 voxels off the rest in its plane and 4.0 in height,"),
    ],
)
def test_a_crack_in_words(along, across, words):
    assert words in Slip(0.34, "lower right part", along, across).text()


def cracked_phantom():
    """A phantom's map that broke in two, and how far its accepted cutouts are off at most."""
    phantom = make_phantom("sample", "easy", 3)
    truth = pack_sample("sample", 3).truth
    cut = cracked(truth, phantom.maps[0], LEVELS["easy"], 10.0, "plane", np.random.default_rng(0))
    placed = place_map(phantom.ct, cut.mineral_map)
    off = np.linalg.norm(placed.coordinates() - cut.coordinates, axis=-1)
    return placed, float(np.nanmax(off))


@pytest.mark.slow
def test_a_cracked_map_is_placed_on_its_larger_piece():
    placed, worst = cracked_phantom()
    assert placed.placed, placed.reason
    assert any(c.accepted for c in placed.cutouts)
    assert worst < 2.0
    (found,) = placed.details["cracks"]
    assert found["in_plane_voxels"] == pytest.approx(10.0, abs=1.5)
    assert found["in_height_voxels"] < 1.5
    assert "voxels off the rest in its plane, as if cracked" in placed.reason
