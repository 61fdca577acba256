"""The rows of suspects, kept right from edit to edit."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psygnal import Signal

from napari_slagseg.data import Box, SlagsegError
from napari_slagseg.data.joined_tables import joined
from napari_slagseg.evaluation.suspects.ranking import ranked
from napari_slagseg.project import Project
from napari_slagseg.project.edits import Entry
from napari_slagseg.workflow.proofreading.outcome import Outcome
from napari_slagseg.workflow.proofreading.particle_boxes import box_of
from napari_slagseg.workflow.proofreading.proofreader import Proofreader
from napari_slagseg.workflow.proofreading.since import entries_since, labels_of
from napari_slagseg.workflow.suspect_tables import SuspectTables


class LiveSuspects:
    """Suspects as finding them in the edited volume would give them.

    An edit makes the particles that it touched wait; `catch_up` scores these again, in their
    boxes alone, against the particles that they were compared with before.

    Parameters
    ----------
    project : Project
        After the step 'suspects'.
    proofreader : Proofreader
        Its edits are heard of from now on; those made before wait.

    Raises
    ------
    SlagsegError
        If the suspects were not found yet, or those of another segmentation.
    """

    changed = Signal()
    """Something was edited, or scored again; in the thread that did so."""

    def __init__(self, project: Project, proofreader: Proofreader) -> None:
        self._reader = proofreader
        tables = SuspectTables.of(project)
        self._features, made_from = tables.features()
        if made_from.segmentation != project.segmentation_id():
            raise SlagsegError(
                f"{tables.queue_path} is of an earlier segmentation. Find the suspects of this one "
                "(slagseg suspects, or the button 'Find suspects')."
            )
        self._digest = made_from.edits
        self._rows = ranked(self._features)
        self._filled: set[int] = set()
        self._noting = threading.Lock()
        self._one_at_a_time = threading.RLock()
        since = self._since()
        self._touched = frozenset(labels_of(since))
        self._waiting = set(self._touched)
        self._boxes_waiting = [e.box for e in since]
        proofreader.changed.connect(self._heard)

    def close(self) -> None:
        """Hear of edits no longer."""
        self._reader.changed.disconnect(self._heard)

    # -- what is known -------------------------------------------------------------

    @property
    def rows(self) -> pd.DataFrame:
        """Columns of ``suspects.csv``, highest score first; not to be changed."""
        return self._rows

    @property
    def touched(self) -> frozenset[int]:
        """Particles that were edited since the suspects were found, there or gone."""
        return self._touched

    def box(self, label: int, kind: str, partner: int) -> Box | None:
        """Box of a suspect, of both parts of a splitter; None if it is not there any more."""
        if kind != "missed":
            ends = [self._reader.boxes.get(n) for n in (label, partner) if n]
            known = [e for e in ends if e is not None]
            if not known:
                return None
            return between(np.min(known, axis=0)[:3], np.max(known, axis=0)[3:])
        missed = self._features.missed
        if missed is None or partner not in missed["first"].to_numpy():
            return None
        low, high = (
            missed.loc[missed["first"] == partner, [f"{a}{end}" for a in "zyx"]].to_numpy()[0]
            for end in (0, 1)
        )
        return between(low, high)

    # -- following edits -----------------------------------------------------------

    @property
    def stale(self) -> bool:
        """Whether particles were edited that were not scored again yet."""
        return bool(self._waiting or self._boxes_waiting)

    def follow(self, outcome: Outcome) -> None:
        """Score what an edit touched again (and what edits before it did, if they wait).

        For a proofreader that this was made with, `catch_up` is enough.
        """
        self._note(outcome)
        self.catch_up()

    def catch_up(self) -> bool:
        """Score all particles again that wait for it; whether there were any."""
        with self._one_at_a_time:
            with self._noting:
                waiting, self._waiting = self._waiting, set()
                boxes, self._boxes_waiting = self._boxes_waiting, []
            if not waiting and not boxes:
                return False
            try:
                self._score_again(waiting, boxes)
            except BaseException:
                with self._noting:
                    self._waiting |= waiting
                    self._boxes_waiting += boxes
                raise
        self.changed.emit()
        return True

    def _score_again(self, waiting: set[int], changed: list[Box]) -> None:
        """Rows of particles that were edited, and of what was missed where voxels changed."""
        from napari_slagseg.evaluation.suspects.rescoring import rescored, still_missed

        reader = self._reader
        ends = {label: reader.boxes.get(label) for label in waiting}
        features, fresh = rescored(
            self._features,
            {label: None if e is None else box_of(e) for label, e in ends.items()},
            reader.particles,
            reader.probability,
            phases=reader.phases,
            voxel_size_um=reader.project.voxel_size_um,
        )
        rows, before = self._rows, self._features.missed
        gone = (rows["kind"] != "missed") & (
            rows["label"].isin(waiting) | rows["partner"].isin(waiting)
        )
        parts = [rows[~gone], ranked(fresh)]
        if before is not None and changed and len(before):
            near = before[_meets(before, changed)]
            held = still_missed(near, reader.particles, reader.phases)
            filled = (self._filled - set(near["first"][held])) | set(near["first"][~held])
            # all of them anew: what is undone comes back
            open_ones = before[~before["first"].isin(filled)]
            missed = replace(fresh, particles=fresh.particles[:0], pairs=fresh.pairs[:0])
            parts = [p[p["kind"] != "missed"] for p in parts]
            parts.append(ranked(replace(missed, missed=open_ones)))
            self._filled = filled
        rows = joined(parts)
        order = np.lexsort((rows["partner"], rows["label"], -rows["score"].to_numpy()))
        self._rows, self._features = rows.iloc[order].reset_index(drop=True), features

    def _heard(self, outcome: Outcome) -> None:
        self._note(outcome)
        self.changed.emit()

    def _note(self, outcome: Outcome) -> None:
        labels = {
            n
            for action in outcome.actions
            if action.voxels
            for n in (*action.labels_before, *action.labels_after)
        }
        with self._noting:
            self._waiting |= labels
            self._boxes_waiting += outcome.boxes
            # what is undone was not edited any more, if nothing else has touched it
            if outcome.step == "do":
                self._touched = self._touched | labels
            else:
                self._touched = frozenset(labels_of(self._since()))

    def _since(self) -> list[Entry]:
        found = entries_since(self._reader.history, self._digest)
        if found is None:
            raise SlagsegError(
                "The suspects are of another segmentation, or of edits that are not there any "
                "more. Find them again (slagseg suspects, or the button 'Find suspects')."
            )
        return found


def between(low: Iterable[int], high: Iterable[int]) -> Box:
    """Box from its first voxel to the one beyond it."""
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high))
    return z, y, x


def _meets(missed: pd.DataFrame, boxes: Iterable[Box]) -> NDArray[np.bool_]:
    """Which missed particles' boxes share a voxel with one of the boxes."""
    low, high = missed[["z0", "y0", "x0"]].to_numpy(), missed[["z1", "y1", "x1"]].to_numpy()
    found = np.zeros(len(missed), dtype=np.bool_)
    for box in boxes:
        start, stop = (np.array([getattr(s, end) for s in box]) for end in ("start", "stop"))
        found |= np.all((low < stop) & (start < high), axis=1)
    return found


__all__ = ["LiveSuspects", "between"]
