"""Score one label volume against another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_slagseg import io
from napari_slagseg.data import (
    SlagsegError,
)

# an Okabe-Ito colour each, so that a table made of ids alone can be drawn


def score_files(
    what: str, predicted: str | Path, truth: str | Path, *, out: str | Path | None = None
) -> dict[str, Any]:
    """Score one integer array against another; unknown voxels (-1) are left out.

    Parameters
    ----------
    what : {"particles", "phases"}
    predicted, truth : path
    out : path or None
        JSON file for the scores.

    Returns
    -------
    dict
        Particles: ``f1, f1_match, f1_instance, merger_ratio, splitter_ratio,
        n_reference, n_predicted``; phases: ``dice, accuracy, iou``. NaN where a
        score is not defined (null in the file).
    """
    from napari_slagseg.evaluation import score_particles, score_phases

    found = io.read_labels(predicted, what=f"predicted {what}")
    known = io.read_labels(truth, what=f"true {what}")
    if found.shape != known.shape:
        raise SlagsegError(
            f"{predicted} has the shape {found.shape} and {truth} {known.shape}; "
            "they must be of the same shape to be compared."
        )
    if what == "particles":
        scores = dict(score_particles(found, known))
    elif what == "phases":
        scores = dict(score_phases(found, known))
    else:
        raise SlagsegError(f"Nothing is known of scores for '{what}': particles or phases.")
    if out is not None:
        io.write_json(out, scores)
    return scores


__all__ = ["score_files"]
