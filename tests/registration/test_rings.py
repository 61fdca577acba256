import numpy as np
import pytest

from napari_slagseg.data import Volume
from napari_slagseg.registration import prepare_ct
from napari_slagseg.registration.rings import fit_rings

ONES = np.ones(3)


def radii(shape, voxel=(1.0, 1.0)):
    y, x = (((np.arange(n) - (n - 1) / 2) * v) for n, v in zip(shape[1:], voxel))
    return np.broadcast_to(np.hypot(y[:, None], x[None, :]), shape)


def cupped(r):
    """Cupping, rings 9 wide, and a fine ring at 30."""
    return 1000 + 0.05 * r**2 + 25 * np.sin(2 * np.pi * r / 9) + 60 * np.exp(-(((r - 30) / 2) ** 2))


def test_rings_and_cupping_are_what_is_measured():
    r = radii((48, 101, 101))
    model = fit_rings(cupped(r).astype(np.float32), ONES, 48.0)
    at = np.arange(52, 68)  # beyond where neighbouring radii are leaned on
    np.testing.assert_allclose(
        model.table[:, at], np.tile(cupped(at), (len(model.table), 1)), atol=2
    )
    assert model.centre == (50.5, 50.5)


def test_a_radial_volume_comes_out_flat():
    shape = (48, 128, 128)
    r = radii(shape)
    grain = 20 * np.random.default_rng(0).normal(size=shape)
    data = (cupped(r) + grain).astype(np.float32)
    prepared = prepare_ct(Volume(data, (1.0,) * 3))
    left = prepared.whole(1).data * prepared.spread
    ring = (r > 52) & (r < 62)
    before = np.bincount(np.rint(r[ring]).astype(int), data[ring] - data[ring].mean())
    after = np.bincount(np.rint(r[ring]).astype(int), left[ring])
    counts = np.bincount(np.rint(r[ring]).astype(int))
    used = counts > 0
    assert np.abs(before[used] / counts[used]).max() > 40
    assert np.abs(after[used] / counts[used]).max() < 3  # bends between two radii
    # and the grain itself stays: angular means take off next to nothing of it
    left_grain = left[ring] - left[ring].mean()
    assert np.corrcoef(left_grain, grain[ring])[0, 1] > 0.9


def test_rings_are_circles_in_micrometres():
    """Voxels twice as long along y: the angular mean runs about an ellipse of voxels."""
    voxel = np.array([1.0, np.sqrt(2.0), np.sqrt(0.5)])
    shape = (24, 95, 190)
    r = radii(shape, voxel[1:])
    model = fit_rings((1000 + 3.0 * r).astype(np.float32), voxel, 48.0)
    at = np.arange(51, 66)
    np.testing.assert_allclose(model.table[0, at], 1000 + 3.0 * at, atol=0.5)


def test_drift_along_the_axis_is_taken_off_too():
    shape = (288, 48, 48)
    z = np.arange(288)[:, None, None]
    rng = np.random.default_rng(1)
    data = 500 + 4.0 * z + 20 * rng.normal(size=shape)
    prepared = prepare_ct(Volume(data.astype(np.float32), (1.0,) * 3))
    left = (prepared.whole(1).data * prepared.spread).mean(axis=(1, 2))
    assert np.ptp(data.mean(axis=(1, 2))) > 1100
    # the mean over 48 voxels lags only where it is cut off, at both ends
    assert np.abs(left[144 - 40 : 144 + 40]).max() < 4


@pytest.mark.parametrize("edge", [40.0, 46.0])
def test_the_cylinder_is_found(edge):
    r = radii((32, 100, 100))
    data = np.where(r < edge, 1000 + 0.02 * r**2, 100.0)
    data = data + np.random.default_rng(2).normal(0, 20, data.shape)
    assert edge - 6 < fit_rings(data.astype(np.float32), ONES, 48.0).radius < edge


def test_a_cropped_cube_has_no_cylinder():
    data = np.random.default_rng(3).normal(1000, 50, (32, 80, 80))
    assert fit_rings(data.astype(np.float32), ONES, 48.0).radius == np.inf
