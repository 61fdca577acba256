import threading
from pathlib import Path

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from napari_slagseg.data import CancelledError, SlagsegError
from napari_slagseg.segmentation import distance_watershed

SAND = Path(__file__).parents[2].parent / "shared" / "data" / "sand_ct_grey"


def balls(centres, radius, shape, spacing=(1, 1, 1)):
    grid = np.indices(shape).astype(float) * np.array(spacing)[:, None, None, None]
    return np.any(
        [((grid - np.array(c)[:, None, None, None]) ** 2).sum(0) <= radius**2 for c in centres],
        axis=0,
    )


def test_a_chain_of_three_balls_is_cut_into_three():
    mask = balls([(12, 12, 12), (12, 12, 28), (12, 12, 44)], 10, (25, 25, 57))
    labels = distance_watershed(mask)
    assert labels.dtype == np.uint32
    assert np.array_equal(labels > 0, mask)
    assert labels.max() == 3
    x = np.nonzero(mask)[2]
    nearest = np.abs(x[:, None] - np.array([12, 28, 44])).argmin(1) + 1
    assert np.mean(labels[mask] == nearest) > 0.98  # planes at x = 20 and 36 fall on voxels


def test_a_small_neck_needs_no_maximum_of_its_own():
    # 8 apart, radius 10: the saddle is about 0.8 below the tops
    mask = balls([(12, 12, 12), (12, 12, 20)], 10, (25, 25, 33))
    assert distance_watershed(mask, h=1.5).max() == 1
    assert distance_watershed(mask, h=0.2).max() == 2


def test_flat_voxels_are_measured_in_micrometres():
    # two balls in space, sampled three times coarser along z
    spacing = (3.0, 1.0, 1.0)
    mask = balls([(15, 15, 15), (15, 15, 36)], 12, (11, 31, 52), spacing)
    assert distance_watershed(mask, spacing).max() == 2


def test_particles_under_the_minimum_go_and_numbers_have_no_gaps():
    mask = np.zeros((10, 10, 30), dtype=bool)
    mask[2:8, 2:8, 2:8] = True
    mask[2:4, 2:4, 12:14] = True
    mask[2:8, 2:8, 20:26] = True
    labels = distance_watershed(mask)
    assert np.bincount(labels.ravel())[1:].tolist() == [216, 216]
    assert distance_watershed(mask, minimum_voxels=0).max() == 3


def test_masks_without_background_or_without_anything():
    assert distance_watershed(np.ones((6, 6, 6), dtype=bool)).max() == 1
    assert distance_watershed(np.zeros((6, 6, 6), dtype=bool)).max() == 0


def test_wrong_input_and_cancel():
    with pytest.raises(SlagsegError, match="three axes"):
        distance_watershed(np.ones((3, 3), dtype=bool))
    with pytest.raises(SlagsegError, match="h of a maximum"):
        distance_watershed(np.ones((3, 3, 3), dtype=bool), h=0)
    token = threading.Event()
    token.set()
    with pytest.raises(CancelledError):
        distance_watershed(np.ones((3, 3, 3), dtype=bool), cancel=token)


@pytest.mark.shared_data
@pytest.mark.skipif(not SAND.exists(), reason="../shared/data/sand_ct_grey is absent")
def test_real_sand_falls_into_grains():
    import tifffile

    volume = tifffile.imread(next(SAND.glob("*.tif")))[:64, :96, :96]
    mask = volume > threshold_otsu(volume)
    labels = distance_watershed(mask, h=1.0)
    assert labels.max() > 5
    # touching grains form one piece before, and no grain holds most of it after
    sizes = np.bincount(labels.ravel())[1:]
    assert sizes.max() < 0.25 * mask.sum()
    assert np.array_equal(distance_watershed(mask, minimum_voxels=0) > 0, mask)
