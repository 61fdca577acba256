from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import RawLayout, read_labels, read_volume, stored_voxel_size, write_volume

SIZE = (3.0, 1.5, 1.25)
KEPT = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32")


@pytest.mark.parametrize("name", ["v.tif", "v.npy", "v.zarr"])
@pytest.mark.parametrize("dtype", KEPT)
@pytest.mark.parametrize("compress", [False, True])
def test_round_trip(tmp_path: Path, ramp, name: str, dtype: str, compress: bool) -> None:
    array = (ramp % 120).astype(dtype)
    write_volume(tmp_path / name, array, SIZE, compress=compress)
    given_size = SIZE if name.endswith("npy") else None
    volume = read_volume(tmp_path / name, given_size)
    assert volume.data.dtype == np.dtype(dtype)
    assert volume.data.dtype.isnative
    np.testing.assert_array_equal(volume.data, array)
    assert volume.voxel_size_um == pytest.approx(SIZE, rel=1e-8)
    stored = stored_voxel_size(tmp_path / name)
    assert stored is None if name.endswith("npy") else stored == pytest.approx(SIZE, rel=1e-8)
    assert volume.name == name
    assert volume.source == str(tmp_path / name)
    if dtype != "float32":
        np.testing.assert_array_equal(read_labels(tmp_path / name), array)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    array=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.uint32, np.int16]),
        hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6),
    ),
    size=st.tuples(*[st.floats(0.01, 5000)] * 3),
    suffix=st.sampled_from(["tif", "zarr"]),
    compress=st.booleans(),
)
def test_any_shape_and_size_round_trips(tmp_path: Path, array, size, suffix, compress) -> None:
    path = tmp_path / f"v.{suffix}"
    write_volume(path, array, size, compress=compress)
    np.testing.assert_array_equal(read_labels(path), array)
    assert read_labels(path).dtype == array.dtype
    assert stored_voxel_size(path) == pytest.approx(size, rel=1e-6)


def test_uncompressed_files_are_mapped(tmp_path: Path, ramp) -> None:
    for name in ("v.tif", "v.npy"):
        write_volume(tmp_path / name, ramp, SIZE)
        assert isinstance(read_volume(tmp_path / name, SIZE).data, np.memmap)
    write_volume(tmp_path / "c.tif", ramp, SIZE, compress=True)
    assert not isinstance(read_volume(tmp_path / "c.tif").data, np.memmap)
    ramp.tofile(tmp_path / "v.raw")
    layout = RawLayout(ramp.shape, "uint16")
    assert isinstance(read_volume(tmp_path / "v.raw", 1, raw=layout).data, np.memmap)


def test_given_size_overrides_the_stored_one(tmp_path: Path, ramp) -> None:
    write_volume(tmp_path / "v.tif", ramp, SIZE)
    assert read_volume(tmp_path / "v.tif", 2).voxel_size_um == (2, 2, 2)
    assert read_volume(tmp_path / "v.tif", np.float64(2)).voxel_size_um == (2, 2, 2)
    assert read_volume(tmp_path / "v.tif", [4, 2, 2]).voxel_size_um == (4, 2, 2)
    for wrong in (0, -1, float("nan"), (1, 2), (1, 0, 1)):
        with pytest.raises(SlagsegError, match=r"voxel size given for .*v\.tif.*above 0"):
            read_volume(tmp_path / "v.tif", wrong)


def test_size_is_asked_for(tmp_path: Path, ramp) -> None:
    for name in ("v.tif", "v.npy", "v.zarr"):
        write_volume(tmp_path / name, ramp, None)
        assert stored_voxel_size(tmp_path / name) is None
        with pytest.raises(SlagsegError, match=rf"{name} does not state its voxel size.*micromet"):
            read_volume(tmp_path / name)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float64", "float32"), ("float16", "float32"), ("bool", "uint8"), ("int64", "uint32")],
)
def test_unusual_types_become_usual(tmp_path: Path, ramp, dtype: str, expected: str) -> None:
    array = (ramp % 100).astype(dtype)
    np.save(tmp_path / "v.npy", array)
    data = read_volume(tmp_path / "v.npy", 1).data
    assert data.dtype == np.dtype(expected)
    np.testing.assert_array_equal(data, array.astype(expected))


def test_64_bits_are_kept_only_if_they_fit(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([[[-5, 7]]], np.int64))
    assert read_volume(tmp_path / "v.npy", 1).data.dtype == np.int32
    np.save(tmp_path / "v.npy", np.array([[[0, 2**40]]]))
    with pytest.raises(SlagsegError, match=r"v\.npy holds grey values from 0 to 1099511627776"):
        read_volume(tmp_path / "v.npy", 1)


def test_other_byte_order(tmp_path: Path, ramp) -> None:
    np.save(tmp_path / "v.npy", ramp.astype(">u2"))
    data = read_volume(tmp_path / "v.npy", 1).data
    assert data.dtype.isnative
    np.testing.assert_array_equal(data, ramp)
    assert read_labels(tmp_path / "v.npy").dtype.isnative
    ramp.astype(">u2").tofile(tmp_path / "v.raw")
    layout = RawLayout(ramp.shape, "uint16", byte_order="big")
    np.testing.assert_array_equal(read_volume(tmp_path / "v.raw", 1, raw=layout).data, ramp)


def save(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


def test_wrong_number_of_axes(tmp_path: Path) -> None:
    two = save(tmp_path / "CT.npy", np.eye(8))
    with pytest.raises(SlagsegError) as error:
        read_volume(two, 1)
    assert str(error.value) == (
        f"{two} is 2-D (8, 8); a CT volume needs three axes (z, y, x). "
        "If this is one slice of a stack, open the folder instead."
    )
    for shape in ((2, 2, 2, 2), (4,)):
        path = save(tmp_path / "n.npy", np.arange(np.prod(shape)).reshape(shape))
        with pytest.raises(SlagsegError, match=rf"is {len(shape)}-D .*three axes"):
            read_volume(path, 1)


def test_colour(tmp_path: Path) -> None:
    path = save(tmp_path / "rgb.npy", np.zeros((4, 30, 30, 3), np.uint8))
    with pytest.raises(SlagsegError, match=r"in colour \(4, 30, 30, 3\)"):
        read_volume(path, 1)
    path = save(tmp_path / "one.npy", np.zeros((30, 30, 3), np.uint8))
    with pytest.raises(SlagsegError, match="colour image"):
        read_volume(path, 1)


@pytest.mark.parametrize("where", [(0, 0, 0), (3, 4, 5), (8, 9, 9)])
def test_nan_is_counted_and_located(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: tuple[int, int, int]
) -> None:
    # blocks of two planes, so that the count runs over several
    monkeypatch.setattr("napari_slagseg.io.guards._BLOCK_VOXELS", 200)
    array = np.arange(900, dtype=np.float32).reshape(9, 10, 10)
    array[where] = np.nan
    array[8, 9, 9] = np.inf
    expected = 1 if where == (8, 9, 9) else 2
    z, y, x = where
    message = rf"n\.npy has {expected} voxels .* the first at z={z}, y={y}, x={x}\."
    with pytest.raises(SlagsegError, match=message):
        read_volume(save(tmp_path / "n.npy", array), 1)


def test_empty_and_constant(tmp_path: Path) -> None:
    with pytest.raises(SlagsegError, match=r"e\.npy is empty: its shape is \(0, 4, 4\)"):
        read_volume(save(tmp_path / "e.npy", np.zeros((0, 4, 4))), 1)
    for dtype in (np.uint8, np.float32):
        with pytest.raises(SlagsegError, match=r"c\.npy is constant: every voxel is 7"):
            read_volume(save(tmp_path / "c.npy", np.full((3, 4, 5), 7, dtype)), 1)


def test_variation_in_the_last_block_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_slagseg.io.guards._BLOCK_VOXELS", 20)
    array = np.zeros((9, 4, 5), np.uint8)
    array[-1, -1, -1] = 1
    assert read_volume(save(tmp_path / "c.npy", array), 1).shape == (9, 4, 5)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (open, (str(tmp_path / "sprung"), "w"))

    trap = tmp_path / "trap.npy"
    trap.write_bytes(pickle.dumps(Trap()))
    objects = tmp_path / "objects.npy"
    np.save(objects, np.array([Trap()], dtype=object), allow_pickle=True)
    renamed = tmp_path / "trap.pkl"
    renamed.write_bytes(trap.read_bytes())
    tiff = tmp_path / "trap.tif"
    tiff.write_bytes(trap.read_bytes())
    for read in (lambda p: read_volume(p, 1), read_labels):
        for path in (trap, objects, renamed):
            with pytest.raises(SlagsegError, match=r"never\s+opened"):
                read(path)
        with pytest.raises(SlagsegError, match=r"trap\.tif cannot be read as TIFF"):
            read(tiff)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("dtype", ["complex64", "U4", "datetime64[s]", [("a", "u1")]])
def test_only_numbers(tmp_path: Path, dtype) -> None:
    path = save(tmp_path / "v.npy", np.zeros((3, 4, 5), dtype))
    with pytest.raises(SlagsegError, match="only whole numbers and real numbers"):
        read_volume(path, 1)
    with pytest.raises(SlagsegError, match="only whole numbers and real numbers"):
        read_labels(path)


def test_missing_damaged_and_unknown(tmp_path: Path, ramp) -> None:
    for name in ("no.tif", "no.npy", "no.zarr", "no.raw", "no"):
        with pytest.raises(SlagsegError, match=rf"{name} does not exist"):
            read_volume(tmp_path / name, 1)
    with pytest.raises(SlagsegError, match=r"no\.raw does not exist"):
        read_volume(tmp_path / "no.raw", 1, raw=RawLayout((1, 1, 1), "uint8"))
    (tmp_path / "a.doc").write_text("hello")
    with pytest.raises(SlagsegError, match=r"unknown format '\.doc'.*TIFF"):
        read_volume(tmp_path / "a.doc", 1)
    for name, dtype in (("v.tif", np.uint16), ("v.tif", np.int32), ("v.npy", np.uint16)):
        for compress in (False, True):
            path = tmp_path / name
            write_volume(path, ramp.astype(dtype), SIZE, compress=compress)
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            with pytest.raises(SlagsegError, match=rf"{name} (cannot be read as|is cut short)"):
                read_volume(path, SIZE)
        path.write_bytes(b"")
        with pytest.raises(SlagsegError, match=name):
            read_volume(path, SIZE)


def test_format_is_seen_without_a_suffix(tmp_path: Path, ramp) -> None:
    for name in ("v.tif", "v.npy"):
        write_volume(tmp_path / name, ramp, SIZE)
        (tmp_path / name).rename(tmp_path / "export")
        np.testing.assert_array_equal(read_volume(tmp_path / "export", 1).data, ramp)


def test_too_large_for_memory(tmp_path: Path, ramp, monkeypatch: pytest.MonkeyPatch) -> None:
    write_volume(tmp_path / "v.zarr", ramp, SIZE)
    write_volume(tmp_path / "v.tif", ramp, SIZE)

    class Memory:
        available = 100

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    with pytest.raises(SlagsegError, match=r"v\.zarr/0 needs .* GB of memory"):
        np.asarray(read_volume(tmp_path / "v.zarr").data)
    assert read_volume(tmp_path / "v.zarr").data[1, 2, 3] == ramp[1, 2, 3]
    assert read_volume(tmp_path / "v.tif").shape == ramp.shape


def test_labels(tmp_path: Path) -> None:
    whole = np.array([[0.0, 3.0], [-1.0, 2.0]])
    labels = read_labels(save(tmp_path / "l.npy", whole))
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, whole)
    assert read_labels(save(tmp_path / "l.npy", whole > 0)).dtype == np.uint8
    for wrong in (0.5, np.nan, np.inf):
        whole[0, 0] = wrong
        with pytest.raises(SlagsegError, match=r"l\.npy holds numbers that are not whole"):
            read_labels(save(tmp_path / "l.npy", whole))
    for shape in ((3,), (1, 2, 2, 2), (0, 3)):
        with pytest.raises(SlagsegError, match="particles need two or three axes"):
            read_labels(save(tmp_path / "l.npy", np.zeros(shape, int)), what="particles")


def test_what_cannot_be_written(tmp_path: Path, ramp) -> None:
    with pytest.raises(SlagsegError, match=r"v\.mhd cannot be written: use the ending"):
        write_volume(tmp_path / "v.mhd", ramp, SIZE)
    with pytest.raises(SlagsegError, match="voxel size is"):
        write_volume(tmp_path / "v.tif", ramp, (1, 0, 1))
    with pytest.raises(SlagsegError, match="holds values of type object"):
        write_volume(tmp_path / "v.npy", np.array([[[None]]]), SIZE)
    with pytest.raises(SlagsegError, match="two or three axes"):
        write_volume(tmp_path / "v.tif", np.zeros((2, 2, 2, 2)), SIZE)
    assert not list(tmp_path.iterdir())


@pytest.mark.shared_data
def test_real_sand(shared_data: Path) -> None:
    path = shared_data / "sand_ct_grey" / "sand_100x200x200_u8.tif"
    with pytest.raises(SlagsegError, match=r"does not state its voxel size \(a plain TIFF"):
        read_volume(path)
    volume = read_volume(path, 5)
    assert volume.shape == (100, 200, 200)
    assert volume.data.dtype == np.uint8
    # stated with the data: Otsu's threshold of 79 leaves 58 % of sand
    assert np.mean(np.asarray(volume.data) > 79) == pytest.approx(0.58, abs=0.005)
