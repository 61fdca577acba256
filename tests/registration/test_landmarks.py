import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.registration import landmark_pose

MIDDLE = (49.5, 79.5)


def pairs(angle_deg, mirrored, n, noise=0.0, seed=0):
    """Pixels, and lengths by the very similarity: 0.4 a pixel, centre at (30, 200, 210)."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform((0, 0), (100, 160), (n, 2))
    a = np.radians(angle_deg)
    by_column = np.array([np.sin(a), np.cos(a)])
    by_row = np.array([np.cos(a), -np.sin(a)]) * (-1 if mirrored else 1)
    yx = 0.4 * (pixels - MIDDLE) @ np.stack([by_row, by_column]) + (200, 210)
    yx += rng.normal(0, noise, yx.shape)
    return pixels, np.column_stack([np.full(n, 30.0), yx])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [-170.0, -90.0, 0.0, 33.0, 120.0])
@pytest.mark.parametrize("n", [3, 7])
def test_a_similarity_comes_back(angle, mirrored, n):
    pose = landmark_pose(*pairs(angle, mirrored, n), MIDDLE)
    assert pose.mirrored is mirrored
    assert (pose.angle_deg - angle + 180) % 360 - 180 == pytest.approx(0, abs=1e-8)
    np.testing.assert_allclose(pose.centre, (30, 200, 210), atol=1e-8)
    np.testing.assert_allclose(pose.residuals, 0, atol=1e-8)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("n", [4, 6])
def test_one_wrong_pair_is_dropped(mirrored, n):
    pixels, lengths = pairs(70.0, mirrored, n, noise=0.3)
    lengths[1] += (80, -90, 60)
    pose = landmark_pose(pixels, lengths, MIDDLE)
    assert pose.mirrored is mirrored
    assert pose.angle_deg == pytest.approx(70, abs=3)
    np.testing.assert_allclose(pose.centre, (30, 200, 210), atol=2)
    assert np.argmax(pose.residuals) == 1
    assert pose.residuals[1] > 50
    assert np.delete(pose.residuals, 1).max() < 2


def test_rough_clicks_are_all_kept():
    """Clicks 5 voxels off are alike: none of them is thrown out."""
    pixels, lengths = pairs(20.0, True, 6, noise=5.0, seed=3)
    pose = landmark_pose(pixels, lengths, MIDDLE)
    a, b = pixels - pixels.mean(0), lengths[:, 1:] - lengths[:, 1:].mean(0)
    # the mirrored similarity by complex numbers: least squares of conj(a) s = b
    za, zb = a[:, 1] + 1j * a[:, 0], b[:, 1] + 1j * b[:, 0]
    factor = (za * zb).sum() / (abs(za) ** 2).sum()
    np.testing.assert_allclose(pose.residuals, abs(np.conj(za) * factor - zb), rtol=1e-6)


def test_fewer_than_three_pairs_are_no_use():
    pixels, lengths = pairs(0.0, False, 2)
    with pytest.raises(SlagsegError, match="at least three pairs; there are 2"):
        landmark_pose(pixels, lengths, MIDDLE)


def test_pairs_that_do_not_pair_are_refused():
    pixels, lengths = pairs(0.0, False, 5)
    with pytest.raises(SlagsegError, match="5 map pixels and 4 CT voxels"):
        landmark_pose(pixels, lengths[:4], MIDDLE)


def test_landmarks_in_a_line_are_refused():
    pixels = np.array([[10.0, 20.0], [20.0, 40.0], [30.0, 60.0], [40.0, 80.0]])
    lengths = np.column_stack([np.zeros(4), pixels * 0.4])
    with pytest.raises(SlagsegError, match="in one line"):
        landmark_pose(pixels, lengths, MIDDLE)


def test_landmarks_that_are_not_numbers_are_refused():
    pixels, lengths = pairs(0.0, False, 4)
    lengths[2, 0] = np.nan
    with pytest.raises(SlagsegError, match="not finite"):
        landmark_pose(pixels, lengths, MIDDLE)
