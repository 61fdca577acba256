"""The threshold that separates the particles of known cuts best."""

import threading

import numpy as np
import pytest

from napari_slagseg.data import (
    CancelledError,
    GroundTruth,
    PhaseTable,
    SlagsegError,
    phase_table_of,
)
from napari_slagseg.workflow.marker_threshold import (
    NOTE,
    choose_threshold,
    note_threshold,
    noted_threshold,
)

TABLE: PhaseTable = phase_table_of(["background", "ore"], ["#000000", "#d55e00"])
SHAPE = (12, 60, 60)
EDGE, GAP = 8, 2


@pytest.fixture(scope="module")
def bricks():
    """Particles in rows with gaps that a network is unsure about."""
    numbers = np.zeros(SHAPE, np.int32)
    count = 0
    for y in range(0, 60 - EDGE + 1, EDGE + GAP):
        for x in range(0, 60 - EDGE + 1, EDGE + GAP):
            count += 1
            numbers[2:10, y : y + EDGE, x : x + EDGE] = count
    return numbers


def truth_of(numbers, plane=6, keep=None):
    known = np.zeros(SHAPE, bool)
    known[plane] = True
    voxels = np.flatnonzero(known)
    particles = numbers.reshape(-1)[voxels].copy()
    if keep is not None:
        particles[particles > keep] = -1
    n = len(voxels)
    solid = (particles > 0).astype(np.int8)
    return GroundTruth(
        shape=SHAPE, voxels=voxels, phases=solid.astype(np.int16), particles=particles,
        foreground=np.where(particles < 0, -1, solid).astype(np.int8),
        phase_weights=np.ones(n, np.float32), particle_weights=np.ones(n, np.float32),
        map_index=np.zeros(n, np.int16), cutout_index=np.zeros(n, np.int16), table=TABLE,
        map_names=("cut",),
    )  # fmt: skip


def predicted(numbers, inside, gap):
    """Foreground that fills the gaps, and probabilities in particles and gaps."""
    phases = np.zeros(SHAPE, np.uint8)
    phases[2:10, :58, :58] = 1
    probability = np.where(numbers > 0, inside, gap) * 255 * (phases > 0)
    return phases, np.rint(probability).astype(np.uint8)


@pytest.mark.parametrize(
    ("inside", "gap", "expected"),
    [
        (0.95, 0.05, 0.5),  # every threshold separates: the paper's
        (0.75, 0.67, 0.7),
        (0.68, 0.62, 0.65),
        (0.47, 0.43, 0.45),
        (0.92, 0.77, 0.8),
    ],
)
def test_it_lies_between_particles_and_gaps(bricks, inside, gap, expected):
    choice = choose_threshold(*predicted(bricks, inside, gap), truth_of(bricks), minimum_voxels=9)
    assert choice.threshold == expected
    assert choice.n_particles == 36
    assert choice.f1_match[expected] == 1.0
    assert len(choice.f1_match) == 10
    # a threshold below the gaps joins everything
    assert all(f < 0.2 for t, f in choice.f1_match.items() if t < gap)


def test_a_join_beside_the_cut_is_seen_too(bricks):
    """Particles that a cut shows apart, joined two voxels above it."""
    phases, probability = predicted(bricks, 0.95, 0.05)
    probability[8, :58, :58] = round(0.66 * 255)
    assert choose_threshold(phases, probability, truth_of(bricks)).threshold == 0.7


def test_of_several_truths_each_is_compared_by_itself(bricks):
    volumes = predicted(bricks, 0.75, 0.67)
    alone = choose_threshold(*volumes, truth_of(bricks), minimum_voxels=9)
    # the same particles under other numbers, in another plane
    others = np.where(bricks > 0, bricks.max() + 1 - bricks, 0).astype(np.int32)
    both = choose_threshold(
        *volumes, [truth_of(bricks), truth_of(others, plane=4)], minimum_voxels=9
    )
    assert both.threshold == alone.threshold
    assert both.f1_match == pytest.approx(alone.f1_match)
    assert max(both.f1_match.values()) == 1.0
    assert both.n_particles == 2 * alone.n_particles
    # one that knows too few says nothing
    one = choose_threshold(*volumes, [truth_of(bricks), truth_of(others, keep=5)], minimum_voxels=9)
    assert one == alone
    assert choose_threshold(*volumes, [truth_of(bricks, keep=5)]).threshold == 0.5
    assert choose_threshold(*volumes, []).threshold == 0.5


def test_few_or_no_known_particles_leave_the_usual_threshold(bricks):
    volumes = predicted(bricks, 0.75, 0.67)
    assert choose_threshold(*volumes, None).threshold == 0.5
    few = choose_threshold(*volumes, truth_of(bricks, keep=19))
    assert (few.threshold, few.n_particles, few.f1_match) == (0.5, 19, {})
    assert choose_threshold(*volumes, truth_of(bricks, keep=20)).threshold == 0.7


def test_it_is_kept_beside_the_network(bricks, tmp_path):
    weights = tmp_path / "weights.safetensors"
    assert noted_threshold(weights) is None
    note_threshold(tmp_path, choose_threshold(*predicted(bricks, 0.75, 0.67), None))
    assert noted_threshold(weights) is None  # nothing was tried: nothing to tell
    note_threshold(tmp_path, choose_threshold(*predicted(bricks, 0.75, 0.67), truth_of(bricks)))
    assert noted_threshold(weights) == noted_threshold(tmp_path) == 0.7
    for damaged in ("{}", "[]", '{"threshold": "high"}', '{"threshold": 3}'):
        (tmp_path / NOTE).write_text(damaged)
        with pytest.raises(SlagsegError, match=NOTE):
            noted_threshold(weights)


def test_nothing_predicted_is_no_error(bricks):
    nothing = np.zeros(SHAPE, np.uint8)
    choice = choose_threshold(nothing, nothing, truth_of(bricks))
    assert choice.threshold == 0.5
    assert set(choice.f1_match.values()) == {0.0}


def test_it_tells_how_far_it_is_and_can_be_stopped(bricks):
    told = []
    choose_threshold(*predicted(bricks, 0.9, 0.1), truth_of(bricks), progress=told.append)
    fractions = [event.fraction for event in told]
    assert fractions == sorted(fractions)
    assert len(fractions) == 10
    token = threading.Event()
    token.set()
    with pytest.raises(CancelledError):
        choose_threshold(*predicted(bricks, 0.9, 0.1), truth_of(bricks), cancel=token)
