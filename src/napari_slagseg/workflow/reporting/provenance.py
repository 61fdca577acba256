"""What a report's numbers can be traced back to."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_slagseg import io
from napari_slagseg.networks import NetworkCard
from napari_slagseg.networks.settings import NetworkKind
from napari_slagseg.project import Project, StepRecord
from napari_slagseg.workflow.configs import ReportConfig
from napari_slagseg.workflow.step import installed_versions

KINDS: tuple[NetworkKind, ...] = ("phase", "particle")

_EDITS = ("correction", "undo", "redo", "placement step")
"""Events of the journal that a person brought about."""


def provenance(project: Project, config: ReportConfig) -> dict[str, Any]:
    """Inputs with their hashes, configurations, networks, edits and versions, as JSON values.

    Parameters
    ----------
    project : Project
    config : ReportConfig
        Of the report itself, whose step is not recorded yet while it runs.

    Returns
    -------
    values : dict
        ``inputs`` (CT and maps with SHA-256, shape and voxel or pixel size), ``legend``,
        ``steps`` (configuration, fingerprints of what was read, versions, times, summary of the
        last run of each), ``report`` (its configuration), ``networks`` (cards of those that the
        segmentation was made with, and their weights' hashes), ``edits``, ``versions``.
    """
    known = project.provenance()
    ct = project.description.ct
    return {
        "kind": "slagseg provenance",
        "project": project.description.name,
        "created": project.description.created,
        "made_with": project.description.software,
        "inputs": {
            "ct": {
                "file": Path(ct.path).name,
                "sha256": ct.fingerprint,
                "shape": list(ct.shape),
                "dtype": ct.dtype,
                "voxel_size_um": list(ct.voxel_size_um),
            },
            "maps": {
                entry.name: {
                    "file": Path(entry.source).name,
                    "sha256": entry.fingerprint,
                    "shape": list(entry.shape),
                    "pixel_size_um": entry.pixel_size_um,
                    "share_of_no_phase": entry.unmatched_fraction,
                }
                for entry in project.description.maps
            },
        },
        "legend": io.read_json(project.folder / "phases.json"),
        "steps": {name: step for name, step in known["steps"].items() if name != "report"},
        "report": config.model_dump(mode="json"),
        "networks": networks_used(project),
        "edits": edits(project),
        "corrections": known["corrections"],
        "versions": installed_versions(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def networks_used(project: Project) -> dict[str, list[dict[str, Any]]]:
    """Cards of the networks that the segmentation was made with, by kind; {} where there is none.

    A network whose weights are no longer in the project is left out.
    """
    record = project.record("segment")
    if record is None:
        return {}
    return {
        kind: [_network(project, run) for run in _runs_of(project, record, kind)] for kind in KINDS
    }


def _runs_of(project: Project, record: StepRecord, kind: NetworkKind) -> list[Path]:
    """Training runs that a segmentation took: the named one, or that whose weights it noted."""
    trained = project.trained_runs(kind)
    named = record.config.get(f"{kind}_run")
    noted = record.inputs.get(f"{kind} network")
    for i, run in enumerate(trained):
        is_it = run.name == named if named else project.weights_fingerprint(run) == noted
        if is_it:
            # an ensemble is the runs up to that one
            return trained[max(0, i + 1 - int(record.config.get("ensemble", 1))) : i + 1]
    return []


def _network(project: Project, run: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {"run": run.name}
    card = run / "card.json"
    if card.is_file():
        entry["card"] = NetworkCard.from_json(
            io.read_json(card, "the card of a network"), str(card)
        ).to_json()
        entry["weights_sha256"] = project.weights_fingerprint(run)
    return entry


def edits(project: Project) -> list[Mapping[str, Any]]:
    """What people changed by hand, oldest first: corrections, and steps of placing maps."""
    return [
        {key: value for key, value in entry.items() if key != "user"}
        for entry in project.journal.entries()
        if entry.get("event") in _EDITS and entry.get("what") != "placed automatically"
    ]


__all__ = ["edits", "networks_used", "provenance"]
