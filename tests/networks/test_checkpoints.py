"""Checkpoints: whole, with a card, and never able to run code."""

import json
import pickle
import struct

import numpy as np
import pytest
import torch

from napari_slagseg.data import SlagsegError
from napari_slagseg.networks import NetworkCard, load_network
from napari_slagseg.networks.checkpoints import (
    WEIGHTS,
    pick_device,
    read_tensors,
    save_tensors,
    save_weights,
)
from napari_slagseg.networks.unet import build_unet

WIDTHS = (2, 4, 6, 8)


@pytest.fixture
def card(phase_table):
    return NetworkCard(
        kind="phase",
        widths=WIDTHS,
        channels=3,
        table=phase_table,
        grey_limits=(1250.5, 60000.25),
        voxel_size_um=(2.0, 2.5, 3.0),
        settings={"seed": 3, "patch": [96, 96, 96]},
        scores={"validation_loss": 0.1},
        training={"epochs": 4, "truth_sha256": "ab"},
    )


@pytest.fixture
def stored(tmp_path, card):
    """Folder of a stored network."""
    save_weights(tmp_path / "run", build_unet(3, WIDTHS, seed=1), card)
    return tmp_path / "run"


def rewrite(folder, change=None, tensors=None):
    """Store the network again with another card or other tensors."""
    kept, notes = read_tensors(folder / WEIGHTS)
    if change is not None:
        change(notes)
    save_tensors(folder / WEIGHTS, kept if tensors is None else tensors, notes)


def test_round_trip(stored, card):
    network = build_unet(3, WIDTHS, seed=1)
    for path in (stored, stored / WEIGHTS, str(stored)):
        loaded = load_network(path)
        assert loaded.card == card
        assert not loaded.network.training
        assert loaded.source == str(stored / WEIGHTS)
        expected, found = network.state_dict(), loaded.network.state_dict()
        assert list(expected) == list(found)
        assert all(torch.equal(expected[k], found[k]) for k in expected)
        assert all(not p.is_meta for p in loaded.network.parameters())
    assert json.loads((stored / "card.json").read_text()) == card.to_json()


def test_tensors_round_trip_bit_for_bit(tmp_path):
    odd = torch.tensor([0.1, -0.0, 1e-45, float("inf"), float("nan")])
    laid_out = torch.rand(4, 3, 3, 3, 3).to(memory_format=torch.channels_last_3d)
    tensors = {"a": odd, "b": laid_out, "n": torch.tensor(2**53 + 1), "h": odd.bfloat16()}
    save_tensors(tmp_path / "s.safetensors", tensors, {"x": 0.1 + 0.2, "none": None})
    found, notes = read_tensors(tmp_path / "s.safetensors")
    assert notes == {"x": 0.1 + 0.2, "none": None}
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].contiguous().numpy(force=True).tobytes() == (
            tensor.contiguous().numpy(force=True).tobytes()
        ) if name != "h" else torch.equal(found[name][:4], tensor[:4])  # fmt: skip


class Malicious:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (self.mark, "w"))


@pytest.mark.parametrize("how", ["torch", "torch before 1.6", "pickle", "pickle protocol 2"])
def test_pickles_are_refused_unopened(tmp_path, how):
    """What they would run leaves a file."""
    mark, path = tmp_path / "ran", tmp_path / WEIGHTS
    content = {"weight": Malicious(str(mark))}
    if how.startswith("torch"):
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    else:
        path.write_bytes(pickle.dumps(content, protocol=2 if "2" in how else 4))
    for target in (path, tmp_path):
        with pytest.raises(SlagsegError, match="can carry code and is never opened"):
            load_network(target)
    assert not mark.exists()


def test_cut_short_anywhere(stored):
    whole = (stored / WEIGHTS).read_bytes()
    header = struct.unpack("<Q", whole[:8])[0]
    for size in (0, 1, 7, 8, 9, 8 + header - 1, 8 + header, 8 + header + 4, len(whole) - 1):
        (stored / WEIGHTS).write_bytes(whole[:size])
        with pytest.raises(SlagsegError, match=f"{WEIGHTS} is not a (whole )?safetensors"):
            load_network(stored)


def refusal(folder):
    """What is said of a network that is not taken; None where it is."""
    try:
        load_network(folder)
    except SlagsegError as error:
        return str(error)
    return None


def test_damaged_bytes_never_end_in_another_error(stored):
    """Flipped bytes in the header: refused in a sentence, or read as a network."""
    whole = bytearray((stored / WEIGHTS).read_bytes())
    header = struct.unpack("<Q", whole[:8])[0]
    rng = np.random.default_rng(0)
    refused = 0
    for position in (*range(8), *rng.integers(8, 8 + header, 300)):
        damaged = bytearray(whole)
        damaged[position] = (damaged[position] + rng.integers(1, 256)) % 256
        (stored / WEIGHTS).write_bytes(damaged)
        told = refusal(stored)
        assert told is None or WEIGHTS in told
        refused += told is not None
    assert refused > 100


def test_missing_files(tmp_path):
    with pytest.raises(SlagsegError, match=f"holds no {WEIGHTS}: no network was trained there"):
        load_network(tmp_path)
    with pytest.raises(SlagsegError, match="does not exist"):
        load_network(tmp_path / "nothing.safetensors")


def test_a_file_of_another_program_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(SlagsegError, match="has no card"):
        load_network(tmp_path / "other.safetensors")
    for notes in ("[]", "null", "3", '"card"'):
        save_file({"w": torch.zeros(3)}, tmp_path / "o.safetensors", metadata={"slagseg": notes})
        with pytest.raises(SlagsegError, match=r"o\.safetensors"):
            load_network(tmp_path / "o.safetensors")


def test_a_newer_format_is_refused(stored):
    rewrite(stored, lambda notes: notes["card"].update(format=2))
    with pytest.raises(SlagsegError, match=r"newer version of napari-slagseg\. Update it"):
        load_network(stored)


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "colour"},
        {"architecture": "transformer"},
        {"widths": [2, 4, 6]},
        {"widths": [2, 4, 6, 0]},
        {"widths": [2, 4, 6, -8]},
        {"widths": []},
        {"channels": 4},
        {"grey_limits": [5.0, 5.0]},
        {"grey_limits": [float("nan"), 5.0]},
        {"grey_limits": 7},
        {"voxel_size_um": [2.0, 2.0, 0.0]},
        {"voxel_size_um": [2.0, 2.0]},
        {"table": {"target": None, "phases": []}},
        {"table": {"target": "nothing", "phases": [{"id": 0, "name": "b", "colour": "#000000"}]}},
        {"table": {"target": None, "phases": [{"id": 0, "name": 3, "colour": 5}]}},
        {"format": "one"},
        {"extra": 1},
    ],
    ids=str,
)
def test_cards_that_say_nothing_sensible(stored, values):
    rewrite(stored, lambda notes: notes["card"].update(values))
    with pytest.raises(SlagsegError, match=f"{WEIGHTS} (holds no valid card|does not fit)"):
        load_network(stored)


def test_phases_of_a_card_must_be_the_channels(stored):
    def gap(notes):
        notes["card"]["table"]["phases"][2]["id"] = 5

    rewrite(stored, gap)
    with pytest.raises(SlagsegError, match="3 outputs, but classes"):
        load_network(stored)


def test_a_card_that_does_not_fit_its_network(stored):
    rewrite(stored, lambda notes: notes["card"].update(widths=[2, 4, 6, 16]))
    with pytest.raises(SlagsegError, match=r"'down\.3\.\S+' is \(8.*expected \(16"):
        load_network(stored)


def test_a_card_of_a_giant_network_takes_no_memory(stored):
    """10 million channels would take 10^16 bytes."""
    rewrite(stored, lambda notes: notes["card"].update(widths=[10_000_000] * 4))
    with pytest.raises(SlagsegError, match="does not fit the network of widths"):
        load_network(stored)


@pytest.mark.parametrize("what", ["missing", "added"])
def test_tensors_that_do_not_fit(stored, what):
    tensors, _ = read_tensors(stored / WEIGHTS)
    if what == "missing":
        del tensors["head.bias"]
    else:
        tensors["tail.bias"] = torch.zeros(2)
    rewrite(stored, tensors=tensors)
    with pytest.raises(SlagsegError, match=r"'(head|tail)\.bias' is .*expected"):
        load_network(stored)


def test_devices():
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(SlagsegError, match="'abacus' is no device"):
        pick_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(SlagsegError, match="No CUDA GPU"):
            pick_device("cuda")
