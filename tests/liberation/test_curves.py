"""Curves and size classes worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation import (
    curve_difference,
    liberation_curve,
    size_by_liberation,
    size_edges,
)

FRAME = pd.DataFrame(
    {
        "label": [1, 2, 3, 4],
        "volume_um3": [100.0, 100.0, 200.0, 50.0],
        "volume_liberation": [1.0, 0.5, 0.25, 0.0],
        "surface_liberation": [1.0, 0.25, np.nan, 0.0],
        "equivalent_diameter_um": [20.0, 40.0, 40.5, 100.0],
        "touches_border": [False] * 4,
    }
)


def test_a_curve_by_hand():
    # target 100, 50, 50, 0 of 200
    curve = liberation_curve(FRAME)
    assert curve.at(0.0) == 1
    assert curve.at(0.25) == 1
    assert curve.at(0.2500001) == 0.75
    assert curve.at(0.5) == 0.75
    assert curve.at(0.51) == 0.5
    assert curve.at(1.0) == 0.5
    assert curve.n_particles == 3
    assert np.all(np.diff(curve.at(np.linspace(0, 1, 50))) <= 0)


def test_particles_without_a_value_take_no_part():
    curve = liberation_curve(FRAME, "surface_liberation")
    assert curve.at(0.25) == 1
    assert curve.at(0.3) == pytest.approx(100 / 150)


def test_no_target_is_no_curve():
    curve = liberation_curve(FRAME[FRAME["label"] == 4])
    assert np.isnan(curve.at(0.5))
    with pytest.raises(SlagsegError, match="no column"):
        liberation_curve(FRAME, "colour")


def test_the_difference_of_two_curves_by_hand():
    a = liberation_curve(FRAME)
    b = liberation_curve(FRAME[FRAME["label"] == 1])  # 1 everywhere
    found = curve_difference(a, b)
    assert found["max_abs"] == pytest.approx(0.5)
    assert found["mean_abs"] == pytest.approx(0.25 * 0.25 + 0.5 * 0.5)
    assert curve_difference(a, a) == {"max_abs": 0.0, "mean_abs": 0.0}


def test_size_classes_by_hand():
    classes = size_by_liberation(FRAME, [0, 20, 40, 100])
    assert classes["n_particles"].tolist() == [1, 1, 2]
    assert classes["target_share"].tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert classes["volume_liberation"].tolist() == pytest.approx([1, 0.5, 0.25])
    assert classes["surface_liberation"].tolist()[:2] == pytest.approx([1, 0.25])
    assert np.isnan(classes["surface_liberation"].iat[2])
    with pytest.raises(SlagsegError, match="rise"):
        size_by_liberation(FRAME, [0, 40, 20])


def test_no_particle_falls_outside_the_given_edges():
    classes = size_by_liberation(FRAME, [30, 40.2])
    assert classes["lower_um"].tolist() == [0, 30, 40.2]
    assert classes["upper_um"].tolist() == [30, 40.2, 100]
    assert classes["n_particles"].tolist() == [1, 1, 2]
    assert classes["target_share"].sum() == pytest.approx(1)
    assert size_by_liberation(FRAME, [20, 99.5])["upper_um"].tolist() == [20, 99.5, 100]
    assert size_by_liberation(FRAME, [19, 100])["lower_um"].tolist() == [19]
    for edges in ([-1, 40], [0, float("nan")], [50], []):
        with pytest.raises(SlagsegError, match="rise"):
            size_by_liberation(FRAME, edges)


def test_size_classes_weigh_by_target():
    frame = FRAME.assign(equivalent_diameter_um=30.0)
    row = size_by_liberation(frame, [0, 100]).iloc[0]
    assert row["volume_liberation"] == pytest.approx((100 * 1 + 50 * 0.5 + 50 * 0.25) / 200)


def test_edges_hold_the_largest_particle():
    assert size_edges(100.0)[-1] == 100
    assert size_edges(101.0)[-1] == 125
    assert size_edges(9999.5)[-1] == 10000
