import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits import relabel_painted, relabel_region


@pytest.fixture
def box():
    """Particles 1 and 2 touch at x = 8; a layer of phase 2 runs through both, the rest is 1."""
    labels = np.zeros((10, 10, 16), dtype=np.uint32)
    labels[1:9, 1:9, 1:8] = 1
    labels[1:9, 1:9, 8:15] = 2
    phases = (labels > 0).astype(np.uint8)
    phases[4:6][labels[4:6] > 0] = 2
    return labels, phases


def test_the_grain_at_a_point_ends_with_its_particle_and_phase(box):
    labels, phases = box
    edited = relabel_region(labels, phases, (4, 4, 4), 3)
    grain = np.zeros(labels.shape, dtype=bool)
    grain[4:6, 1:9, 1:8] = True
    assert np.array_equal(edited.phases, np.where(grain, 3, phases))
    assert np.array_equal(edited.labels, labels)
    # above the layer lies another grain of phase 1 than below
    below = relabel_region(labels, phases, (2, 2, 2), 3).phases
    assert np.count_nonzero(below == 3) == 3 * 8 * 7


def test_background_takes_the_voxels_from_the_particle_and_tells_of_pieces(box):
    labels, phases = box
    before = labels.copy()
    edited = relabel_region(labels, phases, (4, 4, 4), 0)
    assert np.array_equal(labels, before)
    grain = np.zeros(labels.shape, dtype=bool)
    grain[4:6, 1:9, 1:8] = True
    assert np.array_equal(edited.labels, np.where(grain, 0, labels))
    assert np.array_equal(edited.phases > 0, edited.labels > 0)
    assert edited.notes == ("Particle 1 is now in 2 pieces that do not touch.",)


def test_painting_changes_particles_only(box):
    labels, phases = box
    painted = np.zeros(labels.shape, dtype=bool)
    painted[0:3, 5, 5:10] = True
    edited = relabel_painted(labels, phases, painted, 4)
    where = painted & (labels > 0)
    assert np.count_nonzero(where) == 10
    assert np.array_equal(edited.phases, np.where(where, 4, phases))
    one = relabel_painted(labels, phases, painted, 4, label=2)
    assert np.array_equal(one.phases, np.where(painted & (labels == 2), 4, phases))
    gone = relabel_painted(labels, phases, labels == 2, 0)
    assert np.array_equal(gone.labels, np.where(labels == 2, 0, labels))
    assert gone.notes == ("Particle 2 is gone: all of it became background.",)


def test_what_changes_nothing_is_refused(box):
    labels, phases = box
    painted = np.zeros(labels.shape, dtype=bool)
    painted[0, 0, 0] = True
    with pytest.raises(SlagsegError, match="No painted voxel belongs to a particle"):
        relabel_painted(labels, phases, painted, 4)
    with pytest.raises(SlagsegError, match="belongs to particle 2"):
        relabel_painted(labels, phases, painted, 4, label=2)
    with pytest.raises(SlagsegError, match="lies in no particle"):
        relabel_region(labels, phases, (0, 0, 0), 2)
    with pytest.raises(SlagsegError, match="of phase 2 already"):
        relabel_region(labels, phases, (4, 4, 4), 2)
    with pytest.raises(SlagsegError, match="no phase 256"):
        relabel_region(labels, phases, (4, 4, 4), 256)
    with pytest.raises(SlagsegError, match="of type int64, not uint8"):
        relabel_region(labels, phases.astype(np.int64), (4, 4, 4), 3)
