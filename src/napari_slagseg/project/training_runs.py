"""Training runs: the folders that networks are trained in."""

from __future__ import annotations

from pathlib import Path

from napari_slagseg.networks.settings import WEIGHTS


def training_runs(folder: Path) -> list[Path]:
    """Training runs in a folder such as ``models/phase``, oldest first."""
    # a user may have put one of them aside as "run_1 old"
    runs = (f for f in folder.glob("run_*") if f.is_dir() and f.name[4:].isdecimal())
    return sorted(runs, key=lambda run: int(run.name[4:]))


def trained_runs(folder: Path) -> list[Path]:
    """Those of the `training_runs` that have weights, oldest first."""
    return [run for run in training_runs(folder) if has_weights(run)]


def has_weights(run: Path) -> bool:
    """Whether a network was trained in a folder."""
    return (run / WEIGHTS).is_file()


__all__ = ["has_weights", "trained_runs", "training_runs"]
