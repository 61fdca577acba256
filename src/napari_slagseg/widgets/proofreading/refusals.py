"""When particles cannot be edited, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slagseg.widgets.session import Session

EDITS_GO_ON = frozenset({"register", "annotate", "train-phase", "train-particle", "teach"})
"""Steps that neither read nor write particles and phases while they run."""


def refusal_of(session: Session) -> str:
    """Why nothing of the open project can be edited now; empty where it can."""
    project = session.project
    if project is None:
        return "Open a project first."
    if not session.writable:
        return session.read_only_reason
    if not project.segmentation_path.exists():
        return "There are no particles to correct yet. Run 'Segment' first."
    in_the_way = sorted(session.running - EDITS_GO_ON)
    if in_the_way:
        return (
            f"Particles cannot be edited while '{in_the_way[0]}' runs, as it reads or writes "
            "them. Wait until it is done, or cancel it in the workflow dock."
        )
    return ""


__all__ = ["EDITS_GO_ON", "refusal_of"]
