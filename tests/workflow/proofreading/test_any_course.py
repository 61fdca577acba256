"""Any course of edits, undo and redo: volumes, boxes, reopening and the table."""

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.workflow.proofreading.specimens import SHAPE, TABLE, arrays, made, specimen
from tests.workflow.proofreading.test_edits import check_boxes
from tests.workflow.proofreading.test_live_table import check_equal

from napari_slagseg.data import SlagsegError
from napari_slagseg.descriptors import describe_particles
from napari_slagseg.project import Project
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.proofreading import LiveTable, Proofreader

SETTINGS = MeasureConfig(erosion_voxels=1, grains=True, accessible_depth_um=5.0)

STEPS = (
    "split", "stroke", "merge", "delete", "add", "fill", "smooth", "grow", "region", "relabel",
    "paint", "paint", "erase", "phases", "lock", "undo", "undo", "redo", "open",
)  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    made(folder, *specimen())
    return folder


def box_at(rng, largest=8):
    size = rng.integers(1, largest, 3)
    start = [int(rng.integers(0, n - s + 1)) for n, s in zip(SHAPE, size)]
    return start, tuple(slice(a, a + int(s)) for a, s in zip(start, size))


def voxel_of(rng, labels, label):
    return tuple(rng.choice(np.argwhere(labels == label)).tolist())


def step(reader, kind, rng):
    """One random step; what a plain array operation would make of it, where there is one."""
    labels, phases = arrays(reader)
    there = [n for n in np.unique(labels).tolist() if n]
    pick = int(rng.choice(there)) if there else 1
    start, box = box_at(rng)
    if kind == "split":
        points = [voxel_of(rng, labels, pick) for _ in range(int(rng.integers(2, 4)))]
        return reader.split(pick, points), None
    if kind == "stroke":
        z, _, x = voxel_of(rng, labels, pick)
        return reader.split_by_stroke(pick, [(z, y, x) for y in range(SHAPE[1])], axis=0), None
    if kind == "merge":
        ids = rng.permutation(there)[:2].tolist()
        return reader.merge(ids, apart=True), (np.where(labels == ids[1], ids[0], labels), phases)
    if kind == "delete":
        gone = labels == pick
        return reader.delete([pick]), (np.where(gone, 0, labels), np.where(gone, 0, phases))
    if kind in ("add", "relabel"):
        mask = rng.random([s.stop - s.start for s in box]) < 0.7
        if kind == "relabel":
            return reader.relabel_painted(start, mask, int(rng.integers(0, 3))), None
        label = None if rng.random() < 0.5 else pick
        return reader.add_painted(start, mask, 1, label, bool(rng.random() < 0.5)), None
    if kind == "fill":
        return reader.fill_holes(pick), None
    if kind == "smooth":
        return reader.smooth(pick, float(rng.uniform(0.5, 2))), None
    if kind == "grow":
        return reader.grow(start, radius=5, tolerance=20, phase=2), None
    if kind == "region":
        return reader.relabel_region(voxel_of(rng, labels, pick), int(rng.integers(0, 3))), None
    if kind in ("paint", "erase", "phases"):
        volume = phases if kind == "phases" else labels
        value = {"erase": 0, "phases": int(rng.integers(0, 3)), "paint": pick}[kind]
        if kind == "paint" and rng.random() < 0.3:
            value = reader.history.largest_label + int(rng.integers(1, 5))
        before = volume[box]
        after = np.where(rng.random(before.shape) < 0.7, value, before).astype(before.dtype)
        name = "phases" if kind == "phases" else "particles"
        outcome = reader.paint(name, start, before, after)
        if kind == "phases":
            return outcome, None
        wanted = labels.copy()
        wanted[box] = after
        return outcome, (wanted, None)
    return reader.lock([pick], bool(rng.random() < 0.6)), None


def replayed(outcome, state):
    """The deltas put into plain arrays."""
    state = {name: array.copy() for name, array in state.items()}
    for action in outcome.actions:
        for delta in action.deltas:
            at = np.unravel_index(delta.places, delta.shape)
            at = tuple(a + s for a, s in zip(at, delta.start))
            assert np.array_equal(state[delta.array][at], delta.old)
            state[delta.array][at] = delta.new
    return state


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 2**32 - 1), course=st.lists(st.sampled_from(STEPS), max_size=14))
def test_any_course(template, tmp_path_factory, seed, course):
    folder = tmp_path_factory.mktemp("course") / "all"
    shutil.copytree(template, folder)
    project = Project(folder / "p")
    rng = np.random.default_rng(seed)
    with project.writing():
        reader = Proofreader(project)
        live = live_table(reader)
        base = dict(zip(("particles", "phases"), arrays(reader)))
        states, at = [base], 0
        for kind in course:
            if kind == "undo":
                outcome = reader.undo()
                assert (outcome is None) == (at == 0)
                at = max(0, at - 1)
            elif kind == "redo":
                outcome = reader.redo()
                assert (outcome is None) == (at == len(states) - 1)
                at = min(at + 1, len(states) - 1)
            elif kind == "open":
                if rng.random() < 0.5:
                    reader.save_boxes()
                rows = live.catch_up()
                project = reopened(project)
                reader = Proofreader(project)
                live = LiveTable(reader, rows, SETTINGS)
            else:
                outcome, wanted = refused(reader, kind, rng)
                if outcome is not None:
                    states = [*states[: at + 1], replayed(outcome, states[at])]
                    at += 1
                    for name, array in zip(("particles", "phases"), wanted or ()):
                        assert array is None or np.array_equal(array, states[at][name])
                    if rng.random() < 0.5:
                        live.follow(outcome)
            now = dict(zip(("particles", "phases"), arrays(reader)))
            assert all(np.array_equal(now[name], states[at][name]) for name in now)
            assert ((now["particles"] > 0) == (now["phases"] > 0)).all()
            check_boxes(reader)
        wanted = measured(reader)
        check_equal(live.catch_up(), wanted)
        standing = (reader.locked(), reader.edited(), reader.kept())
        again = Proofreader(reopened(project))
        assert (again.locked(), again.edited(), again.kept()) == standing
        check_boxes(again)
        while again.undo():
            pass
        assert all(np.array_equal(a, b) for a, b in zip(arrays(again), base.values()))
        assert again.edited() == again.locked() == frozenset()
        check_boxes(again)
        again.project.lock.release()


def refused(reader, kind, rng):
    """A step, or nothing where it is refused; then nothing has changed (checked by the caller)."""
    count = len(reader.history.done)
    try:
        return step(reader, kind, rng)
    except SlagsegError:
        assert len(reader.history.done) == count
        return None, None


def reopened(project):
    project.lock.release()
    again = Project(project.folder)
    again.lock.acquire()
    again.edits().recover()
    return again


def measured(reader):
    return describe_particles(
        *arrays(reader), (2.0, 2.0, 2.0), TABLE,
        erosion_voxels=1, grains=True, accessible_depth_um=5.0,
    )  # fmt: skip


def live_table(reader):
    return LiveTable(reader, measured(reader), SETTINGS)
