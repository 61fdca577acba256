"""Prediction: tiles leave no trace, and the networks find what they were taught."""

from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from napari_slagseg.data import (
    CancelledError,
    GroundTruth,
    Phase,
    PhaseTable,
    SlagsegError,
    Volume,
)
from napari_slagseg.networks import TrainingSettings, load_network, predict_volume, train_network
from napari_slagseg.networks.inference import HALO

TABLE = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "target", "#d55e00"),
        Phase(2, "matrix", "#0072b2"),
    ),
    "target",
)
SHAPE = (24, 48, 48)
CENTRES = ((12, 12, 12), (11, 34, 14), (13, 15, 35), (12, 36, 36))


@pytest.fixture(scope="module")
def balls():
    """(volume, exact phases): two phases of different grey in epoxy."""
    zyx = np.indices(SHAPE)
    phases = np.zeros(SHAPE, np.int16)
    for i, centre in enumerate(CENTRES):
        apart = sum((g - c) ** 2 for g, c in zip(zyx, centre))
        phases[apart <= 8**2] = 1 + i % 2
    grey = np.array([10_000, 30_000, 45_000])[phases]
    noise = np.random.default_rng(3).normal(0, 1_500, SHAPE)
    return Volume((grey + noise).astype(np.uint16), (2.0, 2.0, 2.0), "balls"), phases


def truth_of_planes(phases, planes, weight=1.0):
    """Ground truth that knows some planes."""
    known = np.zeros(SHAPE, bool)
    known[list(planes)] = True
    voxels = np.flatnonzero(known)
    classes = phases.reshape(-1)[voxels].astype(np.int16)
    n = len(voxels)
    return GroundTruth(
        shape=SHAPE,
        voxels=voxels,
        phases=classes,
        particles=(classes > 0).astype(np.int32),
        foreground=(classes > 0).astype(np.int8),
        phase_weights=np.full(n, weight, np.float32),
        particle_weights=np.full(n, weight, np.float32),
        map_index=np.zeros(n, np.int16),
        cutout_index=np.full(n, -1, np.int16),
        table=TABLE,
        map_names=("plane",),
    )


@pytest.fixture(scope="module")
def truth(balls):
    return truth_of_planes(balls[1], (9, 12))


@pytest.fixture(scope="module")
def held_out(balls):
    return truth_of_planes(balls[1], (15,))


def small_settings(kind="phase", **others):
    values = {
        "size": "tiny",
        "epochs": 3,
        "steps_per_epoch": 4,
        "batch": 2,
        "patch": (16, 16, 16),
        "learning_rate": 3e-3,
        "threads": 2,
        "device": "cpu",
        "elastic": False,
        **others,
    }
    return TrainingSettings.for_network(kind, **values)


@pytest.fixture(scope="module")
def trained(balls, truth, held_out, tmp_path_factory):
    """Folders of a phase and a particle network, trained until they know the balls."""
    found = {}
    for kind in ("phase", "particle"):
        folder = tmp_path_factory.mktemp(kind)
        chosen = small_settings(kind, epochs=3, steps_per_epoch=25, patch=(24, 24, 24))
        train_network(balls[0], truth, held_out, chosen, folder)
        found[kind] = folder
    return found


@pytest.fixture(scope="module")
def networks(trained):
    return {kind: load_network(folder) for kind, folder in trained.items()}


@pytest.fixture(scope="module")
def large(balls):
    """The balls repeated, so that tiles have something beyond the halo to leave out."""
    return np.tile(balls[0].data, (1, 2, 3))[:, :70, :117]


@pytest.fixture(scope="module")
def whole(large, networks):
    return predict_volume(large, **networks, tile=120, threads=2)


def test_the_balls_are_found(balls, networks):
    volume, phases = balls
    found = predict_volume(volume.data, **networks, voxel_size_um=volume.voxel_size_um)
    assert found.phases.shape == found.particle_probability.shape == volume.shape
    assert (found.phases == phases).mean() > 0.95
    assert ((found.particle_probability > 127) == (phases > 0)).mean() > 0.95


def test_the_halo_hides_the_tiles(large, networks, whole):
    """The bound on a trained network that `HALO` rests on."""
    tiled = predict_volume(large, **networks, tile=40, threads=2)
    assert (tiled.phases != whole.phases).mean() < 1e-4
    marker, whole_marker = (p.particle_probability > 127 for p in (tiled, whole))
    assert (marker != whole_marker).mean() < 1e-4
    change = np.abs(tiled.particle_probability.astype(int) - whole.particle_probability)
    assert change.max() <= 26  # a tenth; 9 of 255 when this was written
    assert (change > 2).mean() < 1e-2


def test_without_a_halo_tiles_would_show(large, networks, whole):
    tiled = predict_volume(large, **networks, tile=16, halo=0, threads=2)
    assert (tiled.phases != whole.phases).mean() > 1e-3
    assert HALO > 0


def test_one_network_at_a_time_gives_the_same(balls, networks):
    both = predict_volume(balls[0].data, **networks)
    alone = predict_volume(balls[0].data, phase=networks["phase"], particle=None)
    assert alone.particle_probability is None
    assert np.array_equal(alone.phases, both.phases)


def test_mirrored_passes_make_it_blind_to_mirroring(balls, networks):
    data, particle = balls[0].data[:, :40, :40], networks["particle"]

    def probability(piece):
        found = predict_volume(piece, phase=None, particle=particle, mirrored=True, halo=0)
        return found.particle_probability.astype(int)

    assert np.abs(probability(data) - probability(data[:, ::-1])[:, ::-1]).max() <= 1


def test_averaged_tiles_agree_with_plain_ones(balls, networks):
    data, phase = balls[0].data, networks["phase"]
    found = predict_volume(data, phase=phase, particle=None, tile=32, halo=8, average=True)
    plain = predict_volume(data, phase=phase, particle=None, tile=48)
    assert (found.phases == plain.phases).mean() > 0.98


def test_odd_shapes_and_volumes_smaller_than_a_tile(networks, balls):
    for shape in ((1, 9, 13), (24, 7, 48)):
        piece = balls[0].data[tuple(slice(0, n) for n in shape)]
        assert predict_volume(piece, **networks).phases.shape == shape


def test_grey_limits_are_the_networks_own(balls, networks):
    """The same scene at half its grey is not stretched to look alike."""
    trained = networks["phase"]
    low, high = trained.card.grey_limits
    stretched = replace(trained, card=replace(trained.card, grey_limits=(low / 2, high / 2)))
    half = (balls[0].data // 2).astype(np.uint16)
    found = predict_volume(half, phase=stretched, particle=None).phases
    expected = predict_volume(balls[0].data, phase=trained, particle=None).phases
    assert (found == expected).mean() > 0.99
    assert (predict_volume(half, phase=trained, particle=None).phases == expected).mean() < 0.99


def test_wrong_use_is_told(balls, networks):
    data = balls[0].data
    with pytest.raises(SlagsegError, match="at least one network"):
        predict_volume(data, phase=None, particle=None)
    with pytest.raises(SlagsegError, match="exchanged"):
        predict_volume(data, phase=networks["particle"], particle=networks["phase"])
    with pytest.raises(SlagsegError, match="trained on voxels of"):
        predict_volume(data, **networks, voxel_size_um=(2.3, 2.3, 2.3))
    with pytest.raises(SlagsegError, match="multiples of 8"):
        predict_volume(data, **networks, tile=20)


def test_cancelling_stops(balls, networks):
    cancel = Event()
    cancel.set()
    with pytest.raises(CancelledError):
        predict_volume(balls[0].data, **networks, cancel=cancel)


@pytest.mark.parametrize(
    ("backend", "precision"), [("openvino", "fp32"), ("torch", "bf16"), ("openvino", "bf16")]
)
def test_backends_and_precisions_agree(balls, networks, backend, precision):
    """On a trained network, 99.5 % of the labels are the reference's."""
    data = balls[0].data
    reference = predict_volume(data, **networks, backend="torch", precision="fp32")
    found = predict_volume(data, **networks, backend=backend, precision=precision)
    assert (found.manner["backend"], found.manner["precision"]) == (backend, precision)
    assert (found.phases == reference.phases).mean() >= 0.995
    marker, expected = (p.particle_probability > 127 for p in (found, reference))
    assert (marker == expected).mean() >= 0.995
