import numpy as np
import pytest

from napari_slagseg.data import (
    Cutout,
    FieldShift,
    GroundTruth,
    PlacedMap,
    PlacementSurface,
    SlagsegError,
    Volume,
    checked_voxel_size,
    phase_table_of,
    require_cubic,
)


def quadratic(rows, columns):
    return np.stack(
        np.broadcast_arrays(
            5 + 0.01 * rows + 0.0005 * rows * columns, 0.4 * rows + 2, 80 - 0.4 * columns
        ),
        axis=-1,
    )


def surface(n=9):
    rows, columns = np.linspace(0, 99, n), np.linspace(0, 149, n + 2)
    return PlacementSurface(rows, columns, quadratic(rows[:, None], columns[None]))


def cutout(row, column, state="accepted"):
    return Cutout(row, column, 40, 50, (1, 2, 3), (0, 0.4, 0), (0, 0, 0.4), 0.9, state)


def test_a_surface_is_exact_for_the_polynomials_it_can_hold():
    rows, columns = np.array([0.0, 31.5, 99.0]), np.array([149.0, 3.25, 77.0])
    assert surface().at(rows, columns) == pytest.approx(quadratic(rows, columns), abs=1e-9)
    grid = surface().on_grid(rows, np.sort(columns))
    assert grid[1, 0] == pytest.approx(quadratic(rows[1], np.sort(columns)[0]), abs=1e-9)


def test_coordinates_are_nan_outside_of_accepted_cutouts():
    placed = PlacedMap(
        "m", (100, 150), 1.0, (20, 60, 90), (2.3,) * 3, True, 0.9,
        surface=surface(),
        cutouts=(cutout(0, 0), cutout(50, 90, "rejected"), cutout(60, 100, "locked")),
    )  # fmt: skip
    zyx = placed.coordinates()
    assert zyx.dtype == np.float32
    assert np.isfinite(zyx[:40, :50]).all()
    assert np.isnan(zyx[50:60, 90:100]).all()
    assert np.isfinite(zyx[60:, 100:]).all()
    assert zyx[10, 20] == pytest.approx(quadratic(10, 20), abs=1e-4)
    changed = placed.with_states({0: "rejected", 1: "accepted"})
    assert [c.state for c in changed.cutouts] == ["rejected", "accepted", "locked"]


def test_pixels_of_a_shifted_field_lie_where_the_surface_has_them():
    fields = (FieldShift(0, 0, 100, 60, 2.5, -1.5), FieldShift(0, 60, 100, 90, 0.0, 3.0))
    placed = PlacedMap(
        "m", (100, 150), 1.0, (20, 60, 90), (2.3,) * 3, True, 0.9,
        surface=surface(), cutouts=(Cutout(0, 0, 100, 150, (1, 2, 3), (0, 0.4, 0), (0, 0, 0.4), 1),
        ), fields=fields,
    )  # fmt: skip
    zyx = placed.coordinates()
    assert zyx[10, 59] == pytest.approx(quadratic(12.5, 57.5), abs=1e-4)
    assert zyx[10, 60] == pytest.approx(quadratic(10, 63), abs=1e-4)


def test_uncertainty_is_linear_between_lattice_points_and_nan_where_not_placed():
    s = surface()
    doubt = 0.01 * s.rows[:, None] + 0.002 * s.columns[None, :]
    s = PlacementSurface(s.rows, s.columns, s.zyx, doubt)
    placed = PlacedMap(
        "m", (100, 150), 1.0, (20, 60, 90), (2.3,) * 3, True, 0.9,
        surface=s, cutouts=(cutout(0, 0), cutout(50, 90, "rejected")),
    )  # fmt: skip
    found = placed.uncertainty()
    assert found[20, 30] == pytest.approx(0.01 * 20 + 0.002 * 30, abs=1e-6)
    assert np.isnan(found[70, 120])
    with pytest.raises(SlagsegError, match="uncertainty"):
        PlacementSurface(s.rows, s.columns, s.zyx, -doubt - 1)


def test_grades_follow_the_probability():
    grades = [
        Cutout(0, 0, 9, 9, (1, 2, 3), (0, 1, 0), (0, 0, 1), 0.9, probability=p).grade
        for p in (0.95, 0.9, 0.89, 0.5, 0.49, None)
    ]
    assert grades == ["good", "good", "doubtful", "doubtful", "bad", "unknown"]


def test_a_refused_map_has_no_coordinates():
    placed = PlacedMap("m", (10, 10), 1.0, (5, 5, 5), (1,) * 3, False, 0.1, reason="no")
    assert np.isnan(placed.coordinates()).all()
    assert not placed.placed_mask().any()


def test_a_cutout_maps_its_centre_to_its_centre():
    c = cutout(10, 20)
    centre = c.at(np.array([10 + 19.5]), np.array([20 + 24.5]))
    assert centre[0] == pytest.approx((1, 2, 3))
    assert c.at(np.array([30.5]), np.array([44.5]))[0] == pytest.approx((1, 2.4, 3))


def test_a_surface_refuses_holes():
    s = surface()
    broken = s.zyx.copy()
    broken[2, 2, 0] = np.nan
    with pytest.raises(SlagsegError, match="finite"):
        PlacementSurface(s.rows, s.columns, broken)


def test_voxel_sizes():
    assert checked_voxel_size(2.3) == (2.3, 2.3, 2.3)
    assert checked_voxel_size((1, 2, 3)) == (1.0, 2.0, 3.0)
    for bad in (0, -1, float("nan"), (1, 2), (1, 0, 1)):
        with pytest.raises(SlagsegError, match="voxel size"):
            checked_voxel_size(bad)
    assert require_cubic((2.0, 2.0, 2.0), "x") == 2.0
    with pytest.raises(SlagsegError, match="Training needs cubic voxels"):
        require_cubic((2.0, 2.0, 3.0), "Training")
    with pytest.raises(SlagsegError, match="three axes"):
        Volume(np.zeros((4, 4)), (1, 1, 1))


def test_ground_truth_dense_and_select():
    n = np.array([1, 5, 7])
    truth = GroundTruth(
        (2, 2, 2), n, np.array([0, 1, 2], np.int16), np.array([0, 3, -1], np.int32),
        np.array([0, 1, -1], np.int8), np.ones(3, np.float32), np.ones(3, np.float32),
        np.zeros(3, np.int16), np.zeros(3, np.int16),
        phase_table_of(["background", "a", "b"], ["#000000", "#111111", "#222222"]), ("m",),
    )  # fmt: skip
    dense = truth.dense("phases")
    assert dense.ravel().tolist() == [-1, 0, -1, -1, -1, 1, -1, 2]
    assert truth.zyx().tolist() == [[0, 0, 1], [1, 0, 1], [1, 1, 1]]
    assert truth.select(np.array([True, False, True])).voxels.tolist() == [1, 7]
    with pytest.raises(SlagsegError, match="rising"):
        GroundTruth(**{**vars(truth), "voxels": np.array([1, 1, 7])})
    with pytest.raises(SlagsegError, match="outside"):
        GroundTruth(**{**vars(truth), "voxels": np.array([1, 5, 8])})
