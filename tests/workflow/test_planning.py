"""Plans in a process of their own."""

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import CancelledError, MineralMap, SlagsegError, phase_table_of
from napari_slagseg.project import Project
from napari_slagseg.workflow.planning import PlanProcess


@pytest.fixture
def project(tmp_path):
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


def test_a_plan_comes_back(project):
    plan = PlanProcess(project.folder, "segment", {"workers": 3, "memory": 2 * 10**9}).wait()
    assert (plan.shape, plan.blocks) == ((8, 16, 24), 1)
    assert plan.seconds is None
    assert "not trained" in plan.how


def test_what_cannot_be_planned_is_told_in_words(project):
    with pytest.raises(SlagsegError, match=r"0\.1 GB of memory are not enough"):
        PlanProcess(project.folder, "measure", {"memory": 10**8}).wait()


def test_one_that_is_killed_gives_nothing(project):
    process = PlanProcess(project.folder, "measure", {})
    process.kill()
    with pytest.raises(CancelledError):
        process.wait()
