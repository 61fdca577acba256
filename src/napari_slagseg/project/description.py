"""``project.json``: what a project is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import read_json

SCHEMA_VERSION = 1
"""Version of the folder's layout; a newer one is refused, an older one migrated."""


class CtEntry(BaseModel):
    """Where the CT lies. It is referred to, not copied.

    The path relative to the project is tried first, so that a folder with both
    can be moved; size and time of change tell whether the file is still the one
    whose fingerprint is noted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    relative: str
    fingerprint: str
    stamp: str
    shape: tuple[int, int, int]
    dtype: str
    voxel_size_um: tuple[float, float, float]
    raw: dict[str, Any] | None = None


class MapEntry(BaseModel):
    """One mineral map; its phase ids are copied into the project."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    fingerprint: str
    pixel_size_um: float
    shape: tuple[int, int]
    unmatched_fraction: float


class ProjectDescription(BaseModel):
    """Content of ``project.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    software: str
    created: str
    name: str
    ct: CtEntry
    maps: tuple[MapEntry, ...]
    target: str


def read_description(path: Path) -> ProjectDescription:
    """Read ``project.json``.

    Raises
    ------
    SlagsegError
        If the folder holds no project, the file is damaged, or it was written
        by a newer version of the software.
    """
    if not path.is_file():
        raise SlagsegError(
            f"{path.parent} is not a slagseg project: it has no project.json. "
            "Make one with 'slagseg new', or open the folder that holds the file."
        )
    try:
        content = read_json(path, "the project description")
    except SlagsegError as error:
        raise SlagsegError(f"{error} Restore it from a backup.") from error
    if not isinstance(content, dict):
        raise SlagsegError(f"{path} is not a project description: it holds no JSON object.")
    version = content.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise SlagsegError(
            f"{path} was written by a newer version of napari-slagseg (schema {version}; this "
            f"one knows up to {SCHEMA_VERSION}). Update with 'pip install -U napari-slagseg'; "
            "nothing was changed."
        )
    try:
        return ProjectDescription.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SlagsegError(
            f"{path} is damaged: {where}: {first['msg']}. Restore it from a backup."
        ) from error


__all__ = ["SCHEMA_VERSION", "CtEntry", "MapEntry", "ProjectDescription", "read_description"]
