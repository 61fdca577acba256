"""Edits while other threads look at what follows from them."""

import contextlib
import threading

from napari_slagseg.data import SlagsegError


def failures_beside(reader, edits, *calls):
    """What went wrong in calls that were made over and over, each in a thread, during edits."""
    stop = threading.Event()
    failed = []

    def always(call):
        while not stop.is_set():
            try:
                call()
            except Exception as error:  # noqa: BLE001 - looked at by the test
                failed.append(error)
                return

    threads = [threading.Thread(target=always, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for edit in edits:
        with contextlib.suppress(SlagsegError):
            edit(reader)
        if len(reader.history.done) % 3 == 0:
            reader.undo()
    stop.set()
    for thread in threads:
        thread.join()
    return failed
