"""The queue of suspects while a user works through it: what was said, fixed, and is left."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import Box
from napari_slagseg.project import Project
from napari_slagseg.workflow.proofreading.live_suspects import LiveSuspects
from napari_slagseg.workflow.proofreading.proofreader import Proofreader
from napari_slagseg.workflow.proofreading.standing import Suspect
from napari_slagseg.workflow.proofreading.verdicts import Verdicts

STILL_SUSPECT = 0.5
"""Score from which on a particle that was edited is to be looked at once more."""

FIXED = "fixed"
"""Verdict on what was edited since the suspects were found."""


@dataclass(frozen=True)
class SuspectRow:
    """One suspect.

    Attributes
    ----------
    label, partner : int
        Of the particle, and of the other part of a splitter; 0 and the number of its first
        voxel for a missed one.
    kind, reasons : str
    score : float
    voxel : (z, y, x)
        Where to look.
    box : Box or None
        What to look at: the particle, or both parts. None if it is not there any more.
    verdict : str
        ``"open"``, ``"accept"``, ``"fix"``, ``"skip"`` or ``"fixed"``.
    """

    label: int
    kind: str
    partner: int
    score: float
    reasons: str
    voxel: tuple[float, float, float]
    box: Box | None
    verdict: str

    @property
    def suspect(self) -> Suspect:
        """Its name among the judgements."""
        return self.label, self.kind, self.partner


class SuspectQueue:
    """Suspects in their order, with what was said of them, kept right from edit to edit.

    A row whose particle was edited since the suspects were found counts as fixed, unless its new
    score is `STILL_SUSPECT` or more. A word on a suspect holds until its particle is edited.

    Parameters
    ----------
    project : Project
        After the step 'suspects'.
    proofreader : Proofreader
        Its edits are heard of from now on; those made before are caught up with.

    Attributes
    ----------
    suspects : LiveSuspects
        Their rows; `catch_up` after edits.
    changed : psygnal signal
        Something was edited, judged or scored again; in the thread that did so.
    current : tuple or None
        The suspect that is looked at: label, kind, partner.
    kinds : frozenset of str or None
        Kinds that are shown and gone through; None for all.
    least_score : float
        Rows below are left out.

    Raises
    ------
    SlagsegError
        If the suspects were not found yet, or those of another segmentation.
    """

    def __init__(self, project: Project, proofreader: Proofreader) -> None:
        self.kinds: frozenset[str] | None = None
        self.least_score = 0.0
        self.current: Suspect | None = None
        self.suspects = LiveSuspects(project, proofreader)
        self.changed = self.suspects.changed
        self._size = np.asarray(project.voxel_size_um)
        rows = self.suspects.rows
        self._first = dict(zip(_names(rows), rows["score"].tolist()))
        self._verdicts = Verdicts(proofreader.history)
        self._passed = 2.0

    @property
    def stale(self) -> bool:
        """Whether particles were edited that were not scored again yet."""
        return self.suspects.stale

    def catch_up(self) -> bool:
        """Score all particles again that wait for it; whether there were any."""
        return self.suspects.catch_up()

    def close(self) -> None:
        """Hear of edits no longer."""
        self.suspects.close()

    # -- rows ------------------------------------------------------------------------

    def rows(self) -> pd.DataFrame:
        """What is shown, in its order: columns of ``suspects.csv`` and ``verdict``."""
        rows = self.suspects.rows
        kept = (rows["score"] >= self.least_score).to_numpy()
        if self.kinds is not None:
            kept = kept & rows["kind"].isin(self.kinds).to_numpy()
        rows = rows[kept].reset_index(drop=True)
        return rows.assign(verdict=self._words(_names(rows), rows["score"].to_numpy()))

    def _words(self, names: list[Suspect], scores: NDArray[np.float64]) -> list[str]:
        judged, touched = self._verdicts.now(), self.suspects.touched
        return [
            judged.get(name) or self._unsaid(name, score, touched)
            for name, score in zip(names, scores.tolist())
        ]

    @staticmethod
    def _unsaid(name: Suspect, score: float, touched: Collection[int]) -> str:
        label, _, partner = name
        edited = label in touched or (bool(label) and partner in touched)
        return FIXED if edited and score < STILL_SUSPECT else "open"

    def counts(self) -> dict[str, int]:
        """Rows shown by verdict; rows that edits made go are among the fixed ones."""
        shown = self.rows()
        names = _names(shown)
        # the rows that an edit brings with it are no more work, unless they are suspect still
        counts = [n in self._first or v != FIXED for n, v in zip(names, shown["verdict"])]
        counted = shown[np.array(counts, dtype=bool)]
        found = {str(k): int(n) for k, n in counted["verdict"].value_counts().items()}
        there = set(_names(self.suspects.rows)) if self.suspects.touched else self._first.keys()
        lost = sum(
            self._first[name] >= self.least_score and (self.kinds is None or name[1] in self.kinds)
            for name in self._first.keys() - there
        )
        return {**found, FIXED: found.get(FIXED, 0) + lost} if lost else found

    @property
    def left(self) -> int:
        """Rows shown that are open."""
        return self.counts().get("open", 0)

    @property
    def done(self) -> int:
        """Rows shown that were judged or fixed, with those that edits made go."""
        return sum(n for verdict, n in self.counts().items() if verdict != "open")

    # -- going through it ------------------------------------------------------------

    def row(self, suspect: Suspect) -> SuspectRow | None:
        """A suspect that is shown; None for one that is not."""
        shown = self.rows()
        at = _position(shown, suspect)
        return None if at is None else self._made(shown, at)

    def find(self, label: int) -> SuspectRow | None:
        """First row shown of a particle, also as the other part of a splitter."""
        shown = self.rows()
        of_it = (shown["label"] == label) | (
            (shown["partner"] == label) & (shown["kind"] == "splitter")
        )
        at = np.flatnonzero(of_it.to_numpy()) if label else np.empty(0, int)
        return self._made(shown, int(at[0])) if len(at) else None

    def go(self, suspect: Suspect) -> SuspectRow | None:
        """Make a suspect the current one."""
        found = self.row(suspect)
        if found is not None:
            self.current, self._passed = suspect, found.score
        return found

    def next(self) -> SuspectRow | None:
        """Go to the next open one after the current; from the end to the first open one.

        Returns
        -------
        SuspectRow or None
            None if all were looked at.
        """
        shown = self.rows()
        waits = np.flatnonzero((shown["verdict"] == "open").to_numpy())
        if not len(waits):
            return None
        after = waits[waits > self._here(shown)]
        return self._gone_to(shown, int(after[0] if len(after) else waits[0]))

    def previous(self) -> SuspectRow | None:
        """Go back to the row before the current, whatever was said of it; None at the first."""
        shown = self.rows()
        here = self._here(shown)
        at = int(np.ceil(here)) - 1
        return self._gone_to(shown, at) if 0 <= at < len(shown) else None

    def _here(self, shown: pd.DataFrame) -> float:
        """Row of the current suspect; between two rows if it is not shown any more."""
        at = None if self.current is None else _position(shown, self.current)
        if at is not None:
            return at
        if self.current is None:
            return -1
        return float(np.count_nonzero(shown["score"] > self._passed)) - 0.5

    def _gone_to(self, shown: pd.DataFrame, at: int) -> SuspectRow:
        found = self._made(shown, at)
        self.current, self._passed = found.suspect, found.score
        return found

    def _made(self, shown: pd.DataFrame, at: int) -> SuspectRow:
        row = shown.iloc[at]
        place = row[["z_um", "y_um", "x_um"]].to_numpy(np.float64) / self._size - 0.5
        label, kind, partner = int(row["label"]), str(row["kind"]), int(row["partner"])
        z, y, x = (float(v) for v in place)
        return SuspectRow(
            label, kind, partner, float(row["score"]), str(row["reasons"]), (z, y, x),
            self.suspects.box(label, kind, partner), str(row["verdict"]),
        )  # fmt: skip


def _names(rows: pd.DataFrame) -> list[Suspect]:
    return list(zip(rows["label"].tolist(), rows["kind"].tolist(), rows["partner"].tolist()))


def _position(rows: pd.DataFrame, suspect: Suspect) -> int | None:
    label, kind, partner = suspect
    same = (rows["label"] == label) & (rows["kind"] == kind) & (rows["partner"] == partner)
    at = np.flatnonzero(same.to_numpy())
    return int(at[0]) if len(at) else None


__all__ = ["FIXED", "STILL_SUSPECT", "SuspectQueue", "SuspectRow"]
