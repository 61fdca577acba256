"""Small tables of a project for the page: its maps, its scores, the numbers on top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from napari_slagseg import io
from napari_slagseg.liberation import Sample
from napari_slagseg.project import Project
from napari_slagseg.workflow.reporting.printed import number

DESCRIPTOR_SCORES = "descriptor_scores"
"""Table of the scores of descriptors (K Table 2), shown where it is there."""

_PHASE_SCORES = {"dice": "Dice (particles)", "accuracy": "accuracy (phases)"}
_PARTICLE_SCORES = {
    "f1": "F1",
    "f1_match": "F1_match (sections)",
    "f1_instance": "F1_instance",
    "merger_ratio": "mergers",
    "splitter_ratio": "splitters",
    "n_reference": "sections in the maps",
    "n_predicted": "sections predicted",
}


def map_table(project: Project) -> pd.DataFrame:
    """Placement of every map."""
    rows = []
    for name in project.map_names():
        placed = project.placed_map(name)
        entry = project.map_entry(name)
        accepted = 0 if placed is None else sum(c.accepted for c in placed.cutouts)
        cutouts = 0 if placed is None else len(placed.cutouts)
        rows.append(
            {
                "map": name,
                "pixels": " × ".join(map(str, entry.shape)),
                "pixel_size_um": entry.pixel_size_um,
                "placed": placed is not None and placed.placed,
                "score": np.nan if placed is None else float(placed.score),
                "accepted_cutouts": f"{accepted} of {cutouts}",
                "remark": "not registered" if placed is None else placed.reason,
            }
        )
    return pd.DataFrame(rows)


def agreement_tables(project: Project, scores: Mapping[str, Any]) -> list[tuple[str, pd.DataFrame]]:
    """Scores on known voxels, IoU by phase, and scores of descriptors where they were computed."""
    found: list[tuple[str, pd.DataFrame]] = []
    if scores:
        rows, iou = [], []
        for part, values in scores.items():
            row: dict[str, Any] = {"part": part.replace("_", " ")}
            row |= {word: values["phases"].get(key) for key, word in _PHASE_SCORES.items()}
            row |= {word: values["particles"].get(key) for key, word in _PARTICLE_SCORES.items()}
            rows.append(row)
            iou.append({"part": row["part"], **_iou(project, values["phases"].get("iou", {}))})
        found.append(("Scores", pd.DataFrame(rows)))
        found.append(("IoU by phase", pd.DataFrame(iou)))
    path = project.tables / f"{DESCRIPTOR_SCORES}.csv"
    if path.exists() and scores:
        found.append(("Descriptors of sections (K Table 2)", _in_words(io.read_frame(path))))
    return found


def _in_words(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores of descriptors with the words of the page."""
    if not len(scores):
        return scores
    words = scores["descriptor"].str.removesuffix("_um").str.replace("_", " ")
    parts = scores["part"].str.replace("_", " ")
    named = scores.assign(part=parts, descriptor=words, unit=scores["unit"].fillna(""))
    return named.rename(
        columns={"mae": "MAE", "bias": "BIAS", "r2": "R²", "spearman": "Spearman ρ"}
    )


def _iou(project: Project, by_id: Mapping[Any, Any]) -> dict[str, Any]:
    names = {phase.id: phase.name for phase in project.ground_truth().table}
    return {names.get(int(key), str(key)): value for key, value in by_id.items()}


def tiles_of(
    project: Project, particles: Sample, frames: Mapping[str, pd.DataFrame]
) -> list[tuple[str, str]]:
    """The few numbers on top of the page: (value, name)."""
    amount = particles.amounts * particles.weights
    target = float((particles.target_amounts * particles.weights).sum())
    whole = float(amount.sum())
    measured = len(particles.table if particles.whole is None else particles.whole)
    found = [
        (f"{len(particles):,}", f"particles, of {measured:,} measured"),
        (particles.target_name or "–", "target"),
        (
            number(target / whole if whole > 0 else np.nan, percent=True),
            f"of the particles' {particles.measure} is target",
        ),
    ]
    groups = frames.get("liberation_groups")
    if groups is not None and len(groups):
        of_it = (groups["sample"] == particles.label) & (groups["by"] == "volume_liberation")
        last = groups[of_it].tail(1)
        for group, value in zip(last["group"], last["value"].to_numpy(float)):
            found.append((number(value, percent=True), f"of the target is {group}"))
    z, y, x = project.voxel_size_um
    size = f"{z:g}" if z == y == x else f"{z:g} × {y:g} × {x:g}"
    found.append((f"{size} µm", "edge of a voxel"))
    return found


__all__ = ["DESCRIPTOR_SCORES", "agreement_tables", "map_table", "tiles_of"]
