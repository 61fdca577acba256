"""What the tests of steps start from."""

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import MineralMap, phase_table_of
from napari_slagseg.project import Project


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
