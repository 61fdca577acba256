"""Training: learns, stops, goes on, and starts from earlier weights."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import napari_slagseg.networks.batches as batches
import napari_slagseg.networks.training as training_module
from napari_slagseg import __version__
from napari_slagseg.data import CancelledError, GroundTruth, SlagsegError, Volume
from napari_slagseg.networks import TrainingSettings, load_network, train_network
from napari_slagseg.networks.checkpoints import STATE, read_tensors
from napari_slagseg.networks.eight_bit import to_eight_bit
from napari_slagseg.networks.settings import WEIGHTS

SMALL = TrainingSettings(
    kind="phase",
    size="tiny",
    epochs=3,
    steps_per_epoch=3,
    batch=2,
    patch=(16, 16, 16),
    learning_rate=3e-3,
    device="cpu",
    threads=2,
    seed=11,
)


class Once:
    """Cancel token that a listener sets after so many steps."""

    def __init__(self, step):
        self.left, self.events = step, []

    def is_set(self):
        return self.left <= 0

    def __call__(self, event):
        self.events.append(event)
        self.left -= 1


def outcome(folder):
    """All that a training leaves, but for notes of time."""
    weights, notes = read_tensors(folder / WEIGHTS)
    state, state_notes = read_tensors(folder / STATE)
    notes["card"]["training"].pop("seconds_so_far")
    for row in state_notes["history"]:
        del row["steps_per_second"], row["waiting_share"]
    history = pd.read_csv(folder / "history.csv")
    return (
        {k: v.numpy().tobytes() for k, v in weights.items()},
        {k: v.numpy().tobytes() for k, v in state.items()},
        notes,
        state_notes,
        history.drop(columns=["steps_per_second", "waiting_share"]).to_csv(),
    )


@pytest.fixture(scope="module")
def in_one_piece(little, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train_network(*little, SMALL, folder)
    return folder


def test_loss_falls(little, tmp_path):
    settings = dataclasses.replace(SMALL, epochs=5, steps_per_epoch=8)
    card = train_network(*little, settings, tmp_path)
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history["epoch"]) == [1, 2, 3, 4, 5]
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[0]
    assert history["validation_loss"].iloc[-1] < 0.6 * history["validation_loss"].iloc[0]
    best = history.loc[history["validation_loss"].idxmin()]
    for name in ("loss", "validation_loss", "validation_dice", "validation_accuracy"):
        assert card.scores[name] == pytest.approx(best[name])
    assert card.training["epochs"] == best["epoch"]


def test_what_is_told_while_training(little, tmp_path):
    told = []
    train_network(*little, SMALL, tmp_path, progress=told.append)
    assert [e.fraction for e in told] == pytest.approx([(i + 1) / 9 for i in range(9)])
    assert [e.values["step"] for e in told] == [1, 2, 3] * 3
    assert [e.values["epoch"] for e in told] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [("validation_loss" in e.values) for e in told] == [False, False, True] * 3
    history = pd.read_csv(tmp_path / "history.csv")
    assert told[-1].values["validation_loss"] == pytest.approx(history["validation_loss"].iloc[-1])


def test_the_card(little, in_one_piece):
    ct, training, _ = little
    card = load_network(in_one_piece).card
    assert (card.kind, card.architecture) == ("phase", "residual-unet-3d")
    assert (card.widths, card.channels) == ((8, 16, 32, 64), 3)
    assert card.table == training.table
    assert card.voxel_size_um == ct.voxel_size_um
    low, high = np.percentile(ct.data, (0.1, 99.9))
    assert card.grey_limits == pytest.approx(
        (low - 0.05 * (high - low), high + 0.05 * (high - low))
    )
    assert card.settings == json.loads(json.dumps(dataclasses.asdict(SMALL)))
    assert {"validation_loss", "validation_dice", "validation_accuracy"} <= set(card.scores)
    told = card.training
    assert told["torch"] == torch.__version__
    assert told["napari_slagseg"] == __version__
    assert told["device"] == "cpu"
    assert len(told["truth_sha256"]) == len(told["held_out_sha256"]) == 64
    assert told["truth_sha256"] != told["held_out_sha256"]
    assert json.loads((in_one_piece / "card.json").read_text()) == card.to_json()


def test_provenance_is_kept(little, tmp_path):
    one = dataclasses.replace(SMALL, epochs=1, steps_per_epoch=1)
    card = train_network(*little, one, tmp_path, provenance={"inputs": {"ct": "1234"}})
    assert card.training["inputs"] == {"ct": "1234"}


def test_same_seed_same_network(little, in_one_piece, tmp_path):
    train_network(*little, SMALL, tmp_path / "again")
    assert outcome(tmp_path / "again") == outcome(in_one_piece)
    train_network(*little, dataclasses.replace(SMALL, seed=12), tmp_path / "other")
    assert outcome(tmp_path / "other")[0] != outcome(in_one_piece)[0]


@pytest.mark.parametrize("steps", [[1], [3], [4, 1, 2], [8]], ids=str)
def test_stopped_and_resumed_is_bit_identical(little, in_one_piece, tmp_path, steps):
    for count in steps:
        token = Once(count)
        with pytest.raises(CancelledError, match="can be resumed"):
            train_network(*little, SMALL, tmp_path, progress=token, cancel=token)
        assert len(token.events) == count
    train_network(*little, SMALL, tmp_path)
    assert outcome(tmp_path) == outcome(in_one_piece)


def test_cancelling_keeps_the_last_checkpoint(little, tmp_path):
    token = Once(4)
    with pytest.raises(CancelledError):
        train_network(*little, SMALL, tmp_path, progress=token, cancel=token)
    assert load_network(tmp_path).card.training["epochs"] == 1
    assert read_tensors(tmp_path / STATE)[1]["step"] == 4
    assert len(pd.read_csv(tmp_path / "history.csv")) == 1
    token.left = 0
    with pytest.raises(CancelledError):  # cancelled at once: nothing is lost
        train_network(*little, SMALL, tmp_path, cancel=token)
    assert read_tensors(tmp_path / STATE)[1]["step"] == 4


@pytest.mark.parametrize("before", ["weights", "card", "history", "state"])
def test_killed_between_the_files_of_a_checkpoint(
    little, in_one_piece, tmp_path, monkeypatch, before
):
    """The second epoch's checkpoint is cut off just before one of its files."""

    class Killed(BaseException):
        pass

    import napari_slagseg.networks.checkpoints as checkpoints

    home, name = {
        "weights": (training_module, "save_weights"),
        "card": (checkpoints, "write_json"),
        "history": (training_module, "write_frame"),
        "state": (training_module, "save_tensors"),
    }[before]
    original, calls = getattr(home, name), []

    def dying(*arguments):
        calls.append(name)
        if len(calls) == 2:
            raise Killed
        original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(home, name, dying)
        with pytest.raises(Killed):
            train_network(*little, SMALL, tmp_path)
    assert read_tensors(tmp_path / STATE)[1]["step"] == 3
    load_network(tmp_path)  # what is there can be used
    train_network(*little, SMALL, tmp_path)
    assert outcome(tmp_path) == outcome(in_one_piece)


def test_killed_at_the_very_end(little, in_one_piece, tmp_path, monkeypatch):
    """All files of the last epoch but the last one written: resuming completes them."""

    class Killed(BaseException):
        pass

    original, order = training_module.save_tensors, []

    def dying(path, *rest):
        order.append(path)
        if len(order) == 3:
            raise Killed
        original(path, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(training_module, "save_tensors", dying)
        with pytest.raises(Killed):
            train_network(*little, SMALL, tmp_path)
    train_network(*little, SMALL, tmp_path)
    assert outcome(tmp_path) == outcome(in_one_piece)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("step", [2, 5])
def test_killed_for_real(little, in_one_piece, tmp_path, step):
    """A process that the system kills in the midst of a step."""
    script = f"""
import dataclasses, os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import blobs, sparse_truth
from napari_slagseg.networks import TrainingSettings, train_network
ct, phases = blobs((24, 24, 24), seed=5)
left = [{step}]
def progress(event):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
settings = TrainingSettings(**{dataclasses.asdict(SMALL)!r})
train_network(ct, sparse_truth(phases, (4, 11, 18)), sparse_truth(phases, (14,)), settings,
              {str(tmp_path)!r}, progress=progress)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / STATE).is_file() == (step > 3)
    train_network(*little, SMALL, tmp_path)
    assert outcome(tmp_path) == outcome(in_one_piece)


def test_a_finished_training_is_left_as_it_is(little, in_one_piece, tmp_path):
    before = outcome(in_one_piece)
    times = [p.stat().st_mtime_ns for p in sorted(in_one_piece.iterdir())]
    train_network(*little, SMALL, in_one_piece)
    assert outcome(in_one_piece) == before
    assert [p.stat().st_mtime_ns for p in sorted(in_one_piece.iterdir())] == times


def test_more_epochs_go_on_from_fewer(little, in_one_piece, tmp_path):
    train_network(*little, dataclasses.replace(SMALL, epochs=2), tmp_path)
    train_network(*little, SMALL, tmp_path)
    assert read_tensors(tmp_path / STATE)[1]["step"] == 9
    weights, state, _, _, history = outcome(tmp_path)
    assert (weights, state, history) == tuple(outcome(in_one_piece)[i] for i in (0, 1, 4))


def test_the_learning_rate_falls_along_half_a_cosine():
    constant, falling = SMALL, dataclasses.replace(SMALL, decay=True)  # 9 steps at 3e-3
    assert {constant.learning_rate_at(step) for step in range(9)} == {3e-3}
    rates = [falling.learning_rate_at(step) for step in range(9)]
    assert rates[0] == 3e-3
    assert rates == sorted(rates, reverse=True)
    assert falling.learning_rate_at(3) == pytest.approx(3e-3 * 0.75)  # cos 60 degrees is 1/2
    assert falling.learning_rate_at(9) == pytest.approx(3e-3 * 0.02)


def test_a_falling_learning_rate_is_learnt_with_and_survives_a_stop(little, in_one_piece, tmp_path):
    falling = dataclasses.replace(SMALL, decay=True)
    train_network(*little, falling, tmp_path / "whole")
    token = Once(4)
    with pytest.raises(CancelledError):
        train_network(*little, falling, tmp_path / "parts", progress=token, cancel=token)
    train_network(*little, falling, tmp_path / "parts")
    assert outcome(tmp_path / "parts") == outcome(tmp_path / "whole")
    assert outcome(tmp_path / "whole")[0] != outcome(in_one_piece)[0]
    longer = dataclasses.replace(falling, epochs=4)  # would have fallen more slowly
    with pytest.raises(SlagsegError, match="another epochs, so this one cannot go on"):
        train_network(*little, longer, tmp_path / "parts")


@pytest.mark.parametrize(
    ("change", "named"),
    [({"seed": 1}, "seed"), ({"learning_rate": 1e-3, "batch": 3}, "batch, learning rate")],
)
def test_another_training_is_not_gone_on_with(little, in_one_piece, change, named):
    with pytest.raises(SlagsegError, match=f"with another {named}, so this one cannot go on"):
        train_network(*little, dataclasses.replace(SMALL, **change), in_one_piece)


def test_another_truth_is_not_gone_on_with(little, in_one_piece):
    ct, training, validation = little
    less = training.select(np.arange(len(training)) % 2 == 0)
    with pytest.raises(SlagsegError, match="with another ground truth, so"):
        train_network(ct, less, validation, SMALL, in_one_piece)


def test_without_resume_it_begins_anew(little, tmp_path):
    one = dataclasses.replace(SMALL, epochs=1)
    train_network(*little, dataclasses.replace(one, seed=1), tmp_path / "a")
    train_network(*little, one, tmp_path / "a", resume=False)
    train_network(*little, one, tmp_path / "b")
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")


def test_second_run_starts_from_the_first_weights(little, in_one_piece, tmp_path):
    """With steps too small to move anything, the second run's weights are the first's."""
    settings = dataclasses.replace(SMALL, epochs=1, steps_per_epoch=1, learning_rate=1e-12)
    train_network(*little, settings, tmp_path / "second", initial=in_one_piece)
    train_network(*little, settings, tmp_path / "fresh")
    first = load_network(in_one_piece).network
    second, fresh = (load_network(tmp_path / n).network for n in ("second", "fresh"))
    for name, weights in first.named_parameters():
        assert torch.allclose(second.get_parameter(name), weights, atol=1e-9)
    assert not torch.allclose(fresh.head.weight, first.head.weight, atol=1e-3)


def test_second_run_keeps_the_grey_limits_of_the_first(little, in_one_piece, tmp_path):
    """Another scan, brighter: its values are scaled as the first network knows them."""
    ct, training, validation = little
    brighter = Volume(ct.data + np.uint16(5000), ct.voxel_size_um)
    token = Once(2)
    with pytest.raises(CancelledError):
        train_network(
            brighter, training, validation, SMALL, tmp_path,
            initial=in_one_piece, progress=token, cancel=token,
        )  # fmt: skip
    card = train_network(brighter, training, validation, SMALL, tmp_path, initial=in_one_piece)
    limits = load_network(in_one_piece).card.grey_limits
    assert card.grey_limits == limits

    # what the network is shown is what these limits make of the scan
    shown = []
    draw_patch = batches.draw_patch

    def look(data, *others, **options):
        shown.append(data[:, :, :])
        return draw_patch(data, *others, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batches, "draw_patch", look)
        train_network(brighter, training, validation, SMALL, tmp_path / "b", initial=in_one_piece)
    expected = to_eight_bit(brighter.data, limits)
    assert all(np.array_equal(data, expected) for data in shown)
    assert shown


def test_second_run_of_another_kind_or_size(little, in_one_piece, tmp_path):
    with pytest.raises(SlagsegError, match="is a phase network; a particle network cannot start"):
        train_network(
            *little, dataclasses.replace(SMALL, kind="particle"), tmp_path, initial=in_one_piece
        )
    larger = dataclasses.replace(SMALL, size="small")
    with pytest.raises(SlagsegError, match="trained with another size or other phases"):
        train_network(*little, larger, tmp_path, initial=in_one_piece)


def test_unknown_voxels_take_no_part(little, tmp_path):
    """Truth with entries of no class or no weight trains the very same network."""
    ct, training, _ = little
    extra = np.setdiff1d(np.arange(0, 24**3, 5), training.voxels)
    voxels = np.concatenate([training.voxels, extra])
    order = np.argsort(voxels)
    half = np.arange(len(extra)) % 2 == 0

    def joined(name, values):
        return np.concatenate([getattr(training, name), values.astype(getattr(training, name).dtype)])[order]  # fmt: skip  # noqa: E501

    n = len(extra)
    more = GroundTruth(
        shape=training.shape,
        voxels=voxels[order],
        phases=joined("phases", np.where(half, -1, 1)),
        particles=joined("particles", np.full(n, -1)),
        foreground=joined("foreground", np.where(half, -1, 1)),
        phase_weights=joined("phase_weights", np.where(half, 1.0, 0.0)),
        particle_weights=joined("particle_weights", np.where(half, 1.0, 0.0)),
        map_index=joined("map_index", np.zeros(n)),
        cutout_index=joined("cutout_index", np.zeros(n)),
        table=training.table,
        map_names=training.map_names,
    )
    for kind in ("phase", "particle"):
        settings = dataclasses.replace(SMALL, kind=kind, epochs=1, steps_per_epoch=2, elastic=True)
        train_network(ct, training, None, settings, tmp_path / kind / "a")
        train_network(ct, more, None, settings, tmp_path / kind / "b")
        assert outcome(tmp_path / kind / "a") == outcome(tmp_path / kind / "b")


def test_without_held_out_truth_the_last_epoch_is_kept(little, tmp_path):
    ct, training, _ = little
    card = train_network(ct, training, None, SMALL, tmp_path)
    assert card.training["epochs"] == 3
    assert card.training["held_out_sha256"] is None
    assert set(card.scores) == {"loss"}
    state, _ = read_tensors(tmp_path / STATE)
    weights, _ = read_tensors(tmp_path / WEIGHTS)
    assert all(torch.equal(weights[k], state[f"model.{k}"]) for k in weights)


def test_the_best_epoch_is_kept(little, tmp_path, monkeypatch):
    losses = iter([0.5, 0.2, 0.9])
    monkeypatch.setattr(
        training_module._Training, "_validate", lambda *_: {"validation_loss": next(losses)}
    )
    card = train_network(*little, SMALL, tmp_path)
    assert card.training["epochs"] == 2
    assert card.scores["validation_loss"] == 0.2
    state, _ = read_tensors(tmp_path / STATE)
    weights, _ = read_tensors(tmp_path / WEIGHTS)
    assert not torch.equal(weights["head.weight"], state["model.head.weight"])


def test_divergence_is_told(little, tmp_path):
    wild = dataclasses.replace(SMALL, learning_rate=1e18, epochs=20)
    with pytest.raises(SlagsegError, match=r"diverged at step \d+.*Lower the learning rate"):
        train_network(*little, wild, tmp_path)


def test_a_volume_smaller_than_the_patch(problem, tmp_path):
    blobs, sparse_truth = problem
    ct, phases = blobs((10, 20, 14), 1)
    settings = dataclasses.replace(SMALL, patch=(96, 96, 96), epochs=1, elastic=True)
    card = train_network(ct, sparse_truth(phases, (5,)), None, settings, tmp_path)
    assert card.scores["loss"] > 0


def test_bad_input(little, tmp_path):
    ct, training, validation = little
    with pytest.raises(SlagsegError, match=r"volume of \(24, 24, 24\), the CT has \(24, 24, 20\)"):
        train_network(
            Volume(ct.data[:, :, :20], ct.voxel_size_um), training, validation, SMALL, tmp_path
        )
    with pytest.raises(SlagsegError, match="is constant"):
        train_network(
            Volume(np.full_like(ct.data, 9), ct.voxel_size_um), training, None, SMALL, tmp_path
        )
    nothing = training.select(np.zeros(len(training), dtype=bool))
    with pytest.raises(SlagsegError, match="no voxel for the phase network"):
        train_network(ct, nothing, None, SMALL, tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": "huge"}, "There is no network size 'huge'"),
        ({"patch": (96, 96)}, "three edges that are multiples of 8"),
        ({"patch": (96, 96, 20)}, "three edges that are multiples of 8"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_bad_settings(values, message):
    with pytest.raises(SlagsegError, match=message):
        TrainingSettings(kind="phase", **values)


def test_the_papers_settings():
    phase, first = (TrainingSettings.for_network(k) for k in ("phase", "particle"))
    second = TrainingSettings.for_network("particle", second_run=True)
    assert (phase.epochs, first.epochs, second.epochs) == (150, 100, 150)
    assert (phase.elastic, first.elastic) == (False, True)
    for s in (phase, first, second):
        assert (s.steps_per_epoch, s.batch, s.learning_rate, s.gamma) == (100, 4, 1e-4, 2.0)
        assert (s.patch, s.widths, s.grey_shift) == ((96,) * 3, (32, 64, 128, 256), 10)
        assert s.rotations
        assert not s.mirrors
