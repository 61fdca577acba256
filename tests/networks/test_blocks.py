"""Prediction by blocks: the same bits whatever the blocks, memory and order of things."""

import pickle
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_slagseg.data import Block, BlockGrid, SlagsegError, ThreadRun
from napari_slagseg.networks import (
    NetworkCard,
    PredictionSettings,
    TrainedNetwork,
    device_of_worker,
    estimate_seconds,
    load_network,
    predict_volume,
    prediction_task,
)
from napari_slagseg.networks.checkpoints import save_weights
from napari_slagseg.networks.prediction import block_task, devices, predictor
from napari_slagseg.networks.prediction.cost import passes_per_voxel, tile_count
from napari_slagseg.networks.prediction.devices import CudaRoute
from napari_slagseg.networks.prediction.grey_values import (
    eight_bit,
    eight_bit_tensor,
    for_device,
)
from napari_slagseg.networks.prediction.pipeline import flow
from napari_slagseg.networks.prediction.settings import chosen_settings
from napari_slagseg.networks.prediction.tiles import make_tile, read_tile
from napari_slagseg.networks.unet import build_unet

SHAPE = (44, 70, 37)
QUICK = PredictionSettings(tile=16, halo=8, device="cpu", threads=1)


def network(kind, table, seed=0, limits=(0.0, 60_000.0)):
    """Network of random weights, large enough that its answers differ from place to place."""
    channels = len(table) if kind == "phase" else 1
    built = build_unet(channels, (2, 4, 4, 4), seed).eval()
    with torch.no_grad():
        for value in built.parameters():
            value.mul_(2.5)
    card = NetworkCard(kind, (2, 4, 4, 4), channels, table, limits, (2.0, 2.0, 2.0))
    return TrainedNetwork(built, card, f"{kind} {seed}")


@pytest.fixture(scope="module")
def pair(phase_table):
    return {kind: network(kind, phase_table) for kind in ("phase", "particle")}


@pytest.fixture(scope="module")
def ct():
    rng = np.random.default_rng(0)
    return rng.integers(0, 60_000, SHAPE).astype(np.uint16)


def by_blocks(ct, pair, chosen, edges, threads=1):
    out = {k: np.full(ct.shape, 77, np.uint8) for k in ("phases", "probability")}
    task = prediction_task(
        ct, pair["phase"], pair["particle"], out["phases"], out["probability"], chosen
    )
    ThreadRun(BlockGrid.of(ct.shape, edges), threads).stage("predict", task)
    return out["phases"], out["probability"]


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_blocks_leave_no_trace(ct, pair, backend):
    chosen = replace(QUICK, backend=backend)
    whole = predict_volume(ct, **pair, **as_arguments(chosen))
    assert len(np.unique(whole.phases)) > 1
    assert len(np.unique(whole.particle_probability)) > 20
    for edges in ((16, 32, 48), (48, 16, 16)):
        phases, probability = by_blocks(ct, pair, chosen, edges)
        assert np.array_equal(phases, whole.phases)
        assert np.array_equal(probability, whole.particle_probability)


@settings(max_examples=8, deadline=None)
@given(edges=st.tuples(*[st.integers(1, 5)] * 3), threads=st.integers(1, 3))
def test_any_blocks_and_threads_give_the_same(ct, pair, edges, threads):
    whole = predict_volume(ct, **pair, **as_arguments(QUICK))
    phases, probability = by_blocks(ct, pair, QUICK, tuple(16 * e for e in edges), threads)
    assert np.array_equal(phases, whole.phases)
    assert np.array_equal(probability, whole.particle_probability)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_averaged_blocks_leave_no_trace_wherever_they_end(ct, pair, backend):
    chosen = replace(QUICK, average=True, backend=backend, halo=0)
    piece = ct[:24, :33, :19]
    whole = predict_volume(piece, **pair, **as_arguments(chosen))
    assert len(np.unique(whole.particle_probability)) > 20
    for edges in ((16, 16, 32), (24, 19, 13)):
        phases, probability = by_blocks(piece, pair, chosen, edges)
        assert np.array_equal(phases, whole.phases)
        assert np.array_equal(probability, whole.particle_probability)


def test_blocks_that_cut_tiles_are_refused(ct, pair):
    with pytest.raises(SlagsegError, match="multiples of 16"):
        by_blocks(ct, pair, QUICK, (24, 16, 16))


def as_arguments(chosen):
    return dict(vars(chosen))


def test_a_pickled_task_works_from_folders(ct, pair, tmp_path):
    """What a worker gets is small: paths, no weights."""
    for kind, trained in pair.items():
        (tmp_path / kind).mkdir()
        save_weights(tmp_path / kind, trained.network, trained.card)
    path = tmp_path / "out.npy"
    out = np.lib.format.open_memmap(path, "w+", np.uint8, SHAPE)
    task = prediction_task(ct[:1], tmp_path / "phase", None, out, None, QUICK)
    references = pickle.dumps(task.members)
    assert len(references) < 1000
    assert pickle.loads(references) == task.members
    again = [load_network(tmp_path / kind) for kind in ("phase", "particle")]
    expected = predict_volume(ct, **pair, **as_arguments(QUICK))
    found = predict_volume(ct, phase=again[0], particle=again[1], **as_arguments(QUICK))
    assert np.array_equal(found.phases, expected.phases)


def test_weights_changed_on_the_way_are_noticed(ct, pair, phase_table, tmp_path):
    save_weights(tmp_path, pair["phase"].network, pair["phase"].card)
    task = prediction_task(ct, tmp_path, None, np.zeros(SHAPE, np.uint8), None, QUICK)
    other = network("phase", phase_table, seed=5)
    save_weights(tmp_path, other.network, other.card)
    with pytest.raises(SlagsegError, match="was changed while"):
        task.members[0][1][0].load()


def test_networks_are_loaded_once_for_all_blocks(ct, pair, monkeypatch):
    made = []
    real = predictor.TilePredictor

    def counted(*arguments):
        made.append(arguments)
        return real(*arguments)

    predictor._kept.clear()
    monkeypatch.setattr(predictor, "TilePredictor", counted)
    by_blocks(ct, pair, QUICK, 16)
    by_blocks(ct, pair, QUICK, 32)
    assert len(made) == 1


def test_short_memory_makes_tiles_smaller_and_says_so(ct, pair, monkeypatch):
    """A tile of 64 voxels fails as torch does; 32 voxels fit."""
    real = predictor.TilePredictor.classes

    def classes(self, piece):
        if self.settings.edge > 32:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(self, piece)

    monkeypatch.setattr(predictor.TilePredictor, "classes", classes)
    monkeypatch.setattr(predictor, "_smaller", {})
    asked = replace(QUICK, tile=64)
    found = predict_volume(ct, **pair, **as_arguments(asked))
    assert found.manner["tile"] == 32
    assert "memory" in found.manner["note"]
    expected = predict_volume(ct, **pair, **as_arguments(replace(QUICK, tile=32)))
    assert np.array_equal(found.phases, expected.phases)
    out = np.zeros(SHAPE, np.uint8)
    task = prediction_task(ct, pair["phase"], None, out, None, asked)
    assert task(BlockGrid.of(SHAPE, 64).block((0, 0, 0)))["tile"] == 32


def test_memory_too_short_for_any_tile_is_told(ct, pair, monkeypatch):
    def classes(self, piece):
        raise RuntimeError("could not: not enough memory: you tried to allocate")

    monkeypatch.setattr(predictor.TilePredictor, "classes", classes)
    monkeypatch.setattr(predictor, "_smaller", {})
    with pytest.raises(SlagsegError, match="does not even hold a tile"):
        predict_volume(ct, **pair, **as_arguments(replace(QUICK, tile=32)))


def test_other_errors_are_not_taken_for_short_memory(ct, pair, monkeypatch):
    def classes(self, piece):
        raise RuntimeError("something else")

    monkeypatch.setattr(predictor.TilePredictor, "classes", classes)
    with pytest.raises(RuntimeError, match="something else"):
        predict_volume(ct, **pair, **as_arguments(QUICK))
    assert not block_task.is_memory_error(ValueError("no"))


def test_an_ensemble_of_one_network_twice_is_that_network(ct, pair):
    alone = predict_volume(ct, **pair, **as_arguments(QUICK))
    twice = predict_volume(
        ct, phase=[pair["phase"]] * 2, particle=[pair["particle"]] * 2, **as_arguments(QUICK)
    )
    assert (twice.phases == alone.phases).mean() > 0.9999
    change = twice.particle_probability.astype(int) - alone.particle_probability
    assert np.abs(change).max() <= 1


def test_an_ensemble_averages_probabilities(ct, pair, phase_table):
    other = network("particle", phase_table, seed=9, limits=(5_000.0, 70_000.0))
    arguments = as_arguments(QUICK)
    apart = [
        predict_volume(ct, phase=None, particle=n, **arguments).particle_probability.astype(float)
        for n in (pair["particle"], other)
    ]
    assert np.abs(apart[0] - apart[1]).mean() > 1
    both = predict_volume(ct, phase=None, particle=[pair["particle"], other], **arguments)
    assert np.abs(both.particle_probability - np.mean(apart, 0)).max() <= 1.01
    assert both.manner["passes_per_voxel"] == 2 * 8  # two networks; (16 + 16)^3 / 16^3


def test_members_of_other_phases_are_refused(ct, pair, phase_table):
    table = replace(phase_table, phases=phase_table.phases[:2])
    odd = network("phase", table)
    with pytest.raises(SlagsegError, match="different phases"):
        predict_volume(ct, phase=[pair["phase"], odd], particle=None)


def test_cost_is_known_before():
    chosen = chosen_settings(QUICK, (8, 16))
    assert passes_per_voxel(replace(chosen, tile=128, halo=32)) == 1.5**3
    assert passes_per_voxel(replace(chosen, average=True, mirrored=True, halo=0), 2) == 128
    assert tile_count((44, 70, 37), chosen) == 3 * 5 * 3
    assert tile_count((44, 70, 37), replace(chosen, average=True)) == 6 * 9 * 5


def test_estimate_counts_tiles(ct, pair, monkeypatch):
    """With a clock that gives one second a tile, a whole volume takes its tiles' number."""
    out = np.zeros(SHAPE, np.uint8)
    task = prediction_task(ct, pair["phase"], None, out, None, QUICK)
    ticks = iter(range(100))
    monkeypatch.setattr(
        "napari_slagseg.networks.prediction.cost.time",
        SimpleNamespace(perf_counter=lambda: next(ticks)),
    )
    assert estimate_seconds(task, (64, 64, 64)) == pytest.approx(64)
    assert estimate_seconds(task, (64, 64, 64), workers=4) == pytest.approx(16)
    assert not out.any()


def test_backends_and_precisions_that_are_not_to_be_had():
    with pytest.raises(SlagsegError, match="no backend 'tensorflow'"):
        PredictionSettings(backend="tensorflow")
    with pytest.raises(SlagsegError, match="fp16 is for GPUs"):
        chosen_settings(PredictionSettings(device="cpu", precision="fp16"), (8, 16))
    with pytest.raises(SlagsegError, match="multiple of 16"):
        PredictionSettings(tile=24, average=True)


def test_without_openvino_torch_is_taken(monkeypatch):
    monkeypatch.setattr("napari_slagseg.networks.prediction.settings.has_openvino", lambda: False)
    asked = PredictionSettings(device="cpu")
    assert chosen_settings(asked, (8, 16)).backend == "torch"
    with pytest.raises(SlagsegError, match=r"napari-slagseg\[fast\]"):
        chosen_settings(replace(asked, backend="openvino"), (8, 16))


def test_memory_given_makes_tiles_that_fit():
    asked = PredictionSettings(device="cpu", precision="fp32")
    assert chosen_settings(asked, (32, 64)).tile == 128
    # 3.2 tensors of 32 channels, 4 bytes and (64 + 64)^3 voxels
    assert chosen_settings(asked, (32, 64), memory=3.2 * 128 * 128**3).tile == 64


def test_workers_share_gpus_in_turn():
    assert [device_of_worker(rank, gpus=2) for rank in range(4)] == [
        "cuda:0",
        "cuda:1",
        "cuda:0",
        "cuda:1",
    ]
    assert device_of_worker(3, gpus=0) == "cpu"


def test_a_worker_takes_the_gpu_of_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.worker_device("cuda") == torch.device("cuda")
    monkeypatch.setenv(devices.RANK, "3")
    assert devices.worker_device("cuda") == torch.device("cuda:1")
    assert devices.worker_device("cuda:0") == torch.device("cuda:0")
    assert devices.worker_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(devices, "_assigned", {"rank": 2})
    assert devices.worker_device("cuda") == torch.device("cuda:0")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, float])
def test_grey_values_are_the_same_on_every_device(dtype):
    """By hand: 100 to 300 become 0 to 255, rounded half to even."""
    values = np.arange(0, 250 if dtype == np.uint8 else 400).astype(dtype)[None, None]
    expected = np.rint(np.clip((values.astype(float) - 100) * 1.275, 0, 255)).astype(np.uint8)
    found = eight_bit(values, (100, 300))
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found == expected).mean() > 0.98
    assert np.array_equal(eight_bit_tensor(for_device(values), (100, 300)).numpy(), found)


def test_high_uint16_values_keep_their_sign():
    values = np.array([0, 32_767, 32_768, 65_535], np.uint16)
    assert eight_bit_tensor(for_device(values), (0, 65_535)).tolist() == [0, 127, 128, 255]
    assert eight_bit(values, (0, 65_535)).tolist() == [0, 127, 128, 255]


def test_voxels_beyond_the_volume_are_mirrored():
    line = np.arange(10).reshape(1, 1, 10)
    tile = make_tile((0, 0, 8), 8, 8, line.shape)
    assert tile.stop == (1, 1, 10)
    seen = read_tile(line, tile)
    assert seen.shape == (24, 24, 24)
    assert seen[0, 0].tolist() == [*range(10), *range(9, -1, -1), *range(4)]


class FakeCuda:
    """Streams and events that write down what is asked of them."""

    def __init__(self):
        self.log = []
        outer = self

        class Stream:
            def __init__(self, name):
                self.name = str(name)

            def wait_event(self, event):
                outer.log.append(f"{self.name} waits for {event.name}")

        class Event:
            def __init__(self):
                self.name = ""

            def record(self, stream):
                self.name = f"what {stream.name} did"

            def synchronize(self):
                outer.log.append(f"host waits for {self.name}")

        names = iter(("upload", "download"))
        self.Stream = lambda device: Stream(next(names))
        self.Event = Event
        self._current = Stream("compute")
        self._entered = []

    def current_stream(self, device):
        return self._current

    def stream(self, stream):
        import contextlib

        return contextlib.nullcontext(stream)


def test_copies_wait_for_the_computation_and_the_other_way_round(monkeypatch):
    """The GPU's route with streams that only take notes."""
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, stream: None)
    cuda = FakeCuda()
    route = CudaRoute(torch.device("cpu"), cuda, pin=False)
    values = np.arange(8, dtype=np.uint16).reshape(2, 2, 2) * 100
    there = route.send(values).eight_bit((0, 700))
    assert there.shape == (1, 1, 2, 2, 2)
    assert there.flatten().tolist() == [0, 36, 73, 109, 146, 182, 219, 255]
    answer = route.fetch(there[0, 0])
    assert np.array_equal(answer.array(), there[0, 0].numpy())
    assert cuda.log == [
        "compute waits for what upload did",
        "download waits for what compute did",
        "host waits for what download did",
    ]


def test_reading_runs_ahead_but_not_far():
    read, written = [], []
    gate = threading.Event()

    def compute(piece, content):
        if piece == 0:
            gate.wait(0.3)
            assert len(read) <= 4
        return lambda: written.append(content)

    done = list(flow(range(10), lambda i: read.append(i) or i * i, compute))
    assert done == read == list(range(10))
    assert written == [i * i for i in range(10)]


@pytest.mark.parametrize("where", ["read", "compute", "write"])
def test_an_error_in_any_thread_ends_the_flow(where):
    def fail(at):
        if at == where:
            raise OSError(f"cannot {where}")

    def read(piece):
        if piece == 3:
            fail("read")
        return piece

    def compute(piece, content):
        if piece == 3:
            fail("compute")
        return (lambda: fail("write")) if piece == 3 else (lambda: None)

    with pytest.raises(OSError, match=f"cannot {where}"):
        list(flow(range(8), read, compute))


def test_each_tile_is_read_once_for_both_networks(ct, pair):
    class Counted:
        shape, dtype, boxes = ct.shape, ct.dtype, []

        def __getitem__(self, box):
            self.boxes.append(box)
            return ct[box]

    counted = Counted()
    predict_volume(counted, **pair, **as_arguments(QUICK))
    assert len(counted.boxes) == 3 * 5 * 3


def test_what_was_chosen_is_told_first(ct, pair):
    events = []
    predict_volume(ct, **pair, progress=events.append, **as_arguments(QUICK))
    assert events[0].values["tile"] == 16
    assert events[0].values["backend"] in ("torch", "openvino")
    assert events[-1].fraction == 1


def test_a_block_writes_only_into_itself(ct, pair):
    out = np.full(SHAPE, 99, np.uint8)
    task = prediction_task(ct, None, pair["particle"], None, out, QUICK)
    block = Block((0, 1, 0), (0, 32, 0), (16, 64, 37))
    task(block)
    assert (out[block.box] != 99).any()
    out[block.box] = 99
    assert (out == 99).all()
