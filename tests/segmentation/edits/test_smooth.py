import cc3d
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits import smooth


@pytest.mark.parametrize("voxels", [1.0, 2.0])
def test_spikes_go_and_the_ball_keeps_its_volume(balls, voxels):
    ball = balls((61, 61, 61), ((30, 30, 30), 20))
    spiked = ball.copy()
    spiked[30, 30, 48:58] = True
    spiked[30, 3:12, 30] = True
    spiked[3:12, 30, 30] = True
    spiked[30, 30, 9:14] = False  # and a groove
    labels = np.where(spiked, 4, 0).astype(np.uint32)
    after = smooth(labels, 4, voxels).labels == 4
    assert not (after & ~balls((61, 61, 61), ((30, 30, 30), 20.5))).any()
    assert after[30, 30, 11:14].all()
    # a ball shrinks by voxels**2 / R, so its volume by 3 voxels**2 / R**2
    expected = ball.sum() * (1 - voxels / 20 * voxels / 20 * 3)
    assert after.sum() == pytest.approx(expected, rel=0.01)


def test_flat_faces_and_borders_with_others_stay(balls):
    labels = np.zeros((30, 30, 30), dtype=np.uint32)
    labels[5:25, 5:25, 5:15] = 1
    labels[5:25, 5:25, 15:25] = 2
    after = smooth(labels, 1, 2.0).labels
    assert np.array_equal(after == 2, labels == 2)
    # where the two meet nothing is lost but at the edges outside
    assert (after[8:22, 8:22, 14] == 1).all()
    assert not (after[..., 15:] == 1).any()
    assert (after[8:22, 8:22, 5] == 1).all()
    assert not (after[..., :5] == 1).any()


def test_what_is_cut_by_the_border_of_the_volume_stays_there():
    labels = np.zeros((12, 20, 20), dtype=np.uint32)
    labels[:, 5:15, 5:15] = 1
    after = smooth(labels, 1, 1.0).labels
    assert np.array_equal(after[0], after[6])
    assert np.count_nonzero(after[0]) == pytest.approx(100, abs=8)


def test_phases_follow(balls):
    labels = balls((31, 31, 31), ((15, 15, 15), 10)).astype(np.uint32)
    labels[15, 15, 22:30] = 1
    labels[15, 15, 5:8] = 0
    phases = (labels * 2).astype(np.uint8)
    edited = smooth(labels, 1, 1.0, phases)
    assert edited.labels[15, 15, 6] == 1
    assert np.array_equal(edited.phases, edited.labels * 2)


def test_what_smoothing_would_destroy_is_refused(balls):
    thin = np.zeros((9, 9, 30), dtype=np.uint32)
    thin[4, 4, 3:27] = 1
    with pytest.raises(SlagsegError, match="would leave nothing"):
        smooth(thin, 1, 1.0)
    bridged = balls((21, 21, 50), ((10, 10, 10), 8), ((10, 10, 39), 8))
    bridged[10, 10, 10:40] = True
    with pytest.raises(SlagsegError, match="would part"):
        smooth(bridged.astype(np.uint32), 1, 1.0)
    with pytest.raises(SlagsegError, match=r"by 0 voxels; take 0.5 to 20"):
        smooth(thin, 1, 0)


@given(seed=st.integers(0, 10**6), voxels=st.floats(0.5, 1.5))
def test_whatever_the_particle_it_stays_connected_and_others_as_they_are(seed, voxels):
    rng = np.random.default_rng(seed)
    grid = np.indices((24, 24, 24))
    middle = np.sqrt(((grid - 11.5) ** 2).sum(0))
    inside = middle + rng.normal(0, 1, middle.shape) < 8
    pieces = cc3d.connected_components(inside, connectivity=6)
    label = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    labels = pieces.astype(np.uint32)
    labels[:, :, 17:][labels[:, :, 17:] == 0] = 9999
    after = smooth(labels, label, voxels).labels
    others = (labels != label) & (labels != 0)
    assert np.array_equal(after[others], labels[others])
    assert set(np.unique(after)) <= set(np.unique(labels)) | {0}
    assert cc3d.connected_components(after == label, connectivity=6, return_N=True)[1] == 1
