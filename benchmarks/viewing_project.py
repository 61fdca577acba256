"""Large projects to look at, made without training and without their size in memory.

A cube of rough particles (`benchmarks.packing`) of 256 voxels along each edge is repeated;
labels go on from cube to cube, so none occurs twice. The CT is written as a memory map of
16 bit, or, where the disk is small, as OME-Zarr of 8 bit with little noise. The particle
table is that of one cube, measured, repeated with the labels and places of the others
(particles that the volume's end cuts are told as if it did not).
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.packing import packing
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.data import (
    BlockGrid,
    Cutout,
    MineralMap,
    ParticleTable,
    Phase,
    PhaseTable,
    PlacedMap,
    PlacementSurface,
)
from napari_slagseg.descriptors import describe_map, describe_particles
from napari_slagseg.project import Project
from napari_slagseg.workflow.viewing import make_pyramid, wants_pyramid

EDGE = 256
"""Of the cube that is repeated; that of a shard."""

VOXEL_UM = (2.0, 2.0, 2.0)

TABLE = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "ore", "#d55e00"),
        Phase(2, "gangue", "#56b4e9"),
    ),
    "ore",
)

GREY = np.array([45, 110, 150], dtype=np.float32)
"""Mean grey values of the phases, of 255."""


def make(folder: Path, shape: tuple[int, int, int], ct: str = "npy", cell: int = 40) -> Project:
    """A project with a CT, a segmentation, a particle table and a map, as the steps leave it.

    Parameters
    ----------
    folder : path
    shape : (z, y, x)
    ct : {"npy", "zarr"}
        A memory map of 16 bit, or OME-Zarr of 8 bit with coarse levels of its own.
    cell : int
        Voxels between the centres of neighbouring particles.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels, phases, _ = packing(EDGE, cell=cell)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(phases.shape, dtype=np.float32)
    made = folder / "segmentation"
    arrays = io.create_result_arrays(
        made,
        {"phases": np.uint8, "particles": np.uint32, "particle_probability": np.uint8},
        shape,
        VOXEL_UM,
        {"phase_table": {"target": "ore", "phases": [dict(vars(p)) for p in TABLE]}},
    )
    ct_path = folder / f"ct.{ct}"
    target: Any
    if ct == "npy":
        grey = np.clip(256 * GREY[phases] + 1800 * noise, 0, 65535).astype(np.uint16)
        target = np.lib.format.open_memmap(ct_path, "w+", grey.dtype, shape)
    else:
        grey = np.clip(GREY[phases] + 2 * noise, 0, 255).astype(np.uint8)
        target = io.create_result_arrays(ct_path, {"ct": np.uint8}, shape, VOXEL_UM)["ct"]
    sure = np.where(labels > 0, 250, 3).astype(np.uint8)
    # not a multiple of the 49 colours that labels have, or all cubes would look alike
    many = int(labels.max()) | 1
    many += 2 * (many % 7 == 0)
    for number, block in enumerate(BlockGrid.of(shape, EDGE)):
        part = tuple(slice(0, n) for n in block.shape)
        arrays["phases"][block.box] = phases[part]
        arrays["particle_probability"][block.box] = sure[part]
        own = labels[part]
        arrays["particles"][block.box] = np.where(own > 0, own + np.uint32(many * number), 0)
        target[block.box] = grey[part]
    for name in arrays:
        io.add_levels(made, name, "grey" if name == "particle_probability" else "labels")
    if ct == "npy":
        target.flush()
        project = create(folder, ct_path, shape, phases)
    else:
        io.add_levels(ct_path, "ct", "grey")
        project = create(folder, ct_path / "ct", shape, phases)
    shutil.move(made, project.segmentation_path)
    of_cube = describe_particles(labels, phases, VOXEL_UM, TABLE)
    write_tables(project, repeated(of_cube, BlockGrid.of(shape, EDGE), many))
    return project


def of_full_run(folder: Path, made_by: Path) -> Project:
    """A project of what `benchmarks.full_run` left; its files are linked to, not copied."""
    folder.mkdir(parents=True, exist_ok=True)
    volume = io.read_volume(made_by / "ct.tif", voxel_size_um=VOXEL_UM)
    shape = volume.shape
    phases = io.read_volume(made_by / "predicted.zarr" / "phases", voxel_size_um=VOXEL_UM).data
    project = create(
        folder,
        made_by / "ct.tif",
        shape,
        np.asarray(phases[shape[0] // 2 : shape[0] // 2 + 1, 0:EDGE, 0:EDGE]),
    )
    store = project.segmentation_path
    names = ("phases", "particle_probability")
    io.create_result_arrays(
        store,
        dict.fromkeys(names, np.uint8),
        shape,
        VOXEL_UM,
        {"phase_table": {"target": "ore", "phases": [dict(vars(p)) for p in TABLE]}},
    )
    for name in names:
        shutil.rmtree(store / name / "0")
        (store / name / "0").symlink_to((made_by / "predicted.zarr" / name / "0").resolve())
        io.add_levels(store, name, "labels" if name == "phases" else "grey")
    (store / "particles").symlink_to((made_by / "particles.zarr" / "particles").resolve())
    if (made_by / "particles.csv").is_file():
        table = io.read_particle_table(made_by / "particles.csv")
        write_tables(project, replace(table, table=TABLE))
    return project


def create(
    folder: Path, ct: Path, shape: tuple[int, int, int], phases: NDArray[np.uint8]
) -> Project:
    """Project with one map of 1 um a pixel, placed flat in the middle plane."""
    side = min(500, *shape[1:])
    plane = phases[shape[0] // 2 % len(phases)].astype(np.int16)
    copies = [-(-side // n) for n in plane.shape]
    cut = np.tile(plane, copies)[:side, :side].repeat(2, 0).repeat(2, 1)
    io.write_legend(TABLE, folder / "legend.csv")
    io.write_false_colour(MineralMap(cut, 1.0, TABLE, "cut"), folder / "cut.png")
    project = Project.create(
        folder / "project",
        ct=ct,
        maps=[folder / "cut.png"],
        legend=folder / "legend.csv",
        pixel_size_um=1.0,
        target="ore",
        voxel_size_um=VOXEL_UM[0],
    )
    n = 2 * side
    rows = np.linspace(0, n - 1, 9)
    along = (rows + 0.5) / 2 - 0.5
    zyx = np.stack(np.broadcast_arrays(float(shape[0] // 2), along[:, None], along[None]), axis=-1)
    half = n // 4
    cutouts = (Cutout(0, 0, n, n, (shape[0] / 2, half, half), (0, 0.5, 0), (0, 0, 0.5), 0.9),)
    placed = PlacedMap(
        "cut", (n, n), 1.0, shape, VOXEL_UM, True, 0.9,
        surface=PlacementSurface(rows, rows, zyx), cutouts=cutouts,
    )  # fmt: skip
    with project.writing():
        project.save_placed(placed)
    volume = project.volume()
    if wants_pyramid(project, volume):  # the window would make them beside what is measured
        make_pyramid(project, volume)
    return project


def repeated(of_cube: ParticleTable, grid: BlockGrid, many: int) -> ParticleTable:
    """Table of the whole volume from that of the cube."""
    frame = of_cube.frame
    whole = []
    centres = [f"centroid_{axis}_um" for axis in "zyx"]
    for number, block in enumerate(grid):
        part = frame.copy()
        part["label"] += many * number
        inside = np.ones(len(part), dtype=bool)
        for axis, name in enumerate(centres):
            inside &= part[name] < VOXEL_UM[axis] * (block.shape[axis] - 1)
            part[name] += VOXEL_UM[axis] * block.start[axis]
        whole.append(part[inside])
    return replace(of_cube, frame=pd.concat(whole, ignore_index=True))


def write_tables(project: Project, particles: ParticleTable) -> None:
    """Particles, and those of the map, where the steps put them."""
    io.write_particle_table(particles, project.tables / "particles.csv")
    of_map = describe_map(project.mineral_maps()[0], TABLE, section=0)
    io.write_particle_table(of_map, project.tables / "map_sections.csv")


__all__ = ["EDGE", "TABLE", "make", "of_full_run"]
