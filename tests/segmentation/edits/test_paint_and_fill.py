import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits import add_by_painting, fill_holes


@pytest.fixture
def cube():
    """Particle 2, 10 voxels wide, of phase 3; its half beyond x = 10 of phase 1."""
    labels = np.zeros((14, 14, 20), dtype=np.uint32)
    labels[2:12, 2:12, 2:12] = 2
    phases = np.where(labels > 0, 3, 0).astype(np.uint8)
    phases[..., 10:][labels[..., 10:] > 0] = 1
    return labels, phases


def test_paint_a_new_particle_and_never_over_others(cube):
    labels, phases = cube
    painted = np.zeros(labels.shape, dtype=bool)
    painted[5:8, 5:8, 10:16] = True
    edited = add_by_painting(labels, painted, 7, phases=phases, phase=4)
    new = painted & (labels == 0)
    assert np.count_nonzero(new) == 3 * 3 * 4
    assert np.array_equal(edited.labels, np.where(new, 7, labels))
    assert np.array_equal(edited.phases, np.where(new, 4, phases))
    assert edited.notes == ("18 painted voxels were left to other particles.",)


def test_overwriting_takes_them_and_leaves_their_phase(cube):
    labels, phases = cube
    painted = np.zeros(labels.shape, dtype=np.uint8)
    painted[5:8, 5:8, 10:16] = 1
    edited = add_by_painting(labels, painted, 7, phases=phases, phase=4, overwrite=True)
    assert np.array_equal(edited.labels, np.where(painted, 7, labels))
    assert (edited.phases[5:8, 5:8, 10:12] == 1).all()
    assert (edited.phases[5:8, 5:8, 12:16] == 4).all()
    assert edited.notes == ("18 painted voxels were taken from other particles.",)


def test_paint_onto_a_particle_takes_the_phase_beside_it(cube):
    labels, phases = cube
    painted = np.zeros(labels.shape, dtype=bool)
    painted[5:8, 5:8, 11:15] = True  # beyond phase 1
    painted[5:8, 5:8, 0:3] = True  # beyond phase 3
    edited = add_by_painting(labels, painted, 2, phases=phases)
    assert np.array_equal(edited.labels == 2, (labels == 2) | painted)
    assert (edited.phases[5:8, 5:8, 12:15] == 1).all()
    assert (edited.phases[5:8, 5:8, 0:2] == 3).all()
    assert np.array_equal(edited.phases > 0, edited.labels > 0)


def test_paint_without_phases(cube):
    painted = np.zeros(cube[0].shape, dtype=bool)
    painted[0, 0, 0] = True
    edited = add_by_painting(cube[0], painted, 9)
    assert edited.phases is None
    assert edited.labels[0, 0, 0] == 9


@pytest.mark.parametrize(
    ("where", "label", "phase", "message"),
    [
        ((5, 5, 5), 7, 4, "All 1 newly painted voxels belong to other"),
        ((5, 5, 5), 2, 4, "Nothing was painted"),
        ((0, 0, 0), 7, None, "choose the phase"),
        ((0, 0, 0), 7, 0, "cannot have the phase 0"),
        ((0, 0, 0), 0, 4, "cannot have the number 0"),
    ],
)
def test_what_cannot_be_painted_is_refused(cube, where, label, phase, message):
    labels, phases = cube
    painted = np.zeros(labels.shape, dtype=bool)
    painted[where] = True
    with pytest.raises(SlagsegError, match=message):
        add_by_painting(labels, painted, label, phases=phases, phase=phase)


def test_holes_of_known_size_are_filled_with_the_phase_around(cube):
    labels, phases = cube
    whole_labels, whole_phases = labels.copy(), phases.copy()
    for hole in (np.s_[4:7, 4:7, 4:7], np.s_[9, 9, 9]):
        labels[hole], phases[hole] = 0, 0
    # a dent is no hole
    dent = np.s_[2, 5, 5]
    labels[dent], phases[dent] = 0, 0
    whole_labels[dent], whole_phases[dent] = 0, 0
    before = labels.copy()
    edited = fill_holes(labels, 2, phases)
    assert np.array_equal(labels, before)
    assert np.array_equal(edited.labels, whole_labels)
    assert edited.notes == ("28 voxels were filled.",)
    # the single one lies beside phases 3 and 1; the first in order is 3
    assert np.array_equal(edited.phases, whole_phases)


def test_small_holes_alone_and_a_particle_in_a_hole(cube):
    labels, _ = cube
    labels[4:7, 4:7, 4:7] = 0
    labels[5, 5, 5] = 8
    labels[9, 9, 9] = 0
    small = fill_holes(labels, 2, maximum_voxels=25).labels
    assert small[9, 9, 9] == 2
    assert small[4, 4, 4] == 0
    filled = fill_holes(labels, 2).labels
    assert filled[5, 5, 5] == 8
    assert np.count_nonzero(filled == 2) == 999
    with pytest.raises(SlagsegError, match="all larger than 0 voxels"):
        fill_holes(labels, 2, maximum_voxels=0)


def test_a_hole_open_by_a_face_or_at_the_border_of_the_volume_is_none(cube):
    labels, _ = cube
    labels[6, 6, 6:] = 0
    with pytest.raises(SlagsegError, match="encloses no background"):
        fill_holes(labels, 2)
    at_border = np.ones((5, 5, 5), dtype=np.uint32)
    at_border[0, 2, 2] = 0
    with pytest.raises(SlagsegError, match="encloses no background"):
        fill_holes(at_border, 1)
    at_border[0, 2, 2], at_border[1, 2, 2] = 1, 0
    assert (fill_holes(at_border, 1).labels == 1).all()
