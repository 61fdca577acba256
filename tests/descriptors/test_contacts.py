"""Boundaries by partner: worked by hand, and beside each other."""

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.data import CONTACT_COLUMNS, Phase, PhaseTable, phase_table_of
from napari_slagseg.descriptors import describe_particles, surface_area
from napari_slagseg.descriptors.surface_weights import DIRECTIONS, pair_weights

PHASES = phase_table_of(
    ["background", "target", "rest", "minor"], ["#000000", "#d55e00", "#56b4e9", "#009e73"]
).with_target("target")


def areas(table, label):
    """Area of each (phase, partner)."""
    rows = table.contacts[table.contacts["label"] == label]
    return {(r.phase_id, r.partner_id): r.area_um2 for r in rows.itertuples()}


def test_two_voxels_worked_by_hand():
    """A target voxel and a voxel of no phase beside each other along x: one pair in common."""
    labels = np.zeros((5, 5, 6), np.uint32)
    labels[2, 2, 2:4] = 9
    phases = np.zeros(labels.shape, np.int16)
    phases[2, 2, 2], phases[2, 2, 3] = 1, -1
    table = describe_particles(labels, phases, 2.0, PHASES)
    weights, unit = pair_weights((2.0, 2.0, 2.0))
    along_x = int(weights[DIRECTIONS.index((0, 0, 1))])
    every = 2 * int(weights.sum())
    assert areas(table, 9) == {
        (1, -1): along_x * unit,
        (-1, 1): along_x * unit,
        (1, 0): (every - along_x) * unit,
        (-1, 0): (every - along_x) * unit,
    }
    assert tuple(table.contacts.columns) == CONTACT_COLUMNS
    assert table.frame["exposed_target_area_um2"].iat[0] == (every - along_x) * unit
    assert table.frame["surface_fraction_target"].iat[0] == 0.5


def layered(edge=60, spacing=1.0):
    """A ball of three layers, cut by planes of equal z."""
    z, y, x = np.indices((edge, edge, edge)) - (edge - 1) / 2
    radius = 0.4 * edge
    ball = z**2 + y**2 + x**2 <= radius**2
    phases = np.where(ball, np.where(z < -0.1 * edge, 1, np.where(z < 0.15 * edge, 2, 3)), 0)
    return ball.astype(np.uint32), phases.astype(np.uint8), radius


def test_a_layered_ball_has_caps_and_a_zone():
    labels, phases, radius = layered()
    table = describe_particles(labels, phases, 1.0, PHASES)
    found = areas(table, 1)
    assert set(found) == {(1, 2), (2, 1), (2, 3), (3, 2), (1, 0), (2, 0), (3, 0)}
    # Archimedes: the area of a zone is 2 pi R times its height; planes lie between voxels
    low, high = -6.0, 9.0
    for phase, height in ((1, radius + low), (2, high - low), (3, radius - high)):
        assert found[phase, 0] == pytest.approx(2 * np.pi * radius * height, rel=0.02)
    for pair, plane in (((1, 2), low), ((2, 3), high)):
        disc = np.pi * (radius**2 - plane**2)
        # flat faces along an axis read 7.3 % low, and a disc's rim loses pairs
        assert found[pair] == pytest.approx(0.927 * disc, rel=0.04)
        assert found[pair] == found[pair[::-1]]
    row = table.frame.iloc[0]
    assert sum(found[phase, 0] for phase in (1, 2, 3)) == pytest.approx(
        row["surface_area_um2"], rel=1e-12
    )
    assert row["exposed_target_area_um2"] == found[1, 0]
    assert row["intergrowth_boundary_um2"] == found[1, 2]


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.5, 1.0, 0.8)])
def test_all_partners_of_a_phase_together_are_its_surface(spacing):
    rng = np.random.default_rng(1)
    labels = np.repeat(rng.integers(0, 4, (9, 10)), 8, axis=0).reshape(9, 8, 10).astype(np.uint32)
    phases = rng.integers(-1, 4, labels.shape).astype(np.int16)
    table = describe_particles(labels, phases, spacing, PHASES)
    for label in (1, 2, 3):
        found = areas(table, label)
        for phase in (-1, 1, 2, 3):
            mask = (labels == label) & ((phases == phase) | ((phase == -1) & (phases == 0)))
            total = sum(area for (own, _), area in found.items() if own == phase)
            assert total == pytest.approx(surface_area(mask, spacing), rel=1e-12)
    keys = table.contacts[["label", "phase_id", "partner_id"]]
    pd.testing.assert_frame_equal(keys, keys.sort_values(list(keys)).reset_index(drop=True))
    assert not keys.duplicated().any()


def test_mass_needs_the_density_of_every_phase():
    dense = PhaseTable(
        (
            Phase(0, "background", "#000000"),
            Phase(1, "target", "#d55e00", density_g_cm3=4.0),
            Phase(2, "rest", "#56b4e9", density_g_cm3=2.5),
            Phase(7, "minor", "#009e73"),
        ),
        "target",
    )
    labels = np.zeros((4, 4, 16), np.uint32)
    phases = np.zeros(labels.shape, np.int16)
    for k, ids in enumerate(([1, 2, 2, 1], [1, 7, 1, 1], [1, 1, 1, -1])):
        labels[1, 1, 5 * k : 5 * k + 4] = k + 1
        phases[1, 1, 5 * k : 5 * k + 4] = ids
    frame = describe_particles(labels, phases, 10.0, dense).frame
    assert frame["density_g_cm3"].iat[0] == 3.25
    # 4 voxels of 1000 um^3 are 4e-9 cm^3; times 3.25 g/cm^3 they are 0.013 ug
    assert frame["mass_ug"].iat[0] == pytest.approx(0.013, rel=1e-14)
    assert frame[["density_g_cm3", "mass_ug"]].iloc[1:].isna().all(axis=None)


def test_border_weights_and_extents_worked_by_hand():
    labels = np.zeros((10, 20, 40), np.uint32)
    labels[2:7, 3:7, 10:30] = 1
    labels[0:2, 3:7, 34:36] = 2
    frame = describe_particles(labels, (labels > 0).astype(np.uint8), (3.0, 2.0, 1.0), PHASES).frame
    assert frame[[f"extent_{a}_um" for a in "zyx"]].iloc[0].tolist() == [15.0, 8.0, 20.0]
    assert frame["border_weight"].tolist() == pytest.approx([10 / 4 * 20 / 15 * 40 / 19, 0.0])


def test_border_weights_give_back_a_number_density():
    """Balls thrown into a window: those inside, weighted, are as many as centres lie in it."""
    rng = np.random.default_rng(0)
    edge, reach = 60, 12
    whole, estimated = 0, 0.0
    z, y, x = np.indices((edge, edge, edge))
    for _ in range(150):
        centre = rng.uniform(-reach, edge + reach, 3)
        radius = rng.choice([4.0, 10.0])
        whole += ((centre >= 0) & (centre < edge)).all()
        ball = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= radius**2
        if not ball.any():
            continue
        frame = describe_particles(ball.astype(np.uint8), ball.astype(np.uint8), 1.0, PHASES).frame
        estimated += frame["border_weight"].sum()
    assert 0.7 * whole < estimated < 1.3 * whole
    assert estimated > 0
