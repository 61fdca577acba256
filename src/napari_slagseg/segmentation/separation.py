"""Two predictions to separate particles (K 2.3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cc3d
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.segmentation.label_volumes import label_counts, renumber

CONNECTIVITY: Literal[6] = 6
"""Neighbourhood of markers and of particles: voxels that share a face."""


@dataclass(frozen=True)
class Separation:
    """Particles, and how they came about.

    Attributes
    ----------
    particles : (z, y, x) uint32
        0 background; particles 1, 2, ... without gaps. Each is connected by faces.
    n_markers : int
        Connected pieces of foreground with a particle probability above the threshold.
    n_without_marker : int
        Connected pieces of foreground that hold no marker and became particles of
        their own (before the small ones were removed).
    n_removed : int
        Particles removed for being small.
    """

    particles: NDArray[np.uint32]
    n_markers: int
    n_without_marker: int
    n_removed: int


def separate_particles(
    phases: NDArray[np.uint8],
    particle_probability: NDArray[np.uint8],
    *,
    threshold: float = 0.5,
    minimum_voxels: int = 100,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Separation:
    """Separate the foreground of the phase network by the particle network (K 2.3.5).

    The foreground ``F`` is where the phase is above 0. Markers are the connected
    pieces (6 neighbours) of the voxels of ``F`` whose particle probability is above
    the threshold; what the particle network sees outside ``F`` counts for nothing,
    so that the union of the particles is exactly ``F``. The markers grow into
    ``F`` by a watershed that floods the more probable voxels first. Pieces of
    ``F`` without a marker become particles of their own. Last, particles of fewer
    than `minimum_voxels` voxels become background and the others are numbered in
    the order of their first voxel's marker, then of the pieces without one.

    The result depends on the input only, not on threads. Memory on top of the two
    inputs: 4 bytes a voxel for the result, and 4 bytes a foreground voxel (or 5 a
    voxel, whichever is more) while working.

    Parameters
    ----------
    phases : (z, y, x) uint8
        Predicted phases, 0 background.
    particle_probability : (z, y, x) uint8
        Predicted probability of "inside a particle", 0 to 255 for 0 to 1.
    threshold : float
        Probability above which a voxel is part of a marker.
    minimum_voxels : int
        Smaller particles are removed; 0 or 1 keeps all.

    Returns
    -------
    Separation

    Raises
    ------
    SlagsegError
        If the arrays differ in shape, are not 3D uint8, or the threshold is not
        between 0 and 1.
    CancelledError
        If the token is set.
    """
    _check(phases, particle_probability, threshold)
    progress(ProgressEvent("finding the markers", 0.0))
    stop_if_cancelled(cancel)
    seeds = particle_probability > threshold * 255
    seeds &= phases > 0
    labels, n_markers = _components(seeds)
    del seeds
    stop_if_cancelled(cancel)

    def part(event: ProgressEvent) -> None:
        fraction = None if event.fraction is None else 0.1 + 0.7 * event.fraction
        progress(ProgressEvent(event.stage, fraction, event.values))

    from napari_slagseg.segmentation.flooding import flood  # imports numba, which takes a second

    flood(
        labels,
        np.ascontiguousarray(particle_probability),
        np.ascontiguousarray(phases),
        progress=part,
        cancel=cancel,
    )
    progress(ProgressEvent("finding particles without a marker", 0.8))
    stop_if_cancelled(cancel)
    rest = phases > 0
    rest &= labels == 0
    n_without = 0
    if rest.any():
        alone, n_without = _components(rest)
        alone[rest] += np.uint32(n_markers)
        labels += alone
        del alone
    del rest
    progress(ProgressEvent("removing small particles", 0.9))
    present, counts = label_counts(labels, cancel=cancel)
    kept = present[counts >= minimum_voxels]
    renumber(labels, kept, np.arange(1, len(kept) + 1), cancel=cancel, out=labels)
    progress(ProgressEvent("removing small particles", 1.0))
    return Separation(labels, n_markers, n_without, len(present) - len(kept))


def _components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], int]:
    """Components numbered in the order of their first voxel (C order), and their number."""
    labels, n = cc3d.connected_components(
        mask, connectivity=CONNECTIVITY, return_N=True, out_dtype=np.uint32
    )
    return np.ascontiguousarray(labels.astype(np.uint32, copy=False)), n


def _check(phases: NDArray[Any], probability: NDArray[Any], threshold: float) -> None:
    if phases.shape != probability.shape:
        raise SlagsegError(
            f"The phases have the shape {phases.shape} and the particle probability "
            f"{probability.shape}; both must come from the same volume."
        )
    for what, array in (("phases", phases), ("particle probability", probability)):
        if array.ndim != 3 or array.dtype != np.uint8:
            raise SlagsegError(
                f"The {what} are a {array.ndim}-D array of type {array.dtype}; the separation "
                "of particles needs 3-D arrays (z, y, x) of type uint8."
            )
    if not 0 < threshold < 1:
        raise SlagsegError(f"The marker threshold is {threshold}; it must lie between 0 and 1.")


__all__ = ["Separation", "separate_particles"]
