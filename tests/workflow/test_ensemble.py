"""Which trainings an ensemble is made of."""

import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.project.training_runs import trained_runs
from napari_slagseg.workflow.plain.predicting import _members
from napari_slagseg.workflow.segment import chosen_runs, newest_runs


@pytest.fixture
def runs(tmp_path):
    for name in ("run_2", "run_10", "run_9", "run_11", "run_1 old"):
        (tmp_path / name).mkdir()
        if name != "run_11":  # was begun, has no weights yet
            (tmp_path / name / "weights.safetensors").touch()
    return tmp_path


def test_the_newest_runs_with_weights_are_taken(runs):
    assert [run.name for run in newest_runs(runs, 2)] == ["run_9", "run_10"]
    assert [run.name for run in newest_runs(runs, 1)] == ["run_10"]


def test_too_few_runs_are_told(runs):
    with pytest.raises(SlagsegError, match="holds 3 trained networks, but 4"):
        newest_runs(runs, 4)


def test_one_network_is_no_ensemble(runs):
    assert [run.name for run in _members(runs, 3)] == ["run_2", "run_9", "run_10"]
    assert _members(runs / "run_2", 1) == (runs / "run_2",)
    with pytest.raises(SlagsegError, match="is one network"):
        _members(runs / "run_2", 2)


class _Project:
    """As much of a project as choosing a run asks for."""

    def __init__(self, folder):
        self.folder = folder

    def trained_runs(self, kind):
        return trained_runs(self.folder)

    def model_folder(self, kind):
        return self.folder / "run_10"


def test_a_run_is_chosen_by_its_name(runs):
    project = _Project(runs)
    assert chosen_runs(project, "phase", "run_2", 1) == (runs / "run_2",)
    assert chosen_runs(project, "phase", None, 1) == (runs / "run_10",)
    with pytest.raises(SlagsegError, match=r"'run_11'. It has: run_2, run_9, run_10\."):
        chosen_runs(project, "phase", "run_11", 1)
    with pytest.raises(SlagsegError, match="--phase-run run_2 names one run, but --ensemble 2"):
        chosen_runs(project, "phase", "run_2", 2)
