import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import read_grey_map


@pytest.fixture
def bse(tmp_path):
    grey = np.random.default_rng(0).integers(0, 60_000, (30, 40)).astype(np.uint16)
    path = tmp_path / "bse.tif"
    tifffile.imwrite(path, grey)
    return path, grey


def test_grey_values_come_through_unchanged(bse):
    path, grey = bse
    found = read_grey_map(path, 1.5)
    assert (found.name, found.pixel_size_um, found.shape) == ("bse", 1.5, (30, 40))
    np.testing.assert_array_equal(found.grey, grey.astype(np.float32))


def test_outside_of_a_mask_nothing_is_known(bse, tmp_path):
    path, _ = bse
    mask = np.zeros((30, 40), np.uint8)
    mask[5:20] = 255
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    found = read_grey_map(path, 1.5, mask=tmp_path / "mask.tif")
    np.testing.assert_array_equal(np.isfinite(found.grey), mask > 0)


def test_a_grey_picture_saved_in_colour_is_grey(tmp_path):
    plane = np.arange(200, dtype=np.uint8).reshape(10, 20)
    Image.fromarray(np.stack([plane] * 3, axis=-1)).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read_grey_map(tmp_path / "x.png", 1.0).grey, plane)


def test_what_is_no_grey_image_is_refused_by_name(bse, tmp_path):
    path, _ = bse
    colours = np.zeros((10, 20, 3), np.uint8)
    colours[..., 0] = 9
    Image.fromarray(colours).save(tmp_path / "phases.png")
    with pytest.raises(SlagsegError, match=r"phases\.png is in colour.*give its legend"):
        read_grey_map(tmp_path / "phases.png", 1.0)
    np.save(tmp_path / "stack.npy", np.zeros((3, 10, 20, 2)))
    with pytest.raises(SlagsegError, match=r"stack\.npy has the shape"):
        read_grey_map(tmp_path / "stack.npy", 1.0)
    with pytest.raises(SlagsegError, match="does not state its pixel size"):
        read_grey_map(path)
    tifffile.imwrite(tmp_path / "empty.tif", np.zeros((30, 40), np.uint8))
    with pytest.raises(SlagsegError, match=r"empty\.tif covers nothing"):
        read_grey_map(path, 1.0, mask=tmp_path / "empty.tif")
