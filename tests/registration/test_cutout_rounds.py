"""Cutouts of a stitched map: the offset of every field is found."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_slagseg.registration import RegistrationSettings
from napari_slagseg.registration.cutout_rounds import FieldShifts, agree
from napari_slagseg.registration.rigid_cutouts import RigidFit, fields_of, windows
from napari_slagseg.registration.surface import PolynomialSurface, flat_surface

SHAPE, FIELD, PIXEL = (1200, 1600), (400, 400), 0.4
S = RegistrationSettings()


@pytest.fixture
def job():
    return SimpleNamespace(settings=S, seed=0)


def surface():
    plane = flat_surface(SHAPE, PIXEL, np.array([60.0, 300.0, 320.0]), 33.0, True, (0.05, -0.03))
    change = np.zeros((10, 3))
    change[3, 0], change[5, 0] = 4.0, 2.5
    return plane.plus(change)


def fits_of(shifts, noise=0.0, seed=0):
    """Cutouts that lie where their fields do."""
    rng, true = np.random.default_rng(seed), surface()
    out = []
    for w in windows(SHAPE, PIXEL, S, FIELD):
        row, column = np.asarray(w.centre) + shifts.of(w)
        centre = true.at(np.array(row), np.array(column)) + rng.normal(0, noise, 3)
        coefficients = np.zeros((10, 3))
        coefficients[0] = centre
        out.append(RigidFit(w, PolynomialSurface(coefficients, w.centre, 1.0), 0.9, np.eye(3)))
    return out


def test_offsets_of_fields_are_found(job):
    fields = fields_of(SHAPE, FIELD)
    true = FieldShifts(fields, np.random.default_rng(1).normal(0, 4.0, (len(fields), 2)))
    true.shifts -= true.shifts.mean(axis=0)
    found = agree(job, surface(), fits_of(true, 0.1), 0, FieldShifts.unknown(fields))
    # a stretch of the whole map may go into the surface instead: compare the places
    at = np.array([f.window.centre for f in found.fits])
    said = at + np.array([found.shifts.of(f.window) for f in found.fits])
    really = at + np.array([true.of(f.window) for f in found.fits])
    off = found.consensus.surface.at(*said.T) - surface().at(*really.T)
    assert np.linalg.norm(off, axis=1).max() < 0.5
    assert found.consensus.inliers.all()


def test_without_fields_the_same_cutouts_disagree(job):
    fields = fields_of(SHAPE, FIELD)
    true = FieldShifts(fields, np.random.default_rng(1).normal(0, 6.0, (len(fields), 2)))
    found = agree(job, surface(), fits_of(true), 0, FieldShifts())
    assert not found.consensus.inliers.all()


def test_a_window_starts_where_its_field_lies():
    fields = fields_of(SHAPE, FIELD)
    shifts = FieldShifts(fields, np.full((len(fields), 2), 0.0))
    shifts.shifts[5] = (3.0, -7.0)
    window = next(w for w in windows(SHAPE, PIXEL, S, FIELD) if shifts.index(w) == 5)
    row, column = window.centre
    start = shifts.start(surface(), window)
    np.testing.assert_allclose(
        start.at(np.array(row), np.array(column)),
        surface().at(np.array(row + 3.0), np.array(column - 7.0)),
        atol=1e-9,
    )
