"""A small project with a made-up segmentation, so that no training is needed."""

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import Cutout, MineralMap, Phase, PhaseTable, PlacedMap, PlacementSurface
from napari_slagseg.project import Project

SHAPE = (20, 40, 48)


def balls():
    """Particles 1 and 2 with a half of ore each."""
    z, y, x = np.indices(SHAPE)
    particles = np.zeros(SHAPE, np.uint32)
    particles[(z - 10) ** 2 + (y - 12) ** 2 + (x - 12) ** 2 <= 49] = 1
    particles[(z - 9) ** 2 + (y - 28) ** 2 + (x - 34) ** 2 <= 36] = 2
    phases = np.where(particles > 0, np.where(x % 24 < 12, 1, 2), 0).astype(np.uint8)
    return particles, phases


@pytest.fixture
def table():
    return PhaseTable(
        (
            Phase(0, "background", "#000000"),
            Phase(1, "ore", "#d55e00"),
            Phase(2, "gangue", "#56b4e9"),
        ),
        "ore",
    )


@pytest.fixture
def project(tmp_path, table):
    particles, phases = balls()
    rng = np.random.default_rng(0)
    grey = (phases.astype(float) * 80 + rng.normal(20, 3, SHAPE)).clip(0, 255).astype(np.uint8)
    io.write_volume(tmp_path / "ct.tif", grey, (2.0, 2.0, 2.0))
    io.write_legend(table, tmp_path / "legend.csv")
    cut = phases[10].astype(np.int16).repeat(2, 0).repeat(2, 1)
    io.write_false_colour(MineralMap(cut, 1.0, table, "cut"), tmp_path / "cut.png")
    project = Project.create(
        tmp_path / "project",
        ct=tmp_path / "ct.tif",
        maps=[tmp_path / "cut.png"],
        legend=tmp_path / "legend.csv",
        pixel_size_um=1.0,
        target="ore",
    )
    rows, columns = np.linspace(0, 79, 5), np.linspace(0, 95, 5)
    zyx = np.stack(
        np.broadcast_arrays(10.0, (rows[:, None] + 0.5) / 2 - 0.5, (columns[None] + 0.5) / 2 - 0.5),
        axis=-1,
    )
    cutouts = tuple(
        Cutout(0, c, 80, 48, (10.0, 19.5, c / 2 + 11.5), (0, 0.5, 0), (0, 0, 0.5), 0.9)
        for c in (0, 24, 48)
    )
    placed = PlacedMap(
        "cut", (80, 96), 1.0, SHAPE, (2.0, 2.0, 2.0), True, 0.9,
        surface=PlacementSurface(rows, columns, zyx), cutouts=cutouts,
    )  # fmt: skip
    with project.writing():
        project.save_placed(placed)
    io.write_zarr_arrays(
        project.segmentation_path,
        {
            "phases": phases,
            "particles": particles,
            "particle_probability": ((particles > 0) * 250).astype(np.uint8),
        },
        voxel_size_um=(2.0, 2.0, 2.0),
        attributes={
            "phase_table": {"target": "ore", "phases": [dict(vars(p)) for p in table]},
        },
    )
    return project
