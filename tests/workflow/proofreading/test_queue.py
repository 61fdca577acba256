"""Working through the suspects: verdicts, edits, undo, and going on another day."""

import numpy as np
import pandas as pd
import pytest
from tests.workflow.proofreading.at_once import failures_beside
from tests.workflow.proofreading.test_live_table import EDITS

from napari_slagseg.data import SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.workflow import STEPS, run_step
from napari_slagseg.workflow.proofreading import Proofreader
from napari_slagseg.workflow.proofreading.queue import SuspectQueue
from napari_slagseg.workflow.suspect_tables import SuspectTables

MERGER, LEFT, RIGHT, HOLLOW, SMALL = 1, 2, 3, 4, 5


@pytest.fixture
def missed(phases):
    """A box of a phase without a particle; as large as the smallest particle."""
    phases[1:5, 26:30, 2:8] = 1
    return 96


@pytest.fixture
def queue(missed, project, reader):
    run_step(project, STEPS["suspects"])
    return SuspectQueue(project, reader)


def kinds(queue):
    rows = queue.rows()
    return {(r.label, r.kind): r.verdict for r in rows.itertuples()}


def as_found_now(project):
    """The queue that the step finds in the edited volume."""
    run_step(project, STEPS["suspects"])
    return SuspectTables.of(project).queue()


def same_rows(queue, found):
    mine = queue.rows().drop(columns="verdict")
    pd.testing.assert_frame_equal(mine, found, rtol=1e-6, check_dtype=False)


def test_what_is_there(queue):
    rows = queue.rows()
    assert rows["score"].is_monotonic_decreasing
    found = kinds(queue)
    assert set(found.values()) == {"open"}
    assert (MERGER, "merger") in found
    assert {k for k in found if k[0] == HOLLOW}
    assert (0, "missed") in found
    assert {k for k in found if k[1] == "splitter"} <= {(LEFT, "splitter"), (RIGHT, "splitter")}
    assert (queue.left, queue.done) == (len(rows), 0)
    row = queue.find(MERGER)
    # the neck lies between the middles at 8 and 17
    assert row.voxel == pytest.approx((7, 7, 12.5), abs=1)
    assert [(s.start, s.stop) for s in row.box] == [(2, 13), (2, 13), (3, 23)]
    row = queue.row((0, "missed", int(rows.loc[rows["label"] == 0, "partner"].iloc[0])))
    assert row.voxel == (2.5, 27.5, 4.5)
    assert [(s.start, s.stop) for s in row.box] == [(1, 5), (26, 30), (2, 8)]


def test_stepping_through(queue):
    order = queue.rows()
    names = list(zip(order["label"], order["kind"], order["partner"]))
    assert queue.previous() is None
    assert [queue.next().suspect for _ in names] == names
    assert queue.next().suspect == names[0]  # from the end to the first
    assert queue.previous() is None
    assert queue.current == names[0]
    queue.go(names[2])
    assert queue.previous().suspect == names[1]
    queue.kinds = frozenset({"splitter"})
    assert queue.next().kind == "splitter"
    queue.kinds, queue.least_score = None, 2.0
    assert queue.next() is None
    assert (queue.left, queue.done) == (0, 0)


def test_verdicts_are_remembered_and_undone(queue, project, reader):
    row = queue.next()
    n = len(queue.rows())
    reader.judge(*row.suspect, "accept")
    assert queue.row(row.suspect).verdict == "accept"
    assert (queue.left, queue.done) == (n - 1, 1)
    assert queue.next().suspect != row.suspect
    second = queue.current
    reader.judge(*second, "skip")
    assert queue.counts() == {"open": n - 2, "accept": 1, "skip": 1}
    reader.judge(*second, "open")
    assert queue.row(second).verdict == "open"
    reader.undo()
    assert queue.row(second).verdict == "skip"
    reader.undo()
    reader.undo()
    assert (queue.left, queue.done) == (n, 0)
    reader.redo()
    # another day
    again = SuspectQueue(project, Proofreader(project))
    assert again.row(row.suspect).verdict == "accept"
    assert again.left == n - 1


def test_missed_particles_are_judged_by_their_voxel(queue, reader):
    row = next(queue.next() for _ in range(9) if queue.current is None or queue.current[0])
    while row.kind != "missed":
        row = queue.next()
    largest = reader.history.largest_label
    reader.judge(*row.suspect, "accept")
    assert queue.row(row.suspect).verdict == "accept"
    assert reader.kept() == frozenset()
    assert reader.history.largest_label == largest


def test_a_split_merger_is_fixed_and_both_parts_are_scored(queue, project, reader):
    before = queue.counts()
    score = queue.find(MERGER).score
    outcome = reader.split(MERGER, [(7, 7, 8), (7, 7, 17)])
    new = max(outcome.labels_after)
    assert queue.stale
    assert queue.catch_up()
    assert not queue.stale
    assert not queue.catch_up()
    for label in (MERGER, new):
        assert queue.find(label).score < score / 2
        assert queue.find(label).verdict in ("fixed", "open")
    fixed = [w for (label, _), w in kinds(queue).items() if label in (MERGER, new)]
    assert "fixed" in fixed
    assert queue.counts()["fixed"] >= 1
    assert queue.left + queue.done >= sum(before.values())
    same_rows(queue, as_found_now(project))


def test_undo_and_redo_bring_the_rows_back(queue, reader):
    first = queue.rows()
    reader.split(MERGER, [(7, 7, 8), (7, 7, 17)])
    queue.catch_up()
    second = queue.rows()
    reader.undo()
    queue.catch_up()
    pd.testing.assert_frame_equal(queue.rows(), first, rtol=1e-6)
    reader.redo()
    queue.catch_up()
    pd.testing.assert_frame_equal(queue.rows(), second, rtol=1e-6)


def test_gone_particles_and_pairs(queue, project, reader):
    n = len(queue.rows())
    pair = queue.rows().query("kind == 'splitter'")
    assert len(pair) == 1
    reader.merge([LEFT, RIGHT])
    queue.catch_up()
    assert not (queue.rows()["kind"] == "splitter").any()
    assert queue.find(RIGHT) is None
    reader.delete([SMALL])
    queue.catch_up()
    assert queue.find(SMALL) is None
    # the pair's row, those of both halves, that of the deleted one; the box may be open again
    assert queue.counts()["fixed"] >= 3
    assert queue.left + queue.done == n
    # the smallest particle is gone, so the missed one would be too small to be found now
    queue.kinds = frozenset({"merger", "splitter", "shape", "doubt"})
    same_rows(queue, as_found_now(project))


def test_a_missed_particle_that_is_added(queue, reader):
    row = queue.row(next(k for k in _names(queue) if k[1] == "missed"))
    mask = np.ones((4, 4, 6), bool)
    reader.add_painted((1, 26, 2), mask, phase=1)
    queue.catch_up()
    assert queue.row(row.suspect) is None
    assert queue.counts()["fixed"] == 1
    new = reader.history.largest_label
    assert queue.find(new).verdict == "fixed"
    reader.undo()
    queue.catch_up()
    assert queue.row(row.suspect).verdict == "open"
    assert queue.find(new) is None


def _names(queue):
    rows = queue.rows()
    return list(zip(rows["label"], rows["kind"], rows["partner"]))


def test_accepted_until_it_is_edited(queue, reader):
    row = queue.find(HOLLOW)
    reader.judge(*row.suspect, "accept")
    reader.smooth(SMALL)
    queue.catch_up()
    assert queue.row(row.suspect).verdict == "accept"
    reader.fill_holes(HOLLOW)
    queue.catch_up()
    assert queue.find(HOLLOW).verdict == "fixed"
    reader.undo()
    queue.catch_up()
    assert queue.find(HOLLOW).verdict == "accept"
    # "to be fixed" is done when it is edited
    reader.judge(*row.suspect, "fix")
    assert queue.find(HOLLOW).verdict == "fix"
    reader.fill_holes(HOLLOW)
    queue.catch_up()
    assert queue.find(HOLLOW).verdict == "fixed"


def test_edits_made_while_nobody_listened(queue, project, reader):
    queue.close()
    reader.split(MERGER, [(7, 7, 8), (7, 7, 17)])
    assert not queue.stale
    again = SuspectQueue(project, Proofreader(project))
    assert again.stale
    again.catch_up()
    other = again.rows()
    queue.suspects.follow(reader.undo())
    queue.suspects.follow(reader.redo())
    pd.testing.assert_frame_equal(queue.rows(), other, rtol=1e-6)


def test_found_again_after_edits_nothing_is_fixed(queue, project, reader):
    reader.judge(*queue.find(HOLLOW).suspect, "accept")
    reader.split(MERGER, [(7, 7, 8), (7, 7, 17)])
    run_step(project, STEPS["suspects"])
    again = SuspectQueue(project, reader)
    assert not again.stale
    assert again.counts() == {"open": len(again.rows()) - 1, "accept": 1}


def test_rows_are_scored_while_edits_go_on(queue, project, reader):
    """The window scores and reads the queue, each in a thread, while edits are made."""

    def look():
        for suspect in queue.rows().itertuples():
            queue.find(suspect.label)
        queue.counts()

    assert not failures_beside(reader, EDITS.values(), queue.catch_up, look)
    queue.catch_up()
    rows, found = queue.rows(), as_found_now(project)
    # one that was missed keeps its place in the queue, a particle's place may change
    there = rows[rows["kind"] != "missed"]
    assert set(there["label"]) == set(found.loc[found["kind"] != "missed", "label"])


def test_before_the_suspects_are_found_or_of_another_segmentation(project, reader):
    with pytest.raises(SlagsegError, match="Run 'suspects' first"):
        SuspectQueue(project, reader)
    run_step(project, STEPS["suspects"])
    path = SuspectTables.of(project).folder / "population.json"
    path.write_text(path.read_text().replace(project.segmentation_id(), "other"))
    with pytest.raises(SlagsegError, match="earlier segmentation"):
        SuspectQueue(Project(project.folder), reader)
