"""Depth below the surface: known bodies, and plain code."""

import edt
import numpy as np
import pytest
from scipy import ndimage

from napari_slagseg.data import BlockGrid, SlagsegError, ThreadRun, phase_table_of
from napari_slagseg.descriptors import describe_blocks, describe_particles
from napari_slagseg.descriptors.accessible import squared_depths

PHASES = phase_table_of(
    ["background", "target", "rest", "minor"], ["#000000", "#d55e00", "#56b4e9", "#009e73"]
).with_target("target")


def plain_depths(labels, spacing):
    """Each particle's depths by another library, one particle at a time."""
    found = np.zeros(labels.shape)
    for label in np.unique(labels[labels > 0]):
        mask = np.pad(labels == label, 1)
        away = ndimage.distance_transform_edt(mask, sampling=spacing)
        found = np.maximum(found, away[1:-1, 1:-1, 1:-1])
    return found


def sample(seed=0, shape=(15, 16, 17)):
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(0, 1, (4, 3)) * shape
    places = np.moveaxis(np.indices(shape), 0, -1)[..., None, :]
    distance = np.linalg.norm(places - seeds, axis=-1) + rng.normal(0, 0.3, (*shape, 4))
    labels = np.where(distance.min(-1) < 7, (distance.argmin(-1) + 1) * 3, 0).astype(np.uint32)
    return labels, np.where(labels > 0, rng.integers(-1, 4, shape), 0).astype(np.int16)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.5, 1.0, 0.8), (0.5, 2.0, 1.0)])
@pytest.mark.parametrize("depth", [1.0, 2.0, 2.6])
def test_depths_beside_plain_code(spacing, depth):
    labels, _ = sample()
    whole = tuple(slice(0, n) for n in labels.shape)
    found = np.sqrt(squared_depths(labels, whole, spacing, depth))
    plain = plain_depths(labels, spacing)
    inside = labels > 0
    near = inside & (plain <= depth)
    assert near.sum() > 300
    assert (inside & ~near).sum() > 30
    np.testing.assert_allclose(found[near], plain[near], rtol=1e-6)
    assert (found[inside & ~near] > depth).all()
    assert (found[~inside] == 0).all()
    of_library = edt.edt(labels, anisotropy=spacing, black_border=True)
    np.testing.assert_allclose(found[near], of_library[near], rtol=1e-5)


@pytest.mark.parametrize("depth", [0.8, 1.5, 2.0])
@pytest.mark.parametrize("edges", [(15, 16, 17), (4, 5, 6), (15, 1, 3)])
def test_shares_beside_plain_code_and_in_blocks(edges, depth):
    labels, phases = sample(1)
    spacing = (1.5, 1.0, 0.8)
    run = ThreadRun(BlockGrid.of(labels.shape, edges), 2)
    table = describe_blocks(
        labels, phases, spacing, PHASES, run, accessible_depth_um=depth, grains=False
    )
    plain = plain_depths(labels, spacing)
    for row in table.frame.to_dict("records"):
        for phase, name in enumerate(PHASES.names[1:], start=1):
            mine = (labels == row["label"]) & (phases == phase)
            expected = (plain[mine] <= depth + 1e-9).mean() if mine.any() else np.nan
            assert row[f"accessible_fraction_{name}"] == pytest.approx(expected, nan_ok=True)
    assert list(table.frame.columns) == list(table.definitions)


def test_shells_of_a_box_worked_by_hand():
    """A box of 9 x 10 x 11 voxels, of 2 um: the outermost layer, two layers, all."""
    labels = np.zeros((11, 12, 13), np.uint8)
    labels[1:10, 1:11, 1:12] = 1
    for depth, shell in ((2.0, 990 - 7 * 8 * 9), (3.9, 486), (4.0, 990 - 5 * 6 * 7), (10.0, 990)):
        frame = describe_particles(labels, labels, 2.0, PHASES, accessible_depth_um=depth).frame
        assert frame["accessible_fraction_target"].iat[0] == shell / 990
        assert np.isnan(frame["accessible_fraction_rest"].iat[0])


def test_a_ball_with_a_core():
    edge = 61
    z, y, x = np.indices((edge, edge, edge)) - edge // 2
    away = z**2 + y**2 + x**2
    labels = (away <= 27**2).astype(np.uint32)
    phases = np.where(away <= 15**2, 1, 2 * labels).astype(np.uint8)
    frame = describe_particles(labels, phases, 1.0, PHASES, accessible_depth_um=9.0).frame
    assert frame["accessible_fraction_target"].iat[0] == 0
    # the shell between radii 15 and 27, as far as 18
    expected = (27**3 - 18**3) / (27**3 - 15**3)
    assert frame["accessible_fraction_rest"].iat[0] == pytest.approx(expected, abs=0.03)


def test_depths_that_make_no_sense_are_refused():
    labels = np.ones((3, 3, 3), np.uint8)
    wrong = ((-1.0, "must be"), (np.nan, "must be"), (1.9, "less than a voxel"), (1e9, "1000"))
    for depth, says in wrong:
        with pytest.raises(SlagsegError, match=says):
            describe_particles(labels, labels, 2.0, PHASES, accessible_depth_um=depth)
    empty = describe_particles(labels * 0, labels, 2.0, PHASES, accessible_depth_um=3.0)
    assert "accessible_fraction_minor" in empty.frame
