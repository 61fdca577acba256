import numpy as np
import pytest

from napari_slagseg.data import MineralMap, SlagsegError
from napari_slagseg.ground_truth import label_map_particles


def particles_of(rows, table, minimum_pixels=1):
    codes = {".": 0, "?": -1, "t": 1, "e": 2, "g": 3, "f": 6}
    phases = np.array([[codes[c] for c in row] for row in rows], dtype=np.int16)
    return label_map_particles(MineralMap(phases, 1.0, table), minimum_pixels=minimum_pixels)


def test_phases_join_and_background_parts(table):
    labels = particles_of(["tte.g", "tee.g", "....."], table)
    assert labels.dtype == np.int32
    assert labels.tolist() == [[1, 1, 1, 0, 2], [1, 1, 1, 0, 2], [0] * 5]


def test_corners_do_not_connect(table):
    assert particles_of(["t..", ".t.", "..."], table).tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 0]]


def test_phases_of_the_background_group_are_background(table):
    assert particles_of(["tft", "tft"], table).tolist() == [[1, 0, 2], [1, 0, 2]]


def test_unknown_inside_a_particle_belongs_to_it(table):
    labels = particles_of([".......", ".ttttt.", ".t??.t.", ".ttttt.", "......."], table)
    # the unknown pixels touch a pore too: whose they are is open
    assert labels[2].tolist() == [0, 1, -1, -1, 0, 1, 0]
    labels = particles_of([".......", ".ttttt.", ".t???t.", ".ttttt.", "......."], table)
    assert labels[2].tolist() == [0, 1, 1, 1, 1, 1, 0]


def test_unknown_between_two_particles_ties_nothing(table):
    assert particles_of(["tt?ee"] * 3, table).tolist() == [[1, 1, -1, 2, 2]] * 3


def test_unknown_at_the_edge_of_the_map_stays_unknown(table):
    assert particles_of(["t?", "tt", "tt"], table)[0].tolist() == [1, -1]


def test_speckle_is_unknown_and_the_rest_numbered_without_gaps(table):
    labels = particles_of(["t.ee.gg", "..ee.gg"], table, minimum_pixels=2)
    assert labels.tolist() == [[-1, 0, 1, 1, 0, 2, 2], [0, 0, 1, 1, 0, 2, 2]]


def test_a_phase_that_the_table_lacks_is_named(table):
    with pytest.raises(SlagsegError, match="phase id 4"):
        label_map_particles(MineralMap(np.full((3, 3), 4), 1.0, table))
