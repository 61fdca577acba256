"""A placed map over a prediction whose errors are known."""

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import (
    Action,
    Cutout,
    MineralMap,
    PlacedMap,
    PlacementSurface,
    delta_between,
    phase_table_of,
)
from napari_slagseg.project import Project
from napari_slagseg.workflow import STEPS, make_config, run_step
from napari_slagseg.workflow.report import held_out_scores
from napari_slagseg.workflow.section_scores import COLUMNS, pixel_on_cut, section_scores
from napari_slagseg.workflow.segment import table_to_json

EDGE, SHAPE = 80, (8, 80, 80)
TABLE = phase_table_of(["background", "ore", "gangue"], ["#000000", "#d55e00", "#56b4e9"])
TABLE = TABLE.with_target("ore")


def bricks(less=0):
    """Bricks of 5 to 7 voxels' width through all slices; their left half is ore."""
    particles = np.zeros((EDGE, EDGE), np.uint32)
    phases = np.zeros((EDGE, EDGE), np.uint8)
    number = 0
    for row in range(2, EDGE - 8, 10):
        for column in range(2, EDGE - 8, 10):
            side = 5 + number % 3
            number += 1
            box = slice(row, row + side - less), slice(column, column + side - less)
            particles[box], phases[box] = number, 2
            phases[box[0], column : column + 2] = 1
    return [np.broadcast_to(plane, SHAPE).copy() for plane in (particles, phases)]


def placement():
    """The map lies flat in slice 4, two pixels a voxel."""
    axis = np.linspace(0, 2 * EDGE - 1, 8)
    r, c = np.meshgrid(axis, axis, indexing="ij")
    zyx = np.stack([np.full_like(r, 4.0), (r + 0.5) / 2 - 0.5, (c + 0.5) / 2 - 0.5], axis=-1)
    middle = (EDGE - 1) / 2
    whole = Cutout(0, 0, 2 * EDGE, 2 * EDGE, (4.0, middle, middle), (0, 0.5, 0), (0, 0, 0.5), 0.9)
    return PlacedMap(
        "cut", (2 * EDGE, 2 * EDGE), 1.0, SHAPE, (2.0,) * 3, True, 0.9,
        surface=PlacementSurface(axis, axis, zyx), cutouts=(whole,),
    )  # fmt: skip


@pytest.fixture
def project(tmp_path):
    _, phases = bricks()
    io.write_volume(tmp_path / "ct.tif", (phases * 80).astype(np.uint8), (2.0, 2.0, 2.0))
    io.write_legend(TABLE, tmp_path / "l.csv")
    cut = phases[4].astype(np.int16).repeat(2, 0).repeat(2, 1)
    io.write_false_colour(MineralMap(cut, 1.0, TABLE, "cut"), tmp_path / "cut.png")
    project = Project.create(
        tmp_path / "p", ct=tmp_path / "ct.tif", maps=[tmp_path / "cut.png"],
        legend=tmp_path / "l.csv", pixel_size_um=1.0, target="ore",
    )  # fmt: skip
    with project.writing():
        project.save_placed(placement())
    return project


def segmented(project, particles, phases):
    io.write_zarr_arrays(
        project.segmentation_path,
        {"phases": phases, "particles": particles},
        attributes={"phase_table": table_to_json(TABLE)},
    )


def test_a_perfect_prediction_has_no_error_in_either_part(project):
    run_step(project, STEPS["annotate"], make_config(STEPS["annotate"], {"hold_out": "cutouts"}))
    particles, phases = bricks()
    segmented(project, particles + 100 * (particles > 0).astype(np.uint32), phases)
    frame = section_scores(project)
    assert tuple(frame.columns) == COLUMNS
    assert set(frame["part"]) == {"training", "held_out"}
    assert (frame["mae"] == 0).all()
    counts = frame.groupby("part")["n"].max()
    assert counts["training"] > counts["held_out"] > 0
    assert counts.sum() <= 49


def test_a_prediction_that_is_a_voxel_short_says_so(project):
    run_step(project, STEPS["annotate"], make_config(STEPS["annotate"], {"hold_out": "none"}))
    segmented(project, *bricks(less=1))
    frame = section_scores(project)
    assert set(frame["part"]) == {"training"}
    rows = frame.set_index("descriptor")
    assert rows.loc["equivalent_diameter_um", "n"] == 49
    # one voxel of 2 um less in side: a square's diameter is its side times (4 / pi)^(1/2)
    bias = -2 * np.sqrt(4 / np.pi)
    assert rows.loc["equivalent_diameter_um", "bias"] == pytest.approx(bias)
    sides = 5 + np.arange(49) % 3
    expected = 2 / (sides - 1) - 2 / sides
    assert rows.loc["volume_liberation", "bias"] == pytest.approx(expected.mean())
    assert rows.loc["volume_liberation", "spearman"] == pytest.approx(1)


def test_without_a_segmentation_there_are_no_scores(project):
    run_step(project, STEPS["annotate"], make_config(STEPS["annotate"], {"hold_out": "none"}))
    frame = section_scores(project)
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 0


@pytest.mark.parametrize("tilt", [0.0, 0.2, 0.7])
def test_pixels_on_a_tilted_cut_are_as_large_as_the_cut_is(tilt):
    axis = np.linspace(0, 100, 8)
    r, c = np.meshgrid(axis, axis, indexing="ij")
    zyx = np.stack([r * np.sin(tilt), r * np.cos(tilt), c], axis=-1)
    edges = pixel_on_cut(PlacementSurface(axis, axis, zyx), 0, (2.0, 2.0, 2.0))
    assert edges == pytest.approx((2 / np.cos(tilt), 2.0))


def test_scores_are_those_of_the_edited_prediction(project):
    """Bricks that were a voxel short, mended by hand."""
    run_step(project, STEPS["annotate"], make_config(STEPS["annotate"], {"hold_out": "none"}))
    segmented(project, *bricks(less=1))
    short = held_out_scores(project)["training"]
    assert short["phases"]["accuracy"] < 1
    whole = dict(zip(("particles", "phases"), bricks()))
    with project.writing():
        volumes = project.edits().volumes
        deltas = [delta_between(n, (0, 0, 0), volumes[n][...], whole[n]) for n in whole]
        project.edits().do(Action("paint", {}, tuple(deltas)))
    frame = section_scores(project)
    assert (frame["mae"] == 0).all()
    mended = held_out_scores(project)["training"]
    assert mended["phases"]["accuracy"] == 1
    assert mended != short
