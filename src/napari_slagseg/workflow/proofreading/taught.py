"""What the edits of a segmentation teach the particle network: its errors, and what is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    Box,
    CancelToken,
    EditedVolume,
    Progress,
    ProgressEvent,
    VolumeLike,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.data.overlay import EDGE
from napari_slagseg.ground_truth.taught import MARGIN, REACH, known_around, taught_errors
from napari_slagseg.project import Correction


def correction_of_edits(
    particles: EditedVolume,
    probability: VolumeLike,
    threshold: float,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Correction:
    """Voxels that the particle network got wrong where particles were edited.

    Only edited places are read, chunk by chunk.

    Parameters
    ----------
    particles : EditedVolume
        With all edits that hold, over the particles as segmented.
    probability : (z, y, x) uint8
        0 to 255 for foreground probabilities 0 to 1.
    threshold : float
        Probability above which the network's prediction counts as foreground: that of the
        markers, which decides whether two particles are one.
    progress, cancel
        See `napari_slagseg.data.running`.

    Returns
    -------
    Correction
        Empty where the edits teach nothing.
    """
    errors: list[NDArray[np.int64]] = []
    predicted: list[NDArray[np.bool_]] = []
    every = sorted(particles.overlay)
    for done, index in enumerate(every):
        stop_if_cancelled(cancel)
        progress(ProgressEvent("reading your edits", done / len(every)))
        for box in _edited_boxes(particles, index):
            before = np.asarray(particles.base[box]).astype(np.uint32, copy=False)
            chance = np.asarray(probability[box]) > threshold * 255
            wrong = taught_errors(before, np.asarray(particles[box]), chance)
            _forget_sides(wrong, box, particles.shape)
            at = np.argwhere(wrong) + [s.start for s in box]
            errors.append(np.ravel_multi_index(tuple(at.T), particles.shape).astype(np.int64))
            predicted.append(chance[wrong])
    if not errors:
        return Correction(np.empty(0, np.int64), np.empty(0, bool))
    voxels, first = np.unique(np.concatenate(errors), return_index=True)
    return Correction(voxels, np.concatenate(predicted)[first])


@dataclass(frozen=True)
class KnownParticles:
    """What is known in and around particles that a user vouches for.

    Attributes
    ----------
    voxels : (n,) int64
        Flat indices, rising.
    kinds : (n,) uint8
        See `ground_truth.taught.known_around`.
    numbers : (n,) int64
        Particle of each, 0 background.
    left_out : (m,) int64
        Flat indices, rising, in and around particles that are kept for a check.
    """

    voxels: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    left_out: NDArray[np.int64]


def known_of_particles(
    labels: VolumeLike,
    boxes: Mapping[int, Box],
    *,
    seen: NDArray[np.int64],
    held_out: NDArray[np.int64],
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> KnownParticles:
    """What is known in and around particles that a user vouches for.

    Parameters
    ----------
    labels : (z, y, x) uint32
        Particles as edited.
    boxes : mapping of particle to its box
        Of those particles.
    seen : (n,) int64
        Flat indices, rising, of voxels that a map knows; they are left out.
    held_out : (m,) int64
        Flat indices, rising, of voxels that are kept for a check; particles that have one in them
        or in the background around them are left out whole.
    progress, cancel
        See `napari_slagseg.data.running`.

    Returns
    -------
    KnownParticles
    """
    shape = labels.shape
    places, found = [np.empty(0, np.int64)], [np.empty(0, np.uint8)]
    owners, left_out = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for done, (label, inner) in enumerate(sorted(boxes.items())):
        stop_if_cancelled(cancel)
        progress(ProgressEvent("reading your particles", done / len(boxes)))
        box = [
            slice(max(0, s.start - MARGIN - 1), min(n, s.stop + MARGIN + 1))
            for s, n in zip(inner, shape)
        ]
        here = np.asarray(labels[box[0], box[1], box[2]]).astype(np.uint32, copy=False)
        known, kinds = known_around(here, label)
        at = np.argwhere(known) + [s.start for s in box]
        voxels = np.ravel_multi_index(tuple(at.T), shape).astype(np.int64)
        if _among(voxels, held_out).any():
            left_out.append(voxels)
        else:
            places.append(voxels)
            found.append(kinds)
            owners.append(here[known].astype(np.int64))
    # particles share no voxel but those of background, so it matters not whose is taken
    voxels, first = np.unique(np.concatenate(places), return_index=True)
    new = ~_among(voxels, seen)
    first = first[new]
    return KnownParticles(
        voxels[new],
        np.concatenate(found)[first],
        np.concatenate(owners)[first],
        np.unique(np.concatenate(left_out)),
    )


def _among(voxels: NDArray[np.int64], rising: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which voxels are among others, without looking at all of those."""
    if not len(rising):
        return np.zeros(len(voxels), dtype=bool)
    at = np.minimum(np.searchsorted(rising, voxels), len(rising) - 1)
    return np.asarray(rising[at] == voxels)


def _edited_boxes(particles: EditedVolume, index: tuple[int, int, int]) -> Iterator[Box]:
    """Box around what was edited in a chunk, with all that the edits have a say in."""
    chunk = np.asarray(particles.overlay[index])
    start = [i * EDGE for i in index]
    box = tuple(slice(a, a + n) for a, n in zip(start, chunk.shape))
    changed = np.argwhere(chunk != np.asarray(particles.base[box]))
    if not len(changed):
        return
    # an edit has a say REACH + 1 voxels around it; as many again are forgotten at the sides
    margin = 2 * (REACH + 1)
    low = changed.min(axis=0) + start - margin
    high = changed.max(axis=0) + start + 1 + margin
    z, y, x = (slice(max(0, int(a)), min(n, int(b))) for a, b, n in zip(low, high, particles.shape))
    yield z, y, x


def _forget_sides(wrong: NDArray[np.bool_], box: Box, shape: Sequence[int]) -> None:
    """Forget what the box is too small for: there other particles may touch that lie outside."""
    for axis, (side, n) in enumerate(zip(box, shape)):
        layers = np.moveaxis(wrong, axis, 0)
        if side.start > 0:
            layers[: REACH + 1] = False
        if side.stop < n:
            layers[-REACH - 1 :] = False


__all__ = ["KnownParticles", "correction_of_edits", "known_of_particles"]
