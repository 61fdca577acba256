"""What is told before the search begins."""

import numpy as np
import pytest

from napari_slagseg import io, workflow
from napari_slagseg.data import MineralMap, SlagsegError, Volume, phase_table_of
from napari_slagseg.project import Project
from napari_slagseg.registration import place_map, prepare_ct
from napari_slagseg.workflow import STEPS, run_step
from napari_slagseg.workflow.plain import place_files
from napari_slagseg.workflow.register import check_fit

TABLE = phase_table_of(["background", "ore"], ["#000000", "#d55e00"])
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 200, (12, 40, 44)).astype(np.uint8)
SPACING = (3.0, 2.0, 2.2)
ORE = RNG.integers(0, 2, (90, 60)).astype(np.int16)


@pytest.fixture
def no_search(monkeypatch):
    """The CT must not even be prepared."""

    def never(*arguments, **values):
        raise AssertionError("the CT was prepared for a map that cannot be placed")

    monkeypatch.setattr("napari_slagseg.registration.prepare_ct", never)
    monkeypatch.setattr("napari_slagseg.registration.place_map", never)


@pytest.fixture
def files(tmp_path):
    """CT of 80 x 96.8 um in plane and a map of 90 x 60 pixels."""
    io.write_volume(tmp_path / "ct.tif", GREY, SPACING)
    io.write_legend(TABLE, tmp_path / "legend.csv")
    io.write_false_colour(MineralMap(ORE, 1.0, TABLE, "cut"), tmp_path / "cut.png")
    return tmp_path


@pytest.mark.usefixtures("no_search")
def test_a_map_larger_than_the_ct_is_refused_before_the_work(files):
    project = Project.create(
        files / "p", ct=files / "ct.tif", maps=[files / "cut.png"], legend=files / "legend.csv",
        pixel_size_um=1.5, target="ore",
    )  # fmt: skip
    with pytest.raises(SlagsegError, match="cut is larger than the CT: it measures 135 x 90 um"):
        run_step(project, STEPS["register"])
    with pytest.raises(SlagsegError, match="cut is larger than the CT"):
        place_files(
            files / "ct.tif", files / "cut.png", legend=files / "legend.csv", pixel_size_um=1.5,
            out=files / "out.json",
        )  # fmt: skip
    assert not (files / "out.json").exists()
    assert workflow.states(project)["register"] == "missing"


@pytest.mark.parametrize("pixel_size_um", [1.0, 1.3, 1.35, 1.5, 4.0])
def test_the_early_check_says_what_the_late_one_says(pixel_size_um):
    mineral_map = MineralMap(ORE, pixel_size_um, TABLE, "cut")
    prepared = prepare_ct(Volume(GREY, SPACING, "ct"))

    def words(check):
        try:
            check()
        except SlagsegError as error:
            return str(error)
        return ""

    early = words(lambda: check_fit(GREY.shape, SPACING, mineral_map))
    # 90 pixels against 96.8 um and a quarter
    assert bool(early) == (pixel_size_um > 96.8 * 1.25 / 90)
    if early:
        assert early == words(lambda: place_map(prepared, mineral_map))
