"""Samples that lack something: a value with a reason or none, never a crash or a false zero."""

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.data import Phase, PhaseTable
from napari_slagseg.descriptors import describe_particles, retargeted

TABLE = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "gold", "#d55e00", density_g_cm3=19.3),
        Phase(2, "quartz", "#56b4e9", density_g_cm3=2.65),
        Phase(5, "= mica, {dark}", "#009e73"),
    ),
    "gold",
)
OPTIONS = {"erosion_voxels": 1, "accessible_depth_um": 2.0}
OF_GOLD = [
    "volume_liberation",
    "surface_liberation",
    "intergrowth_boundary_um2",
    "exposed_target_area_um2",
    "fraction_gold",
    "grains_gold",
]


def two_particles():
    labels = np.zeros((9, 10, 24), np.uint32)
    labels[2:7, 2:8, 2:10], labels[2:7, 2:8, 13:21] = 1, 2
    phases = np.where(labels > 0, 2, 0).astype(np.int16)
    phases[2:7, 2:8, 6:17] *= 0
    phases[(labels > 0) & (phases == 0)] = 5
    return labels, phases


def test_the_target_is_not_in_the_volume():
    labels, phases = two_particles()
    frame = describe_particles(labels, phases, 1.0, TABLE, **OPTIONS).frame
    assert (frame[OF_GOLD] == 0).all(axis=None)
    for name in (
        "normalized_intergrowth_boundary",
        "accessible_fraction_gold",
        "largest_grain_gold_um3",
    ):
        assert frame[name].isna().all()


def test_a_phase_without_a_density_leaves_its_particles_without_a_mass():
    labels, phases = two_particles()
    frame = describe_particles(labels, phases, 1.0, TABLE).frame
    assert frame[["mass_ug", "density_g_cm3"]].isna().all(axis=None)
    phases[labels == 2] = 2
    frame = describe_particles(labels, phases, 1.0, TABLE).frame
    assert frame["mass_ug"].isna().tolist() == [True, False]
    assert frame["mass_ug"].iat[1] == pytest.approx(5 * 6 * 8 * 2.65e-6, rel=1e-14)


def test_names_with_signs_in_them_are_columns_and_are_defined():
    labels, phases = two_particles()
    table = describe_particles(labels, phases, 1.0, TABLE, **OPTIONS)
    assert list(table.definitions) == list(table.frame.columns)
    for name in (
        "surface_fraction_= mica, {dark}",
        "grains_= mica, {dark}",
        "surface_fraction_eroded_= mica, {dark}",
    ):
        assert "= mica, {dark} (id 5)" in table.definitions[name].meaning
        assert table.frame[name].gt(0).all()
    found = retargeted(table, "= mica, {dark}").frame
    assert (found["volume_liberation"] == table.frame["fraction_= mica, {dark}"]).all()


@pytest.mark.parametrize("labelled", [0, -1])
def test_no_particles_have_the_columns_and_types_of_some(labelled):
    labels, phases = two_particles()
    some = describe_particles(labels, phases, 1.0, TABLE, **OPTIONS)
    none = describe_particles(np.full(labels.shape, labelled), phases, 1.0, TABLE, **OPTIONS)
    for name in ("frame", "contacts", "grains"):
        there, empty = getattr(some, name), getattr(none, name)
        assert len(empty) == 0 < len(there)
        pd.testing.assert_series_equal(empty.dtypes, there.dtypes)
    assert len(retargeted(none, ["quartz", "gold"])) == 0


def test_volumes_without_voxels():
    nothing = np.zeros((0, 4, 5), np.uint32)
    table = describe_particles(nothing, nothing.astype(np.uint8), 1.0, TABLE, **OPTIONS)
    assert len(table) == len(table.contacts) == len(table.grains) == 0


def test_one_voxel_fills_the_volume():
    one = np.full((1, 1, 1), 2**40, np.int64)
    table = describe_particles(
        one, np.ones((1, 1, 1), np.uint8), 3.0, TABLE, erosion_voxels=1, accessible_depth_um=3.0
    )
    row = table.frame.iloc[0]
    assert row["border_weight"] == 0
    assert row[["extent_z_um", "extent_y_um", "extent_x_um"]].tolist() == [3.0] * 3
    assert row["mass_ug"] == pytest.approx(27 * 19.3e-6)
    assert row["accessible_fraction_gold"] == 1
    assert np.isnan(row["surface_fraction_eroded_gold"])
    assert table.contacts["area_um2"].tolist() == [row["surface_area_um2"]]
    assert table.grains["label"].tolist() == [2**40]


def test_gaps_and_large_labels_change_nothing_but_the_labels():
    labels, phases = two_particles()
    names = np.array([0, 2**45 + 3, 2**61])
    expected = describe_particles(labels, phases, (3.0, 1.0, 0.5), TABLE, erosion_voxels=1)
    found = describe_particles(names[labels], phases, (3.0, 1.0, 0.5), TABLE, erosion_voxels=1)
    for name in ("frame", "contacts", "grains"):
        there, here = getattr(expected, name), getattr(found, name)
        assert here["label"].tolist() == names[there["label"]].tolist()
        pd.testing.assert_frame_equal(
            here.drop(columns="label"), there.drop(columns="label"), check_exact=True
        )


def test_voxels_that_are_not_cubic_scale_what_is_known():
    """A box of 5 x 6 x 8 voxels of 3 x 1 x 0.5 um, all of one phase."""
    labels, phases = two_particles()
    phases[labels == 1] = 2
    table = describe_particles(labels, phases, (3.0, 1.0, 0.5), TABLE, accessible_depth_um=1.0)
    row = table.frame.iloc[0]
    assert row[["extent_z_um", "extent_y_um", "extent_x_um"]].tolist() == [15.0, 6.0, 4.0]
    assert row["largest_grain_quartz_um3"] == row["volume_um3"] == 360.0
    # deeper than 1 um: all along z, 4 of 6 along y, 4 of 8 along x
    assert row["accessible_fraction_quartz"] == pytest.approx(32 / 48)
    assert table.grains["centroid_z_um"].iat[0] == 4 * 3.0
