"""Grains beside plain code, beside scipy, and where they are known beforehand."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from napari_slagseg.data import GRAIN_COLUMNS, BlockGrid, ThreadRun, phase_table_of
from napari_slagseg.descriptors import describe_blocks, describe_particles, surface_area
from napari_slagseg.descriptors.surface_weights import DIRECTIONS, pair_weights

PHASES = phase_table_of(
    ["background", "target", "rest", "minor"], ["#000000", "#d55e00", "#56b4e9", "#009e73"]
).with_target("target")
SPACING = (1.5, 1.0, 0.8)


def sample(seed=0, shape=(14, 15, 16)):
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, 4, (shape[0], shape[1] // 5 + 1, shape[2])), 5, axis=1)
    phases = np.repeat(rng.integers(-1, 4, (shape[0] // 2 + 1, *shape[1:])), 2, axis=0)
    labels, phases = labels[: shape[0], : shape[1]], phases[: shape[0]]
    return (labels * 3).astype(np.uint32), np.where(labels > 0, phases, 0).astype(np.int16)


def exposed_area(grain, particle, spacing):
    """Weighted pairs from a grain to all that is not its particle."""
    weights, unit = pair_weights(spacing)
    grain, outside = np.pad(grain, 1), np.pad(~particle, 1, constant_values=True)
    cut = 0
    for step, weight in zip(DIRECTIONS, weights.tolist()):
        for sign in (1, -1):
            there = np.roll(outside, np.multiply(step, sign), (0, 1, 2))
            cut += weight * int(np.count_nonzero(grain & there))
    return cut * unit


@pytest.mark.parametrize("edges", [(14, 15, 16), (4, 5, 6), (3, 15, 2)])
def test_every_grain_beside_plain_code(edges):
    labels, phases = sample()
    run = ThreadRun(BlockGrid.of(labels.shape, edges), 2)
    table = describe_blocks(labels, phases, SPACING, PHASES, run)
    grains = table.grains
    assert tuple(grains.columns) == GRAIN_COLUMNS
    at = 0
    for label in (3, 6, 9):
        mask = labels == label
        pieces = []
        for phase in (1, 2, 3):
            numbered, n = ndimage.label(mask & (phases == phase))
            for k in range(1, n + 1):
                pieces.append((np.flatnonzero(numbered == k)[0], phase, numbered == k))
            row = table.frame.set_index("label").loc[label]
            assert row[f"grains_{PHASES.names[phase]}"] == n
            sizes = np.bincount(numbered.ravel())[1:]
            assert row[f"largest_grain_{PHASES.names[phase]}_um3"] == pytest.approx(
                sizes.max() * 1.2
            )
        for k, (_, phase, piece) in enumerate(sorted(pieces, key=lambda p: p[0]), start=1):
            row = grains.iloc[at]
            at += 1
            assert row[["label", "grain", "phase_id", "n_voxels"]].tolist() == [
                label, k, phase, piece.sum(),
            ]  # fmt: skip
            assert row["surface_area_um2"] == pytest.approx(surface_area(piece, SPACING), rel=1e-12)
            assert row["exposed_area_um2"] == pytest.approx(
                exposed_area(piece, mask, SPACING), rel=1e-12
            )
            centre = np.argwhere(piece).mean(axis=0) * SPACING
            assert row[[f"centroid_{a}_um" for a in "zyx"]].tolist() == pytest.approx(centre)
    assert at == len(grains) > 50


def test_grains_and_contacts_tell_the_same_boundary():
    """All a phase exposes is what its grains expose."""
    labels, phases = sample(1)
    table = describe_particles(labels, phases, SPACING, PHASES)
    outer = table.contacts[(table.contacts.partner_id == 0) & (table.contacts.phase_id > 0)]
    exposed = table.grains.groupby(["label", "phase_id"])["exposed_area_um2"].sum()
    expected = outer.set_index(["label", "phase_id"])["area_um2"]
    pd.testing.assert_series_equal(exposed, expected, check_names=False, rtol=1e-12)
    volume = table.grains.groupby("label")["volume_um3"].sum()
    filled = table.frame.filter(like="fraction_").filter(regex="^fraction").sum(axis=1)
    np.testing.assert_allclose(volume, table.frame["volume_um3"] * filled, rtol=1e-12)


def test_a_ball_with_inclusions():
    edge = 41
    z, y, x = np.indices((edge, edge, edge)) - edge // 2
    ball = z**2 + y**2 + x**2 <= 18**2
    phases = np.where(ball, 2, 0).astype(np.uint8)
    for centre, radius in ((-9, 6), (8, 4)):
        phases[(z - centre) ** 2 + y**2 + x**2 <= radius**2] = 1
    phases[20, 20, 34] = 3
    table = describe_particles(ball.astype(np.uint8), phases, 2.0, PHASES)
    grains = table.grains
    assert grains["phase_id"].tolist() == [2, 1, 3, 1]
    assert grains["label"].tolist() == [1] * 4
    big = grains.iloc[1]
    assert big["equivalent_diameter_um"] == pytest.approx(2 * 12, rel=0.02)
    assert big["surface_area_um2"] == pytest.approx(4 * np.pi * 12**2, rel=0.01)
    assert big["sphericity"] == pytest.approx(1, abs=0.02)
    assert grains["exposed_area_um2"].tolist()[1:] == [0, 0, 0]
    assert big[[f"centroid_{a}_um" for a in "zyx"]].tolist() == [2 * (20 - 9), 40, 40]
    matrix = grains.iloc[0]
    assert matrix["exposed_area_um2"] == table.frame["surface_area_um2"].iat[0]
    row = table.frame.iloc[0]
    assert [row[f"grains_{name}"] for name in PHASES.names[1:]] == [2, 1, 1]
    assert row["largest_grain_minor_um3"] == 8
    assert row["largest_grain_target_um3"] == big["volume_um3"]


def test_grains_end_where_particles_do_and_touch_by_faces():
    labels = np.zeros((4, 6, 8), np.uint32)
    labels[1:3, 1:5, 1:4], labels[1:3, 1:5, 4:7] = 4, 2
    phases = np.where(labels > 0, 1, 0).astype(np.uint8)
    table = describe_particles(labels, phases, 1.0, PHASES)
    assert table.grains["label"].tolist() == [2, 4]
    diagonal = np.zeros((4, 4, 4), np.uint32)
    diagonal[1:3, 1:3, 1:3] = 1
    phases = np.full(diagonal.shape, 2, np.uint8)
    phases[1, 1, 1] = phases[2, 2, 2] = 1
    table = describe_particles(diagonal, phases, 1.0, PHASES)
    assert table.frame["grains_target"].tolist() == [2]
    assert table.frame["grains_minor"].tolist() == [0]
    assert table.frame["largest_grain_minor_um3"].isna().all()


@pytest.mark.parametrize("largest", [2**33, 2**62 + 5])
def test_labels_too_large_for_a_phase_beside_them(largest):
    labels, phases = sample(2)
    names = np.zeros(10, np.int64)
    names[[3, 6, 9]] = 2**32 + 1, largest - 1, largest
    expected = describe_particles(labels, phases, 1.0, PHASES).grains
    found = describe_particles(names[labels], phases, 1.0, PHASES).grains
    assert found["label"].tolist() == names[expected["label"]].tolist()
    pd.testing.assert_frame_equal(found.drop(columns="label"), expected.drop(columns="label"))


def test_more_grains_than_codes_of_sixteen_bits():
    """A checkerboard: every voxel a grain."""
    labels = np.ones((36, 46, 50), np.uint32)
    phases = (np.indices(labels.shape).sum(axis=0) % 2 + 1).astype(np.uint8)
    table = describe_particles(labels, phases, 1.0, PHASES, threads=1)
    assert table.frame["grains_target"].iat[0] == labels.size // 2
    assert table.grains["grain"].tolist() == list(range(1, labels.size + 1))
    weights, unit = pair_weights((1.0, 1.0, 1.0))
    alone = 2 * int(weights.sum()) * unit
    np.testing.assert_allclose(table.grains["surface_area_um2"], alone, rtol=1e-12)
    total = table.grains["exposed_area_um2"].sum()
    assert total == pytest.approx(table.frame["surface_area_um2"].iat[0], rel=1e-12)


def test_no_grains():
    labels, phases = sample()
    for table in (
        describe_particles(labels, phases, 1.0, PHASES, grains=False),
        describe_particles(labels * 0, phases, 1.0, PHASES),
    ):
        assert tuple(table.grains.columns) == GRAIN_COLUMNS
        assert len(table.grains) == 0
        assert list(table.frame.columns) == list(table.definitions)
    nothing = np.full(labels.shape, -1, np.int16)
    bare = describe_particles(labels, nothing, 1.0, PHASES)
    assert len(bare.grains) == 0
    assert (bare.frame["grains_rest"] == 0).all()
