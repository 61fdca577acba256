"""What of a work folder survives a power cut.

A process that is killed takes nothing with it: what it wrote is in the system's
hands. A machine that goes down does, so records of a run before the last start of the
machine count only if the disk was told to keep all that was written before them.
Telling it once a while costs nothing; telling it with every block would.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import read_json, write_json

EVERY_S = 30.0
"""At most so much work is lost in a power cut."""


def machine_start() -> str:
    """Which start of the machine this is."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return str(round(psutil.boot_time(), -1))


class Seal:
    """Which records are known to be on the disk with all that they stand for.

    Parameters
    ----------
    path : Path
        JSON file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = machine_start()
        self._written: dict[str, set[str]] = {}
        self._kept: dict[str, list[str]] | None = None
        self._last = time.monotonic()
        if path.is_file():
            with suppress(SlagsegError, KeyError, TypeError):
                found = read_json(path, "the state of blocks")
                if found["machine_start"] != self._start:
                    self._kept = {k: list(v) for k, v in found["sealed"].items()}
                self._written = {k: set(v) for k, v in found["sealed"].items()}
        else:
            self._note()

    def trusts(self, stage: str, record: str) -> bool:
        """Whether a record that is there may be believed."""
        return self._kept is None or record in self._kept.get(stage, ())

    def done(self, stage: str, record: str) -> None:
        """Note a record; from time to time, have the disk keep it."""
        self._written.setdefault(stage, set()).add(record)
        if time.monotonic() - self._last > EVERY_S:
            self.write()

    def write(self) -> None:
        """Have the disk keep all that was written, then say so."""
        if hasattr(os, "sync"):
            os.sync()
        self._note()

    def _note(self) -> None:
        write_json(
            self._path,
            {
                "machine_start": self._start,
                "sealed": {k: sorted(v) for k, v in self._written.items()},
            },
        )
        self._last = time.monotonic()


__all__ = ["EVERY_S", "Seal", "machine_start"]
