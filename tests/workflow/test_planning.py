"""Plans in a process of their own."""

import pytest

from napari_slagseg.data import CancelledError, SlagsegError
from napari_slagseg.workflow.planning import PlanProcess


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
