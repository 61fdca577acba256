"""What is on disk: the project folder, its lock, its journal and the records of its steps."""

from napari_slagseg.networks import NetworkKind
from napari_slagseg.project.description import (
    SCHEMA_VERSION,
    CtEntry,
    MapEntry,
    ProjectDescription,
)
from napari_slagseg.project.journal import Journal
from napari_slagseg.project.lock import ProjectLock, ProjectLockedError, ProjectReadOnlyError
from napari_slagseg.project.placement_history import PlacementHistory
from napari_slagseg.project.proposal import Proposal
from napari_slagseg.project.records import StepRecord
from napari_slagseg.project.store import Correction, Project

__all__ = [
    "SCHEMA_VERSION",
    "Correction",
    "CtEntry",
    "Journal",
    "MapEntry",
    "NetworkKind",
    "PlacementHistory",
    "Project",
    "ProjectDescription",
    "ProjectLock",
    "ProjectLockedError",
    "ProjectReadOnlyError",
    "Proposal",
    "StepRecord",
]
