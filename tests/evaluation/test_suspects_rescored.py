"""Edited particles, looked at again in their boxes: the same as looking at all again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import find_objects

from napari_slagseg.data import BlockGrid, ThreadRun
from napari_slagseg.evaluation.suspects.features import features_of_blocks
from napari_slagseg.evaluation.suspects.rescoring import rescored, still_missed

SIZE = (2.0, 1.0, 1.5)


@pytest.fixture(scope="module")
def packed():
    """Thirty cells that touch, with noise in the network and the phases."""
    rng = np.random.default_rng(3)
    grid = np.indices((28, 40, 44)).reshape(3, -1).T
    seeds = rng.uniform(0, (28, 40, 44), (30, 3))
    away = np.linalg.norm(grid[:, None] - seeds, axis=2)
    labels = (away.argmin(axis=1) + 1).reshape(28, 40, 44).astype(np.uint32)
    labels[away.min(axis=1).reshape(labels.shape) > 7] = 0
    sure = rng.integers(60, 256, labels.shape).astype(np.uint8)
    phases = (rng.random(labels.shape) < 0.9).astype(np.uint8)
    return labels, sure, phases


def whole(labels, sure, phases):
    run = ThreadRun(BlockGrid.of(labels.shape, 32), 1)
    return features_of_blocks(
        labels, sure, run, phases=phases, voxel_size_um=SIZE, largest_box=1 << 14
    )


def again(features, touched, labels, sure, phases):
    boxes = find_objects(labels.astype(np.int32), max_label=int(max(touched)))
    return rescored(
        features, {k: boxes[k - 1] for k in touched}, labels, sure, phases=phases,
        voxel_size_um=SIZE, largest_box=1 << 14,
    )  # fmt: skip


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_dtype=False, rtol=1e-5, atol=1e-7)


def by_pair(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs.sort_values(["label", "partner"]).reset_index(drop=True)


def test_without_an_edit_nothing_changes(packed):
    before = whole(*packed)
    assert len(before.pairs) > 40
    after, fresh = again(before, before.particles.index.tolist(), *packed)
    same(after.particles, before.particles)
    same(by_pair(after.pairs), by_pair(before.pairs))
    same(fresh.particles, before.particles)


def test_an_edit_changes_the_rows_of_what_it_touched(packed):
    labels, sure, phases = packed
    before = whole(*packed)
    a, b, c = before.pairs["label"].unique()[:3]
    edited = labels.copy()
    box = find_objects((labels == a).astype(np.int32))[0]
    upper = np.zeros_like(labels, dtype=bool)
    upper[box[0].start : (box[0].start + box[0].stop) // 2] = True
    edited[(labels == a) & upper] = 99  # split
    edited[labels == b] = 0  # delete
    edited[labels == c] = before.pairs.loc[before.pairs["label"] == c, "partner"].iloc[0]  # merge
    merged = int(edited[labels == c][0])
    now = whole(edited, sure, phases)
    boxes = find_objects(edited.astype(np.int32))
    after, fresh = rescored(
        before, {int(k): boxes[k - 1] for k in (a, b, c, 99, merged)}, edited, sure, phases=phases,
        voxel_size_um=SIZE, largest_box=1 << 14,
    )  # fmt: skip
    assert set(fresh.particles.index) == {int(a), 99, merged} - {int(b)}
    # neighbours have other shares of contact now, which no rule asks of single particles
    asked = [n for n in now.particles if not n.startswith(("contact", "outside"))]
    z = [n for n in asked if n.endswith("_z") and not n.startswith("place")]
    same(after.particles[asked].drop(columns=z), now.particles[asked].drop(columns=z))
    old = before.population.with_z(now.particles)
    same(after.particles[z], old[z])
    pairs, others = by_pair(after.pairs), by_pair(now.pairs)
    same(pairs.drop(columns="size_z"), others.drop(columns="size_z"))
    touched = {int(a), 99, merged}
    assert all({r.label, r.partner} & touched for r in fresh.pairs.itertuples())


def test_what_was_missed_and_is_painted(packed):
    labels, sure, phases = packed
    gone = labels.copy()
    gone[gone == 5] = 0
    only = phases.copy()
    only[labels == 0] = 0
    only[labels == 5] = 1
    missed = whole(gone, sure, only).missed
    missed = missed[missed["voxels"] == np.count_nonzero(labels == 5)]
    assert len(missed) == 1
    assert still_missed(missed, gone, only).tolist() == [True]
    at = np.argwhere(labels == 5)
    for painted, left in ((0.4, True), (0.6, False)):
        part = gone.copy()
        part[tuple(at[: int(painted * len(at))].T)] = 77
        assert still_missed(missed, part, only).tolist() == [left]
    only[labels == 5] = 0
    assert still_missed(missed, gone, only).tolist() == [False]
    assert still_missed(missed[:0], gone, only).tolist() == []
