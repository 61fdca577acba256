"""Steps in a process of their own: messages, cancel, kill."""

import errno
import os
import queue
import time

import pytest

from napari_slagseg.workflow import StepProcess, states
from napari_slagseg.workflow.process import _work as process_body


def messages(process, seconds=60):
    found = []
    end = time.monotonic() + seconds
    while not process.ended and time.monotonic() < end:
        message = process.next_message()
        if message is not None:
            found.append(message)
    return found


def test_an_error_of_the_user_comes_back_as_words(project):
    process = StepProcess(project.folder, "measure", {}, os.getpid())
    process.start()
    last = messages(process)[-1]
    assert last.kind == "failed"
    assert "no segmentation yet" in last.text
    assert "Traceback" not in last.text
    assert states(project)["measure"] == "missing"


def test_the_last_message_waits_for_the_process_without_holding_up_the_listener(project):
    """A window listens with no timeout: it must neither wait nor start a step beside this one."""
    process = StepProcess(project.folder, "measure", {}, os.getpid())
    process.start()
    turns, last = 0, None
    end = time.monotonic() + 60
    while last is None and time.monotonic() < end:
        message = process.next_message(timeout=0)
        if message is not None and message.kind != "progress":
            last = message
        turns += 1
        time.sleep(0.001)
    assert turns > 100
    assert last.kind == "failed"
    assert not process._process.is_alive()
    assert process.ended
    assert process.next_message(timeout=0) is None


def test_bad_settings_come_back_as_words(project):
    process = StepProcess(project.folder, "segment", {"threshold": 7}, os.getpid())
    process.start()
    last = messages(process)[-1]
    assert last.kind == "failed"
    assert "threshold" in last.text


class OutOfMemoryError(RuntimeError):
    """Named as torch's own."""


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/x.csv"), "failed", "disk is full"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/x.csv"),
            "failed",
            "/data/x.csv",
        ),
        (OSError(errno.EIO, "Input/output error"), "failed", "Input/output error"),
        (MemoryError(), "failed", "out of memory"),
        (OutOfMemoryError("CUDA out of memory"), "failed", "out of memory"),
        (ZeroDivisionError("division by zero"), "crashed", "ZeroDivisionError"),
    ],
)
def test_errors_from_below_are_told_in_words(project, monkeypatch, error, kind, words):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("napari_slagseg.workflow.step.run_step", fail)
    said = queue.Queue()
    process_body(str(project.folder), "measure", {}, os.getpid(), said, None)
    message = said.get_nowait()
    assert message.kind == kind
    assert words in message.text
    assert ("Traceback" in message.text) == (kind == "crashed")


def test_a_killed_step_is_reported(project):
    process = StepProcess(project.folder, "register", None, os.getpid())
    process.start()
    os.kill(process.pid, 9)
    last = messages(process)[-1]
    assert last.kind == "failed"
    assert "exit code" in last.text


def test_a_cancelled_step_says_so(project):
    process = StepProcess(project.folder, "register", None, os.getpid())
    process.cancel()
    process.start()
    last = messages(process)[-1]
    # cancelled at its first check, or refused before it came to one
    assert last.kind in ("cancelled", "failed")
