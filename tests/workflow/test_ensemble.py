"""Which trainings an ensemble is made of."""

import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.workflow.plain.predicting import _members
from napari_slagseg.workflow.segment import newest_runs


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
