"""Every manual step of a map's placement, on disk before it counts, undoable without limit.

``placed/history/NAME`` holds a gzipped JSON file for each state (placement and
landmarks, as the files that they are), and ``head.json``, which lists them and says
which one holds. A step is written in this order: its state, the placement, the
landmarks, the head. Whoever opens the project after a kill sees from what lies there
how far a step came, and finishes it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_slagseg import io
from napari_slagseg.data import Landmarks, PlacedMap, SlagsegError
from napari_slagseg.project.journal import Journal, now

_DRAFT = "draft.json"
OUTSIDE = "changed outside of the history"


@dataclass(frozen=True)
class _State:
    """Content of the two files; None where there is none."""

    placement: str | None
    landmarks: str | None


@dataclass(frozen=True)
class _Entry:
    file: str
    what: str
    time: str


class PlacementHistory:
    """History of one map's placement and landmarks.

    Get one by `Project.alignment`; reading is always possible, `record`, `undo` and
    `redo` need the project's lock.

    Parameters
    ----------
    name : str
        Of the map.
    placed_path, landmarks_path : Path
        Files that hold what counts.
    folder : Path
        Of the history.
    journal : Journal
    require_lock : callable
        Raises if the project may not be written to.
    """

    def __init__(
        self,
        name: str,
        placed_path: Path,
        landmarks_path: Path,
        folder: Path,
        journal: Journal,
        require_lock: Callable[[], None],
    ) -> None:
        self.name = name
        self._placed_path = placed_path
        self._landmarks_path = landmarks_path
        self._folder = folder
        self._journal = journal
        self._require_lock = require_lock

    # -- what a user sees ----------------------------------------------------

    @property
    def steps(self) -> list[str]:
        """What was done, oldest first; undone steps are not in it."""
        entries, at = self._opened()
        return [e.what for e in entries[1 : at + 1]]

    def can_step(self) -> tuple[bool, bool]:
        """Whether there is a step to undo, and one to do again."""
        entries, at = self._opened()
        return at > 0, at < len(entries) - 1

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return self.can_step()[0]

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone step to do again."""
        return self.can_step()[1]

    def record(self, after: PlacedMap | None, landmarks: Landmarks | None, what: str) -> None:
        """Store a step; everything is on disk when this returns.

        Parameters
        ----------
        after : PlacedMap or None
            Placement after the step; None where there is none.
        landmarks : Landmarks or None
            All landmarks after the step; None or none at all removes them.
        what : str
            For the journal and the undo button: "nudged cutout 7".

        Notes
        -----
        A step that changes nothing is not kept. Steps that were undone before are
        forgotten, as in any editor.
        """
        self._require_lock()
        placement = None if after is None else self._text_of(after)
        pairs = None if landmarks is None or not len(landmarks) else self._text_of(landmarks)
        if self._keep(_State(placement, pairs), what):
            self._journal.append("placement step", map=self.name, what=what)

    def save_placement(self, after: PlacedMap, what: str) -> None:
        """Store a placement, such as that of a run, as one step; the landmarks stay."""
        self._require_lock()
        self._keep(_State(self._text_of(after), self._current().landmarks), what)

    def save_landmarks(self, landmarks: Landmarks, what: str) -> None:
        """Store landmarks, such as those of a file, as one step; the placement stays."""
        self._require_lock()
        pairs = self._text_of(landmarks) if len(landmarks) else None
        if self._keep(_State(self._current().placement, pairs), what):
            self._journal.append("placement step", map=self.name, what=what)

    def undo(self) -> str | None:
        """Take the last step back.

        Returns
        -------
        str or None
            What was undone; None if there was nothing to undo.
        """
        return self._step(-1)

    def redo(self) -> str | None:
        """Do the step again that was undone last.

        Returns
        -------
        str or None
            What was done again; None if there was nothing.
        """
        return self._step(+1)

    def recover(self) -> None:
        """Finish a step that a kill cut off; called when a project is opened for writing."""
        self._require_lock()
        if self._folder.is_dir():
            (self._folder / _DRAFT).unlink(missing_ok=True)
            self._settled()

    # -- steps ---------------------------------------------------------------

    def _keep(self, state: _State, what: str) -> bool:
        entries, at = self._settled()
        if not entries:
            entries, at = [self._write(self._current(), "")], 0
        if state == self._current():
            self._commit(entries, at)
            return False
        entries = [*entries[: at + 1], self._write(state, what)]
        self._apply(state)
        self._commit(entries, at + 1)
        return True

    def _step(self, direction: Literal[-1, 1]) -> str | None:
        self._require_lock()
        entries, at = self._settled()
        to = at + direction
        while 0 <= to < len(entries):
            state = self._read(entries[to])
            if state is None:  # damaged: the next one does
                del entries[to]
                at, to = (at - 1, to - 1) if direction < 0 else (at, to)
                continue
            what = entries[at if direction < 0 else to].what
            self._apply(state)
            self._commit(entries, to)
            self._journal.append("undo" if direction < 0 else "redo", map=self.name, what=what)
            return what
        return None

    # -- files -----------------------------------------------------------------

    def _text_of(self, value: PlacedMap | Landmarks) -> str:
        """Exactly what the file of it will hold."""
        if isinstance(value, PlacedMap):
            return io.placed_map_text(value)
        path = self._folder / _DRAFT
        io.write_landmarks({self.name: value}, path)
        text = path.read_text(encoding="utf-8")
        path.unlink()
        return text

    def _current(self) -> _State:
        return _State(_text_or_none(self._placed_path), _text_or_none(self._landmarks_path))

    def _apply(self, state: _State) -> None:
        for path, text in (
            (self._placed_path, state.placement),
            (self._landmarks_path, state.landmarks),
        ):
            if text is None:
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise io.write_error(path, error) from error
            elif text != _text_or_none(path):
                io.write_text(path, text)

    def _numbered(self) -> list[Path]:
        files = (p for p in self._folder.glob("*.json.gz") if p.name[:-8].isdecimal())
        return sorted(files, key=lambda p: int(p.name[:-8]))

    def _write(self, state: _State, what: str) -> _Entry:
        files = self._numbered()
        number = int(files[-1].name[:-8]) + 1 if files else 1
        entry = _Entry(f"{number:06d}.json.gz", what, now())
        content = {
            "what": what,
            "time": entry.time,
            "placement": state.placement,
            "landmarks": state.landmarks,
        }
        with io.atomic_file(self._folder / entry.file) as temporary:
            # more than the fastest takes a tenth of a second, and saves little
            temporary.write_bytes(gzip.compress(json.dumps(content).encode(), 1, mtime=0))
        return entry

    def _content(self, file: str) -> dict[str, Any] | None:
        try:
            content = json.loads(gzip.decompress((self._folder / file).read_bytes()))
        except (OSError, EOFError, ValueError, zlib.error):
            return None
        return content if isinstance(content, dict) else None

    def _read(self, entry: _Entry) -> _State | None:
        """State of an entry; None if it is damaged or gone."""
        content = self._content(entry.file)
        if content is None:
            return None
        return _State(content.get("placement"), content.get("landmarks"))

    def _commit(self, entries: list[_Entry], at: int) -> None:
        io.write_json(
            self._folder / "head.json",
            {"format": 1, "at": at, "steps": [vars(e) for e in entries]},
        )
        kept = {e.file for e in entries}
        for path in self._numbered():
            if path.name not in kept:
                with suppress(OSError):
                    path.unlink()

    # -- opening ---------------------------------------------------------------

    def _listed(self) -> tuple[list[_Entry], int]:
        """Entries and the one that holds, by the head; by the files where it is damaged."""
        path = self._folder / "head.json"
        try:
            content = io.read_json(path, "the list of steps")
            entries = [
                _Entry(str(e["file"]), str(e["what"]), str(e["time"])) for e in content["steps"]
            ]
            at = int(content["at"])
        except (SlagsegError, KeyError, TypeError, ValueError):
            entries = []
            current, at = self._current(), -1
            for file in self._numbered():
                found = self._content(file.name) or {}
                entries.append(_Entry(file.name, str(found.get("what")), str(found.get("time"))))
                if self._read(entries[-1]) == current:
                    at = len(entries) - 1
            at = len(entries) - 1 if at < 0 else at
        while entries and self._read(entries[-1]) is None:  # cut off by a crash of the disk
            del entries[-1]
        return entries, min(at, len(entries) - 1)

    def _opened(self) -> tuple[list[_Entry], int]:
        """Entries and the one that holds, as `_settled` will leave them; nothing is written."""
        if not self._folder.is_dir():
            return [], -1
        entries, at = self._listed()
        if not entries:
            return [], -1
        current = self._current()
        held = self._read(entries[at])
        if current == held:
            return entries, at
        listed = {e.file for e in entries}
        for file in reversed(self._numbered()):  # a step that was not listed yet
            content = None if file.name in listed else self._content(file.name)
            if content is not None:
                new = _Entry(file.name, str(content["what"]), str(content["time"]))
                if self._half_way(current, held, self._read(new)):
                    return [*entries[: at + 1], new], at + 1
        for to in (at - 1, at + 1):  # an undo or redo
            if 0 <= to < len(entries) and self._half_way(current, held, self._read(entries[to])):
                return entries, to
        outside = _Entry("", OUTSIDE, now())
        return [*entries[: at + 1], outside], at + 1

    @staticmethod
    def _half_way(current: _State, before: _State | None, after: _State | None) -> bool:
        """Whether a step between two states was begun, and nothing else happened."""
        if after is None:
            return False
        if before is None:
            return current == after
        begun = False
        for name in ("placement", "landmarks"):
            now_, old, new = (getattr(s, name) for s in (current, before, after))
            if now_ not in (old, new):
                return False
            begun = begun or (now_ == new and new != old)
        return begun

    def _settled(self) -> tuple[list[_Entry], int]:
        """As `_opened`, and so on disk: half steps finished, changes from outside kept."""
        if not self._folder.is_dir():
            return [], -1
        entries, at = self._opened()
        if not entries:
            return [], -1
        if not entries[at].file:
            entries[at] = self._write(self._current(), entries[at].what)
            self._journal.append("placement step", map=self.name, what=entries[at].what)
            self._commit(entries, at)
            return entries, at
        state = self._read(entries[at])
        listed, held = self._listed()
        if state is not None and (state != self._current() or (listed, held) != (entries, at)):
            self._apply(state)
            self._commit(entries, at)
            self._journal.append("finished a step", map=self.name, what=entries[at].what)
        return entries, at


def _text_or_none(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SlagsegError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError:
        return ""  # damaged from outside: unlike every state, so it is no step of ours


__all__ = ["OUTSIDE", "PlacementHistory"]
