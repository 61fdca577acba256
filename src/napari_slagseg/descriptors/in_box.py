"""Particles of a box of a volume, described as those of the whole volume are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import ParticleTable, PhaseTable, SlagsegError, ThreadRun, VoxelSize
from napari_slagseg.descriptors.particles import Place, blocks_in_memory, describe_blocks


def describe_box(
    particles: NDArray[np.integer],
    phases: NDArray[np.integer],
    place: Place,
    voxel_size_um: float | VoxelSize,
    table: PhaseTable,
    *,
    erosion_voxels: int = 0,
    grains: bool = True,
    accessible_depth_um: float = 0.0,
    threads: int = 1,
) -> ParticleTable:
    """Measure the particles of a box of a volume, as measuring the whole volume does.

    No number of a particle depends on what lies around it but on whether that belongs to the
    particle, and on the volume's border.

    Parameters
    ----------
    particles, phases : (z, y, x) integer
        The box; particles that do not lie in it as a whole are to be left out (0).
    place : Place
        Where it lies.
    voxel_size_um, table, erosion_voxels, grains, accessible_depth_um
        As for `describe_particles`.
    threads : int
        Blocks that are measured at the same time.

    Returns
    -------
    ParticleTable
        The rows of these particles, the same to the last bit.

    Raises
    ------
    SlagsegError
        As `describe_particles`, and if the box does not lie in the volume.
    """
    stop = tuple(a + n for a, n in zip(place.start, particles.shape))
    if min(place.start) < 0 or any(b > n for b, n in zip(stop, place.shape)):
        raise SlagsegError(
            f"A box from {place.start} to {stop} (z, y, x) does not lie in a volume of "
            f"{place.shape} voxels."
        )
    run = ThreadRun(blocks_in_memory(particles.shape, threads), threads)
    return describe_blocks(
        particles, phases, voxel_size_um, table, run, place=place,
        erosion_voxels=erosion_voxels, grains=grains, accessible_depth_um=accessible_depth_um,
    )  # fmt: skip


__all__ = ["describe_box"]
