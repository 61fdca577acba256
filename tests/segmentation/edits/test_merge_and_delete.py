import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits import delete, merge


@pytest.fixture
def row():
    """Four cubes along x: 3, 4 and 6 touch in a row, 8 lies apart."""
    labels = np.zeros((6, 6, 30), dtype=np.uint32)
    labels[1:5, 1:5, 1:7] = 3
    labels[1:5, 1:5, 7:13] = 4
    labels[1:5, 1:5, 13:19] = 6
    labels[1:5, 1:5, 22:28] = 8
    return labels


def test_all_get_the_number_of_the_first(row):
    before = row.copy()
    merged = merge(row, [6, 4, 3]).labels
    assert np.array_equal(row, before)
    assert np.array_equal(merged == 6, np.isin(row, [3, 4, 6]))
    assert np.array_equal(merged[row == 8], row[row == 8])
    assert np.array_equal(merge(row, [4, 3, 4]).labels == 4, np.isin(row, [3, 4]))


def test_particles_that_do_not_hang_together_only_when_asked(row):
    with pytest.raises(SlagsegError, match=r"Particles \[8\] do not touch particle 3"):
        merge(row, [3, 4, 8])
    with pytest.raises(SlagsegError, match=r"Particles \[6\] do not touch"):
        merge(row, [3, 6])
    assert np.array_equal(merge(row, [3, 8], apart=True).labels == 3, np.isin(row, [3, 8]))


def test_an_edge_is_no_face():
    labels = np.zeros((3, 4, 4), dtype=np.uint32)
    labels[1, 1, 1], labels[1, 2, 2] = 1, 2
    with pytest.raises(SlagsegError, match="do not touch"):
        merge(labels, [1, 2])


def test_deleted_particles_are_background_in_both(row):
    phases = np.where(row > 0, 2, 0).astype(np.uint8)
    phases[0, 0, 0] = 1  # foreground of no particle stays
    edited = delete(row, [3, 8], phases)
    gone = np.isin(row, [3, 8])
    assert np.array_equal(edited.labels, np.where(gone, 0, row))
    assert np.array_equal(edited.phases, np.where(gone, 0, phases))
    assert delete(row, [4]).phases is None
    assert not (delete(row, [4]).labels == 4).any()


@pytest.mark.parametrize(
    ("ids", "message"),
    [([3], "two or more"), ([3, 5], r"\[5\] do not lie in the box"), ([3, 0], "the number 0")],
)
def test_what_cannot_be_merged_is_refused(row, ids, message):
    with pytest.raises(SlagsegError, match=message):
        merge(row, ids)


def test_what_cannot_be_deleted_is_refused(row):
    with pytest.raises(SlagsegError, match=r"\[5\] do not lie"):
        delete(row, [3, 5])
    with pytest.raises(SlagsegError, match="No particle is selected"):
        delete(row, [])
    with pytest.raises(SlagsegError, match="phases of the box have the shape"):
        delete(row, [3], np.zeros((2, 2, 2), dtype=np.uint8))
