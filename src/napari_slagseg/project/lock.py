"""One writer at a time."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from filelock import FileLock, Timeout

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import remove_leftovers, write_error
from napari_slagseg.project.journal import now

_WRITTEN_TO = ("maps", "placed", "corrections", "tables", "figures", "steps")


class ProjectLockedError(SlagsegError):
    """Another process has the project open for writing."""


class ProjectReadOnlyError(SlagsegError):
    """The project's folder cannot be written to."""


class ProjectLock:
    """Lock of a project folder, held by the operating system.

    It goes with the process that holds it, also when that one is killed, so no
    stale lock has to be removed by hand. A holder may let its own children
    write: they name it as `parent`.

    Parameters
    ----------
    folder : Path
        The project.
    parent : int or None
        Process id that is known to hold the lock on this process's behalf.
    """

    def __init__(self, folder: Path, parent: int | None = None) -> None:
        self._folder = folder
        self._holder_path = folder / ".lock.json"
        self._parent = parent
        # of the process, not of a thread: the window's edits are written by another thread
        self._lock = FileLock(str(folder / ".lock"), timeout=0, thread_local=False)
        self._borrowed = False

    def _holder(self) -> dict[str, object]:
        try:
            content = json.loads(self._holder_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def held(self) -> bool:
        """Whether this process may write."""
        return self._borrowed or self._lock.is_locked

    @property
    def borrowed(self) -> bool:
        """Whether the parent holds it: it may be in the middle of writing, too."""
        return self._borrowed

    def acquire(self) -> None:
        """Take the lock, or say who has it."""
        if self.held:
            return
        try:
            self._lock.acquire()
        except Timeout:
            holder = self._holder()
            here = holder.get("host") == socket.gethostname()
            if self._parent is not None and here and holder.get("pid") == self._parent:
                self._borrowed = True
                return
            who = (
                f"process {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"
                if holder
                else "another process"
            )
            raise ProjectLockedError(
                f"Project {self._folder} is open for writing elsewhere ({who}). "
                "Close it there, or wait until its step has ended; reading is possible meanwhile."
            ) from None
        except OSError as error:
            raise self._read_only(error) from error
        try:
            self._holder_path.write_text(
                json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now()}),
                encoding="utf-8",
            )
        except OSError as error:
            self.release()
            raise ProjectReadOnlyError(str(write_error(self._holder_path, error))) from error
        for folder in (self._folder, *(self._folder / name for name in _WRITTEN_TO)):
            remove_leftovers(folder)
        for pattern in ("models/*/run_*", "placed/history/*", "edits/*", "edits/*/chunks/*"):
            for folder in self._folder.glob(pattern):
                remove_leftovers(folder)

    def _read_only(self, error: OSError) -> ProjectReadOnlyError:
        return ProjectReadOnlyError(
            f"Project {self._folder} cannot be locked for writing: {error.strerror or error}. "
            "It can be looked at; to change it, make the folder writable, or copy it together "
            "with the CT, and open it again."
        )

    def release(self) -> None:
        """Give the lock back."""
        self._borrowed = False
        if self._lock.is_locked:
            self._holder_path.unlink(missing_ok=True)
            self._lock.release()


__all__ = ["ProjectLock", "ProjectLockedError", "ProjectReadOnlyError"]
