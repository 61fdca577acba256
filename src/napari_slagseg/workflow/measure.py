"""Step 6: one row a particle, and the same for sections."""

from __future__ import annotations

import math

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    ParticleTable,
    Progress,
    SlagsegError,
    VoxelSize,
    part_of,
)
from napari_slagseg.descriptors import (
    describe_blocks,
)
from napari_slagseg.project import Project
from napari_slagseg.project.edits import as_segmented
from napari_slagseg.workflow.blockwise import BlockCosts, Resources, open_run
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.measured_sections import SectionPlanes, measure_maps, measure_sections
from napari_slagseg.workflow.phase_properties import ELEMENTS, element_shares, with_densities
from napari_slagseg.workflow.segment import segmented_phase_table
from napari_slagseg.workflow.sensitivity import measure_changed, remove_changed
from napari_slagseg.workflow.step import Step, StepResult, edits_input


def _inputs(project: Project) -> dict[str, str]:
    if not project.segmentation_path.exists():
        raise SlagsegError(
            f"Project {project.folder} has no segmentation yet. Run 'segment' first."
        )
    found = {"segmentation": project.fingerprint("segmentation.zarr"), **edits_input(project)}
    found.update({f"map {m.name}": m.fingerprint for m in project.description.maps})
    return found


def measuring_costs(
    erosion_voxels: int,
    *,
    grains: bool = False,
    accessible_depth_um: float = 0.0,
    voxel_size_um: VoxelSize = (1.0, 1.0, 1.0),
) -> BlockCosts:
    """What `describe_blocks` takes: labels and phases, their codes, depths, and grains."""
    halo = erosion_voxels + 1
    if accessible_depth_um:
        halo = max(halo, math.ceil(accessible_depth_um / min(voxel_size_um)) + 1)
    return BlockCosts(
        # distances are kept of a block with its surroundings
        bytes_per_voxel=12 + (8 if grains or accessible_depth_um else 0),
        halo=halo,
        scratch_bytes_per_voxel=0.3,
    )


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
        io.check_zarr_volume(as_segmented(volume))
    z, y, x = particles.shape
    # the changed particles are measured five times
    ends = (0.15, 0.2, 0.22) if config.sensitivity else (0.7, 0.9, 1.0)
    with open_run(
        project,
        "measure",
        {
            "segmentation": project.fingerprint("segmentation.zarr"),
            **edits_input(project),
            "voxel_size_um": list(project.voxel_size_um),
            "target": classes.target,
            "erosion_voxels": config.erosion_voxels,
            "accessible_depth_um": config.accessible_depth_um,
            "grains": config.grains,
        },
        (z, y, x),
        measuring_costs(
            config.erosion_voxels,
            grains=config.grains,
            accessible_depth_um=config.accessible_depth_um,
            voxel_size_um=project.voxel_size_um,
        ),
        resources,
        part_of(progress, 0.0, ends[0]),
        cancel,
    ) as blocks:
        table = describe_blocks(
            particles,
            phases,
            project.voxel_size_um,
            classes,
            blocks,
            erosion_voxels=config.erosion_voxels,
            grains=config.grains,
            accessible_depth_um=config.accessible_depth_um,
        )
    _write(project, "particles", table)
    if config.sections:
        sections = measure_sections(
            particles,
            phases,
            classes,
            SectionPlanes.of((z, y, x), project.voxel_size_um, config),
            config.erosion_voxels,
            part_of(progress, ends[0], ends[1]),
            cancel,
        )
        _write(project, "sections", sections)
    else:
        # sections of an earlier run are not of this result
        io.remove_particle_table(project.tables / "sections.csv")
    in_maps = measure_maps(
        maps, classes, config, project.voxel_size_um, part_of(progress, ends[1], ends[2]), cancel
    )
    _write(project, "map_sections", in_maps)
    if config.sensitivity:
        measure_changed(
            project, particles, phases, classes, resources, part_of(progress, ends[2], 1.0), cancel
        )
    else:
        remove_changed(project)
    io.write_json(project.tables / ELEMENTS, element_shares(classes, maps))
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

__all__ = ["STEP", "measuring_costs", "run"]
