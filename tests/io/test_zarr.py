from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import (
    open_zarr_array,
    read_labels,
    read_volume,
    read_zarr_array,
    read_zarr_attributes,
    stored_voxel_size,
    write_volume,
    write_zarr_arrays,
)

SIZE = (3.0, 1.5, 1.25)


def ome(
    path: Path,
    array: np.ndarray,
    zarr_format: int,
    axes: str = "zyx",
    unit: str | None = "micrometer",
    scales: tuple[list[float] | None, list[float] | None] = (list(SIZE), None),
    levels: int = 2,
) -> Path:
    """An OME-Zarr as other programs write them: 0.4 on Zarr 2 or 0.5 on Zarr 3."""
    kinds = {"c": "channel", "t": "time"}
    described = []
    for axis in axes:
        entry = {"name": axis, "type": kinds.get(axis, "space")}
        if axis in "zyx" and unit:
            entry["unit"] = unit
        described.append(entry)

    def steps(scale: list[float] | None) -> list[dict[str, object]]:
        return [] if scale is None else [{"type": "scale", "scale": scale}]

    datasets = [{"path": f"s{i}", "coordinateTransformations": steps(scales[0])} for i in range(2)]
    multiscales = [{"axes": described, "datasets": datasets, "version": "0.4"}]
    if scales[1] is not None:
        multiscales[0]["coordinateTransformations"] = steps(scales[1])
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    attributes = {"multiscales": multiscales}
    group.attrs.update(
        attributes if zarr_format == 2 else {"ome": {**attributes, "version": "0.5"}}
    )
    for i in range(levels):
        group.create_array(f"s{i}", data=array[..., :: i + 1].copy(), chunks=array.shape)
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_finest_level_with_its_scale(tmp_path: Path, ramp, zarr_format: int) -> None:
    path = ome(tmp_path / "v.ome.zarr", ramp, zarr_format)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, ramp)
    assert volume.voxel_size_um == SIZE
    assert stored_voxel_size(path) == SIZE
    assert read_volume(path / "s0").voxel_size_um == SIZE
    assert read_volume(path / "s1", 1).shape == ramp[..., ::2].shape
    with pytest.raises(SlagsegError, match="does not state its voxel size"):
        read_volume(path / "s1")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_scales_multiply_and_units_count(tmp_path: Path, ramp, zarr_format: int) -> None:
    scales = ([1.0, 0.5, 0.25], [2.0, 2.0, 4.0])
    path = ome(tmp_path / "v.zarr", ramp, zarr_format, unit="millimeter", scales=scales)
    assert stored_voxel_size(path) == pytest.approx((2000, 1000, 1000))


def test_channels_and_time_of_one_go(tmp_path: Path, ramp) -> None:
    scale = [1.0, 1.0, *SIZE]
    path = ome(tmp_path / "v.zarr", ramp[None, None], 2, "tczyx", scales=(scale, None))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, ramp)
    assert volume.voxel_size_um == SIZE
    path = ome(tmp_path / "c.zarr", np.stack([ramp, ramp]), 3, "czyx", scales=([1.0, *SIZE], None))
    with pytest.raises(SlagsegError, match=r"c\.zarr has 2 channels \(axes c, z, y, x"):
        read_volume(path)


def test_axes_are_put_in_order(tmp_path: Path, ramp) -> None:
    turned = np.ascontiguousarray(ramp.transpose(2, 1, 0))
    path = ome(tmp_path / "v.zarr", turned, 3, "xyz", scales=(list(SIZE[::-1]), None))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, ramp)
    assert volume.voxel_size_um == SIZE


@pytest.mark.parametrize(
    ("unit", "scale", "why"),
    [
        (None, list(SIZE), "no unit of length for axis 'z'"),
        ("parsec", list(SIZE), "no unit of length"),
        ("micrometer", None, "no scale"),
        ("micrometer", [0.0, 1.0, 1.0], "state the scale"),
    ],
)
def test_size_that_is_not_stated(tmp_path: Path, ramp, unit, scale, why: str) -> None:
    path = ome(tmp_path / "v.zarr", ramp, 2, unit=unit, scales=(scale, None))
    assert stored_voxel_size(path) is None
    with pytest.raises(SlagsegError, match=rf"does not state its voxel size \(.*{why}"):
        read_volume(path)
    assert read_volume(path, 2).voxel_size_um == (2, 2, 2)


def test_damaged_metadata(tmp_path: Path, ramp) -> None:
    path = ome(tmp_path / "v.zarr", ramp, 3, levels=0)
    with pytest.raises(SlagsegError, match=r"has no array 's0'. It has: none"):
        read_volume(path)
    zarr.open_group(path, mode="r+").attrs["ome"] = {"multiscales": [{"datasets": []}]}
    with pytest.raises(SlagsegError, match="damaged OME-Zarr metadata"):
        read_volume(path)
    (path / "zarr.json").write_text("{")
    with pytest.raises(SlagsegError, match="cannot be opened as a Zarr store"):
        read_volume(path)


def test_layout_of_bioformats2raw(tmp_path: Path, ramp) -> None:
    group = zarr.open_group(tmp_path / "v.zarr", mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    ome(tmp_path / "v.zarr" / "0", ramp, 2)
    assert read_volume(tmp_path / "v.zarr").voxel_size_um == SIZE


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_array_and_group(tmp_path: Path, ramp, zarr_format: int) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", data=ramp, zarr_format=zarr_format)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.zarr", 1).data, ramp)
    assert array.shape == ramp.shape
    group = zarr.open_group(tmp_path / "g.zarr", mode="w", zarr_format=zarr_format)
    group.create_array("ct", data=ramp)
    np.testing.assert_array_equal(read_volume(tmp_path / "g.zarr", 1).data, ramp)
    group.create_array("other", data=ramp)
    with pytest.raises(SlagsegError, match=r"the arrays ct, other .*Name one of them"):
        read_volume(tmp_path / "g.zarr", 1)
    np.testing.assert_array_equal(read_volume(tmp_path / "g.zarr" / "ct", 1).data, ramp)


def test_our_own_store(tmp_path: Path) -> None:
    path = tmp_path / "OUT.zarr"
    labels = np.zeros((130, 40, 40), np.uint32)
    labels[3:9, 3:9, 3:9] = 70_000
    phases = (labels > 0).astype(np.uint8)
    write_zarr_arrays(
        path,
        {"phases": phases, "particles": labels, "flat": np.arange(3)},
        SIZE,
        {"seed": np.int64(3), "nan": float("nan")},
    )
    assert read_zarr_attributes(path) == {"seed": 3, "nan": None, "voxel_size_um": list(SIZE)}
    np.testing.assert_array_equal(read_zarr_array(path, "particles"), labels)
    np.testing.assert_array_equal(read_labels(path / "particles"), labels)
    np.testing.assert_array_equal(read_labels(path, what="particles"), labels)
    np.testing.assert_array_equal(read_labels(path, what="phases"), phases)
    assert stored_voxel_size(path / "particles") == SIZE
    stored = json.loads((path / "particles" / "0" / "zarr.json").read_text())
    assert stored["zarr_format"] == 3
    assert stored["dimension_names"] == ["z", "y", "x"]
    lazy = open_zarr_array(path, "particles")
    assert isinstance(lazy, zarr.Array)
    assert lazy.chunks == (64, 64, 64)
    assert lazy.shards == (192, 64, 64)
    assert lazy[5, 5, 5] == 70_000
    assert sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) < labels.nbytes / 50


def test_store_of_plain_arrays_as_older_versions_wrote_it(tmp_path: Path, ramp) -> None:
    path = tmp_path / "segmentation.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3, attributes={"voxel_size_um": SIZE})
    for name in ("phases", "particles"):
        group.create_array(name, data=ramp, chunks=(4, 4, 4), dimension_names=("z", "y", "x"))
    np.testing.assert_array_equal(read_zarr_array(path, "phases"), ramp)
    np.testing.assert_array_equal(read_labels(path / "particles"), ramp)
    np.testing.assert_array_equal(read_labels(path, what="particles"), ramp)
    assert stored_voxel_size(path / "particles") == SIZE


def test_missing_arrays_are_named(tmp_path: Path) -> None:
    path = tmp_path / "OUT.zarr"
    write_zarr_arrays(path, {"phases": np.zeros((2, 2, 2)), "ids": np.zeros(3)})
    message = r"OUT\.zarr has no array 'particles'\. It has: ids, phases\."
    for read in (
        lambda: read_zarr_array(path, "particles"),
        lambda: open_zarr_array(path, "particles"),
        lambda: read_labels(path / "particles"),
    ):
        with pytest.raises(SlagsegError, match=message):
            read()
    with pytest.raises(SlagsegError, match="is a group, not an array"):
        read_zarr_array(path)
    with pytest.raises(SlagsegError, match="is one array, not a group; it has no 'x'"):
        read_zarr_array(path / "ids", "x")
    with pytest.raises(SlagsegError, match="does not exist"):
        read_zarr_array(tmp_path / "no.zarr", "phases")


def object_array(path: Path, filters: list[dict[str, str]]) -> Path:
    path.mkdir(parents=True)
    metadata = {
        "zarr_format": 2,
        "shape": [2, 2, 2],
        "chunks": [2, 2, 2],
        "dtype": "|O",
        "compressor": None,
        "filters": filters,
        "fill_value": None,
        "order": "C",
    }
    (path / ".zarray").write_text(json.dumps(metadata))
    return path


@pytest.mark.parametrize("filters", [[], [{"id": "pickle"}], [{"id": "vlen-utf8"}]])
def test_objects_are_refused(tmp_path: Path, filters: list[dict[str, str]]) -> None:
    alone = object_array(tmp_path / "o.zarr", filters)
    group = tmp_path / "g.zarr"
    zarr.open_group(group, mode="w", zarr_format=2)
    inside = object_array(group / "particles", filters)
    for read in (
        lambda: read_volume(alone, 1),
        lambda: read_labels(alone),
        lambda: read_zarr_array(alone),
        lambda: read_labels(inside),
        lambda: read_zarr_array(group, "particles"),
        lambda: open_zarr_array(group, "particles"),
        lambda: read_volume(group, 1),
    ):
        with pytest.raises(SlagsegError, match=r"Python objects|only numbers are read"):
            read()
    with pytest.raises(SlagsegError, match="holds values of type object"):
        write_zarr_arrays(tmp_path / "w.zarr", {"a": np.array([None])})
    assert not (tmp_path / "w.zarr").exists()


def test_lost_chunk_of_a_damaged_store(tmp_path: Path, ramp) -> None:
    write_volume(tmp_path / "v.zarr", ramp, SIZE, compress=True)
    chunk = next((tmp_path / "v.zarr" / "0" / "c").rglob("0/0/0"))
    chunk.write_bytes(chunk.read_bytes()[:-20])
    with pytest.raises(SlagsegError, match=r"0/0/0 is cut short or damaged"):
        read_volume(tmp_path / "v.zarr")


def test_written_volume_is_valid_ome_zarr(tmp_path: Path, ramp) -> None:
    """By the published models of the format, which know nothing of this package."""
    models = pytest.importorskip("ome_zarr_models.v05")
    write_volume(tmp_path / "v.zarr", ramp, SIZE)
    image = models.Image.from_zarr(zarr.open_group(tmp_path / "v.zarr", mode="r"))
    multiscale = image.ome_attributes.multiscales[0]
    assert [axis.name for axis in multiscale.axes] == ["z", "y", "x"]
    assert multiscale.datasets[0].coordinateTransformations[0].scale == list(SIZE)
