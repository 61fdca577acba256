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
from napari_slagseg.data.blocks import VolumeLike
from napari_slagseg.evaluation import score_particles
from napari_slagseg.segmentation import separate_particles
from napari_slagseg.workflow.threshold_boxes import MOST_VOXELS, known_boxes

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
    phases: VolumeLike,
    particle_probability: VolumeLike,
    truth: GroundTruth | None,
    *,
    minimum_voxels: int = 100,
    most_voxels: int = MOST_VOXELS,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> ThresholdChoice:
    """Try marker thresholds and keep the one whose particles agree best with known cuts.

    The focal loss leaves probabilities unsure, so that 0.5 is not where particles
    and gaps part: after a short training most gaps lie above it, and touching
    particles stay joined. In 3D the volume is separated as it will be; on the cuts
    its labels are compared with the particles of the maps (F1_match, P Eq. 3). Of
    equals, the one nearest to 0.5 is kept.

    Large volumes are tried on boxes around known voxels only (see `known_boxes`), which
    depend on the truth alone. Two particles that join farther than
    `threshold_boxes.MARGIN` voxels from the cut, beyond the box, count as apart there.

    Parameters
    ----------
    phases, particle_probability : VolumeLike of uint8
        (z, y, x), as `segmentation.separate_particles` takes them; read by boxes.
    truth : GroundTruth or None
        Give the part that was trained on, so that what is held out remains a check.
    minimum_voxels : int
    most_voxels : int
        Of all boxes together; a volume of up to as many is taken whole. Memory: about 14
        bytes for each voxel of the largest box.
    progress, cancel
        See `napari_slagseg.data.running`.

    Returns
    -------
    ThresholdChoice
        0.5 where fewer than 20 particles are known.
    """
    if truth is None:
        return ThresholdChoice()
    n_particles = len(np.unique(truth.particles[truth.particles > 0]))
    if n_particles < FEWEST:
        return ThresholdChoice(n_particles=n_particles)
    boxes = known_boxes(truth, most_voxels)
    found: dict[float, list[NDArray[np.int64]]] = {threshold: [] for threshold in TRIED}
    wanted: list[NDArray[np.int64]] = []
    total, done = len(TRIED) * sum(box.size for box in boxes), 0
    for box in boxes:
        inside = [np.asarray(volume[box.box]) for volume in (phases, particle_probability)]
        for threshold in TRIED:
            stop_if_cancelled(cancel)
            progress(ProgressEvent("choosing the marker threshold", done / total))
            separated = separate_particles(
                *inside, threshold=threshold, minimum_voxels=minimum_voxels, cancel=cancel
            )
            labels = separated.particles.reshape(-1)[box.voxels].astype(np.int64)
            here, particles = box.compared(labels)
            found[threshold].append(_apart(here, found[threshold]))
            done += box.size
        wanted.append(_apart(particles, wanted))
    tried: dict[float, float] = {}
    known = np.concatenate(wanted)
    for threshold in TRIED:
        score = score_particles(np.concatenate(found[threshold]), known)["f1_match"]
        tried[threshold] = 0.0 if np.isnan(score) else float(score)
    best = max(tried, key=lambda t: (tried[t], -abs(t - USUAL)))
    return ThresholdChoice(best, tried, len(np.unique(known[known > 0])))


def _apart(labels: NDArray[np.int64], before: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Labels of one box, other ones than those of the boxes before; 0 stays 0."""
    most = max((int(other.max(initial=0)) for other in before), default=0)
    return np.where(labels > 0, labels + most, labels)


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
