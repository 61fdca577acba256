"""What a training shows of itself: right values, at the asked cost, and no trace in the weights."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from napari_slagseg.data import CancelledError, SlagsegError
from napari_slagseg.networks import TrainingSettings, load_network, predict_volume, train_network
from napari_slagseg.networks.checkpoints import read_tensors
from napari_slagseg.networks.preview_file import (
    VALUES,
    Preview,
    PreviewBoxes,
    boxes_around,
    read_preview,
    write_boxes,
    write_values,
)
from napari_slagseg.networks.settings import WEIGHTS

SMALL = TrainingSettings(
    kind="particle",
    size="tiny",
    epochs=2,
    steps_per_epoch=3,
    batch=2,
    patch=(16, 16, 16),
    learning_rate=3e-3,
    device="cpu",
    threads=2,
    seed=11,
)
BOXES = PreviewBoxes(((0, 0, 0),), share=1.0)


def weights(folder):
    return {k: v.numpy().tobytes() for k, v in read_tensors(folder / WEIGHTS)[0].items()}


def test_the_weights_are_the_same_with_and_without_a_preview(little, tmp_path):
    ct, truth, _ = little
    train_network(ct, truth, None, SMALL, tmp_path / "without")
    told = []
    train_network(ct, truth, None, SMALL, tmp_path / "with", preview=BOXES, progress=told.append)
    assert weights(tmp_path / "with") == weights(tmp_path / "without")
    folders = [event.values["preview"] for event in told if "preview" in event.values]
    assert folders[-1] == str(tmp_path / "with")
    assert "preview" in told[-1].values  # the last weights are always shown


def test_it_shows_what_the_network_predicts(little, tmp_path):
    ct, truth, _ = little
    train_network(ct, truth, None, SMALL, tmp_path, preview=BOXES)
    shown = read_preview(tmp_path)
    assert shown.starts == ((0, 0, 0),)
    assert shown.now.shape == (1, *ct.shape)
    network = load_network(tmp_path)
    whole = predict_volume(ct.data, phase=None, particle=network, backend="torch", tile=24)
    # the same network on the same box; padding to a tile's halo differs at the rim alone
    inner = (slice(8, 16),) * 3
    difference = whole.particle_probability[inner].astype(int) - shown.now[0][inner]
    assert np.abs(difference).mean() < 3
    assert not np.array_equal(shown.before, shown.now)


def test_the_prediction_before_stays_that_of_the_beginning(little, tmp_path):
    class Once:
        left = 4

        def is_set(self):
            self.left -= 1
            return self.left < 0

    ct, truth, _ = little
    with pytest.raises(CancelledError):
        train_network(ct, truth, None, SMALL, tmp_path, preview=BOXES, cancel=Once())
    first = read_preview(tmp_path).before
    train_network(ct, truth, None, SMALL, tmp_path, preview=BOXES)
    assert np.array_equal(read_preview(tmp_path).before, first)


def test_a_small_share_of_the_time_is_kept_to(little, tmp_path):
    ct, truth, _ = little
    told = []
    settings = dataclasses.replace(SMALL, steps_per_epoch=10)
    train_network(
        ct, truth, None, settings, tmp_path, preview=PreviewBoxes(((0, 0, 0),), share=1e-6),
        progress=told.append,
    )  # fmt: skip
    assert sum("preview" in event.values for event in told) == 1


def test_boxes_hold_most_of_the_places():
    places = np.array([[10, 20, 30]] * 5 + [[300, 300, 300]] * 9 + [[500, 20, 20]])
    boxes = boxes_around(places, (512, 512, 512), most=2)
    assert boxes == ((268, 252, 252), (0, 0, 0))
    assert boxes_around(places, (512, 512, 512))[2] == (448, 0, 0)
    assert boxes_around(np.array([[3, 3, 3]]), (24, 24, 24)) == ((0, 0, 0),)
    assert boxes_around(np.empty((0, 3), np.int64), (24, 24, 24)) == ()


def test_nothing_and_something_else_than_a_preview(tmp_path):
    assert read_preview(tmp_path) is None
    values = np.zeros((1, 2, 2, 2), np.uint8)
    write_boxes(tmp_path, ((1, 2, 3),))
    write_values(tmp_path, values, values + 1)
    found = read_preview(tmp_path)
    assert isinstance(found, Preview)
    assert found.starts == ((1, 2, 3),)
    assert found.before.max() == 0
    assert found.now.min() == 1
    np.save(tmp_path / VALUES, np.zeros((2, 2), np.uint8))
    with pytest.raises(SlagsegError, match="no preview of 1 boxes"):
        read_preview(tmp_path)


def test_reading_needs_no_torch():
    code = (
        "import sys, napari_slagseg.networks.preview_file; "
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
