"""Pictures of a project's particles: only the box of each is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, PhaseTable, VolumeLike, VoxelSize
from napari_slagseg.data.box_around import box_around as smallest_box
from napari_slagseg.liberation.line_ups import Colour, ParticlePicture, render_particle
from napari_slagseg.project import Project

Box = tuple[slice, slice, slice]

FINE_ENOUGH = 224
"""Voxels along the longest edge of a box from which on a coarser level is read, if there is one."""

SMOOTH_ENOUGH = 96
"""Pixels that a picture's longer edge shall have, so that voxels are not seen as steps."""

LARGEST_ZOOM = 5

_CENTROIDS = ("centroid_z_um", "centroid_y_um", "centroid_x_um")
_EXTENTS = ("extent_z_um", "extent_y_um", "extent_x_um")
_AXES = ("axis_major_um", "axis_intermediate_um", "axis_minor_um")


def phase_rgb(table: PhaseTable) -> dict[int, Colour]:
    """Colour of every phase of a table but the background."""
    return {phase.id: phase.rgb for phase in table if phase.id != BACKGROUND}


def box_around(row: Mapping[str, float], voxel_size_um: VoxelSize, shape: Sequence[int]) -> Box:
    """Box that surely holds a particle, from its row of the particle table.

    The table knows where the centroid lies and how long the particle is along z, y and x
    (a table without extents: how long it is at all), but not where it begins; so the
    box reaches that far to both sides of the centroid.

    Parameters
    ----------
    row : mapping
        A row of a 3D particle table.
    voxel_size_um : (z, y, x)
    shape : (z, y, x)
        Of the volume.
    """
    if all(name in row and np.isfinite(row[name]) for name in _EXTENTS):
        reach = [float(row[name]) for name in _EXTENTS]
    else:
        reach = [float(np.sqrt(sum(float(row[name]) ** 2 for name in _AXES)))] * 3
    box = []
    for name, far, size, n in zip(_CENTROIDS, reach, voxel_size_um, shape):
        low = int(np.floor((float(row[name]) - far) / size)) - 1
        high = int(np.ceil((float(row[name]) + far) / size)) + 2
        low = min(max(low, 0), n - 1)
        box.append(slice(low, max(low + 1, min(high, n))))
    z, y, x = box
    return z, y, x


@dataclass(frozen=True)
class ParticleVolumes:
    """Labels and phases of a segmentation, to cut particles from.

    Attributes
    ----------
    particles, phases : tuple of VolumeLike
        Levels, finest first; level k has voxels 2**k as long.
    voxel_size_um : (z, y, x)
        Of the finest level.
    """

    particles: tuple[VolumeLike, ...]
    phases: tuple[VolumeLike, ...]
    voxel_size_um: VoxelSize

    def cut(
        self, row: Mapping[str, float]
    ) -> tuple[NDArray[np.bool_], NDArray[np.integer], VoxelSize] | None:
        """Voxels of one particle, its phases, and the size of the voxels.

        None where the segmentation has no such particle at its place.
        """
        fine = box_around(row, self.voxel_size_um, self.particles[0].shape)
        edge = max(s.stop - s.start for s in fine)
        levels = min(len(self.particles), len(self.phases))
        level = 0
        while level + 1 < levels and edge >> level > FINE_ENOUGH:
            level += 1
        # a small or thin particle may be lost on a coarse level
        for at in range(level, -1, -1):
            size: VoxelSize = tuple(s * 2**at for s in self.voxel_size_um)  # type: ignore[assignment]
            shape = self.particles[at].shape
            box = box_around(row, size, shape) if at else fine
            inside = np.asarray(self.particles[at][box]) == int(row["label"])
            inner = smallest_box(inside, margin=0)
            if inner is not None:
                z, y, x = (slice(b.start + i.start, b.start + i.stop) for b, i in zip(box, inner))
                return inside[inner], np.asarray(self.phases[at][z, y, x]), size
        return None


def particle_volumes(project: Project) -> ParticleVolumes:
    """Segmentation of a project as edited, opened to cut particles from.

    Raises
    ------
    SlagsegError
        If there is none, or it is damaged.
    """
    return ParticleVolumes(
        tuple(project.segmentation_levels("particles")),
        tuple(project.segmentation_levels("phases")),
        project.voxel_size_um,
    )


def particle_pictures(
    volumes: ParticleVolumes,
    frame: pd.DataFrame,
    colours: Mapping[int, Colour],
    *,
    caption: Callable[[Mapping[str, float]], str] = lambda row: str(int(row["label"])),
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[ParticlePicture | None]:
    """Pictures of particles, one after the other.

    Parameters
    ----------
    volumes : ParticleVolumes
    frame : DataFrame
        Rows of a 3D particle table, in the order of the pictures.
    colours : mapping of phase id to (red, green, blue)
    caption : callable
        Gives a row's caption.
    cancelled : callable
        Asked before each particle; no more come once it is true.

    Yields
    ------
    ParticlePicture or None
        None where the segmentation has no such particle (it was made anew since).
    """
    for row in frame.to_dict("records"):
        if cancelled():
            return
        found = volumes.cut(row)  # type: ignore[arg-type]
        if found is None:
            yield None
            continue
        inside, phases, size = found
        enlarge = int(np.clip(-(-SMOOTH_ENOUGH // max(inside.shape[1:])), 1, LARGEST_ZOOM))
        yield ParticlePicture(
            int(row["label"]),
            render_particle(inside, phases, size, colours, enlarge),
            (size[1] / enlarge, size[2] / enlarge),
            caption(row),  # type: ignore[arg-type]
        )


def line_up_legend(table: PhaseTable) -> list[tuple[str, Colour]]:
    """Names and colours of the phases, background left out."""
    return [(phase.name, phase.rgb) for phase in table if phase.id != BACKGROUND]


__all__ = [
    "ParticleVolumes",
    "box_around",
    "line_up_legend",
    "particle_pictures",
    "particle_volumes",
    "phase_rgb",
]
