"""Phases and particle probability to particles (K 2.3.5)."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

from napari_slagseg.data import (
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.segmentation.labels import remove_small


@dataclass(frozen=True)
class Separation:
    """Particles and what became of the markers.

    Attributes
    ----------
    particles : (z, y, x) uint32
        Labels 1 to n without gaps.
    n_markers : int
    n_without_marker : int
        Components of the foreground that held no marker and became particles.
    n_removed : int
        Particles dropped for their size.
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
    """Grow markers of the particle network into the foreground of the phase network.

    Foreground is phase > 0. Markers are face-connected components of the voxels
    of the foreground whose probability is above `threshold` (parts of markers
    outside the foreground are cut off, so that the particles' union is the
    foreground). They grow by a watershed on falling probability. A face-connected
    component of the foreground without a marker becomes a particle of its own.

    Components do not influence each other, so the flood runs inside the box of
    each component with several markers, and nowhere else. Working memory is
    about 12 bytes a voxel, and 30 more for the largest such box.

    Parameters
    ----------
    phases : (z, y, x) uint8
    particle_probability : (z, y, x) uint8
        0 to 255 for probabilities 0 to 1.
    threshold : float
    minimum_voxels : int
        Smaller particles are removed (K: 100).
    progress, cancel
        See `napari_slagseg.data.running`.

    Returns
    -------
    separation : Separation

    Raises
    ------
    SlagsegError
        If the shapes differ.

    References
    ----------
    Kirstein et al. 2026, 2.3.5; Soille 2003 (watershed).
    """
    if phases.shape != particle_probability.shape:
        raise SlagsegError(
            f"Phases {phases.shape} and particle probability {particle_probability.shape} are of "
            "different shape."
        )
    progress(ProgressEvent("finding markers", 0.0))
    foreground = phases > 0
    components, n_components = cc3d.connected_components(foreground, connectivity=6, return_N=True)
    stop_if_cancelled(cancel)
    inside = foreground & (particle_probability > threshold * 255)
    markers, n_markers = cc3d.connected_components(inside, connectivity=6, return_N=True)
    stop_if_cancelled(cancel)
    at = np.flatnonzero(markers)
    component_of = np.zeros(n_markers + 1, dtype=np.int64)
    component_of[markers.reshape(-1)[at]] = components.reshape(-1)[at]
    per_component = np.bincount(component_of[1:], minlength=n_components + 1)
    # one marker: it takes its whole component; none: the component is a particle
    label_of = np.zeros(n_components + 1, dtype=np.uint32)
    one = np.flatnonzero(per_component[component_of] == 1)
    one = one[one > 0]
    label_of[component_of[one]] = one
    without = np.flatnonzero(per_component == 0)
    without = without[without > 0]
    label_of[without] = n_markers + 1 + np.arange(len(without))
    particles = label_of[components]
    boxes = cc3d.statistics(components, no_slice_conversion=False)["bounding_boxes"]
    several = np.flatnonzero(per_component > 1)
    several = several[several > 0]
    for i, component in enumerate(several):
        stop_if_cancelled(cancel)
        if i % 16 == 0:
            progress(ProgressEvent("separating particles", 0.1 + 0.8 * i / len(several)))
        box = tuple(boxes[component])
        own = components[box] == component
        flooded = watershed(
            255 - particle_probability[box],
            markers=np.where(own, markers[box], 0).astype(np.int32),
            mask=own,
            connectivity=1,
        )
        particles[box][own] = flooded[own]
    progress(ProgressEvent("removing small particles", 0.95))
    final, removed = remove_small(particles, minimum_voxels)
    return Separation(final, int(n_markers), len(without), removed)


__all__ = ["Separation", "separate_particles"]
