from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_slagseg.data import BlockGrid, SlagsegError, ThreadRun, Volume
from napari_slagseg.io import (
    Pyramid,
    add_levels,
    create_result_arrays,
    find_pyramid,
    multiscale_levels,
    pyramid_beside,
    read_labels,
    read_volume,
    stored_voxel_size,
    write_volume,
    write_zarr_arrays,
)
from napari_slagseg.io.pyramids import HalveBlock

SIZE = (3.0, 1.5, 1.25)


def world(pyramid: Pyramid, level: int, value: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners in micrometres of the voxels of a level that hold a value."""
    places = np.argwhere(pyramid.levels[level][...] == value)
    size = np.array(pyramid.voxel_sizes_um[level])
    centres = places * size + pyramid.offsets_um[level]
    return centres.min(0) - size / 2, centres.max(0) + size / 2


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A particle of 32^3 voxels at the place (32, 64, 160), and one in the last corner."""
    path = tmp_path / "segmentation.zarr"
    labels = np.zeros((70, 130, 600), np.uint32)
    labels[32:64, 64:96, 160:192] = 70_000
    labels[-6:, -2:, -24:] = 5
    probability = np.zeros(labels.shape, np.uint8)
    probability[32:64, 64:96, 160:192] = 200
    volumes = create_result_arrays(
        path, {"particles": "u4", "probability": "u1"}, labels.shape, SIZE, {"seed": 1}
    )
    volumes["particles"][...] = labels
    volumes["probability"][...] = probability
    return path


@pytest.mark.parametrize("threads", [0, 3])
def test_levels_of_labels(labelled: Path, threads: int) -> None:
    run = ThreadRun(BlockGrid.of((70, 130, 600), 256), threads) if threads else None
    made = add_levels(labelled, "particles", "labels", run)
    assert [v.shape for v in made.levels] == [
        (70, 130, 600),
        (35, 65, 300),
        (18, 33, 150),
        (9, 17, 75),
    ]
    assert made == multiscale_levels(labelled, "particles")
    finest = made.levels[0][...]
    for k, size in enumerate(made.voxel_sizes_um):
        assert size == tuple(s * 2**k for s in SIZE)
        assert set(np.unique(made.levels[k][...])) == {0, 5, 70_000}
        assert made.levels[k].dtype == np.uint32
        # picked voxels: where a level says that one lies, the volume has that label
        first = np.array(made.offsets_um[k]) / SIZE
        assert np.array_equal(first, np.rint(first))
        z, y, x = (np.argwhere(made.levels[k][...] == 70_000) * 2**k + first).astype(int).T
        assert (finest[z, y, x] == 70_000).all()
        # and the picture of the particle is less than a voxel of the level off
        low, high = world(made, k, 70_000)
        assert np.abs(low - np.multiply((31.5, 63.5, 159.5), SIZE)).max() <= max(size) / 2
        assert np.abs(high - np.multiply((63.5, 95.5, 191.5), SIZE)).max() <= max(size) / 2
    np.testing.assert_array_equal(read_labels(labelled / "particles"), made.levels[0][...])
    assert stored_voxel_size(labelled / "particles") == SIZE


def test_levels_of_grey_values_lie_exactly_where_the_volume_does(labelled: Path) -> None:
    made = add_levels(labelled, "probability", "grey")
    for k in range(len(made.levels)):
        low, high = world(made, k, 200)  # the particle's faces lie on multiples of 16 voxels
        np.testing.assert_allclose(low, np.multiply((31.5, 63.5, 159.5), SIZE))
        np.testing.assert_allclose(high, np.multiply((63.5, 95.5, 191.5), SIZE))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32"])
def test_means_of_a_block(tmp_path: Path, dtype: str) -> None:
    array = (np.arange(5 * 6 * 300) % 251 - (100 if dtype == "int16" else 0)).astype(dtype)
    array = array.reshape(5, 6, 300)
    made = pyramid_beside(Volume(array, (1, 1, 1)), tmp_path / "p.zarr", "a")
    padded = np.pad(array.astype(float), ((0, 1), (0, 0), (0, 0)), mode="edge")
    means = padded.reshape(3, 2, 3, 2, 150, 2).mean(axis=(1, 3, 5))
    expected = means if dtype == "float32" else np.floor(means + 0.5)
    np.testing.assert_array_equal(made.levels[0][...], expected.astype(dtype))
    assert made.levels[1].shape == (2, 2, 75)
    assert made.voxel_sizes_um == ((2, 2, 2), (4, 4, 4))


def test_flat_volumes_are_not_halved_along_their_one_slice(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 99, (1, 300, 260), dtype=np.uint16)
    made = pyramid_beside(Volume(array, (1, 1, 1)), tmp_path / "p.zarr", "a")
    assert made.levels[1].shape == (1, 75, 65)
    assert made.voxel_sizes_um[1] == (1, 4, 4)


def test_valid_ome_zarr(labelled: Path) -> None:
    """By the published models of the format, which know nothing of this package."""
    models = pytest.importorskip("ome_zarr_models.v05")
    add_levels(labelled, "particles")
    image = models.Image.from_zarr(zarr.open_group(labelled / "particles", mode="r"))
    datasets = image.ome_attributes.multiscales[0].datasets
    assert [d.path for d in datasets] == ["0", "1", "2", "3"]
    scale, translation = datasets[2].coordinateTransformations
    assert scale.scale == [12.0, 6.0, 5.0]
    assert translation.translation == [2 * 3.0, 2 * 1.5, 2 * 1.25]


@pytest.mark.parametrize("kind", ["memory", "mapped", "compressed", "zarr"])
def test_pyramid_beside_a_ct(tmp_path: Path, kind: str) -> None:
    array = np.random.default_rng(0).integers(0, 60_000, (20, 140, 300), dtype=np.uint16)
    path = tmp_path / ("ct.zarr" if kind == "zarr" else "ct.tif")
    write_volume(path, array, SIZE, compress=kind == "compressed")
    volume = Volume(array, SIZE, "ct") if kind == "memory" else read_volume(path)
    folder = tmp_path / "ct_pyramid.zarr"
    assert find_pyramid(folder, "stamp") is None
    run = ThreadRun(BlockGrid.of(array.shape, 256), 2)
    made = pyramid_beside(volume, folder, "stamp", run)
    assert [v.shape for v in made.levels] == [(10, 70, 150), (5, 35, 75)]
    assert made.voxel_sizes_um[0] == (6.0, 3.0, 2.5)
    assert made.offsets_um[1] == (3.0, 1.5, 1.25)  # as seen from level 1
    plain = pyramid_beside(Volume(array, SIZE, "ct"), tmp_path / "q.zarr", "x")
    for a, b in zip(made.levels, plain.levels):
        np.testing.assert_array_equal(a[...], b[...])
    # of the same CT it is not made again; of a changed one it is
    before = os.stat(folder / "1" / "zarr.json").st_mtime_ns
    assert pyramid_beside(volume, folder, "stamp") == made
    assert os.stat(folder / "1" / "zarr.json").st_mtime_ns == before
    assert find_pyramid(folder, "other") is None
    pyramid_beside(Volume(array[:, :, ::-1].copy(), SIZE), folder, "other")
    assert find_pyramid(folder, "stamp") is None
    assert find_pyramid(folder, "other") is not None


def test_half_made_pyramid_is_gone_on_with(tmp_path: Path, monkeypatch) -> None:
    array = np.random.default_rng(0).integers(0, 60_000, (8, 140, 300), dtype=np.uint16)
    volume, folder = Volume(array, SIZE, "ct"), tmp_path / "p.zarr"
    whole = pyramid_beside(volume, tmp_path / "q.zarr", "s")
    done = HalveBlock.__call__

    def fails_at_level_2(self, block, given=None):
        if self.target.inner == "2":
            raise KeyboardInterrupt
        return done(self, block, given)

    monkeypatch.setattr(HalveBlock, "__call__", fails_at_level_2)
    with pytest.raises(KeyboardInterrupt):
        pyramid_beside(volume, folder, "s")
    assert find_pyramid(folder, "s") is None
    monkeypatch.undo()

    class Resumed(ThreadRun):
        """A run whose records say that level 1 is done; somebody removed one of its files."""

        def stage(self, name, task, **options):
            return {} if name.endswith("-1") else super().stage(name, task, **options)

    next((folder / "1" / "c").rglob("0/0/0")).unlink()
    made = pyramid_beside(volume, folder, "s", Resumed(BlockGrid.of(array.shape, 256)))
    for a, b in zip(made.levels, whole.levels):
        np.testing.assert_array_equal(a[...], b[...])


def test_small_ct_needs_no_pyramid(tmp_path: Path) -> None:
    made = pyramid_beside(Volume(np.eye(60)[None] * 3, SIZE), tmp_path / "p.zarr", "s")
    assert made == Pyramid((), (), ())
    assert find_pyramid(tmp_path / "p.zarr", "s") == made


def test_tasks_are_small_to_send(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 60_000, (20, 140, 300), dtype=np.uint16)
    write_volume(tmp_path / "ct.tif", array, SIZE)
    sent = []

    class Listening(ThreadRun):
        def stage(self, name, task, **options):
            sent.append(len(pickle.dumps(task)))
            return super().stage(name, task, **options)

    run = Listening(BlockGrid.of(array.shape, 256))
    pyramid_beside(read_volume(tmp_path / "ct.tif"), tmp_path / "p.zarr", "s", run)
    assert len(sent) == 2
    assert max(sent) < 2000


def test_levels_as_other_programs_write_them(tmp_path: Path) -> None:
    """Axes x, y, z, a unit of millimetres, and a scale of the whole image."""
    array = np.random.default_rng(0).integers(0, 255, (8, 12, 16), dtype=np.uint8)
    group = zarr.open_group(tmp_path / "v.zarr", mode="w", zarr_format=2)
    group.attrs["multiscales"] = [
        {
            "axes": [{"name": n, "type": "space", "unit": "millimeter"} for n in "xyz"],
            "datasets": [
                {
                    "path": f"s{k}",
                    "coordinateTransformations": [
                        {"type": "scale", "scale": [2.0**k] * 3},
                        {"type": "translation", "translation": [(2.0**k - 1) / 2] * 3},
                    ],
                }
                for k in range(2)
            ],
            "coordinateTransformations": [{"type": "scale", "scale": [0.001, 0.002, 0.003]}],
        }
    ]
    for k in range(2):
        group.create_array(f"s{k}", data=np.ascontiguousarray(array[:: k + 1].T), chunks=(5, 5, 5))
    found = multiscale_levels(tmp_path / "v.zarr")
    np.testing.assert_array_equal(found.levels[0][...], array)
    np.testing.assert_array_equal(found.levels[1][1:3, ::2], array[2:5:2, ::2])
    assert found.voxel_sizes_um[0] == pytest.approx((3, 2, 1))
    assert found.voxel_sizes_um[1] == pytest.approx((6, 4, 2))
    assert found.offsets_um[1] == pytest.approx((1.5, 1.0, 0.5))


def test_one_level_of_a_plain_array(tmp_path: Path, ramp) -> None:
    write_zarr_arrays(tmp_path / "v.zarr", {"phases": ramp}, SIZE)
    found = multiscale_levels(tmp_path / "v.zarr", "phases")
    assert found.voxel_sizes_um == (SIZE,)
    np.testing.assert_array_equal(found.levels[0][...], ramp)
    zarr.create_array(tmp_path / "a.zarr", data=ramp)
    found = multiscale_levels(tmp_path / "a.zarr")
    assert (len(found.levels), found.voxel_sizes_um) == (1, ((1, 1, 1),))
    with pytest.raises(SlagsegError, match="does not exist"):
        multiscale_levels(tmp_path / "no.zarr")


def test_levels_of_what_is_no_image(tmp_path: Path, ramp) -> None:
    group = zarr.open_group(tmp_path / "v.zarr", mode="w")
    group.create_group("phases")
    with pytest.raises(SlagsegError, match=r"phases is no OME-Zarr image"):
        add_levels(tmp_path / "v.zarr", "phases")
    stored = json.loads((tmp_path / "v.zarr" / "zarr.json").read_text())
    assert stored["node_type"] == "group"
