"""The journal: one line of JSON for everything that was done to a project."""

from __future__ import annotations

import getpass
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_slagseg.io import write_error


def now() -> str:
    """Time of day in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def user() -> str:
    """Name of the account that the program runs under."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no account behind this uid, as in some containers
        return "unknown"


class Journal:
    """Append-only list of events in ``journal.jsonl``.

    Each entry is on disk before `append` returns. A last line cut short by a
    crash is passed over when reading and finished off before the next is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: str, **values: Any) -> None:
        """Write one event with JSON values."""
        entry = {"time": now(), "user": user(), "event": event, **values}
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            with self.path.open("ab+") as file:
                if file.tell() > 0:
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":
                        line = "\n" + line
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise write_error(self.path, error) from error

    def entries(self) -> list[dict[str, Any]]:
        """All whole entries, oldest first."""
        if not self.path.is_file():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(entry, dict):
                found.append(entry)
        return found


__all__ = ["Journal", "now", "user"]
