"""What the tests of steps start from."""

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import MineralMap, phase_table_of
from napari_slagseg.project import Project
from napari_slagseg.workflow.segment import table_to_json


@pytest.fixture
def project(tmp_path):
    """A project of a small CT of noise and one map."""
    rng = np.random.default_rng(0)
    io.write_volume(
        tmp_path / "ct.tif", rng.integers(0, 9, (8, 16, 24)).astype(np.uint8), (2.0, 2.0, 2.0)
    )
    table = phase_table_of(["background", "ore"], ["#000000", "#d55e00"])
    io.write_legend(table, tmp_path / "l.csv")
    phases = rng.integers(0, 2, (20, 20)).astype(np.int16)
    io.write_false_colour(MineralMap(phases, 1.0, table, "a"), tmp_path / "a.png")
    return Project.create(
        tmp_path / "p", ct=tmp_path / "ct.tif", maps=[tmp_path / "a.png"],
        legend=tmp_path / "l.csv", pixel_size_um=1.0, target="ore",
    )  # fmt: skip


@pytest.fixture
def segmented(project):
    """The same with a segmentation: a ball, a dumbbell, and a ball that is no particle."""
    z, y, x = np.mgrid[:24, :56, :56]

    def ball(centre, radius):
        away = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
        return away <= radius**2

    particles = np.zeros(z.shape, np.uint32)
    particles[ball((12, 12, 12), 8)] = 3
    particles[ball((12, 36, 30), 8) | ball((12, 36, 43), 8)] = 8
    phases = (particles > 0).astype(np.uint8)
    missed = ball((12, 40, 12), 8)
    phases[missed] = 1
    sure = np.where(phases > 0, 240, 10).astype(np.uint8)
    table = phase_table_of(["background", "ore"], ["#000000", "#d55e00"]).with_target("ore")
    io.write_zarr_arrays(
        project.segmentation_path,
        {"phases": phases, "particles": particles, "particle_probability": sure},
        attributes={"phase_table": table_to_json(table)},
    )
    return project
