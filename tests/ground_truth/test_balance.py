"""How much the phases weigh against one another."""

import numpy as np
import pytest

from napari_slagseg.ground_truth import TruthSettings, build_ground_truth, phase_weights

COUNTS = {-1: 50, 0: 1000, 1: 300, 2: 30, 4: 120}  # no voxel is known to be 3
PHASES = np.repeat(list(COUNTS), list(COUNTS.values())).astype(np.int16)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_rare_phases_weigh_more_the_more_they_are_balanced(balance):
    weights = phase_weights(PHASES, balance)
    assert weights.dtype == np.float32
    assert np.all(weights[PHASES == -1] == 0)
    assert np.all(weights[PHASES == 0] == 1)
    for phase in (1, 2, 4):
        expected = (150 / COUNTS[phase]) ** balance  # 150 on the average
        assert weights[phase == PHASES] == pytest.approx(expected)


def test_balanced_wholly_all_phases_have_one_total_and_the_sum_stays():
    weights = phase_weights(PHASES, 1.0)
    totals = [weights[k == PHASES].sum() for k in (1, 2, 4)]
    assert totals == pytest.approx([150] * 3, rel=1e-5)


@pytest.mark.parametrize("phases", [[], [0, 0], [-1, 0], [-1]])
def test_without_minerals_there_is_nothing_to_balance(phases):
    phases = np.array(phases, np.int16)
    assert np.array_equal(phase_weights(phases, 1.0), (phases >= 0).astype(np.float32))


def test_the_ground_truth_is_weighed_so(cuts, table):
    Cut, plane, _ = cuts
    shape = (30, 60, 60)
    section = Cut(plane((10, 0, 0), (0, 1, 0), (0, 0, 1)), (60, 60), shape, grid=60)
    phases = np.zeros((60, 60), np.int16)
    phases[5:40, 5:50] = 1
    phases[45:50, 5:15] = 2
    maps, placed = [section.mineral_map(phases, table)], [section.placed]
    settings = TruthSettings(balance_phases=1.0)
    truth = build_ground_truth(shape, (2.3, 2.3, 2.3), maps, placed, table, settings=settings)
    totals = [truth.phase_weights[truth.phases == k].sum() for k in (1, 2)]
    assert totals == pytest.approx([(35 * 45 + 50) / 2] * 2, rel=1e-5)
    assert np.all(truth.phase_weights[truth.phases == 0] == 1)
