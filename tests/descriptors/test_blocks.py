"""Sums of blocks merge to those of the whole, to the last bit."""

import pickle
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops_table

from napari_slagseg.data import (
    BlockGrid,
    CancelledError,
    MemoryStore,
    PhaseTable,
    SlagsegError,
    ThreadRun,
    phase_table_of,
)
from napari_slagseg.descriptors import (
    Place,
    describe_blocks,
    describe_box,
    describe_particles,
    describe_sections,
)
from napari_slagseg.descriptors.block_sums import CORNERS, MeasureBlock, merged
from napari_slagseg.descriptors.labels_present import PhaseSlots
from napari_slagseg.descriptors.surface_weights import DIRECTIONS, pair_weights
from napari_slagseg.workflow.blockwise.store import FileStore

PHASES = phase_table_of(
    ["background", "target", "rest", "minor"], ["#000000", "#d55e00", "#56b4e9", "#009e73"]
).with_target("target")
SLOTS = PhaseSlots((1, 2, 3), 0)
SPACING = (1.5, 1.0, 0.8)
SHAPE = (18, 21, 23)


def blobs(shape=SHAPE, seed=0, n=7, reach=7.0):
    """Rough blobs that touch each other and the border; phases that vary from voxel to voxel."""
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(0, 1, (n, 3)) * shape
    places = np.moveaxis(np.indices(shape), 0, -1)[..., None, :]
    distance = np.linalg.norm(places - seeds, axis=-1) + rng.normal(0, 0.6, (*shape, n))
    labels = np.where(distance.min(-1) < reach, distance.argmin(-1) + 1, 0).astype(np.uint32)
    phases = np.where(labels > 0, rng.integers(0, 4, shape), 0).astype(np.uint8)
    return labels, phases


def table_in_blocks(labels, phases, edges, threads=1, **options):
    run = ThreadRun(BlockGrid.of(labels.shape, edges), threads)
    return describe_blocks(labels, phases, SPACING, PHASES, run, **options)


def in_blocks(labels, phases, edges, threads=1, **options):
    return table_in_blocks(labels, phases, edges, threads, **options).frame


def assert_same(found, expected):
    """All tables are equal, to the last bit."""
    for name in ("frame", "contacts", "grains"):
        pd.testing.assert_frame_equal(
            getattr(found, name), getattr(expected, name), check_exact=True
        )


def sums_in_blocks(labels, phases, edges):
    weights, _ = pair_weights((1.0, 1.0, 1.0))
    run = ThreadRun(BlockGrid.of(labels.shape, edges))
    task = MeasureBlock(labels, phases, SLOTS, tuple(weights.tolist()), 0, run.store)
    return merged(run.stage("measure", task).values(), 3)[0]


LABELS, BLOB_PHASES = blobs()
DEPTHS = {0: 0.0, 1: 2.2, 3: 4.0}
WHOLE = {
    layers: table_in_blocks(
        LABELS, BLOB_PHASES, SHAPE, erosion_voxels=layers, accessible_depth_um=depth
    )
    for layers, depth in DEPTHS.items()
}


@settings(max_examples=25, deadline=None)
@given(
    edges=st.tuples(st.integers(1, 19), st.integers(1, 22), st.integers(1, 24)),
    threads=st.integers(1, 4),
    layers=st.sampled_from([0, 1, 3]),
)
def test_any_blocks_give_the_tables_of_the_whole(edges, threads, layers):
    if np.prod([-(-n // e) for n, e in zip(SHAPE, edges)]) > 150:
        edges = tuple(max(e, 5) for e in edges)
    found = table_in_blocks(
        LABELS, BLOB_PHASES, edges, threads,
        erosion_voxels=layers, accessible_depth_um=DEPTHS[layers],
    )  # fmt: skip
    assert_same(found, WHOLE[layers])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), edge=st.integers(3, 11), density=st.floats(0.02, 0.9))
def test_scattered_voxels_in_blocks(seed, edge, density):
    """Labels that fall to pieces, with holes and gaps: nothing of a particle is connected."""
    rng = np.random.default_rng(seed)
    shape = (11, 12, 13)
    labels = np.where(rng.random(shape) < density, rng.integers(1, 6, shape) ** 5, 0)
    phases = rng.integers(-1, 4, shape).astype(np.int16)
    options = {"erosion_voxels": 1, "accessible_depth_um": 1.6}
    found = table_in_blocks(labels, phases, edge, 2, **options)
    assert_same(found, table_in_blocks(labels, phases, shape, **options))


@pytest.mark.parametrize("edges", [SHAPE, (5, 6, 7), (18, 2, 3)])
def test_sums_are_those_of_plain_code(edges):
    labels, phases = blobs(seed=3)
    sums = sums_in_blocks(labels, phases, edges)
    plain = regionprops_table(labels.astype(np.int32), properties=("label", "area", "bbox"))
    assert sums.labels.tolist() == plain["label"].tolist()
    assert sums.counts.sum(axis=1).tolist() == plain["area"].tolist()
    for axis in range(3):
        assert sums.low[:, axis].tolist() == plain[f"bbox-{axis}"].tolist()
        assert (sums.high[:, axis] + 1).tolist() == plain[f"bbox-{axis + 3}"].tolist()
    weights, _ = pair_weights((1.0, 1.0, 1.0))
    padded, padded_phases = np.pad(labels, 1), np.pad(phases, 1)
    for i, label in enumerate(sums.labels):
        mask = padded == label
        assert sums.moments[i].tolist() == (np.argwhere(mask) - 1).sum(axis=0).tolist()
        assert sums.counts[i].tolist() == [
            *(np.count_nonzero(mask & (padded_phases == k)) for k in (1, 2, 3)),
            0,
            np.count_nonzero(mask & (padded_phases == 0)),
        ]
        parts = [mask & (padded_phases == k) for k in (1, 2, 3, 0)]
        ends = np.zeros((4, 5), dtype=np.int64)
        for step, weight in zip(DIRECTIONS, weights.tolist()):
            for k, part in enumerate(parts):
                there = np.roll(part, step, (0, 1, 2))
                ends[k, 4] += weight * np.count_nonzero(part != there)
                for m, other in enumerate(parts):
                    away = np.roll(other, step, (0, 1, 2))
                    ends[k, m] += weight * np.count_nonzero((part & away) | (other & there))
        assert sums.edges[i].tolist() == ends[:, 4].tolist()
        mine = sums.contacts[sums.contacts[:, 0] == label]
        assert mine[:, 1:].tolist() == [
            [k, m, ends[k, m]] for k in range(4) for m in range(k + 1, 4) if ends[k, m]
        ]
        inside = [ends[k, :4].sum() - ends[k, k] for k in range(4)]
        assert sums.outside()[i].tolist() == (ends[:, 4] - inside).tolist()
        assert sums.between(0)[i] == inside[0]


@pytest.mark.parametrize("edges", [SHAPE, (4, 5, 6)])
def test_centroids_are_those_of_scikit_image(edges):
    labels, phases = blobs(seed=4)
    run = ThreadRun(BlockGrid.of(labels.shape, edges))
    frame = describe_blocks(labels, phases, 1.0, PHASES, run).frame
    plain = regionprops_table(labels.astype(np.int32), properties=("centroid",))
    for axis, name in enumerate("zyx"):
        # both are a quotient of the same whole numbers; scikit-image takes a mean
        np.testing.assert_allclose(
            frame[f"centroid_{name}_um"], plain[f"centroid-{axis}"], rtol=1e-14
        )


def test_a_particle_on_all_borders_and_in_all_blocks():
    labels = np.ones((9, 10, 11), np.uint32)
    frame = in_blocks(labels, labels.astype(np.uint8), 3, erosion_voxels=1)
    row = frame.iloc[0]
    assert row["touches_border"]
    assert row["n_voxels"] == 9 * 10 * 11
    axes = [row[f"axis_{name}_um"] for name in ("major", "intermediate", "minor")]
    assert sorted(axes) == pytest.approx(sorted([9 * 1.5, 10.0, 11 * 0.8]))
    assert row["surface_liberation_eroded"] == 1
    whole = in_blocks(labels, labels.astype(np.uint8), 100, erosion_voxels=1)
    pd.testing.assert_frame_equal(frame, whole, check_exact=True)


@pytest.mark.parametrize("names", [[0, 3, 4_000_000, 2**31, 2**33, 2**40, 2**62, 7]])
@pytest.mark.parametrize("edges", [SHAPE, (6, 7, 8)])
def test_gaps_and_large_labels(names, edges):
    names = np.array(names)
    found = in_blocks(names[LABELS], BLOB_PHASES, edges)
    order = np.argsort(names[1:])
    assert found["label"].tolist() == names[1:][order].tolist()
    expected = WHOLE[0].frame.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        found.drop(columns="label"), expected.drop(columns="label"), check_exact=True
    )


def test_labels_above_int64_are_refused():
    with pytest.raises(SlagsegError, match="below 2"):
        in_blocks(np.full((3, 3, 3), 2**63, np.uint64), np.ones((3, 3, 3), np.uint8), 2)


def test_more_labels_than_fit_sixteen_bits():
    """Every voxel a particle of its own: 64,000 in one block."""
    labels = np.arange(1, 40**3 + 1, dtype=np.uint32).reshape(40, 40, 40)
    phases = (labels % 2 + 1).astype(np.uint8)
    sums = sums_in_blocks(labels, phases, 40)
    assert sums.labels.tolist() == list(range(1, 40**3 + 1))
    assert (sums.counts[:, :2].sum(axis=1) == 1).all()
    assert (sums.surface.sum(axis=1) == 1).all()
    # a voxel alone: both ends of all 26 pairs, 2 x the sum of the weights
    weights, _ = pair_weights((1.0, 1.0, 1.0))
    assert np.unique(sums.edges.sum(axis=1)).tolist() == [2 * int(weights.sum())]
    np.testing.assert_array_equal(sums.low, np.argwhere(labels))
    np.testing.assert_array_equal(sums.high, np.argwhere(labels))


@pytest.mark.parametrize("n", [40, 300])
def test_contacts_of_many_phases(n):
    """More contacts than there is room for at first, and codes of 16 and of 32 bits."""
    rng = np.random.default_rng(n)
    shape = (24, 40, 40)
    labels = np.ones(shape, np.uint32)
    labels[:, 20:] = 4_000_000_007
    phases = rng.integers(1, n + 1, shape).astype(np.int16)
    names = ["background", *(f"p{k}" for k in range(1, n + 1))]
    table = phase_table_of(names, ["#000000"] * (n + 1)).with_target("p3")
    found = describe_particles(labels, phases, 1.0, table)
    contacts = found.contacts
    inner = contacts[contacts.partner_id > 0]
    assert len(inner) > 0.9 * 2 * n * (n - 1)
    of_target = inner[inner.phase_id == 3].groupby("label")["area_um2"].sum()
    np.testing.assert_allclose(of_target, found.frame["intergrowth_boundary_um2"], rtol=1e-12)
    outer = contacts[contacts.partner_id == 0].groupby("label")["area_um2"].sum()
    np.testing.assert_allclose(outer, found.frame["surface_area_um2"], rtol=1e-12)


@pytest.mark.parametrize("edge", [3, 8])
def test_empty_volumes_and_single_particles(edge):
    labels = np.zeros((7, 8, 9), np.uint32)
    phases = np.ones(labels.shape, np.uint8)
    empty = in_blocks(labels, phases, edge, erosion_voxels=1)
    assert len(empty) == 0
    labels[3, 4, 5] = 12
    frame = in_blocks(labels, phases, edge, erosion_voxels=1)
    assert frame["label"].tolist() == [12]
    assert frame["n_voxels"].tolist() == [1]
    assert frame["axis_major_um"].tolist() == [1.5]
    assert list(empty.columns) == list(frame.columns)
    assert empty.dtypes["n_voxels"] == frame.dtypes["n_voxels"]


class Boxwise:
    """A volume that can only be read by boxes."""

    def __init__(self, array):
        self._array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, []

    def __getitem__(self, box):
        self.read.append(np.prod([s.stop - s.start for s in box]))
        return self._array[box].copy()


def test_volumes_are_read_by_boxes():
    labels, phases = Boxwise(LABELS), Boxwise(BLOB_PHASES)
    found = in_blocks(labels, phases, 8)
    pd.testing.assert_frame_equal(found, WHOLE[0].frame, check_exact=True)
    assert max(labels.read) <= 10**3
    labels.read.clear()
    sections = describe_sections(labels, phases, SPACING, PHASES, axis=1, indices=[3, 9]).frame
    assert labels.read == [18 * 23] * 2
    expected = describe_sections(LABELS, BLOB_PHASES, SPACING, PHASES, axis=1, indices=[3, 9])
    pd.testing.assert_frame_equal(sections, expected.frame, check_exact=True)


def test_arrays_of_any_order_and_type():
    for labels in (LABELS[::-1, :, ::-1], np.asfortranarray(LABELS), LABELS.astype(np.int16)):
        expected = describe_particles(np.ascontiguousarray(labels), BLOB_PHASES, 1.0, PHASES)
        found = describe_particles(labels, np.asfortranarray(BLOB_PHASES), 1.0, PHASES)
        pd.testing.assert_frame_equal(found.frame, expected.frame, check_exact=True)


def test_strange_phases_in_any_block_are_named():
    phases = BLOB_PHASES.copy()
    inside = np.argwhere(LABELS > 0)
    phases[tuple(inside[0])], phases[tuple(inside[-1])] = 9, 11
    with pytest.raises(SlagsegError, match="phase ids 9, 11"):
        in_blocks(LABELS, phases, 6)


def test_stages_can_be_sent_to_other_processes():
    run = ThreadRun(BlockGrid.of(SHAPE, 9))
    weights, _ = pair_weights(SPACING)
    task = MeasureBlock(LABELS, BLOB_PHASES, SLOTS, tuple(weights.tolist()), 1, MemoryStore())
    copy = pickle.loads(pickle.dumps(task))
    block = run.grid.block((1, 1, 1))
    here, there = task(block, None), copy(block, None)
    assert sorted(here) == sorted(there)
    for name, values in here.items():
        np.testing.assert_array_equal(values, there[name])
    for name, values in task.store.get(CORNERS, block).items():
        np.testing.assert_array_equal(values, copy.store.get(CORNERS, block)[name])


class Elsewhere(ThreadRun):
    """Sends every task through a pickle; blocks keep their arrays in files."""

    def __init__(self, grid, folder):
        super().__init__(grid)
        self.store = FileStore(folder)

    def stage(self, name, task, **options):
        """Call a copy of the task."""
        return super().stage(name, pickle.loads(pickle.dumps(task)), **options)


def test_all_stages_in_other_processes_give_the_same(tmp_path):
    run = Elsewhere(BlockGrid.of(SHAPE, (9, 8, 12)), tmp_path)
    found = describe_blocks(
        LABELS, BLOB_PHASES, SPACING, PHASES, run,
        erosion_voxels=1, accessible_depth_um=DEPTHS[1],
    )  # fmt: skip
    assert_same(found, WHOLE[1])


def test_a_run_over_another_shape_is_refused():
    run = ThreadRun(BlockGrid.of((5, 6, 7), 4))
    with pytest.raises(SlagsegError, match="shape"):
        describe_blocks(LABELS, BLOB_PHASES, 1.0, PHASES, run)


def test_a_cancelled_measurement_ends():
    token = threading.Event()
    token.set()
    with pytest.raises(CancelledError):
        describe_particles(LABELS, BLOB_PHASES, 1.0, PHASES, cancel=token)


@pytest.mark.parametrize("margin", [0, 2])
def test_a_particle_in_its_box_has_the_row_of_the_volume(margin):
    """Whatever lies around it, and at the border; the box's place tells the rest."""
    labels, phases = blobs((30, 40, 50), seed=5, n=14)
    densities = {"target": 2.62, "rest": 2.67, "minor": 3.0655510847741447}
    table = PhaseTable(
        tuple(replace(p, density_g_cm3=densities.get(p.name)) for p in PHASES), "target"
    )
    options = {"erosion_voxels": 1, "accessible_depth_um": 2.0, "grains": True}
    phases[(phases == 0) & (labels > 0)] = 1
    whole = describe_particles(labels, phases, SPACING, table, **options)
    assert whole.frame["density_g_cm3"].notna().all()
    assert 0 < whole.frame["touches_border"].sum() < len(whole) == 14
    for label in whole.frame["label"]:
        places = np.argwhere(labels == label)
        low = np.maximum(places.min(axis=0) - margin, 0)
        high = np.minimum(places.max(axis=0) + 1 + margin, labels.shape)
        box = tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist()))
        inside = labels[box] == label
        found = describe_box(
            np.where(inside, labels[box], 0), np.ascontiguousarray(phases[box]),
            Place(tuple(low.tolist()), labels.shape), SPACING, table, **options,
        )  # fmt: skip
        for name in ("frame", "contacts", "grains"):
            mine = getattr(whole, name)
            mine = mine[mine["label"] == label].reset_index(drop=True)
            pd.testing.assert_frame_equal(getattr(found, name), mine, check_exact=True)
        assert found.definitions == whole.definitions


def test_a_box_outside_the_volume():
    labels = np.ones((4, 4, 4), np.uint32)
    with pytest.raises(SlagsegError, match="does not lie in a volume"):
        describe_box(labels, labels.astype(np.uint8), Place((5, 0, 0), (8, 8, 8)), 1.0, PHASES)
