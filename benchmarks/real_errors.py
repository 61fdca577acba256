"""Errors that a network made itself, found by matching with a phantom's exact truth."""

from __future__ import annotations

from pathlib import Path

import cc3d
import numpy as np
import pandas as pd
from benchmarks.planted_errors import Error, Segmented
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.evaluation import contingency
from napari_slagseg.evaluation.particle_scores import MAJORITY
from napari_slagseg.phantom import read_phantom_truth


def read_real(store: Path, truth: Path) -> Segmented:
    """A segmentation with the errors that it has against the truth.

    Parameters
    ----------
    store : path
        Project, or Zarr store of ``slagseg predict``.
    truth : path
        Folder of the sample, as ``slagseg phantom`` made it.
    """
    inner = store / "segmentation.zarr"
    store = inner if inner.exists() else store
    particles, probability, phases = (
        io.read_zarr_array(store, name) for name in ("particles", "particle_probability", "phases")
    )
    errors = real_errors(particles, phases, read_phantom_truth(truth).particles)
    return Segmented(particles, probability, phases, errors)


def real_errors(
    particles: NDArray[np.uint32], phases: NDArray[np.uint8], truth: NDArray[np.uint32]
) -> list[Error]:
    """What is wrong with particles; true ones smaller than the smallest found one do not count.

    - merger: at least half of each of two or more true particles lies in one found particle
    - splitter: at least half of each of two or more found particles lies in one true particle
    - missed: no found particle holds half of a true one, nor is most of it part of another
    - false: at least half of a found particle lies outside all true ones
    """
    table = contingency(particles.astype(np.int64), truth.astype(np.int64))
    every = pd.DataFrame({"true": table.truth, "found": table.predicted, "n": table.counts})
    of_true = every.groupby("true")["n"].transform("sum")
    of_found = every.groupby("found")["n"].transform("sum")
    least = int(of_found[every["found"] > 0].min())
    both = (every["true"] > 0) & (every["found"] > 0)
    counts = of_true >= least
    held = every[both & counts & (every["n"] >= MAJORITY * of_true)]
    errors = [
        Error("merger", (int(label),), np.nan)
        for label, rows in held.groupby("found")
        if len(rows) > 1
    ]
    parts = every[both & (every["n"] >= MAJORITY * of_found)]
    errors += [
        Error("splitter", tuple(int(k) for k in rows["found"]), np.nan)
        for _, rows in parts.groupby("true")
        if len(rows) > 1
    ]
    outside = every[(every["true"] == 0) & (every["found"] > 0)]
    outside = outside[outside["n"] > MAJORITY * of_found[outside.index]]
    errors += [Error("false", (int(label),), np.nan) for label in outside["found"]]
    without = every[(every["found"] == 0) & (every["true"] > 0) & counts]
    without = without[without["n"] > MAJORITY * of_true[without.index]]
    pieces = cc3d.connected_components((particles == 0) & (phases > 0), connectivity=6)
    firsts = np.unique(pieces, return_index=True)[1]
    piece_voxels = np.bincount(pieces.reshape(-1))
    for label in without["true"]:
        inside = np.bincount(pieces[truth == label], minlength=len(piece_voxels))
        mine = np.flatnonzero(inside >= np.maximum(MAJORITY * piece_voxels, 1))
        # rows of missed particles are named by their first voxel, less than 0 here
        names = tuple((-1 - firsts[mine[mine > 0]]).tolist())
        errors.append(Error("missed", names, np.nan))
    return errors
