"""Edited chunks on disk: opening from them is the same as doing every edit again."""

import pickle
import shutil
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.project.edits.test_history import SHAPE, edit, opened, same, values

from napari_slagseg.data import Action, delta_between
from napari_slagseg.io.label_chunks import DamagedChunkError, LabelChunk, read_label_chunk
from napari_slagseg.project.edits import EditJournal
from napari_slagseg.project.edits.overlays import read_overlay, stored_overlays


def edited(folder, count, **more):
    """History with random edits, none stored."""
    history = opened(folder, store_every=0, **more)
    rng = np.random.default_rng(5)
    for n in range(count):
        history.do(edit(rng, values(history), 100 + n))
    return history


def without_chunks(folder):
    """As the journal alone has it."""
    alone = folder.parent / f"{folder.name}-alone"
    shutil.rmtree(alone, ignore_errors=True)
    alone.mkdir()
    shutil.copy(folder / "journal.slg", alone)
    return opened(alone)


@given(st.integers(0, 2**32), st.lists(st.sampled_from("ddgurrcsso"), min_size=1, max_size=20))
def test_any_course_with_stored_chunks_equals_that_of_the_journal(tmp_path_factory, seed, course):
    """d: edit, g: group of edits, u: undo, r: redo, c: undo all, s: store, o: close and open."""
    folder = tmp_path_factory.mktemp("course")
    rng, label = np.random.default_rng(seed), 50
    every = seed % 3  # 0: only where the course says so; else in a thread, too
    history = opened(folder, store_every=every)
    for step in course:
        if step in "dg":
            with history.group():
                for _ in range(1 if step == "d" else 3):
                    history.do(edit(rng, values(history), label))
                    label += 1
        elif step == "u":
            history.undo()
        elif step == "r":
            history.redo()
        elif step == "c":
            while history.undo():
                pass
        elif step == "s":
            history.store()
        else:
            history = opened(folder, store_every=every)
    if not history.journal.exists:
        return
    alone, again = without_chunks(folder), opened(folder)
    assert same(values(again), values(alone))
    assert same(values(again), values(history))
    assert again.done == alone.done == history.done
    assert again.undone == alone.undone == history.undone
    assert again.digest() == history.digest() == alone.digest()
    while again.undo():
        pass
    assert same(values(again), {n: v.base[...] for n, v in again.volumes.items()})


def test_opening_reads_no_edit_that_is_stored(tmp_path, monkeypatch):
    history = edited(tmp_path, 6)
    history.store()
    history.do(edit(np.random.default_rng(0), values(history), 300))
    wanted = values(history)
    read = []
    found = EditJournal.record_at
    monkeypatch.setattr(
        EditJournal, "record_at", lambda self, start: read.append(start) or found(self, start)
    )
    again = opened(tmp_path)
    assert read == [history.done[-1].start]
    assert same(values(again), wanted)
    again.undo()
    again.undo()  # past what was stored
    assert read[1:] == [history.done[-1].start, history.done[-2].start]


def test_stored_chunks_are_compressed_in_memory(tmp_path):
    history = edited(tmp_path, 3)
    before, wanted = history.volumes["particles"].overlay_bytes, values(history)
    history.store()
    assert all(isinstance(c, LabelChunk) for c in history.volumes["particles"].overlay.values())
    assert history.volumes["particles"].overlay_bytes < before
    assert same(values(history), wanted)
    history.do(edit(np.random.default_rng(0), wanted, 300))
    assert history.stored is None


def test_every_so_many_edits_are_stored_by_themselves(tmp_path):
    history = opened(tmp_path, store_every=4)
    rng = np.random.default_rng(0)
    for n in range(9):
        history.do(edit(rng, values(history), 100 + n))
        time.sleep(0.05)
    end = time.monotonic() + 20
    while not list(stored_overlays(tmp_path)) and time.monotonic() < end:
        time.sleep(0.05)
    assert list(stored_overlays(tmp_path))
    assert same(values(opened(tmp_path)), values(history))


def test_much_memory_is_given_back_sooner(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_slagseg.project.edits.history.HELD_BYTES", 1)
    history = opened(tmp_path)
    rng = np.random.default_rng(0)
    for n in range(9):
        history.do(edit(rng, values(history), 100 + n))
    assert not list(stored_overlays(tmp_path))
    history.do(edit(rng, values(history), 200))
    end = time.monotonic() + 20
    while history.stored is None and time.monotonic() < end:
        time.sleep(0.05)
    assert history.stored is not None
    assert same(values(opened(tmp_path)), values(history))


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("how", ["damaged", "missing", "cut"])
@pytest.mark.parametrize("what", ["overlay-*.json", "chunks/*/*.chunk"])
def test_what_is_damaged_is_made_again_from_the_journal(tmp_path, what, how):
    history = edited(tmp_path, 5)
    wanted, done = values(history), history.done
    history.store()
    path = sorted(tmp_path.glob(what))[0]
    if how == "damaged":
        damage(path)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-2])
    else:
        path.unlink()
    again = opened(tmp_path, store_every=0)
    assert again.stored is None
    assert same(values(again), wanted)
    assert again.done == done
    again.store()
    assert opened(tmp_path).stored is not None
    assert same(values(opened(tmp_path)), wanted)


def test_an_older_list_serves_where_the_newest_is_damaged(tmp_path):
    history = edited(tmp_path, 3)
    first = history.store()
    history.do(edit(np.random.default_rng(8), values(history), 400))
    second = history.store()
    wanted = values(history)
    damage(second.path)
    again = opened(tmp_path)
    assert [o.path for o in stored_overlays(tmp_path)] == [first.path]
    assert again.unstored == 1
    assert same(values(again), wanted)


def test_chunks_of_another_journal_are_not_used(tmp_path):
    """As after a backup of the journal alone was brought back."""
    history = edited(tmp_path, 2)
    shutil.copy(tmp_path / "journal.slg", tmp_path / "backup")
    history.do(edit(np.random.default_rng(8), values(history), 400))
    history.store()
    shutil.copy(tmp_path / "backup", tmp_path / "journal.slg")
    again = opened(tmp_path)
    assert again.stored is None
    assert len(again.done) == 2
    # another edit whose record is as long: the head is what differs
    for folder, value in ((tmp_path / "a", 7), (tmp_path / "b", 8)):
        folder.mkdir()
        one = opened(folder, store_every=0)
        before = one.volumes["particles"][:1, :1, :2]
        delta = delta_between("particles", (0, 0, 0), before, np.full_like(before, 100 + value))
        one.do(Action("paint", {}, (delta,), id="f" * 32, who="n", when="2026"))
        one.store()
    sizes = {(tmp_path / f"{n}/journal.slg").stat().st_size for n in "ab"}
    assert len(sizes) == 1
    shutil.copy(tmp_path / "b/journal.slg", tmp_path / "a/journal.slg")
    assert opened(tmp_path / "a").volumes["particles"][0, 0, 0] == 108


@given(
    st.sampled_from(["u1", "u4", "u2", "i8"]),
    st.tuples(*[st.integers(1, 64)] * 3),
    st.integers(0, 2**32),
)
def test_a_chunk_comes_back_as_it_was(dtype, shape, seed):
    voxels = np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
    chunk = LabelChunk(LabelChunk.of(voxels).content)
    assert (chunk.shape, chunk.dtype) == (shape, np.dtype(dtype))
    assert np.array_equal(np.asarray(chunk), voxels)
    assert not np.asarray(chunk).flags.writeable
    assert np.array(chunk).flags.writeable


HUGE = struct.pack("<8sH4s3H", b"SLGCHUNK", 1, b"<u4 ", 60000, 60000, 60000)


@pytest.mark.parametrize("content", [b"", b"SLGCHUNK", b"x" * 100, HUGE])
def test_what_is_no_chunk_is_refused(content):
    with pytest.raises(DamagedChunkError, match="damaged"):
        LabelChunk(content)


def test_a_missing_chunk_is_named(tmp_path):
    with pytest.raises(DamagedChunkError, match=r"abcd\.chunk cannot be read: No such file"):
        read_label_chunk(tmp_path, "abcd")


def test_a_list_says_what_it_is_of(tmp_path):
    history = edited(tmp_path, 2, belongs_to="e1")
    overlay = history.store()
    again = read_overlay(overlay.path)
    assert again == overlay
    assert (again.belongs_to, again.offset) == ("e1", history.journal.size)
    assert set(again.chunks) == {"particles", "phases"}
    assert max(max(i) for i in again.chunks["particles"]) < -(-max(SHAPE) // 64)
    assert len(pickle.dumps(again)) < 10_000


@pytest.fixture(scope="module")
def stored_twice(tmp_path_factory):
    """A folder with two lists of chunks and a tail, and the voxels that it holds."""
    folder = tmp_path_factory.mktemp("twice")
    history = edited(folder, 3)
    history.store()
    history.do(edit(np.random.default_rng(8), values(history), 400))
    history.undo()
    history.store()
    history.do(edit(np.random.default_rng(9), values(history), 401))
    return folder, values(history), history.done


@given(st.data())
def test_no_damage_to_stored_chunks_shows_in_a_voxel(stored_twice, tmp_path_factory, data):
    folder, wanted, done = stored_twice
    copy = tmp_path_factory.mktemp("damaged") / "edits"
    shutil.copytree(folder, copy)
    files = sorted(p for p in copy.rglob("*") if p.suffix in (".json", ".chunk"))
    for path in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=3, unique=True)):
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] = data.draw(st.integers(0, 255))
        else:
            del content[at:]
        path.write_bytes(bytes(content))
    again = opened(copy, store_every=0)
    assert same(values(again), wanted)
    assert again.done == done
    again.store()
    assert same(values(opened(copy)), wanted)
