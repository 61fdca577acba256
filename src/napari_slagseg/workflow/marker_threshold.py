"""The marker threshold that separates the particles of known cuts best."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    GroundTruth,
    Progress,
    ProgressEvent,
    SlagsegError,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.evaluation import score_particles
from napari_slagseg.segmentation import separate_particles

USUAL = 0.5
"""K's threshold; also where too few particles are known to choose another."""

TRIED = tuple(round(0.4 + 0.05 * i, 2) for i in range(10))
"""0.4 to 0.85."""

NOTE = "marker_threshold.json"
"""File beside a particle network's weights that tells the threshold chosen for it."""

FEWEST = 20
"""Known particles from which on a threshold is chosen by them."""


@dataclass(frozen=True)
class ThresholdChoice:
    """A threshold, and what spoke for it.

    Attributes
    ----------
    threshold : float
    f1_match : dict of float to float
        Score of every threshold tried, on the known cuts; empty where none was.
    n_particles : int
        Known particles that it was chosen by.
    """

    threshold: float = USUAL
    f1_match: dict[float, float] = field(default_factory=dict)
    n_particles: int = 0


def choose_threshold(
    phases: NDArray[np.uint8],
    particle_probability: NDArray[np.uint8],
    truth: GroundTruth | None,
    *,
    minimum_voxels: int = 100,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> ThresholdChoice:
    """Try marker thresholds and keep the one whose particles agree best with known cuts.

    The focal loss leaves probabilities unsure, so that 0.5 is not where particles
    and gaps part: after a short training most gaps lie above it, and touching
    particles stay joined. In 3D the volume is separated as it will be; on the cuts
    its labels are compared with the particles of the maps (F1_match, P Eq. 3). Of
    equals, the one nearest to 0.5 is kept.

    Parameters
    ----------
    phases, particle_probability : (z, y, x) uint8
        As `segmentation.separate_particles` takes them.
    truth : GroundTruth or None
        Give the part that was trained on, so that what is held out remains a check.
    minimum_voxels : int
    progress, cancel
        See `napari_slagseg.data.running`.

    Returns
    -------
    ThresholdChoice
        0.5 where fewer than 20 particles are known.
    """
    if truth is None:
        return ThresholdChoice()
    known = truth.particles >= 0
    voxels, wanted = truth.voxels[known], truth.particles[known].astype(np.int64)
    n_particles = len(np.unique(wanted[wanted > 0]))
    if n_particles < FEWEST:
        return ThresholdChoice(n_particles=n_particles)
    tried: dict[float, float] = {}
    for threshold in TRIED:
        stop_if_cancelled(cancel)
        progress(ProgressEvent("choosing the marker threshold", len(tried) / len(TRIED)))
        separated = separate_particles(
            phases,
            particle_probability,
            threshold=threshold,
            minimum_voxels=minimum_voxels,
            cancel=cancel,
        )
        found = separated.particles.reshape(-1)[voxels].astype(np.int64)
        score = score_particles(found, wanted)["f1_match"]
        tried[threshold] = 0.0 if np.isnan(score) else float(score)
    best = max(tried, key=lambda t: (tried[t], -abs(t - USUAL)))
    return ThresholdChoice(best, tried, n_particles)


def note_threshold(run_folder: Path, choice: ThresholdChoice) -> None:
    """Keep a choice beside the network, for other volumes that it is used on."""
    if not choice.f1_match:
        return
    scores = {str(threshold): score for threshold, score in choice.f1_match.items()}
    io.write_json(
        run_folder / NOTE,
        {
            "threshold": choice.threshold,
            "f1_match": scores,
            "n_particles": choice.n_particles,
        },
    )


def noted_threshold(weights: Path) -> float | None:
    """Threshold kept beside a network.

    Parameters
    ----------
    weights : path
        Of the weights, or of their folder.

    Raises
    ------
    SlagsegError
        If the note is damaged.
    """
    path = (weights if weights.is_dir() else weights.parent) / NOTE
    if not path.is_file():
        return None
    content = io.read_json(path, "the note of a marker threshold")
    threshold = content.get("threshold") if isinstance(content, dict) else None
    if not isinstance(threshold, (int, float)) or not 0 < threshold < 1:
        raise SlagsegError(
            f"{path} names no threshold between 0 and 1. Delete it, or give --threshold."
        )
    return float(threshold)


__all__ = ["USUAL", "ThresholdChoice", "choose_threshold", "note_threshold", "noted_threshold"]
