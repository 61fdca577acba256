import numpy as np
import pytest

from napari_slagseg.data import Cutout, PlacedMap, PlacementSurface, SlagsegError
from napari_slagseg.registration import placement_error, reslice

SLOPE = np.array([0.5, -0.25, 2.0])
ROWS, COLUMNS = 40, 60


def curved(rows, columns):
    z = 10 + 0.03 * rows - 0.05 * columns + 0.002 * (columns - 30) ** 2
    return np.stack(np.broadcast_arrays(z, 4 + 0.4 * rows, 3 + 0.45 * columns), axis=-1)


def placed_on(formula, placed=True, cutouts=True):
    rows, columns = np.linspace(0, ROWS - 1, 7), np.linspace(0, COLUMNS - 1, 9)
    surface = PlacementSurface(rows, columns, formula(rows[:, None], columns[None, :]))
    whole = Cutout(0, 0, ROWS, COLUMNS, (0, 0, 0), (0, 1, 0), (0, 0, 1), 0.9)
    return PlacedMap(
        "m", (ROWS, COLUMNS), 1.0, (20, 24, 34), (1.0,) * 3, placed, 0.9,
        surface=surface if placed else None, cutouts=(whole,) if cutouts else (),
    )  # fmt: skip


def test_a_ramp_on_a_known_surface_is_exact():
    volume = np.moveaxis(np.indices((20, 24, 34)), 0, -1) @ SLOPE
    image = reslice(volume, placed_on(curved))
    wanted = curved(np.arange(ROWS)[:, None], np.arange(COLUMNS)[None, :]) @ SLOPE
    assert image.shape == (ROWS, COLUMNS)
    np.testing.assert_allclose(image, wanted, atol=1e-4)
    np.testing.assert_array_equal(reslice(volume, placed_on(curved), step=4), image[::4, ::4])


def test_labels_are_taken_from_the_nearest_voxel():
    z, y, x = np.indices((20, 24, 34))
    labels = (z * 24 + y) * 34 + x
    image = reslice(labels, placed_on(curved), order=0)
    at = curved(np.arange(ROWS)[:, None], np.arange(COLUMNS)[None, :])
    nearest = np.rint(at).astype(int)
    clear = (np.abs(at - nearest) < 0.499).all(-1)  # halves may go either way
    np.testing.assert_array_equal(image[clear], labels[tuple(nearest[clear].T)])
    assert clear.mean() > 0.8


def test_outside_the_volume_is_not_a_number():
    image = reslice(np.ones((8, 24, 34)), placed_on(curved))
    z = curved(np.arange(ROWS)[:, None], np.arange(COLUMNS)[None, :])[..., 0]
    assert np.isnan(image[z > 7.5]).all()
    assert (image[z < 7] == 1).all()


def test_a_map_without_a_surface_cannot_be_looked_at():
    with pytest.raises(SlagsegError, match="Map m is not placed"):
        reslice(np.ones((8, 8, 8)), placed_on(curved, placed=False))


def test_error_of_a_known_offset():
    true = curved(np.arange(ROWS)[:, None], np.arange(COLUMNS)[None, :]) + np.array([0, 0.3, -0.4])
    error = placement_error(placed_on(curved), true)
    assert error["median"] == pytest.approx(0.5, abs=1e-5)
    assert error["worst"] == pytest.approx(0.5, abs=1e-5)
    assert error["share_within_1"] == 1.0
    assert error["share_placed"] == 1.0
    true[: ROWS // 4] += (3.0, 0, 0)
    error = placement_error(placed_on(curved), true)
    assert error["median"] == pytest.approx(0.5, abs=1e-5)
    assert error["share_within_1"] == pytest.approx(0.75)
    assert error["worst"] == pytest.approx(np.sqrt(9.25), abs=1e-4)


def test_pixels_outside_the_ct_do_not_count():
    true = curved(np.arange(ROWS)[:, None], np.arange(COLUMNS)[None, :])
    true[:, :30] += 1000.0
    assert placement_error(placed_on(curved), true)["worst"] < 1e-4


def test_without_cutouts_nothing_is_placed():
    true = curved(np.arange(ROWS)[:, None], np.arange(COLUMNS)[None, :])
    error = placement_error(placed_on(curved, cutouts=False), true)
    assert np.isnan(error["median"])
    assert error["share_placed"] == 0.0
