from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import read_labels, read_volume, stored_voxel_size, write_volume


def imagej(path: Path, array: np.ndarray, resolution=(0.5, 0.5), **metadata) -> Path:
    """Write as ImageJ does: resolution in pixels a unit, x first."""
    metadata = {"axes": "ZYX", **metadata}
    tifffile.imwrite(path, array, imagej=True, resolution=resolution, metadata=metadata)
    return path


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("um", (3, 4, 2)),
        ("micron", (3, 4, 2)),
        ("\\u00B5m", (3, 4, 2)),
        ("microns", (3, 4, 2)),
        ("mm", (3000, 4000, 2000)),
        ("nm", (0.003, 0.004, 0.002)),
        ("cm", (3e4, 4e4, 2e4)),
        ("inch", (3 * 25400, 4 * 25400, 2 * 25400)),
    ],
)
def test_imagej_units(tmp_path: Path, ramp, unit: str, expected) -> None:
    path = imagej(tmp_path / "v.tif", ramp, (1 / 2, 1 / 4), spacing=3, unit=unit)
    assert read_volume(path).voxel_size_um == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("resolution", "metadata", "why"),
    [
        ((0.5, 0.5), {"spacing": 2.0}, "no unit of length"),
        ((0.5, 0.5), {"spacing": 2.0, "unit": "pixel"}, "no unit of length"),
        ((0.5, 0.5), {"unit": "um"}, "no slice spacing"),
        (None, {"spacing": 2.0, "unit": "um"}, "no resolution"),
    ],
)
def test_imagej_that_does_not_say_enough(tmp_path: Path, ramp, resolution, metadata, why) -> None:
    path = imagej(tmp_path / "v.tif", ramp, resolution, **metadata)
    if resolution is None:
        # what a program writes that has no resolution
        with tifffile.TiffFile(path, mode="r+") as file:
            file.pages[0].tags["XResolution"].overwrite((0, 1))
    assert stored_voxel_size(path) is None
    with pytest.raises(SlagsegError, match=rf"does not state its voxel size \(.*{why}"):
        read_volume(path)


def test_imagej_leaves_a_spacing_of_one_out(tmp_path: Path, ramp) -> None:
    path = imagej(tmp_path / "v.tif", ramp, (1.0, 1.0), unit="um")
    assert read_volume(path).voxel_size_um == (1, 1, 1)


@pytest.mark.parametrize("unit", ["INCH", "CENTIMETER", "NONE"])
def test_printing_resolution_is_no_voxel_size(tmp_path: Path, ramp, unit: str) -> None:
    path = tmp_path / "v.tif"
    tifffile.imwrite(path, ramp, resolution=(72, 72), resolutionunit=unit, metadata=None)
    assert stored_voxel_size(path) is None
    with pytest.raises(SlagsegError, match="a plain TIFF states none"):
        read_volume(path)
    np.testing.assert_array_equal(read_volume(path, 1).data, ramp)


def ome(path: Path, array: np.ndarray, axes: str = "ZYX", **metadata) -> Path:
    tifffile.imwrite(
        path, array, ome=True, photometric="minisblack", metadata={"axes": axes, **metadata}
    )
    return path


def test_ome(tmp_path: Path, ramp) -> None:
    sizes = {"PhysicalSizeX": 1.25, "PhysicalSizeY": 1.5, "PhysicalSizeZ": 0.003}
    path = ome(tmp_path / "v.ome.tif", ramp, **sizes, PhysicalSizeZUnit="mm")
    volume = read_volume(path)
    assert volume.voxel_size_um == pytest.approx((3, 1.5, 1.25))
    np.testing.assert_array_equal(volume.data, ramp)
    del sizes["PhysicalSizeZ"]
    path = ome(tmp_path / "z.ome.tif", ramp, **sizes)
    with pytest.raises(SlagsegError, match="lack PhysicalSizeZ"):
        read_volume(path)
    path = ome(tmp_path / "u.ome.tif", ramp, **sizes, PhysicalSizeZ=1, PhysicalSizeZUnit="pixel")
    assert stored_voxel_size(path) is None


def test_ome_axes(tmp_path: Path, ramp) -> None:
    """Axes of length one go; several channels or time points are refused."""
    path = ome(tmp_path / "one.ome.tif", ramp[None, :, None], "TZCYX")
    np.testing.assert_array_equal(read_volume(path, 1).data, ramp)
    path = ome(tmp_path / "c.ome.tif", np.stack([ramp, ramp]), "CZYX")
    with pytest.raises(SlagsegError, match=r"c\.ome\.tif has 2 channels"):
        read_volume(path, 1)
    path = ome(tmp_path / "t.ome.tif", np.stack([ramp, ramp]), "TZYX")
    with pytest.raises(SlagsegError, match="has 2 time points"):
        read_volume(path, 1)
    path = ome(tmp_path / "flat.ome.tif", ramp, "CYX")
    with pytest.raises(SlagsegError, match="has 5 channels"):
        read_volume(path, 1)


def test_stack_that_calls_its_slices_time_is_read(tmp_path: Path, ramp) -> None:
    path = imagej(tmp_path / "v.tif", ramp, axes="TYX")
    np.testing.assert_array_equal(read_volume(path, 1).data, ramp)


def test_pages_of_any_program(tmp_path: Path, ramp) -> None:
    """Pages without metadata, big-endian, BigTIFF, tiles, compression, predictor."""
    options = (
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"compression": "lzw", "predictor": 2},
        {"compression": "zstd"},
        {"rowsperstrip": 2},
        {"photometric": "miniswhite"},
    )
    for i, option in enumerate(options):
        path = tmp_path / f"{i}.tif"
        tifffile.imwrite(path, ramp, metadata=None, **{"photometric": "minisblack", **option})
        data = read_volume(path, 1).data
        np.testing.assert_array_equal(data, ramp)
        assert data.dtype == np.uint16
        assert data.dtype.isnative


def test_pages_appended_one_by_one(tmp_path: Path, ramp) -> None:
    path = tmp_path / "v.tif"
    for plane in ramp:
        tifffile.imwrite(path, plane, append=True, metadata=None)
    np.testing.assert_array_equal(read_volume(path, 1).data, ramp)


def test_palette_stack_keeps_its_indices(tmp_path: Path, ramp) -> None:
    array = (ramp % 251).astype(np.uint8)
    palette = np.zeros((3, 256), np.uint16)
    tifffile.imwrite(
        tmp_path / "v.tif", array, photometric="palette", colormap=palette, metadata=None
    )
    np.testing.assert_array_equal(read_volume(tmp_path / "v.tif", 1).data, array)


def test_colour_in_any_order(tmp_path: Path) -> None:
    stack = np.zeros((4, 30, 40, 3), np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="rgb")
    tifffile.imwrite(tmp_path / "one.tif", stack[0], photometric="rgb")
    tifffile.imwrite(
        tmp_path / "planar.tif",
        np.moveaxis(stack[0], -1, 0),
        photometric="rgb",
        planarconfig="separate",
    )
    for name in ("stack", "one", "planar"):
        with pytest.raises(SlagsegError, match=rf"{name}\.tif is in colour"):
            read_volume(tmp_path / f"{name}.tif", 1)
        with pytest.raises(SlagsegError, match=rf"{name}\.tif is in colour"):
            read_labels(tmp_path / f"{name}.tif")


def test_one_page_is_no_volume(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "CT.tif", np.eye(8, dtype=np.uint8))
    with pytest.raises(SlagsegError, match=r"CT\.tif is 2-D \(8, 8\).*open the folder instead"):
        read_volume(tmp_path / "CT.tif", 1)


def test_pages_of_different_shape(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "v.tif") as file:
        for side in (8, 8, 9):
            file.write(np.eye(side, dtype=np.uint8), metadata=None)
    with pytest.raises(SlagsegError, match=r"holds 2 images.*\(2, 8, 8\) uint8, \(9, 9\) uint8"):
        read_volume(tmp_path / "v.tif", 1)


def test_thumbnail_is_passed_over(tmp_path: Path, ramp) -> None:
    with tifffile.TiffWriter(tmp_path / "v.tif") as file:
        file.write(ramp, metadata=None, photometric="minisblack")
        file.write(ramp[0, ::2, ::2], metadata=None, subfiletype=1)
    np.testing.assert_array_equal(read_volume(tmp_path / "v.tif", 1).data, ramp)


def test_labels_are_small_and_uint32(tmp_path: Path) -> None:
    labels = np.zeros((20, 64, 64), np.uint32)
    labels[5:15, 10:50, 10:50] = 70_000
    write_volume(tmp_path / "p.tif", labels, 2.0, compress=True)
    assert (tmp_path / "p.tif").stat().st_size < labels.nbytes / 20
    with tifffile.TiffFile(tmp_path / "p.tif") as file:
        assert file.series[0].dtype == np.uint32
    read = read_labels(tmp_path / "p.tif")
    assert read.dtype == np.uint32
    np.testing.assert_array_equal(read, labels)


def test_fiji_sees_the_voxel_size(tmp_path: Path, ramp) -> None:
    """In the fields ImageJ reads them from: unit, spacing, pixels a unit."""
    write_volume(tmp_path / "v.tif", ramp, (3, 2, 4))
    with tifffile.TiffFile(tmp_path / "v.tif") as file:
        metadata, tags = file.imagej_metadata, file.pages[0].tags
        x, y = (tags[f"{a}Resolution"].value for a in "XY")
    assert metadata["unit"] == "um"
    assert metadata["spacing"] == 3
    assert metadata["slices"] == 5
    assert x[0] / x[1] == pytest.approx(1 / 4)
    assert y[0] / y[1] == pytest.approx(1 / 2)
