"""Phantoms on disk: what a user's files give is what was made."""

import json

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import SlagsegError
from napari_slagseg.phantom import PHASES, read_phantom_truth, write_phantom
from napari_slagseg.workflow.demo import write_sample


@pytest.fixture(scope="session")
def written(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / "sample"
    write_phantom(tiny, folder)
    return folder


@pytest.fixture
def copy(tiny, tmp_path):
    """One that a test may damage."""
    write_phantom(tiny, tmp_path / "copy")
    return tmp_path / "copy"


def test_the_ct_comes_back_with_its_voxel_size(tiny, written):
    volume = io.read_volume(written / "ct.tif")
    assert volume.data.dtype == np.uint16
    assert np.array_equal(volume.data, tiny.ct.data)
    assert volume.voxel_size_um == pytest.approx((2.3, 2.3, 2.3))


@pytest.mark.parametrize(("name", "size"), [("{}.png", 1.0), ("{}_raster.tif", None)])
def test_maps_come_back_in_colour_and_as_rasters(tiny, written, name, size):
    legend = io.read_legend(written / "legend.csv", target="LiAlO2")
    for m in tiny.maps:
        # the raster states its pixel size, the picture cannot
        found = io.read_mineral_map(written / name.format(m.mineral_map.name), legend, size)
        assert np.array_equal(found.phases, m.mineral_map.phases)
        assert found.unmatched_fraction == 0
        assert found.pixel_size_um == pytest.approx(1.0)
        assert np.any(found.phases == -1)


def test_the_legend_comes_back(written):
    assert io.read_legend(written / "legend.csv", target="LiAlO2") == PHASES


def test_the_truth_comes_back(tiny, written):
    truth = read_phantom_truth(written)
    assert truth.phases.dtype == np.uint8
    assert truth.particles.dtype == np.uint32
    assert np.array_equal(truth.phases, tiny.phases)
    assert np.array_equal(truth.particles, tiny.particles)
    assert list(truth.coordinates) == ["map_1", "map_2"]
    for m in tiny.maps:
        assert np.array_equal(truth.coordinates[m.mineral_map.name], m.coordinates)
    assert truth.exact.equals(tiny.exact)


def test_the_description_says_what_was_made(tiny, written):
    content = json.loads((written / "sample.json").read_text())
    assert {name: content[name] for name in tiny.config} == tiny.config
    assert content["target"] == "LiAlO2"
    assert content["voxel_size_um"] == [2.3, 2.3, 2.3]
    assert content["pixel_size_um"] == 1.0
    assert [m["mirrored"] for m in content["maps"]] == [m.mirrored for m in tiny.maps]


def test_a_sample_goes_to_a_new_or_empty_folder_only(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    for taken in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(SlagsegError, match=r"exists already.*Choose another name"):
            write_sample(taken, "tiny")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    assert (tmp_path / "mine.txt").read_text() == "keep me"


def test_a_place_that_cannot_be_written_to_is_named(tiny, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SlagsegError, match=r"file.*could not be written: .*Check the folder"):
        write_phantom(tiny, tmp_path / "file" / "sample")


@pytest.mark.parametrize(
    "name",
    [
        "sample.json",
        "truth/phases.tif",
        "truth/particles.tif",
        "truth/coordinates_map_2.npy",
        "truth/exact.csv",
    ],
)
@pytest.mark.parametrize("fault", ["gone", "empty"])
def test_a_file_of_the_truth_that_is_missing_or_damaged_is_named(copy, name, fault):
    (copy / name).unlink()
    if fault == "empty":
        (copy / name).touch()
    with pytest.raises(SlagsegError) as error:
        read_phantom_truth(copy)
    assert str(copy / name) in str(error.value)


@pytest.mark.parametrize("content", ["[]", "{}", '{"maps": [1]}', '{"maps": 3}'])
def test_a_description_of_something_else_is_named(copy, content):
    (copy / "sample.json").write_text(content)
    with pytest.raises(SlagsegError, match=r"sample\.json does not describe a phantom"):
        read_phantom_truth(copy)
