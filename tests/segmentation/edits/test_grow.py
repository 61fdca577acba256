import cc3d
import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits import grow_from_seed


def scanned(mask, contrast, noise, seed=0, level=100.0, dtype=np.float32):
    random = np.random.default_rng(seed)
    return (level + contrast * mask + random.normal(0, noise, mask.shape)).astype(dtype)


@pytest.mark.parametrize("contrast", [40.0, -40.0, 80.0])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_a_ball_in_noise_grows_to_its_volume(balls, contrast, dtype):
    ball = balls((61, 61, 61), ((30, 30, 30), 18))
    ct = scanned(ball, contrast, 6.0, dtype=dtype)
    labels = np.zeros(ball.shape, dtype=np.uint32)
    edited = grow_from_seed(ct, labels, (28, 33, 30), 3, radius=30)
    grown = edited.labels == 3
    assert grown.sum() == pytest.approx(ball.sum(), rel=0.01)
    assert np.count_nonzero(grown != ball) < 0.02 * ball.sum()
    assert cc3d.connected_components(grown, connectivity=6, return_N=True)[1] == 1
    assert len(edited.notes) == 1
    assert f"Grew to {grown.sum()} voxels" in edited.notes[0]


def test_a_blurred_border_lies_at_half_height(balls):
    # shares of 4 x 4 x 4 smaller voxels: the true surface at radius 12
    fine = balls((124, 124, 124), ((61.5, 61.5, 61.5), 48))
    share = fine.reshape(31, 4, 31, 4, 31, 4).mean(axis=(1, 3, 5))
    ct = scanned(share, 60.0, 2.0)
    labels = np.zeros(ct.shape, dtype=np.uint32)
    grown = grow_from_seed(ct, labels, (15, 15, 15), 1, radius=20).labels
    assert np.count_nonzero(grown) == pytest.approx(np.count_nonzero(share > 0.5), rel=0.005)
    assert np.count_nonzero(grown) == pytest.approx(share.sum(), rel=0.02)


def test_without_noise_it_is_exact(balls):
    ball = balls((31, 31, 31), ((15, 15, 15), 10))
    ct = np.where(ball, 90, 30).astype(np.uint16)
    labels = np.zeros(ball.shape, dtype=np.uint32)
    grown = grow_from_seed(ct, labels, (15, 15, 20), 1, radius=16).labels
    assert np.array_equal(grown == 1, ball)


def test_other_particles_and_what_is_not_connected_stay(balls):
    two = balls((31, 31, 61), ((15, 15, 15), 10), ((15, 15, 45), 10))
    labels = np.zeros(two.shape, dtype=np.uint32)
    labels[:, :, :12][two[:, :, :12]] = 5
    ct = scanned(two, 50.0, 4.0)
    grown = grow_from_seed(ct, labels, (15, 15, 18), 6, radius=60).labels
    assert np.array_equal(grown == 5, labels == 5)
    first = two & (np.indices(two.shape)[2] < 30) & (labels == 0)
    assert np.count_nonzero((grown == 6) != first) < 0.02 * first.sum()


def test_holes_of_noise_are_filled_and_the_phase_is_given(balls):
    ball = balls((31, 31, 31), ((15, 15, 15), 11))
    ct = scanned(ball, 60.0, 3.0)
    ct[15, 15, 18] = 0
    labels = np.zeros(ball.shape, dtype=np.uint32)
    phases = np.zeros(ball.shape, dtype=np.uint8)
    phases[14:17, 14:17, 14:17] = 2
    edited = grow_from_seed(ct, labels, (15, 15, 15), 1, radius=15, phases=phases, phase=3)
    assert edited.labels[15, 15, 18] == 1
    assert np.array_equal(edited.phases, np.where(phases > 0, 2, 3 * (edited.labels > 0)))
    with pytest.raises(SlagsegError, match="choose the phase"):
        grow_from_seed(ct, labels, (15, 15, 15), 1, radius=15, phases=phases)


def test_the_radius_bounds_it_and_says_so(balls):
    labels = np.zeros((41, 41, 41), dtype=np.uint32)
    ct = scanned(labels > 0, 0.0, 3.0)
    edited = grow_from_seed(ct, labels, (20, 20, 20), 1, radius=10)
    grown = edited.labels == 1
    assert not (grown & ~balls(labels.shape, ((20, 20, 20), 10))).any()
    assert "reaches the radius of 10 voxels" in edited.notes[1]


def test_a_tolerance_is_kept_to():
    ct = np.tile(np.arange(20, dtype=np.uint8), (5, 5, 1))
    labels = np.zeros(ct.shape, dtype=np.uint32)
    grown = grow_from_seed(ct, labels, (2, 2, 10), 1, radius=30, tolerance=4.0).labels
    assert np.array_equal(np.flatnonzero(grown.any(axis=(0, 1))), np.arange(6, 15))


def test_what_cannot_grow_is_refused():
    ct = np.random.default_rng(0).integers(0, 255, (15, 15, 15)).astype(np.uint8)
    labels = np.zeros(ct.shape, dtype=np.uint32)
    labels[0, 0, 0] = 2
    for options, message in [
        ({"seed": (0, 0, 0)}, "lies in particle 2"),
        ({"seed": (0, 0, 99)}, "does not lie in the box"),
        ({"tolerance": 0.01}, "Only . voxels"),
        ({"tolerance": 0.0}, "must be above 0"),
        ({"radius": 0.0}, "radius 0.0 is too small"),
        ({"new_label": 2}, "belongs to another particle"),
        ({"ct": ct[1:]}, "grey values of the box have the shape"),
    ]:
        arguments = {"ct": ct, "labels": labels, "seed": (7, 7, 7), "new_label": 1, **options}
        with pytest.raises(SlagsegError, match=message):
            grow_from_seed(**arguments)
