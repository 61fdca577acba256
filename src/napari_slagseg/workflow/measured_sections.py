"""Particles in planes: virtual sections of the 3D result, and the mineral maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_slagseg.data import (
    UNKNOWN,
    Box,
    CancelToken,
    MineralMap,
    ParticleTable,
    PhaseTable,
    Progress,
    ProgressEvent,
    SlagsegError,
    VolumeLike,
    VoxelSize,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.data.joined_tables import joined
from napari_slagseg.descriptors import (
    Plane,
    describe_map,
    describe_planes,
    describe_sections,
    evenly_spaced,
    parallel_planes,
    random_planes,
    slice_planes,
)
from napari_slagseg.descriptors.plane_sections import plane_notes
from napari_slagseg.descriptors.planes import goes_through
from napari_slagseg.descriptors.sections import slice_notes
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


@dataclass(frozen=True)
class SectionPlanes:
    """The planes that sections are cut with.

    Attributes
    ----------
    planes : tuple of Plane
    numbers : tuple of int
        What each is called in the column ``section``: the slice's index where the planes are
        slices of the volume, else the plane's place in the list.
    axis : int or None
        That they are slices along.
    voxel_size_um : (z, y, x)
    """

    planes: tuple[Plane, ...]
    numbers: tuple[int, ...]
    axis: int | None
    voxel_size_um: VoxelSize

    @classmethod
    def of(
        cls, shape: Sequence[int], voxel_size_um: VoxelSize, config: MeasureConfig
    ) -> SectionPlanes:
        """Planes that a volume is cut with, in the directions that were chosen.

        Raises
        ------
        SlagsegError
            If the settings give none.
        """
        z, y, x = shape
        if config.section_directions == "axis":
            axis = config.section_axis
            indices = evenly_spaced(shape[axis], config.sections).tolist()
            cut = slice_planes(axis, indices, voxel_size_um)
            return cls(cut, tuple(indices), axis, voxel_size_um)
        if config.section_directions == "random":
            cut = random_planes(config.sections, (z, y, x), voxel_size_um, seed=config.section_seed)
            return cls(cut, tuple(range(len(cut))), None, voxel_size_um)
        if len(config.section_normal) != 3:
            raise SlagsegError(
                f"The normal of the sections is {config.section_normal}; it needs three numbers "
                "(z, y, x), such as 1, 1, 0. Give --section-normal, or use "
                "--section-directions axis."
            )
        a, b, c = config.section_normal
        cut = parallel_planes((a, b, c), config.sections, (z, y, x), voxel_size_um)
        return cls(cut, tuple(range(len(cut))), None, voxel_size_um)

    @property
    def notes(self) -> dict[str, str]:
        """What a table of these sections says of them."""
        return (
            plane_notes(self.planes) if self.axis is None else slice_notes(self.axis, self.numbers)
        )

    def through(self, box: Box) -> list[int]:
        """Numbers of the planes that meet a box of voxels."""
        return [
            number
            for number, plane in zip(self.numbers, self.planes)
            if goes_through(plane, box, self.voxel_size_um)
        ]


def measure_sections(
    particles: VolumeLike,
    phases: VolumeLike,
    classes: PhaseTable,
    cut: SectionPlanes,
    erosion_voxels: int = 0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    *,
    only: Sequence[int] | None = None,
) -> ParticleTable:
    """Virtual sections of the 3D result.

    Parameters
    ----------
    particles, phases : (z, y, x) integer
    classes : PhaseTable
        With the target phase set.
    cut : SectionPlanes
    erosion_voxels : int
    progress, cancel
        See `napari_slagseg.data`.
    only : sequence of int, optional
        Numbers of the planes to measure; their rows are as among those of all.
    """
    numbers = list(cut.numbers if only is None else only)
    if cut.axis is not None:
        return describe_sections(
            particles,
            phases,
            cut.voxel_size_um,
            classes,
            axis=cut.axis,
            indices=numbers,
            erosion_voxels=erosion_voxels,
            progress=progress,
            cancel=cancel,
        )
    return describe_planes(
        particles,
        phases,
        cut.voxel_size_um,
        classes,
        [cut.planes[n] for n in numbers],
        numbers=numbers,
        erosion_pixels=erosion_voxels,
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


__all__ = [
    "SectionPlanes",
    "erosion_in_pixels",
    "map_in_classes",
    "measure_maps",
    "measure_sections",
]
