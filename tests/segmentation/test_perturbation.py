"""Boundaries moved by one voxel, against scipy's morphology and known balls."""

import pickle

import numpy as np
import pytest
from scipy import ndimage

from napari_slagseg.data import BlockGrid, SlagsegError, ThreadRun, phase_table_of
from napari_slagseg.descriptors import describe_blocks, describe_particles
from napari_slagseg.liberation import sample_of
from napari_slagseg.liberation.sensitivity import headline, label_sensitivity
from napari_slagseg.segmentation import CHANGES, perturbed

PHASES = phase_table_of(["background", "target", "rest"], ["#000000", "#d55e00", "#56b4e9"])
PHASES = PHASES.with_target("target")
CROSS = ndimage.generate_binary_structure(3, 1)


def ball(radius=15, edge=41):
    """A ball with a ball of target of half its radius in the middle."""
    at = np.indices((edge,) * 3) - edge // 2
    distance = np.sqrt((at**2).sum(0))
    labels = np.where(distance <= radius, 5, 0).astype(np.uint32)
    return labels, np.where(labels, np.where(distance <= radius / 2, 1, 2), 0).astype(np.uint8)


def blobs(shape=(22, 25, 27), seed=0):
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(0, 1, (9, 3)) * shape
    places = np.moveaxis(np.indices(shape), 0, -1)[..., None, :]
    distance = np.linalg.norm(places - seeds, axis=-1)
    labels = np.where(distance.min(-1) < 6, distance.argmin(-1) + 1, 0).astype(np.uint32)
    inner = ndimage.gaussian_filter(rng.standard_normal(shape), 2) > 0
    return labels, np.where(labels > 0, 1 + inner, 0).astype(np.uint8)


def test_a_ball_grows_and_shrinks_by_one_voxel():
    labels, phases = ball()
    grown, grown_phases = perturbed(labels, phases, "particles_grown")
    assert np.array_equal(grown[:] == 5, ndimage.binary_dilation(labels > 0, CROSS))
    assert np.all(grown_phases[:][(grown[:] == 5) & (labels == 0)] == 2)
    shrunk, _ = perturbed(labels, phases, "particles_shrunk")
    assert np.array_equal(shrunk[:] == 5, ndimage.binary_erosion(labels > 0, CROSS))
    # along an axis a ball of radius 15 reaches one voxel further, in the mean over all
    # directions 0.83 (the mean of the largest component of a direction)
    for volume, step in ((grown, 1), (shrunk, -1)):
        assert (volume[20, 20] > 0).sum() == 31 + 2 * step
        radius = (3 * (volume[:] > 0).sum() / (4 * np.pi)) ** (1 / 3)
        assert radius - 15 == pytest.approx(0.83 * step, abs=0.08)


def test_the_target_moves_inside_particles_only():
    labels, phases = ball()
    for change, morph in (
        ("target_grown", ndimage.binary_dilation),
        ("target_shrunk", ndimage.binary_erosion),
    ):
        same, moved = perturbed(labels, phases, change, target_ids=[1])
        assert np.array_equal(same[:], labels)
        assert np.array_equal(moved[:] == 1, morph(phases == 1, CROSS))
    # pure target does not lose its outer rim, and does not leak into its neighbour
    labels = np.zeros((6, 6, 8), np.uint32)
    labels[1:5, 1:5, 1:4], labels[1:5, 1:5, 4:7] = 1, 2
    phases = np.where(labels == 1, 1, np.where(labels == 2, 2, 0)).astype(np.uint8)
    for change in ("target_grown", "target_shrunk"):
        assert np.array_equal(perturbed(labels, phases, change, target_ids=[1])[1][:], phases)


def test_touching_particles_do_not_overlap_and_share_what_is_between():
    labels = np.zeros((3, 3, 9), np.uint32)
    labels[:, :, 1:4], labels[:, :, 5:8] = 8, 3
    grown, _ = perturbed(labels, (labels > 0).astype(np.uint8), "particles_grown")
    assert grown[1, 1].tolist() == [8, 8, 8, 8, 3, 3, 3, 3, 3]  # of equals the lowest label
    touching = np.zeros((3, 3, 8), np.uint32)
    touching[:, :, 1:4], touching[:, :, 4:7] = 8, 3
    shrunk, _ = perturbed(touching, (touching > 0).astype(np.uint8), "particles_shrunk")
    # the faces of the volume move nothing
    assert shrunk[1, 1].tolist() == [0, 0, 8, 0, 0, 3, 0, 0]
    grown, _ = perturbed(touching, (touching > 0).astype(np.uint8), "particles_grown")
    assert grown[1, 1].tolist() == [8, 8, 8, 8, 3, 3, 3, 3]


def test_random_boundaries_are_seeded_balanced_and_one_voxel_wide():
    labels = np.zeros((40, 60, 60), np.uint32)
    labels[:20] = 1
    phases = np.where(labels, np.where(np.arange(60) < 30, 1, 2), 0).astype(np.uint8)
    moved, moved_phases = perturbed(labels, phases, "random", seed=4)
    found = moved[:]
    assert np.all(found[:19] == 1)
    assert np.all(found[21:] == 0)
    # 3,600 voxels on either side of the face, half of them change
    for plane, there in ((19, 0), (20, 1)):
        assert (found[plane] == there).mean() == pytest.approx(0.5, abs=0.04)
    assert (found > 0).sum() == pytest.approx(20 * 3600, abs=4 * 42)
    part = moved_phases[:19]
    assert np.all(part[:, :, :29] == 1)
    assert (part[:, :, 29] == 2).mean() == pytest.approx(0.5, abs=0.06)
    again, other = (perturbed(labels, phases, "random", seed=s)[0][:] for s in (4, 5))
    assert np.array_equal(again, found)
    assert not np.array_equal(other, found)
    assert np.array_equal(perturbed(labels, phases, "random", chance=0)[0][:], labels)


@pytest.mark.parametrize("change", CHANGES)
def test_any_box_gives_what_the_whole_does(change):
    labels, phases = blobs()
    pair = perturbed(labels, phases, change, target_ids=[1], seed=3)
    rng = np.random.default_rng(1)
    for volume in pair:
        whole = volume[:, :, :]
        assert whole.dtype == volume.dtype
        assert not np.array_equal(whole, labels if volume is pair[0] else phases) or (
            change.startswith("target") and volume is pair[0]
        )
        for _ in range(20):
            ends = [np.sort(rng.integers(0, n + 1, 2)) for n in labels.shape]
            box = tuple(slice(int(a), int(b)) for a, b in ends)
            assert np.array_equal(volume[box], whole[box])
        assert np.array_equal(volume[3], whole[3])
        assert np.array_equal(volume[4:6], whole[4:6])
        assert np.array_equal(pickle.loads(pickle.dumps(volume))[:], whole)


def test_blocks_are_described_without_a_volume_in_between():
    labels, phases = blobs()
    for change in CHANGES:
        pair = perturbed(labels, phases, change, target_ids=[1], seed=3)
        run = ThreadRun(BlockGrid.of(labels.shape, (10, 11, 12)))
        lazy = describe_blocks(*pair, (1.5, 1.0, 0.8), PHASES, run)
        held = describe_particles(pair[0][:], pair[1][:], (1.5, 1.0, 0.8), PHASES, threads=1)
        assert lazy.frame.equals(held.frame)


def test_what_it_does_to_the_headline_results_of_a_known_ball():
    labels, phases = ball()
    tables = {
        change: describe_particles(
            *(v[:] for v in perturbed(labels, phases, change, target_ids=[1])),
            2.0, PHASES, threads=1,
        )
        for change in CHANGES
    }  # fmt: skip
    base = sample_of(describe_particles(labels, phases, 2.0, PHASES, threads=1))
    frame = label_sensitivity(base, {k: sample_of(t) for k, t in tables.items()})
    rows = frame.set_index("quantity")
    target = (phases == 1).sum()
    assert rows.loc["share of target", "value"] == pytest.approx(target / (labels > 0).sum())
    grown = ndimage.binary_dilation(labels > 0, CROSS).sum()
    assert rows.loc["share of target", "particles_grown"] == pytest.approx(target / grown)
    d50 = rows.loc["D50 (um)"]
    assert d50["value"] == pytest.approx(2 * 2.0 * 15, rel=0.01)
    assert d50["particles_grown"] - d50["value"] == pytest.approx(2 * 2.0 * 0.83, abs=0.3)
    assert d50["low"] == d50["particles_shrunk"]
    assert d50["high"] == d50["particles_grown"]
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()


def test_no_particles_and_wrong_words():
    empty = np.zeros((5, 5, 5), np.uint8)
    for change in CHANGES:
        assert not perturbed(empty, empty, change, target_ids=[1])[0][:].any()
    found = headline(sample_of(describe_particles(empty, empty, 1.0, PHASES, threads=1)))
    assert found["particles"] == 0
    assert np.isnan(found["share of target"])
    assert np.isnan(found["D50 (um)"])
    with pytest.raises(SlagsegError, match="no change 'bigger'"):
        perturbed(empty, empty, "bigger")
    with pytest.raises(SlagsegError, match="which phases are the target"):
        perturbed(empty, empty, "target_grown")
    with pytest.raises(SlagsegError, match="same three axes"):
        perturbed(empty, empty[1:], "random")
    with pytest.raises(SlagsegError, match="between 0"):
        perturbed(empty, empty, "random", chance=2)
