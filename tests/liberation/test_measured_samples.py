"""Results of particles that were measured: balls of A with a cap or a core of B or C."""

import numpy as np
import pytest

from napari_slagseg.data import Phase, PhaseTable
from napari_slagseg.descriptors import describe_particles, describe_sections
from napari_slagseg.liberation import (
    SampleFilter,
    StatisticSettings,
    liberation_curve,
    sample_of,
    sample_results,
)

FEW = StatisticSettings(resamples=40)
PHASES = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "A", "#0072b2", density_g_cm3=2.0),
        Phase(2, "B", "#e69f00", density_g_cm3=4.0),
        Phase(3, "C", "#009e73", density_g_cm3=3.0),
    ),
    "A",
)


@pytest.fixture(scope="module")
def volume():
    """Nine balls on a grid; the last column of them is cut by the border."""
    z, y, x = np.indices((24, 66, 60), dtype=float)
    labels, phases = np.zeros((2, 24, 66, 60), dtype=np.int32)
    centres = [(11.5, 11 + 22 * i, 11 + 22 * j) for i in range(3) for j in range(3)]
    for k, (cz, cy, cx) in enumerate(centres):
        r = np.sqrt((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2)
        ball = r <= 7 + k % 3 * 1.3
        labels[ball] = 10 * (k + 1)
        phases[ball] = 1
        if k % 3 == 1:
            phases[ball & (x > cx)] = 2  # a cap of one half
        if k == 3:
            phases[ball & (r < 4)] = 3  # a core
        if k == 6:
            phases[ball & (r >= 4)] = 2  # and a rim
    return labels, phases


@pytest.fixture(scope="module")
def particles(volume):
    return describe_particles(*volume, 2.0, PHASES)


@pytest.fixture(scope="module")
def sections(volume):
    return describe_sections(*volume, 2.0, PHASES, indices=[9, 11, 14])


def test_rows_of_shares_are_one_in_3d_and_2d(particles, sections):
    results = sample_results(
        sample_of(particles), sections=sample_of(sections, label="sections"), settings=FEW
    )
    frames = results.frames()
    assert set(frames["modal"]["sample"]) == {"3D particles", "sections"}
    for name, keys in (
        ("association", ["sample", "phase"]),
        ("locking", ["sample"]),
        ("liberation_classes", ["sample", "by"]),
        ("liberation_groups", ["sample", "by"]),
        ("modal", ["sample", "basis"]),
        ("size_distribution", ["sample", "size", "basis"]),
        ("grain_size_distribution", ["sample", "phase", "basis"]),
    ):
        whole = frames[name].groupby(keys)["value"].sum()
        np.testing.assert_allclose(whole, 1.0, err_msg=name)
    sizes = set(frames["size_distribution"]["size"])
    assert {"sieve_diameter_um", "axis_major_um", "feret_max_um"} <= sizes
    assert set(frames["grain_size_distribution"]["phase"]) == {"A", "B", "C"}
    for name, frame in frames.items():
        if {"low", "high"} <= set(frame):
            held = frame.dropna(subset=["value", "low", "high"])
            assert (held["low"] <= held["high"]).all(), name


def test_a_core_is_seen_by_its_contacts_and_a_rim_locks(particles):
    sample = sample_of(particles)
    frames = sample_results(sample, settings=FEW).frames()
    association = frames["association"].set_index(["phase", "partner"])["value"]
    # C is a core of A in one particle: it touches A alone
    assert association["C", "A"] == 1
    assert association["C", "outside"] == 0
    # A of the last row is a core of B, and so locked
    locked = sample_of(particles, filters=SampleFilter(locked="only"))
    assert locked.table.frame["label"].tolist() == [70]
    assert set(locked.table.contacts["label"]) == {70}
    assert set(locked.table.grains["label"]) == {70}


def test_another_target_is_measured_anew_from_the_same_table(particles, sections):
    for table in (particles, sections):
        sample = sample_of(table, target="B")
        fractions = sample.column("fraction_B")
        np.testing.assert_allclose(sample.column("volume_liberation"), fractions, atol=1e-9)
        both = sample_of(table, target=["A", "B"])
        assert both.target_name == "A + B"
        found = sample_results(both, settings=FEW).frames()["association"]
        assert found[found["is_target"]]["value"].sum() == pytest.approx(1)


def test_curves_are_those_of_the_plain_results(particles):
    kinds = ("volume_liberation", "surface_liberation")
    curves = {by: liberation_curve(particles.inside(), by) for by in kinds}
    frame = sample_results(sample_of(particles), settings=FEW).frames()["liberation_curves"]
    assert set(frame["by"]) == set(curves)
    for by, curve in curves.items():
        part = frame[frame["by"] == by]
        np.testing.assert_allclose(part["value"], curve.at(part["threshold"].to_numpy()))


def test_particles_inside_count_more_with_border_weights(particles):
    weighted = sample_of(particles, filters=SampleFilter(border="weighted"))
    assert (weighted.weights > 1).all()
    label = weighted.table.frame["label"].tolist().index(10)
    # the middle of a ball of radius 7 is between two planes: 14 voxels wide along z, and, as
    # (7^2 - 0.5^2)^(1/2) is below 7, 13 along y and x
    wanted = 24 / (24 - 15) * 66 / (66 - 14) * 60 / (60 - 14)
    assert weighted.weights[label] == pytest.approx(wanted)
