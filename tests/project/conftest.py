import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import MineralMap, phase_table_of
from napari_slagseg.project import Project


@pytest.fixture
def sources(tmp_path):
    """CT, map and legend as files."""
    rng = np.random.default_rng(0)
    ct = rng.integers(0, 60000, (12, 20, 24)).astype(np.uint16)
    io.write_volume(tmp_path / "ct.tif", ct, (2.0, 2.0, 2.0))
    table = phase_table_of(["background", "ore", "gangue"], ["#000000", "#d55e00", "#56b4e9"])
    io.write_legend(table, tmp_path / "legend.csv")
    phases = rng.integers(0, 3, (30, 40)).astype(np.int16)
    io.write_false_colour(MineralMap(phases, 1.0, table, "a"), tmp_path / "a.png")
    return tmp_path, ct, phases


@pytest.fixture
def project(sources):
    folder, _, _ = sources
    return Project.create(
        folder / "project",
        ct=folder / "ct.tif",
        maps=[folder / "a.png"],
        legend=folder / "legend.csv",
        pixel_size_um=1.0,
        target="ore",
    )
