"""Step 6: one row a particle, and the same for sections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from napari_slagseg import io
from napari_slagseg.data import (
    UNKNOWN,
    CancelToken,
    MineralMap,
    ParticleTable,
    PhaseTable,
    Progress,
    ProgressEvent,
    SlagsegError,
    VoxelSize,
    part_of,
)
from napari_slagseg.descriptors import (
    describe_blocks,
    describe_map,
    describe_sections,
    evenly_spaced,
)
from napari_slagseg.project import Project
from napari_slagseg.workflow.blockwise import BlockCosts, Resources, open_run
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.phase_properties import members_of_classes, with_densities
from napari_slagseg.workflow.segment import segmented_phase_table
from napari_slagseg.workflow.step import Step, StepResult


def _inputs(project: Project) -> dict[str, str]:
    if not project.segmentation_path.exists():
        raise SlagsegError(
            f"Project {project.folder} has no segmentation yet. Run 'segment' first."
        )
    found = {"segmentation": project.fingerprint("segmentation.zarr")}
    found.update({f"map {m.name}": m.fingerprint for m in project.description.maps})
    return found


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


def measuring_costs(erosion_voxels: int) -> BlockCosts:
    """What `describe_blocks` takes: labels and phases, their codes, and a depth for erosion."""
    return BlockCosts(bytes_per_voxel=12, halo=erosion_voxels + 1, scratch_bytes_per_voxel=0.3)


def _write(project: Project, name: str, table: ParticleTable) -> None:
    provenance = {**project.provenance(), "table": name}
    io.write_particle_table(table, project.tables / f"{name}.csv", provenance=provenance)


def run(
    project: Project,
    config: MeasureConfig,
    progress: Progress,
    cancel: CancelToken | None,
    resources: Resources | None = None,
) -> StepResult:
    """Describe particles in 3D, virtual sections of them, and the maps' own particles."""
    classes = segmented_phase_table(project).with_target(
        config.target or project.description.target
    )
    maps = list(project.mineral_maps())
    classes = with_densities(classes, maps)
    phases = project.segmentation_volume("phases")
    particles = project.segmentation_volume("particles")
    for volume in (phases, particles):
        io.check_zarr_volume(volume)
    z, y, x = particles.shape
    with open_run(
        project,
        "measure",
        {
            "segmentation": project.fingerprint("segmentation.zarr"),
            "voxel_size_um": list(project.voxel_size_um),
            "target": classes.target,
            "erosion_voxels": config.erosion_voxels,
        },
        (z, y, x),
        measuring_costs(config.erosion_voxels),
        resources,
        part_of(progress, 0.0, 0.7),
        cancel,
    ) as blocks:
        table = describe_blocks(
            particles,
            phases,
            project.voxel_size_um,
            classes,
            blocks,
            erosion_voxels=config.erosion_voxels,
        )
    _write(project, "particles", table)
    if config.sections:
        length = particles.shape[config.section_axis]
        sections = describe_sections(
            particles,
            phases,
            project.voxel_size_um,
            classes,
            axis=config.section_axis,
            indices=evenly_spaced(length, config.sections),
            erosion_voxels=config.erosion_voxels,
            progress=part_of(progress, 0.7, 0.9),
            cancel=cancel,
        )
        _write(project, "sections", sections)
    of_maps = []
    for i, mineral_map in enumerate(maps):
        progress(ProgressEvent(f"measuring {mineral_map.name}", 0.9))
        in_classes = map_in_classes(mineral_map, classes)
        of_maps.append(
            describe_map(
                in_classes,
                classes,
                section=i,
                erosion_voxels=erosion_in_pixels(
                    config.erosion_voxels, project.voxel_size_um, mineral_map.pixel_size_um
                ),
            )
        )
    frame = pd.concat([t.frame for t in of_maps], ignore_index=True)
    _write(project, "map_sections", replace(of_maps[0], frame=frame))
    border = int(table.frame["touches_border"].sum())
    warnings: tuple[str, ...] = ()
    if len(table) and border == len(table):
        warnings = ("Every particle touches the border of the volume; statistics have no rows.",)
    target_volume = table.frame["volume_liberation"] * table.frame["volume_um3"]
    return StepResult(
        summary={
            "particles": len(table),
            "touching_border": border,
            "target": classes.target,
            "target_share_of_particles": _ratio(
                float(target_volume.sum()), float(table.frame["volume_um3"].sum())
            ),
        },
        message=f"{len(table):,} particles measured; {border:,} of them touch the border.",
        warnings=warnings,
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


STEP = Step(
    name="measure",
    blockwise=True,
    title="Measure",
    config=MeasureConfig,
    run=run,
    inputs=_inputs,
    exists=lambda project: (project.tables / "particles.csv").exists(),
)

__all__ = ["STEP", "map_in_classes", "measuring_costs", "run"]
