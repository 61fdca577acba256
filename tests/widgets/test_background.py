"""Work beside the window."""

import threading

import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.widgets.background import Latest

pytestmark = pytest.mark.gui


@pytest.fixture
def latest(qtbot):
    made = Latest()
    yield made
    made.close()


def test_of_the_jobs_that_wait_only_the_newest_is_done(latest, qtbot):
    go, done = threading.Event(), []
    latest.done.connect(lambda name, result: done.append((name, result)))
    latest.ask("picture", lambda: go.wait(5) and "first")
    for n in range(5):
        latest.ask("picture", lambda n=n: n)
    latest.ask("score", lambda: "other")
    assert latest.busy
    with qtbot.waitSignal(latest.idle, timeout=5000):
        go.set()
    assert done == [("picture", "first"), ("picture", 4), ("score", "other")]


def test_work_is_done_off_the_windows_thread(latest, qtbot):
    found = []
    latest.done.connect(lambda _, thread: found.append((thread, threading.get_ident())))
    with qtbot.waitSignal(latest.idle, timeout=5000):
        latest.ask("thread", threading.get_ident)
    ((worker, receiver),) = found
    assert receiver == threading.get_ident()
    assert worker != receiver


def test_what_fails_is_told_and_the_next_job_goes_on(latest, qtbot):
    told, done = [], []
    latest.failed.connect(told.append)
    latest.done.connect(lambda name, _: done.append(name))

    def fail():
        raise SlagsegError("the file is gone")

    latest.ask("look", fail)
    with qtbot.waitSignal(latest.idle, timeout=5000):
        latest.ask("picture", lambda: 1)
    assert told == ["the file is gone"]
    assert done == ["picture"]


def test_after_closing_nothing_is_begun(latest, qtbot):
    done = []
    latest.done.connect(lambda name, _: done.append(name))
    latest.close()
    latest.ask("picture", lambda: 1)
    qtbot.wait(50)
    assert not done
    assert not latest.busy
