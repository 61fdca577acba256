"""Each kind of edit: what it does to the volumes, what it says, and that it can be undone."""

import numpy as np
import pytest
from tests.workflow.proofreading.specimens import arrays, as_json, store

from napari_slagseg.data import SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.workflow.proofreading import Proofreader


def check(reader, outcome, before):
    """What is true after every edit; and undo and redo."""
    (action,) = outcome.actions
    as_json(dict(action.parameters))
    after = arrays(reader)
    there = [set(np.unique(a).tolist()) - {0} for a in (before[0], after[0])]
    changed = (before[0] != after[0]) | (before[1] != after[1])
    touched = set(np.unique(before[0][changed])) | set(np.unique(after[0][changed])) - {0}
    assert set(outcome.labels_before) == touched & there[0]
    assert set(outcome.labels_after) == touched & there[1]
    assert (action.labels_before, action.labels_after) == (
        outcome.labels_before, outcome.labels_after,
    )  # fmt: skip
    drawn = np.zeros(changed.shape, bool)
    for box in outcome.boxes:
        assert changed[box].any()
        drawn[box] = True
    assert not (changed & ~drawn).any()
    check_boxes(reader)
    assert ((after[0] > 0) == (after[1] > 0)).all()
    back = reader.undo()
    assert back.step == "undo"
    assert all(np.array_equal(a, b) for a, b in zip(arrays(reader), before))
    assert (back.labels_before, back.labels_after) == (outcome.labels_after, outcome.labels_before)
    check_boxes(reader)
    again = reader.redo()
    assert again.labels_after == outcome.labels_after
    assert all(np.array_equal(a, b) for a, b in zip(arrays(reader), after))
    check_boxes(reader)
    return after


def check_boxes(reader):
    """All boxes are the smallest, and there is none of particles that are gone."""
    labels = reader.particles[...]
    there = [n for n in np.unique(labels).tolist() if n]
    assert reader.boxes.arrays()[0].tolist() == there
    for label in there:
        places = np.argwhere(labels == label)
        box = reader.box_of(label)
        assert [s.start for s in box] == places.min(axis=0).tolist()
        assert [s.stop for s in box] == (places.max(axis=0) + 1).tolist()


def test_split_by_points(reader):
    before = arrays(reader)
    outcome = reader.split(1, [(7, 7, 8), (7, 7, 17)])
    assert (outcome.labels_before, outcome.labels_after) == ((1,), (1, 6))
    labels, _ = check(reader, outcome, before)
    assert {labels[7, 7, 8], labels[7, 7, 17]} == {1, 6}
    assert outcome.actions[0].kind == "split"
    assert reader.history.largest_label == 6


def test_split_by_a_stroke(reader):
    before = arrays(reader)
    outcome = reader.split_by_stroke(1, [(7, y, 12) for y in range(32)], axis=0)
    assert outcome.labels_after == (1, 6)
    check(reader, outcome, before)


def test_merge(reader):
    before = arrays(reader)
    outcome = reader.merge([3, 2])
    assert (outcome.labels_before, outcome.labels_after) == ((2, 3), (3,))
    check(reader, outcome, before)
    with pytest.raises(SlagsegError, match="do not touch"):
        reader.merge([3, 5])
    before = arrays(reader)
    check(reader, reader.merge([3, 5], apart=True), before)


def test_delete(reader):
    before = arrays(reader)
    outcome = reader.delete([5, 2])
    assert (outcome.labels_before, outcome.labels_after) == ((2, 5), ())
    check(reader, outcome, before)
    assert [d.array for d in reader.deleted()] == ["particles"]
    with pytest.raises(SlagsegError, match="no particle 5"):
        reader.box_of(5)


def test_fill_and_smooth(reader):
    before = arrays(reader)
    labels, phases = check(reader, reader.fill_holes(4), before)
    assert (labels[7:9, 24:26, 30:32] == 4).all()
    assert (phases[7, 24:26, 30:32] == 1).all()
    before = arrays(reader)
    check(reader, reader.smooth(4, 1.5), before)


def test_grow(reader):
    before = arrays(reader)
    outcome = reader.grow((17, 26, 18), radius=8, phase=2)
    assert (outcome.labels_before, outcome.labels_after) == ((), (6,))
    labels, phases = check(reader, outcome, before)
    assert (labels[14:20, 22:30, 14:22] == 6).all()
    assert (labels == 6).sum() == 6 * 8 * 8
    assert (phases[labels == 6] == 2).all()


def test_add_to_a_particle_and_as_a_new_one(reader):
    before = arrays(reader)
    mask = np.ones((1, 4, 4), bool)
    outcome = reader.add_painted((22, 20, 4), mask, label=5)
    _, phases = check(reader, outcome, before)
    assert (phases[22, 20:24, 4:8] == 2).all()
    before = arrays(reader)
    outcome = reader.add_painted((0, 0, 30), mask, phase=1)
    assert outcome.labels_after == (6,)
    check(reader, outcome, before)
    before = arrays(reader)
    outcome = reader.add_painted(
        (14, 4, 8), np.ones((2, 2, 4), bool), phase=1, label=40, overwrite=True
    )
    assert (outcome.labels_before, outcome.labels_after) == ((2, 3), (2, 3, 40))
    check(reader, outcome, before)
    assert reader.history.new_labels() == range(41, 42)


def test_relabel(reader):
    before = arrays(reader)
    outcome = reader.relabel_region((15, 5, 5), 2)
    assert (outcome.labels_before, outcome.labels_after) == ((2,), (2,))
    _, phases = check(reader, outcome, before)
    assert (phases[14:20, 4:12, 4:10] == 2).all()
    before = arrays(reader)
    mask = np.ones((6, 2, 12), bool)
    check(reader, reader.relabel_painted((14, 4, 4), mask, 2, label=3), before)
    before = arrays(reader)
    outcome = reader.relabel_painted((18, 20, 4), np.ones((4, 4, 4), bool), 0)
    assert outcome.labels_after == ()
    assert outcome.notes == ("Particle 5 is gone: all of it became background.",)
    check(reader, outcome, before)


def stroke(reader, array, start, shape, value):
    box = tuple(slice(a, a + n) for a, n in zip(start, shape))
    before = (reader.particles if array == "particles" else reader.phases)[box]
    return array, start, before, np.full_like(before, value)


def test_a_stroke_over_several_particles(reader):
    before = arrays(reader)
    outcome = reader.paint(*stroke(reader, "particles", (14, 4, 8), (1, 8, 4), 5))
    assert (outcome.labels_before, outcome.labels_after) == ((2, 3, 5), (2, 3, 5))
    check(reader, outcome, before)


def test_a_stroke_that_erases_a_particle(reader):
    before = arrays(reader)
    outcome = reader.paint(*stroke(reader, "particles", (17, 19, 3), (6, 6, 6), 0))
    assert outcome.notes == ("Particle 5 is gone: it was painted over.",)
    assert (outcome.labels_before, outcome.labels_after) == ((5,), ())
    check(reader, outcome, before)


def test_a_stroke_with_a_number_that_was_never_used(reader):
    before = arrays(reader)
    outcome = reader.paint(*stroke(reader, "particles", (19, 4, 10), (2, 3, 3), 90))
    assert (outcome.labels_before, outcome.labels_after) == ((3,), (3, 90))
    assert "Particle 90 is new: its voxels were given the phase ore" in outcome.notes[0]
    _, phases = check(reader, outcome, before)
    assert (phases[19, 4:7, 10:13] == 1).all()  # they keep theirs
    assert (phases[20, 4:7, 10:13] == 1).all()
    assert reader.history.largest_label == 90
    before = arrays(reader)
    outcome = reader.paint(*stroke(reader, "particles", (0, 0, 0), (1, 1, 1), 91), phase=2)
    assert not outcome.notes
    assert check(reader, outcome, before)[1][0, 0, 0] == 2


def test_new_voxels_of_a_particle_get_the_phase_beside_them(reader):
    before = arrays(reader)
    outcome = reader.paint(*stroke(reader, "particles", (20, 4, 4), (1, 8, 6), 2))
    _, phases = check(reader, outcome, before)
    assert np.array_equal(phases[20, 4:12, 4:10], before[1][19, 4:12, 4:10])
    before = arrays(reader)  # apart from the rest of 5, which is all of phase 2
    outcome = reader.paint(*stroke(reader, "particles", (0, 0, 0), (1, 1, 1), 5))
    assert check(reader, outcome, before)[1][0, 0, 0] == 2


def test_a_stroke_of_phases(reader):
    before = arrays(reader)
    outcome = reader.paint(*stroke(reader, "phases", (18, 18, 4), (4, 4, 4), 1))
    assert outcome.notes == ("32 painted voxels outside of all particles were left as they are.",)
    assert outcome.labels_after == (5,)
    check(reader, outcome, before)
    before = arrays(reader)
    outcome = reader.paint(*stroke(reader, "phases", (18, 20, 4), (4, 4, 4), 0))
    assert outcome.labels_after == ()
    check(reader, outcome, before)


def test_locks_and_judgements_hold_over_undo_and_reopening(project, reader):
    reader.lock([2, 3])
    reader.lock([3], on=False)
    reader.judge(1, "neck", 0, "accept")
    reader.judge(2, "pair", 3, "fix")
    outcome = reader.judge(2, "pair", 3, "skip")
    assert (outcome.boxes, outcome.labels_after) == ((), (2, 3))
    reader.split(1, [(7, 7, 8), (7, 7, 17)])
    again = Proofreader(Project(project.folder))
    for one in (reader, again):
        assert one.locked() == {2}
        assert one.edited() == {1, 6}
        assert one.judgements() == {(1, "neck", 0): "accept", (2, "pair", 3): "skip"}
        assert one.kept() == {1, 2, 6}
    reader.undo()
    assert reader.edited() == frozenset()
    assert reader.kept() == {1, 2}
    reader.undo()
    assert reader.judgements()[2, "pair", 3] == "fix"
    reader.judge(2, "pair", 3, "open")
    assert reader.judgements() == {(1, "neck", 0): "accept"}
    reader.delete([2])
    assert reader.locked() == frozenset()
    reader.undo()
    assert reader.locked() == {2}


def test_a_group_is_one_outcome(reader):
    before = arrays(reader)
    with reader.group():
        reader.merge([2, 3])
        reader.delete([2])
    outcome = reader.undo()
    assert [a.kind for a in outcome.actions] == ["delete", "merge"]
    assert (outcome.labels_before, outcome.labels_after) == ((), (2, 3))
    assert all(np.array_equal(a, b) for a, b in zip(arrays(reader), before))
    check_boxes(reader)
    outcome = reader.redo()
    assert (outcome.labels_before, outcome.labels_after) == ((2, 3), ())
    check_boxes(reader)
    assert reader.redo() is None


def test_every_change_is_told(reader):
    heard = []
    reader.changed.connect(heard.append)
    reader.delete([5])
    reader.lock([4])
    reader.undo()
    reader.undo()
    assert reader.undo() is None
    reader.redo()
    assert [o.step for o in heard] == ["do", "do", "undo", "undo", "redo"]
    assert [len(o.boxes) for o in heard] == [1, 0, 0, 1, 1]
    assert all(o.seconds > 0 for o in heard)


ONE = np.ones((1, 1, 1), np.uint32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.split(9, [(1, 1, 1), (2, 2, 2)]), "no particle 9"),
        (lambda r: r.split(1, [(7, 7, 8)]), "two or more"),
        (lambda r: r.split(1, [(7, 7, 8), (0, 0, 0)]), r"Point 2 at \(0, 0, 0\) lies in the backg"),
        (lambda r: r.split(1, [(7, 7, 8), (15, 5, 5)]), "lies in particle 2, not in particle 1"),
        (lambda r: r.split(1, [(7, 7, 8), (7, 7, 99)]), r"\(7, 7, 99\) .* outside the volume"),
        (lambda r: r.split_by_stroke(1, [(7, 7, 8), (8, 8, 9)]), "in one slice"),
        (lambda r: r.split_by_stroke(1, []), "is empty"),
        (lambda r: r.split_by_stroke(1, [(23, 30, 30)]), "does not touch particle 1"),
        (lambda r: r.merge([2, 8]), "no particle 8"),
        (lambda r: r.merge([2]), "two or more"),
        (lambda r: r.delete([]), "click one"),
        (lambda r: r.delete([0]), "background"),
        (lambda r: r.label_at((-1, 0, 0)), "outside the volume"),
        (lambda r: r.fill_holes(2), "encloses no background"),
        (lambda r: r.smooth(2, 50), "take 0.5 to 20"),
        (lambda r: r.smooth(77), "no particle 77"),
        (lambda r: r.grow((7, 7, 8)), "lies in particle 1"),
        (lambda r: r.grow((0, 0, 39), radius=0), "radius is 0"),
        (lambda r: r.grow((17, 26, 18), phase=7), "no phase 7"),
        (lambda r: r.relabel_region((0, 0, 0), 1), "lies in no particle"),
        (lambda r: r.relabel_region((15, 5, 5), 1), "of phase 1 already"),
        (lambda r: r.relabel_painted((0, 0, 0), ONE, 9), "no phase 9"),
        (lambda r: r.add_painted((0, 0, 0), ONE * 0, 1), "Nothing was painted"),
        (lambda r: r.add_painted((0, 0, 0), ONE), "choose the phase"),
        (lambda r: r.add_painted((30, 0, 0), ONE, 1), "does not lie in the volume"),
        (lambda r: r.paint("particles", (0, 0, 0), ONE, ONE), "have changed since"),
        (lambda r: r.paint("particles", (0, 0, 0), ONE * 0, ONE * 0), "Nothing would change"),
        (lambda r: r.paint("particles", (0, 0, 0), ONE * 0, ONE * 0.5), "whole numbers"),
        (lambda r: r.paint("phases", (0, 0, 0), ONE * 0, ONE), "belongs to a particle"),
        (lambda r: r.paint("phases", (15, 5, 5), ONE, ONE * 8), "no phase 8"),
        (lambda r: r.paint("ct", (15, 5, 5), ONE, ONE), "no ct to paint"),
        (lambda r: r.judge(1, "neck", 0, "perhaps"), "no verdict"),
        (lambda r: r.judge(1, "pair", 8, "accept"), "no particle 8"),
        (lambda r: r.lock([8]), "no particle 8"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(reader, call, message):
    before, heard = arrays(reader), []
    reader.changed.connect(heard.append)
    with pytest.raises(SlagsegError, match=message):
        call(reader)
    assert all(np.array_equal(a, b) for a, b in zip(arrays(reader), before))
    assert not reader.history.done
    assert not heard


def test_without_the_lock_there_is_reading_only(project, reader):
    reader.delete([5])
    other = Proofreader(Project(project.folder))
    assert other.label_at((15, 5, 5)) == 2
    assert other.label_at((20, 22, 6)) == 0
    for call in (lambda: other.delete([2]), other.undo, other.redo, lambda: other.lock([2])):
        with pytest.raises(SlagsegError, match="open for reading only"):
            call()


def test_labels_of_the_past_are_not_edited(project, reader, labels, phases):
    reader.delete([5])
    store(project, labels, phases, identity="b2")
    for call in (lambda: reader.delete([2]), reader.undo):
        with pytest.raises(SlagsegError, match="segmented anew"):
            call()
    again = Proofreader(project)
    assert not again.history.done
    assert again.label_at((20, 22, 6)) == 5
    again.delete([2])


def test_no_segmentation(tmp_path, project):
    import shutil

    shutil.rmtree(project.segmentation_path)
    with pytest.raises(SlagsegError, match="Run 'segment' first"):
        Proofreader(project)
