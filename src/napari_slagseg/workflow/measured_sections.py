"""Particles in planes: virtual sections of the 3D result, and the mineral maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_slagseg.data import (
    UNKNOWN,
    CancelToken,
    MineralMap,
    ParticleTable,
    PhaseTable,
    Progress,
    ProgressEvent,
    SlagsegError,
    VolumeLike,
    VoxelSize,
    stop_if_cancelled,
)
from napari_slagseg.data.joined_tables import joined
from napari_slagseg.descriptors import (
    describe_map,
    describe_planes,
    describe_sections,
    evenly_spaced,
    parallel_planes,
    random_planes,
)
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.phase_properties import members_of_classes


def map_in_classes(mineral_map: MineralMap, classes: PhaseTable) -> MineralMap:
    """Mineral map in the classes of the segmentation, see `members_of_classes`."""
    table = mineral_map.table
    ids = {phase.name: phase.id for phase in classes}
    names = members_of_classes(table, classes)
    if set(names.values()) != set(ids):
        raise SlagsegError(
            f"Map {mineral_map.name} has the phases {', '.join(table.names)}, but the "
            f"segmentation has {', '.join(classes.names)}. Annotate and train again."
        )
    lut = table.lookup({UNKNOWN: UNKNOWN, **{i: ids[name] for i, name in names.items()}})
    return replace(mineral_map, phases=lut[mineral_map.phases], table=classes)


def erosion_in_pixels(erosion_voxels: int, voxel_size_um: VoxelSize, pixel_size_um: float) -> int:
    """Map pixels that are as deep as so many voxels; at least one where any is taken off.

    K compare eroded sections with eroded maps (3.3): both then lose a rim of the same depth.
    """
    if erosion_voxels == 0:
        return 0
    depth = erosion_voxels * float(np.mean(voxel_size_um))
    return max(1, round(depth / pixel_size_um))


def measure_sections(
    particles: VolumeLike,
    phases: VolumeLike,
    voxel_size_um: VoxelSize,
    classes: PhaseTable,
    config: MeasureConfig,
    progress: Progress,
    cancel: CancelToken | None,
) -> ParticleTable:
    """Virtual sections of the 3D result, in the directions that were chosen."""
    if config.section_directions == "axis":
        return describe_sections(
            particles,
            phases,
            voxel_size_um,
            classes,
            axis=config.section_axis,
            indices=evenly_spaced(particles.shape[config.section_axis], config.sections),
            erosion_voxels=config.erosion_voxels,
            progress=progress,
            cancel=cancel,
        )
    shape = particles.shape
    if config.section_directions == "random":
        planes = random_planes(config.sections, shape, voxel_size_um, seed=config.section_seed)
    else:
        if len(config.section_normal) != 3:
            raise SlagsegError(
                f"The normal of the sections is {config.section_normal}; it needs three numbers "
                "(z, y, x), such as 1, 1, 0. Give --section-normal, or use "
                "--section-directions axis."
            )
        z, y, x = config.section_normal
        planes = parallel_planes((z, y, x), config.sections, shape, voxel_size_um)
    return describe_planes(
        particles,
        phases,
        voxel_size_um,
        classes,
        planes,
        erosion_pixels=config.erosion_voxels,
        progress=progress,
        cancel=cancel,
    )


def measure_maps(
    maps: Sequence[MineralMap],
    classes: PhaseTable,
    config: MeasureConfig,
    voxel_size_um: VoxelSize,
    progress: Progress,
    cancel: CancelToken | None,
) -> ParticleTable:
    """Particle sections of all maps; column ``section`` is the number of the map."""
    tables = []
    for i, mineral_map in enumerate(maps):
        stop_if_cancelled(cancel)
        progress(ProgressEvent(f"measuring {mineral_map.name}", i / len(maps)))
        pixels = erosion_in_pixels(config.erosion_voxels, voxel_size_um, mineral_map.pixel_size_um)
        in_classes = map_in_classes(mineral_map, classes)
        tables.append(describe_map(in_classes, classes, section=i, erosion_voxels=pixels))
    return replace(
        tables[0],
        frame=joined([table.frame for table in tables]),
        contacts=joined([table.contacts for table in tables]),
        notes={"maps": ", ".join(mineral_map.name for mineral_map in maps)},
    )


__all__ = ["erosion_in_pixels", "map_in_classes", "measure_maps", "measure_sections"]
