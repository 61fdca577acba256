"""All that a user can correct in a segmentation by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from napari_slagseg.data import Delta, SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.workflow.proofreading.adding import Adding
from napari_slagseg.workflow.proofreading.brushing import Brushing
from napari_slagseg.workflow.proofreading.dividing import Dividing
from napari_slagseg.workflow.proofreading.outcome import Outcome
from napari_slagseg.workflow.proofreading.places import ids_of
from napari_slagseg.workflow.proofreading.shaping import Shaping
from napari_slagseg.workflow.proofreading.standing import (
    JUDGE,
    LOCK,
    Standing,
    Suspect,
    Verdict,
    check_verdict,
)


class Proofreader(Dividing, Adding, Shaping, Brushing):
    """Corrects the particles and phases of a project's segmentation.

    Every method that changes something is one undoable step, on disk when it returns, and works
    in the box of the particles concerned only, whatever the volume's size. Voxels are (z, y, x)
    of the volume. If a step is refused nothing is changed; the error says what to do.

    Parameters
    ----------
    project : Project
        With a segmentation. Edits need its lock, reading does not.

    Raises
    ------
    SlagsegError
        If there is no segmentation, or its edits cannot be read.
    """

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._standing = Standing(self.history, lambda label: label in self.boxes)

    def lock(self, labels: Iterable[int], on: bool = True) -> Outcome:
        """Lock particles, so that a new segmentation leaves them as they are; or unlock them."""
        ids = ids_of(labels)
        if not ids:
            raise SlagsegError("No particle is selected that could be locked; click one.")
        return self.note(LOCK, {"labels": ids, "on": bool(on)}, ids)

    def judge(self, label: int, kind: str, partner: int, verdict: Verdict) -> Outcome:
        """Say what was found of a suspect.

        Parameters
        ----------
        label : int
            0 for a particle that was missed.
        kind : str
            Of suspicion.
        partner : int
            The other particle of a pair; 0 for none. Of a missed particle, which voxel is its
            first.
        verdict : str
            ``"accept"`` (it is right), ``"fix"``, ``"skip"``, or ``"open"`` to take the word back.
        """
        check_verdict(verdict)
        return self.note(
            JUDGE,
            {"label": int(label), "kind": kind, "partner": int(partner), "verdict": verdict},
            # what was missed has no number; its partner is a voxel
            [n for n in (label, partner) if n and label],
        )

    def locked(self) -> frozenset[int]:
        """Particles that are locked."""
        return self._standing.locked()

    def edited(self) -> frozenset[int]:
        """Particles as edits that hold have left them."""
        return self._standing.edited()

    def kept(self) -> frozenset[int]:
        """Particles that a new segmentation must not replace: edited, locked, or accepted."""
        return self._standing.kept()

    def deleted(self) -> Iterator[Delta]:
        """Voxels that deletions which hold made background, oldest first."""
        return self._standing.deleted()

    def judgements(self) -> dict[Suspect, str]:
        """Last verdict of each suspect, by label, kind and partner."""
        return self._standing.judgements()


__all__ = ["Proofreader"]
