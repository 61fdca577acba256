"""The marker threshold that separates the particles of known cuts best."""

from __future__ import annotations

from collections.abc import Sequence
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
from napari_slagseg.workflow.threshold_boxes import MOST_VOXELS, KnownBox, known_boxes

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
    truth: GroundTruth | Sequence[GroundTruth] | None,
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
    truth : GroundTruth, sequence of them, or None
        Give the part that was trained on, so that what is held out remains a check. Of several,
        each is compared by itself (a particle may be known in each under another number), and
        their scores count by how many particles they know.
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
    given = [] if truth is None else [truth] if isinstance(truth, GroundTruth) else list(truth)
    counts = [len(np.unique(one.particles[one.particles > 0])) for one in given]
    compared = [_Compared() for one, count in zip(given, counts) if count >= FEWEST]
    if not compared:
        return ThresholdChoice(n_particles=sum(counts))
    # a box that several truths share is separated once
    boxes: dict[tuple[int, ...], list[tuple[_Compared, KnownBox]]] = {}
    enough = [one for one, count in zip(given, counts) if count >= FEWEST]
    for into, one in zip(compared, enough):
        for box in known_boxes(one, most_voxels):
            ends = tuple(end for side in box.box for end in (side.start, side.stop))
            boxes.setdefault(ends, []).append((into, box))
    total, done = len(TRIED) * sum(shared[0][1].size for shared in boxes.values()), 0
    for shared in boxes.values():
        where = shared[0][1]
        inside = [np.asarray(volume[where.box]) for volume in (phases, particle_probability)]
        for threshold in TRIED:
            stop_if_cancelled(cancel)
            progress(ProgressEvent("choosing the marker threshold", done / total))
            separated = separate_particles(
                *inside, threshold=threshold, minimum_voxels=minimum_voxels, cancel=cancel
            )
            labels = separated.particles.reshape(-1)
            for into, box in shared:
                into.add(threshold, box, labels[box.voxels].astype(np.int64))
            done += where.size
    tried: dict[float, float] = {}
    weights = [max(1, one.n_particles) for one in compared]
    for threshold in TRIED:
        scores = [one.score(threshold) for one in compared]
        tried[threshold] = float(np.average(scores, weights=weights))
    best = max(tried, key=lambda t: (tried[t], -abs(t - USUAL)))
    return ThresholdChoice(best, tried, sum(one.n_particles for one in compared))


class _Compared:
    """Labels at every threshold beside the particles of one truth, box by box."""

    def __init__(self) -> None:
        self.found: dict[float, list[NDArray[np.int64]]] = {threshold: [] for threshold in TRIED}
        self.wanted: list[NDArray[np.int64]] = []

    def add(self, threshold: float, box: KnownBox, labels: NDArray[np.int64]) -> None:
        """Note what was found at a threshold, at the known voxels of a box."""
        here, particles = box.compared(labels)
        self.found[threshold].append(_apart(here, self.found[threshold]))
        if threshold == TRIED[0]:
            self.wanted.append(_apart(particles, self.wanted))

    @property
    def n_particles(self) -> int:
        """Particles that are known."""
        known = np.concatenate(self.wanted)
        return len(np.unique(known[known > 0]))

    def score(self, threshold: float) -> float:
        """F1_match at a threshold."""
        found = np.concatenate(self.found[threshold])
        score = score_particles(found, np.concatenate(self.wanted))["f1_match"]
        return 0.0 if np.isnan(score) else float(score)


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
