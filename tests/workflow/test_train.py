"""Which run a training goes on with, and which run it learns from."""

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import SlagsegError
from napari_slagseg.project.training_runs import trained_runs, training_runs
from napari_slagseg.workflow import TrainConfig, make_config
from napari_slagseg.workflow import train as train_module
from napari_slagseg.workflow.pipeline import step_named
from napari_slagseg.workflow.train import teacher_folder


class Runs:
    """A project as far as trainings know it: folders of runs with their notes and weights."""

    def __init__(self, folder):
        self.folder = folder

    def add(self, size, weights=b"w", kind="phase", **notes):
        folder = self.next_model_folder(kind)
        folder.mkdir(parents=True)
        io.write_json(folder / "run.json", {"size": size, **notes})
        if weights:
            (folder / "weights.safetensors").write_bytes(weights)
        return folder

    def model_runs(self, kind):
        return training_runs(self.folder / "models" / kind)

    def trained_runs(self, kind):
        return trained_runs(self.folder / "models" / kind)

    def next_model_folder(self, kind):
        return self.folder / "models" / kind / f"run_{len(self.model_runs(kind)) + 1}"

    def weights_fingerprint(self, run):
        return (run / "weights.safetensors").read_bytes().hex()


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "_inputs", lambda *_: {"ct": "1", "training": "2"})
    return Runs(tmp_path)


def folder_for(runs, config, kind="phase", corrections=0):
    teacher = teacher_folder(runs, kind, config)
    return train_module._run_folder(runs, kind, config, corrections, teacher)


def test_the_latest_teacher_is_the_latest_wider_network(runs):
    runs.add("paper")
    small = runs.add("small")
    runs.add("tiny")  # a pupil of before: no teacher of its like
    runs.add("paper", weights=b"")  # not trained yet
    assert teacher_folder(runs, "phase", TrainConfig(size="tiny", teacher="latest")) == small
    named = TrainConfig(size="tiny", teacher="run_1")
    assert teacher_folder(runs, "phase", named).name == "run_1"
    assert teacher_folder(runs, "phase", TrainConfig(size="tiny")) is None


def test_a_teacher_that_is_not_there(runs):
    with pytest.raises(SlagsegError, match="no trained phase network that is wider than 'tiny'"):
        teacher_folder(runs, "phase", TrainConfig(size="tiny", teacher="latest"))
    runs.add("small")
    with pytest.raises(SlagsegError, match="wider than 'paper'"):
        teacher_folder(runs, "phase", TrainConfig(teacher="latest"))
    with pytest.raises(SlagsegError, match=r"no trained phase network 'run_9' .* It has: run_1\."):
        teacher_folder(runs, "phase", TrainConfig(size="tiny", teacher="run_9"))


def test_a_taught_run_is_gone_on_with_while_its_teacher_is_the_same(runs):
    first = runs.add("small")
    config = TrainConfig(size="tiny", teacher="latest")
    folder, initial = folder_for(runs, config)
    assert (folder.name, initial) == ("run_2", None)
    assert io.read_json(folder / "run.json", "")["teacher"] == "run_1"
    (folder / "weights.safetensors").write_bytes(b"pupil")
    assert folder_for(runs, config)[0] == folder
    (first / "weights.safetensors").write_bytes(b"trained on")
    assert folder_for(runs, config)[0].name == "run_3"
    assert folder_for(runs, TrainConfig(size="tiny"))[0].name == "run_4"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"loaders": 3}, True),
        ({"cache_gb": 9.0}, True),
        ({"epochs": 7}, True),
        ({"accumulate": 2}, False),
        ({"precision": "fp32"}, False),
        ({"batch": 2}, False),
    ],
)
def test_what_changes_no_result_makes_no_other_run(runs, change, same):
    folder, _ = folder_for(runs, TrainConfig())
    assert (folder_for(runs, TrainConfig(**change))[0] == folder) == same


def test_a_second_run_starts_from_the_latest_run_of_its_size(runs):
    first = runs.add("paper", kind="particle", corrections=1)
    runs.add("small", kind="particle", corrections=1)  # a pupil in between
    assert folder_for(runs, TrainConfig(), "particle", corrections=2)[1] == first
    assert folder_for(runs, TrainConfig(seed=1), "particle", corrections=1)[1] is None


def test_the_pace_of_a_run_is_that_of_all_its_epochs(tmp_path):
    """100 steps in 10 s and 100 in 90 s: two steps a second; 1 s and 45 s of them waiting."""
    (tmp_path / "history.csv").write_text(
        "epoch,loss,steps_per_second,waiting_share\n1,0.5,10,0.1\n2,0.4,1.11111111,0.5\n"
    )
    pace = train_module._pace(tmp_path)
    assert pace["steps_per_second"] == pytest.approx(2.0, abs=0.001)
    assert pace["waiting_share"] == pytest.approx(0.46, abs=1e-4)
    (warning,) = train_module._warnings(None, {}, pace)
    assert "waited for patches 46% of the time" in warning
    assert train_module._warnings(None, {}, {**pace, "waiting_share": 0.02}) == ()
    (tmp_path / "history.csv").write_text("epoch,loss\n1,0.5\n")
    assert train_module._pace(tmp_path) == {}


def test_more_parts_than_patches_are_refused():
    with pytest.raises(SlagsegError, match="A step of 2 patches cannot be computed in 3 parts"):
        make_config(step_named("train-phase"), {"batch": 2, "accumulate": 3})
    assert np.isclose(TrainConfig(batch=3, accumulate=3).temperature, 2.0)
