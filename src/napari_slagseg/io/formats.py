"""Versions of our own files, so that an older program says so before a newer file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_slagseg.data import Phase, PhaseTable, SlagsegError


def check_version(content: Mapping[str, Any], newest: int, path: str | Path) -> None:
    """Refuse a file of a newer format than this program knows (field ``format``)."""
    found = content.get("format", 1)
    if not isinstance(found, int) or found > newest:
        raise SlagsegError(
            f"{path} has the format version {found}, written by a newer napari-slagseg; this one "
            f"knows versions up to {newest}. Update it."
        )


def table_to_json(table: PhaseTable) -> dict[str, Any]:
    """A phase table, target included, as JSON fields."""
    return {"target": table.target, "phases": [dict(vars(phase)) for phase in table]}


def table_from_json(content: Mapping[str, Any]) -> PhaseTable:
    """Phase table of what `table_to_json` gave."""
    return PhaseTable(tuple(Phase(**phase) for phase in content["phases"]), content["target"])


__all__ = ["check_version", "table_from_json", "table_to_json"]
