"""Another target without looking at the voxels again is what measuring anew gives."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.data import SlagsegError, phase_table_of
from napari_slagseg.descriptors import describe_particles, describe_sections, retargeted

NAMES = ["background", "galena", "quartz", "mica", "pyrite"]
PHASES = phase_table_of(NAMES, ["#000000"] * 5).with_target("galena")
SPACING = (1.5, 1.0, 0.8)
OF_TARGET = [
    "volume_liberation",
    "surface_liberation",
    "surface_liberation_eroded",
    "intergrowth_boundary_um2",
    "amstutz_giger_index",
    "normalized_intergrowth_boundary",
    "exposed_target_area_um2",
]


def sample(seed=0, shape=(30, 32, 34)):
    """Particles of coarse grains, some voxels of no phase, one particle without galena."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 6, (3, 4, 4)), np.ones((10, 8, 9), int))[:, :, : shape[2]]
    grains = np.kron(rng.integers(-1, 5, (10, 8, 12)), np.ones((3, 4, 3), int))[:, :, : shape[2]]
    phases = np.where(labels > 0, grains, 0)
    phases[(labels == 2) & (phases == 1)] = 2
    return labels.astype(np.uint32), phases.astype(np.int16)


LABELS, VOXELS = sample()
TABLE = describe_particles(LABELS, VOXELS, SPACING, PHASES, erosion_voxels=1)


def assert_as_measured(found, phases, table):
    expected = describe_particles(LABELS, phases, SPACING, table, erosion_voxels=1).frame
    assert expected["intergrowth_boundary_um2"].gt(0).any()
    pd.testing.assert_frame_equal(
        found.frame[OF_TARGET], expected[OF_TARGET], rtol=1e-12, atol=0, check_exact=False
    )


@pytest.mark.parametrize("target", NAMES[1:])
def test_one_phase(target):
    found = retargeted(TABLE, target)
    assert found.targets == (target,)
    assert found.table.target == target
    assert_as_measured(found, VOXELS, PHASES.with_target(target))
    rest = [c for c in TABLE.frame if c not in OF_TARGET]
    pd.testing.assert_frame_equal(found.frame[rest], TABLE.frame[rest], check_exact=True)


@pytest.mark.parametrize("group", [("mica", "galena"), ("quartz", "mica", "pyrite"), NAMES[1:]])
def test_a_group_is_one_phase(group):
    found = retargeted(TABLE, group)
    assert found.targets == tuple(name for name in NAMES if name in group)
    ids = [PHASES.by_name(name).id for name in group]
    as_one = np.where(np.isin(VOXELS, ids), ids[0], VOXELS)
    assert_as_measured(found, as_one, PHASES.with_target(group[0]))


def test_there_and_back_and_rows_that_were_left_out():
    few = replace(TABLE, frame=TABLE.frame.iloc[[3, 1]].reset_index(drop=True))
    found = retargeted(retargeted(few, "mica"), "GALENA")
    pd.testing.assert_frame_equal(found.frame, few.frame, rtol=1e-12, atol=0)
    assert retargeted(TABLE, "galena") is TABLE


def test_a_target_that_is_nowhere():
    absent = phase_table_of([*NAMES, "gold"], ["#000000"] * 6).with_target("gold")
    table = describe_particles(LABELS, VOXELS, SPACING, absent)
    frame = retargeted(retargeted(table, "galena"), "gold").frame
    assert (frame[["volume_liberation", "exposed_target_area_um2"]] == 0).all(axis=None)
    assert frame["normalized_intergrowth_boundary"].isna().all()
    pd.testing.assert_frame_equal(frame, table.frame)


def test_no_particles():
    empty = describe_particles(LABELS * 0, VOXELS, SPACING, PHASES)
    assert len(retargeted(empty, ["mica", "quartz"])) == 0


def test_what_cannot_be_done_is_said():
    with pytest.raises(SlagsegError, match=r"'gold'.*galena, quartz, mica, pyrite"):
        retargeted(TABLE, ["mica", "gold"])
    with pytest.raises(SlagsegError, match="background"):
        retargeted(TABLE, "background")
    with pytest.raises(SlagsegError, match="No target"):
        retargeted(TABLE, [])
    with pytest.raises(SlagsegError, match="no contacts"):
        retargeted(replace(TABLE, contacts=TABLE.contacts.iloc[:0]), "mica")
    with pytest.raises(SlagsegError, match="surface_fraction_mica"):
        retargeted(replace(TABLE, frame=TABLE.frame.drop(columns="surface_fraction_mica")), "mica")


def test_sections_have_no_intergrowth_of_another_target():
    table = describe_sections(LABELS, VOXELS, SPACING, PHASES, indices=[4, 15])
    found = retargeted(table, "mica").frame
    mica = PHASES.with_target("mica")
    expected = describe_sections(LABELS, VOXELS, SPACING, mica, indices=[4, 15]).frame
    for name in ("volume_liberation", "surface_liberation"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)
    assert found["intergrowth_boundary_um"].isna().all()
    assert found["amstutz_giger_index"].isna().all()
