"""A worker process: blocks come in on stdin, short answers go out on stdout.

Messages are pickles between this process and the one that started it, over pipes
that nobody else holds; nothing pickled is ever read from a file.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from typing import Any, BinaryIO

from napari_slagseg.data import BlockTask
from napari_slagseg.workflow.blockwise.jobs import Failure, Job, do_block, explain
from napari_slagseg.workflow.blockwise.store import StageRecords


def send(stream: BinaryIO, message: Any) -> None:
    """Write one message."""
    pickle.dump(message, stream, protocol=pickle.HIGHEST_PROTOCOL)
    stream.flush()


def _end_with_parent() -> None:
    """Have Linux end this process when the one that started it is killed.

    Else it would go on writing while a second run has begun; elsewhere the closed pipe
    tells, as soon as Python's interpreter is free to listen.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main() -> None:
    """Body of the process."""
    _end_with_parent()
    # Ctrl-C goes to all processes of a terminal; the one that started this one decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what tasks print must not stand between answers
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def listen() -> None:
        source = sys.stdin.buffer
        while True:
            try:
                messages.put(pickle.load(source))
            except EOFError:
                os._exit(0)  # nobody is there any more who could use what is being done

    threading.Thread(target=listen, daemon=True).start()
    send(answers, "ready")
    task: BlockTask | None = None
    broken: Failure | None = None
    records: StageRecords | None = None
    while True:
        message = messages.get()
        if isinstance(message, Job):
            failure = broken
            if task is not None and records is not None:
                failure = do_block(task, message, records)
            send(answers, failure)
        else:
            pickled, records = message
            task, broken = None, None
            try:
                task = pickle.loads(pickled)
            except Exception as error:  # noqa: BLE001 - an import of another's module
                broken = explain(error)


if __name__ == "__main__":
    main()
