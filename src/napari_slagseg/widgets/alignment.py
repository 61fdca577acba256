"""The placement that is looked at and steered: one model for dock, page and main viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from napari_slagseg.data import Cutout, CutoutState, Landmarks, PlacedMap, SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.registration.steering import (
    LiveFit,
    Nudge,
    landmark_residuals,
    nudge_cutout,
    nudge_map,
    similarity_from_landmarks,
)

if TYPE_CHECKING:
    from napari_slagseg.widgets.session import Session

_VERBS: dict[CutoutState, str] = {"accepted": "accept", "rejected": "reject", "locked": "lock"}


class Alignment:
    """One map's placement and landmarks, with the cutouts that are chosen.

    Every change is stored with the project's history. A nudge is shown at once and
    stored by `flush`, which all other changes, and whoever closes the project, call first.

    Parameters
    ----------
    session : Session

    Signals
    -------
    map_changed : (str)
        Another map is looked at, or this one was read anew.
    moved : ()
        The placement moved and is not stored yet.
    stored : ()
        Placement or landmarks were stored, or taken back.
    chosen_changed : ()
        Other cutouts are chosen.
    scored : ()
        The cutouts have the scores of their present place.
    may_change : ()
        Changing was allowed, or is no longer.
    failed : (str)
        Why something cannot be done.
    """

    map_changed = Signal(str)
    moved = Signal()
    stored = Signal()
    chosen_changed = Signal()
    scored = Signal()
    may_change = Signal()
    failed = Signal(str)

    def __init__(self, session: Session) -> None:
        self._session = session
        self.name = ""
        self.placed: PlacedMap | None = None
        self.landmarks: Landmarks | None = None
        self.chosen: tuple[int, ...] = ()
        self.busy = False
        self.fit: LiveFit | None = None
        """For scores while nudging; the dock makes it, for it takes a while."""
        self._pending: Nudge | None = None
        self._moving: tuple[int, ...] = ()
        self.landmark_problem = ""
        """Why the landmarks cannot place the map, however many there are; "" if they can."""
        self._by_landmarks: tuple[Landmarks, PlacedMap | None] | None = None

    # -- what is looked at -------------------------------------------------

    @property
    def project(self) -> Project | None:
        """The session's project."""
        return self._session.project

    @property
    def locked_out(self) -> str:
        """Why nothing may be changed now; "" if it may."""
        if self.project is None:
            return "Make or open a project first."
        if self._session.read_only_reason:
            return self._session.read_only_reason
        if self.busy:
            return "A step is running; wait for it or cancel it."
        return ""

    def set_busy(self, busy: bool) -> None:
        """While a step runs, it alone writes placements."""
        if busy:
            self.flush()
        self.busy = busy
        self.may_change.emit()

    def look_at(self, name: str) -> None:
        """Look at another map."""
        if name != self.name:
            self.flush()
            self.name = name
            self.fit = None
            self.chosen = ()
            self.reload()

    def reload(self) -> None:
        """Read placement and landmarks of the map from the project."""
        project = self.project
        if project is None or self.name not in project.map_names():
            names = project.map_names() if project is not None else ()
            self.name = names[0] if names else ""
            self.fit = None
        self._pending = None
        before = self.placed.cutouts if self.placed is not None else ()
        windows = {_window(before[i]) for i in self.chosen}
        self.placed = self.landmarks = None
        try:
            if project is not None and self.name:
                self.placed = project.placed_map(self.name)
                self.landmarks = project.landmarks(self.name)
        except SlagsegError as error:
            self.failed.emit(str(error))
        # a run may number the cutouts otherwise
        now = self.placed.cutouts if self.placed is not None else ()
        self.chosen = tuple(i for i, c in enumerate(now) if _window(c) in windows)
        self.map_changed.emit(self.name)

    @property
    def has_place(self) -> bool:
        """Whether the map lies somewhere, be it refused there."""
        return self.placed is not None and self.placed.surface is not None

    def choose(self, cutouts: Sequence[int]) -> None:
        """Choose cutouts by their positions."""
        found = tuple(sorted(set(cutouts)))
        if found != self.chosen:
            self.flush()
            self.chosen = found
            self.chosen_changed.emit()

    def cutout_at(self, row: float, column: float) -> int | None:
        """Cutout whose middle is nearest among those that hold a map position."""
        best, nearest = None, np.inf
        for i, c in enumerate(self.placed.cutouts if self.placed is not None else ()):
            off = (
                abs(row - c.row - (c.height - 1) / 2) / c.height,
                abs(column - c.column - (c.width - 1) / 2) / c.width,
            )
            if max(off) <= 0.5 and np.hypot(*off) < nearest:
                best, nearest = i, float(np.hypot(*off))
        return best

    # -- changes -----------------------------------------------------------

    def _may_change(self, needs_place: bool = True) -> bool:
        why = self.locked_out
        if not why and needs_place and not self.has_place:
            why = f"Map {self.name} has no place yet. Place it first, or set landmarks."
        if why:
            self.failed.emit(why)
        return not why

    def _record(self, placed: PlacedMap | None, landmarks: Landmarks | None, what: str) -> bool:
        project = self.project
        try:
            with project.writing():
                project.alignment(self.name).record(placed, landmarks, what)
        except SlagsegError as error:
            self.failed.emit(str(error))
            self.reload()
            return False
        self.placed, self.landmarks = placed, landmarks
        self.stored.emit()
        return True

    def set_states(self, state: CutoutState) -> bool:
        """Accept, reject or lock the chosen cutouts; the surface stays until it is fitted again."""
        self.flush()
        if not self._may_change():
            return False
        if not self.chosen:
            self.failed.emit("Choose one or more cutouts first: click them, or their table rows.")
            return False
        changed = self.placed.with_states(dict.fromkeys(self.chosen, state))
        return self._record(changed, self.landmarks, f"{_VERBS[state]} {self._named(self.chosen)}")

    def nudge(self, nudge: Nudge) -> bool:
        """Move the chosen cutouts, or the map if none is chosen; `flush` stores it."""
        if not self._may_change():
            return False
        if self._pending is not None and self._moving != self.chosen:
            self.flush()
        try:
            self.placed = (
                _nudged(self.placed, self.chosen, nudge)
                if self.chosen
                else nudge_map(self.placed, nudge)
            )
        except SlagsegError as error:
            self.failed.emit(str(error))
            return False
        self._pending = nudge if self._pending is None else _sum(self._pending, nudge)
        self._moving = self.chosen
        self.moved.emit()
        return True

    @property
    def pending(self) -> bool:
        """Whether a nudge is not stored yet."""
        return self._pending is not None

    def flush(self) -> bool:
        """Store the nudge that is shown, with the scores it has; False if that failed."""
        if self._pending is None or self.placed is None:
            return True
        nudge, self._pending = self._pending, None
        placed = self.placed
        if self.fit is not None:
            # the dock scores all cutouts of a moved map when the keys rest
            placed = self.fit.scored(placed, self._moving)
        what = self._named(self._moving) if self._moving else "the map"
        return self._record(placed, self.landmarks, f"nudge {what} {_in_words(nudge)}")

    def take_scores(self, placed: PlacedMap, scored: PlacedMap) -> None:
        """Take the scores of a placement, if it is still the one that is looked at.

        They are stored with the next step; a placement is not a new one for them.
        """
        if placed is self.placed and not self.pending:
            self.placed = scored
            self.scored.emit()

    def _named(self, cutouts: Sequence[int]) -> str:
        if len(cutouts) > 3:
            return f"{len(cutouts)} cutouts"
        return f"cutout{'s' * (len(cutouts) > 1)} {', '.join(map(str, cutouts))}"

    # -- landmarks ---------------------------------------------------------

    def set_landmarks(self, landmarks: Landmarks | None, what: str) -> bool:
        """Store other landmarks; the placement stays."""
        self.flush()
        if not self._may_change(needs_place=False):
            return False
        kept = landmarks if landmarks is not None and len(landmarks) else None
        return self._record(self.placed, kept, what)

    def add_pair(self, pixel: Sequence[float], voxel: Sequence[float]) -> bool:
        """Add a pair of a map pixel (row, column) and a CT voxel (z, y, x)."""
        old = self.landmarks
        pixels = np.array([pixel], float)
        voxels = np.array([voxel], float)
        if old is not None:
            pixels = np.concatenate([old.pixels, pixels])
            voxels = np.concatenate([old.voxels, voxels])
        return self.set_landmarks(Landmarks(pixels, voxels), f"landmark {len(pixels)}")

    def delete_pair(self, index: int) -> bool:
        """Take one pair away."""
        old = self.landmarks
        if old is None or not 0 <= index < len(old):
            return False
        kept = Landmarks(np.delete(old.pixels, index, 0), np.delete(old.voxels, index, 0))
        return self.set_landmarks(kept, f"delete landmark {index + 1}")

    def by_landmarks(self) -> PlacedMap | None:
        """Where the landmarks alone put the map; None below three pairs, or where they cannot."""
        project, landmarks = self.project, self.landmarks
        if project is None or landmarks is None or len(landmarks) < 3:
            self.landmark_problem = ""
            return None
        if self._by_landmarks is not None and self._by_landmarks[0] is landmarks:
            return self._by_landmarks[1]
        entry = next(e for e in project.description.maps if e.name == self.name)
        ct = project.description.ct
        found = None
        self.landmark_problem = ""
        try:
            found = similarity_from_landmarks(landmarks, entry, ct.shape, ct.voxel_size_um)
        except SlagsegError as error:
            self.landmark_problem = str(error)
            self.failed.emit(str(error))
        self._by_landmarks = (landmarks, found)
        return found

    def residuals(self) -> np.ndarray | None:
        """Distance of each pair, in voxels, from where the landmarks alone put the map."""
        if self.landmarks is None:
            return None
        place = self.by_landmarks()
        if place is None:
            return np.full(len(self.landmarks), np.nan)
        return landmark_residuals(self.landmarks, place)

    # -- history -----------------------------------------------------------

    def steps_back(self) -> tuple[bool, bool]:
        """Whether there is something to undo, and to do again."""
        project = self.project
        if project is None or not self.name or self.locked_out:
            return (False, False)
        back, forth = project.alignment(self.name).can_step()
        return (self.pending or back, not self.pending and forth)

    def undo(self) -> str | None:
        """Take the last step back; what it was."""
        return self._step("undo")

    def redo(self) -> str | None:
        """Do the step again that was taken back; what it was."""
        return self._step("redo")

    def _step(self, which: str) -> str | None:
        self.flush()
        project = self.project
        if not self._may_change(needs_place=False):
            return None
        try:
            with project.writing():
                what = getattr(project.alignment(self.name), which)()
        except SlagsegError as error:
            self.failed.emit(str(error))
            return None
        if what is not None:
            self.reload()
            self.stored.emit()
        return what


def _nudged(placed: PlacedMap, cutouts: Sequence[int], nudge: Nudge) -> PlacedMap:
    """Several cutouts moved, each about its own middle."""
    for i in cutouts:
        placed = nudge_cutout(placed, i, nudge)
    return placed


def _window(cutout: Cutout) -> tuple[int, int, int, int]:
    return (cutout.row, cutout.column, cutout.height, cutout.width)


def _sum(a: Nudge, b: Nudge) -> Nudge:
    return Nudge(a.down + b.down, a.right + b.right, a.up + b.up, a.turn_deg + b.turn_deg)


def _in_words(nudge: Nudge) -> str:
    parts = []
    for value, plus, minus, unit in (
        (nudge.down, "down", "up the map", " voxels"),
        (nudge.right, "right", "left", " voxels"),
        (nudge.up, "to higher slices", "to lower slices", " slices"),
        (nudge.turn_deg, "clockwise", "anticlockwise", "°"),
    ):
        if abs(value) > 1e-9:
            parts.append(f"{abs(value):.3g}{unit} {plus if value > 0 else minus}")
    return ", ".join(parts) or "back to where it was"


__all__ = ["Alignment"]
