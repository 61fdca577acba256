import errno
import os

import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.project.edits import EditJournal
from napari_slagseg.project.edits import journal as module

BODIES = [b"", b"some bytes", bytes(range(256)), b"\0" * 40]


@pytest.fixture
def journal(tmp_path):
    """A journal of four records."""
    made = EditJournal(tmp_path / "edits" / "journal.slg")
    made.create({"belongs_to": "abc"})
    for number, body in enumerate(BODIES):
        made.append({"number": number}, body, at=made.size)
    return made


def content(journal):
    return [(r.head, bytes(r.body)) for r in journal.records()]


WHOLE = [({"number": n}, body) for n, body in enumerate(BODIES)]


def ends(journal):
    """Where each record ends, that of the facts first."""
    return [journal.first_record, *(r.stop for r in journal.records())]


def test_what_was_appended_is_read(journal):
    assert journal.facts() == {"type": "facts", "belongs_to": "abc"}
    assert content(journal) == WHOLE
    assert journal.mend() is None
    third = list(journal.records())[2]
    assert bytes(journal.record_at(third.start).body) == BODIES[2]


def test_cut_off_at_every_byte(journal):
    whole, stops = journal.path.read_bytes(), ends(journal)
    for size in range(stops[0], len(whole)):
        journal.path.write_bytes(whole[:size])
        kept = max(n for n, stop in enumerate(stops) if stop <= size)
        assert content(journal) == WHOLE[:kept]
        cut = journal.mend()
        if size in stops:
            assert cut is None
        else:
            assert cut.path.read_bytes() == whole[stops[kept] : size]
            assert cut.size == size - stops[kept]
            assert "cut off" in str(cut)
        assert journal.path.read_bytes() == whole[: stops[kept]]
        # and it goes on from there
        journal.append({"number": kept}, BODIES[kept], at=journal.size)
        assert content(journal) == WHOLE[: kept + 1]


def test_every_byte_changed(journal):
    whole, stops = journal.path.read_bytes(), ends(journal)
    for at in range(stops[0], len(whole)):
        for mask in (1, 0xFF):
            bad = bytearray(whole)
            bad[at] ^= mask
            journal.path.write_bytes(bad)
            kept = max(n for n, stop in enumerate(stops) if stop <= at)
            assert content(journal) == WHOLE[:kept]
        cut = journal.mend()
        assert cut.path.read_bytes() == bad[stops[kept] :]
        assert content(journal) == WHOLE[:kept]


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 12, b"\0" * 4096, b"\xff" * 100])
def test_what_a_power_cut_leaves_behind(journal, tail):
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + tail)
    assert content(journal) == WHOLE
    assert journal.mend().size == len(tail)
    assert journal.path.read_bytes() == whole


def test_a_start_that_is_damaged_at_any_byte_is_told_and_kept(journal):
    whole, first = journal.path.read_bytes(), journal.first_record
    for at in range(first):
        for bad in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            journal.path.write_bytes(bad)
            with pytest.raises(SlagsegError, match=r"journal\.slg (cannot be read|is of version)"):
                journal.mend()
            assert journal.path.read_bytes() == bad


def test_tails_cut_off_twice_at_one_place_are_both_kept(journal):
    whole = journal.path.read_bytes()
    paths = []
    for tail in (b"one", b"two", b"one"):
        journal.path.write_bytes(whole + tail)
        cut = journal.mend()
        assert cut.path.read_bytes() == tail
        paths.append(cut.path)
    assert paths[0] == paths[2] != paths[1]


def test_a_write_that_fails_leaves_the_journal_as_it_was(journal, monkeypatch):
    whole = journal.path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "fsync", full)
        with pytest.raises(SlagsegError, match="disk is full"):
            journal.append({"number": 4}, b"x" * 100, at=len(whole))
    assert journal.path.read_bytes() == whole
    journal.append({"number": 4}, at=len(whole))
    assert len(content(journal)) == 5


def test_a_record_is_synced_before_append_returns(journal, monkeypatch):
    synced = []
    real = os.fsync

    def fsync(handle):
        real(handle)
        synced.append(os.fstat(handle).st_size)

    monkeypatch.setattr(module.os, "fsync", fsync)
    record = journal.append({"number": 4}, b"x", at=journal.size)
    assert synced[-1] == record.stop == journal.size


def test_two_writers_are_told(journal):
    other = EditJournal(journal.path)
    end = journal.size
    journal.append({"number": 4}, at=end)
    with pytest.raises(SlagsegError, match="written to by something else"):
        other.append({"number": 4}, at=end)
    assert len(content(journal)) == 5


def test_a_newer_journal_and_other_files_are_refused(tmp_path, journal):
    whole = bytearray(journal.path.read_bytes())
    whole[8] = 2
    journal.path.write_bytes(whole)
    with pytest.raises(SlagsegError, match=r"is of version 2.*Update"):
        journal.facts()
    np.save(tmp_path / "a.npy", np.zeros(100))
    with pytest.raises(SlagsegError, match="does not begin as an edit journal"):
        EditJournal(tmp_path / "a.npy").facts()
    with pytest.raises(SlagsegError, match="cannot be read: No such file"):
        EditJournal(tmp_path / "none.slg").facts()


def test_parameters_that_are_no_json_are_told(journal):
    with pytest.raises(SlagsegError, match="not all plain numbers"):
        journal.append({"parameters": {"a": float("nan")}}, at=journal.size)
    with pytest.raises(SlagsegError, match="not all plain numbers"):
        journal.append({"parameters": {"a": np.zeros(3)}}, at=journal.size)
    assert content(journal) == WHOLE
