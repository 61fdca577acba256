import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slagseg.data import Action, EditedVolume, SlagsegError, delta_between
from napari_slagseg.project.edits import EditJournal, History

SHAPE = (40, 70, 90)


def base(name):
    rng = np.random.default_rng(7)
    if name == "particles":
        return rng.integers(0, 50, SHAPE).astype(np.uint32)
    return rng.integers(0, 4, SHAPE).astype(np.uint8)


def opened(folder, **more):
    """History over fresh volumes, as after a start of the program."""
    volumes = {name: EditedVolume(base(name), name) for name in ("particles", "phases")}
    more = {"require_lock": lambda: None, "largest_label": 49, **more}
    return History(EditJournal(folder / "journal.slg"), volumes, **more)


def values(history):
    return {name: volume[...] for name, volume in history.volumes.items()}


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def edit(rng, arrays, label):
    """An action on a random box of arrays, which are left as they are."""
    deltas = []
    for name, value in (("particles", label), ("phases", label % 4)):
        if len(deltas) == 0 or rng.random() < 0.3:
            start = [int(rng.integers(0, n)) for n in SHAPE]
            box = tuple(
                slice(a, int(rng.integers(a + 1, min(a + 40, n) + 1))) for a, n in zip(start, SHAPE)
            )
            before = arrays[name][box]
            after = np.where(rng.random(before.shape) < 0.4, value, before).astype(before.dtype)
            deltas.append(delta_between(name, tuple(start), before, after))
    return Action("paint", {"label": label, "centre": [0.5, 1.5]}, tuple(deltas), (3,), (label,))


def test_an_edit_undone_and_redone(tmp_path):
    history = opened(tmp_path)
    zero = values(history)
    rng = np.random.default_rng(0)
    stored = history.do(edit(rng, zero, 50))
    one = values(history)
    assert not same(zero, one)
    assert stored.who
    assert stored.when.startswith("2")
    assert [a.id for a in history.undo()] == [stored.id]
    assert same(values(history), zero)
    assert history.undo() == ()
    assert history.redo() == (stored,)
    assert same(values(history), one)
    assert history.redo() == ()


@given(st.integers(0, 2**32), st.lists(st.sampled_from("dddgurrco"), min_size=1, max_size=25))
def test_any_course_equals_its_replay_from_scratch(tmp_path_factory, seed, course):
    """d: edit, g: group of edits, u: undo, r: redo, c: undo all, o: close and open."""
    folder = tmp_path_factory.mktemp("course")
    rng = np.random.default_rng(seed)
    history = opened(folder)
    arrays = {name: base(name) for name in history.volumes}
    states, at, label = [arrays], 0, 50
    for step in course:
        if step in "dg":
            current = {name: a.copy() for name, a in states[at].items()}
            with history.group():
                for _ in range(1 if step == "d" else 3):
                    action = history.do(edit(rng, current, label))
                    for delta in action.deltas:
                        delta.apply(current[delta.array][delta.box])
                    label += 1
            states = [*states[: at + 1], current]
            at += 1
        elif step == "u":
            assert bool(history.undo()) == (at > 0)
            at = max(at - 1, 0)
        elif step == "r":
            assert bool(history.redo()) == (at < len(states) - 1)
            at = min(at + 1, len(states) - 1)
        elif step == "c":
            while history.undo():
                pass
            at = 0
        else:
            history = opened(folder)
        assert same(values(history), states[at])
        assert history.largest_label == label - 1
        assert history.can_undo == (at > 0)
        assert history.can_redo == (at < len(states) - 1)
    again = opened(folder)
    assert same(values(again), states[at])
    assert (again.done, again.undone) == (history.done, history.undone)
    replayed = {name: base(name) for name in arrays}
    for action in again.actions():
        for delta in action.deltas:
            delta.apply(replayed[delta.array][delta.box])
    assert same(replayed, states[at])


def test_actions_come_back_as_they_were(tmp_path):
    history = opened(tmp_path)
    rng = np.random.default_rng(1)
    made = [history.do(edit(rng, values(history), 50 + n)) for n in range(5)]
    made.append(history.do(Action("lock", {"label": 7, "why": "schön"}, (), (7,), (7,))))
    assert list(opened(tmp_path).actions()) == made


def test_new_labels_were_never_used(tmp_path):
    history = opened(tmp_path)
    assert history.new_labels(2) == range(50, 52)
    history.do(edit(np.random.default_rng(0), values(history), 1000))
    history.undo()
    assert history.new_labels() == range(1001, 1002)
    assert opened(tmp_path, largest_label=0).new_labels() == range(1001, 1002)


def test_labels_that_the_type_cannot_hold(tmp_path):
    history = opened(tmp_path, largest_label=2**32 - 2)
    assert history.new_labels() == range(2**32 - 1, 2**32)
    with pytest.raises(SlagsegError, match="no room for label 4294967296"):
        history.new_labels(2)


def test_an_edit_that_does_not_fit_is_not_in_the_journal(tmp_path):
    history = opened(tmp_path)
    first = history.do(edit(np.random.default_rng(0), values(history), 50))
    size, before = history.journal.size, values(history)
    with pytest.raises(SlagsegError, match="does not fit the particles"):
        history.do(Action("paint", {}, first.deltas))
    with pytest.raises(SlagsegError, match="not all plain numbers"):
        history.do(Action("paint", {"bad": {1, 2}}, first.inverse().deltas))
    assert history.journal.size == size
    assert same(values(history), before)
    assert history.undo() == (first,)


def test_without_the_lock_it_is_read_only(tmp_path):
    def refuse():
        raise RuntimeError("no lock")

    writer = opened(tmp_path)
    action = edit(np.random.default_rng(0), values(writer), 50)
    reader = opened(tmp_path, require_lock=refuse)
    with pytest.raises(RuntimeError, match="no lock"):
        reader.do(action)
    assert not reader.journal.exists
    writer.do(action)
    journal = writer.journal.path
    journal.write_bytes(journal.read_bytes() + b"half a record")
    kept = journal.read_bytes()
    reader = opened(tmp_path, require_lock=refuse)
    assert same(values(reader), values(writer))
    for step in (reader.undo, reader.redo, reader.recover):
        with pytest.raises(RuntimeError, match="no lock"):
            step()
    assert journal.read_bytes() == kept


def test_a_damaged_end_is_cut_off_and_told(tmp_path):
    history = opened(tmp_path)
    rng = np.random.default_rng(0)
    states = [values(history)]
    for n in range(3):
        history.do(edit(rng, values(history), 50 + n))
        states.append(values(history))
    path = history.journal.path
    path.write_bytes(path.read_bytes()[:-5])
    history = opened(tmp_path)
    assert same(values(history), states[2])
    assert history.cut is None
    history.recover()
    assert "was cut off and put into" in str(history.cut)
    assert history.cut.path.is_file()
    history.undo()
    assert same(values(history), states[1])
    assert same(values(opened(tmp_path)), states[1])


def test_a_second_writer_is_told(tmp_path):
    one, two = opened(tmp_path), opened(tmp_path)
    rng = np.random.default_rng(0)
    action = edit(rng, values(one), 50)
    one.do(action)
    with pytest.raises(SlagsegError, match="written to by something else"):
        two.do(action)
    late = opened(tmp_path)
    one.undo()
    with pytest.raises(SlagsegError, match="written to by something else"):
        late.undo()
    assert [e.id for e in opened(tmp_path).undone] == [action.id]


def test_another_segmentation_is_refused(tmp_path):
    opened(tmp_path).recover()
    with pytest.raises(SlagsegError, match="of another segmentation"):
        opened(tmp_path, belongs_to="newer")


def test_a_whole_record_of_a_newer_program_is_told(tmp_path):
    history = opened(tmp_path)
    history.do(edit(np.random.default_rng(0), values(history), 50))
    history.journal.append({"type": "rename"}, at=history.journal.size)
    with pytest.raises(SlagsegError, match=r"a record of type rename.*Update"):
        opened(tmp_path)


def test_records_are_made_of_plain_numbers(tmp_path):
    """Read by hand: the format of `records.py`, with the standard library alone."""
    import json

    import imagecodecs

    history = opened(tmp_path)
    before = values(history)["particles"][2:4, 3:5, 4:6]
    after = before.copy()
    after[0, 0, 1] = after[1, 1, 0] = 77
    history.do(Action("paint", {}, (delta_between("particles", (2, 3, 4), before, after),)))
    data = history.journal.path.read_bytes()
    assert data[:12] == b"SLGEDITS" + struct.pack("<I", 1)
    at = 12 + 12 + struct.unpack_from("<Q", data, 12)[0]
    length, check, n = struct.unpack_from("<QII", data, at)
    assert at + 12 + length == len(data)
    assert check == zlib.crc32(data[at : at + 8] + data[at + 12 :])
    head = json.loads(data[at + 16 : at + 16 + n])
    (delta,) = head["deltas"]
    assert (delta["start"], delta["shape"], delta["count"]) == ([2, 3, 4], [2, 2, 2], 2)
    body, streams = data[at + 16 + n :], []
    for size, kind in zip(delta["bytes"], (delta["places"], delta["values"], delta["values"])):
        streams.append(np.frombuffer(imagecodecs.zstd_decode(body[:size]), kind).tolist())
        body = body[size:]
    assert streams == [[1, 5], [before[0, 0, 1], before[1, 1, 0]], [77, 77]]


def test_undo_within_a_group_is_a_fault(tmp_path):
    history = opened(tmp_path)
    with history.group(), pytest.raises(RuntimeError, match="within a group"):
        history.undo()
