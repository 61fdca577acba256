"""Results of a segmentation that was edited by hand."""

import os
import time

import numpy as np
import pandas as pd
import pytest

from napari_slagseg import io
from napari_slagseg.data import Action, MineralMap, delta_between, phase_table_of
from napari_slagseg.project import Project
from napari_slagseg.workflow import STEPS, ReportConfig, StepProcess, make_config, run_step
from napari_slagseg.workflow.blockwise import Resources
from napari_slagseg.workflow.line_ups import particle_volumes
from napari_slagseg.workflow.segment import _edits_left_behind, table_to_json

MEASURE, REPORT = STEPS["measure"], STEPS["report"]
ORE, GANGUE = 1, 2


@pytest.fixture
def project(tmp_path):
    """Two cubes of 6^3 voxels of ore, 2 voxels apart along x."""
    phases = np.zeros((20, 20, 20), np.uint8)
    phases[4:10, 4:10, 2:8] = phases[4:10, 4:10, 10:16] = ORE
    labels = phases.astype(np.uint32)
    labels[..., 9:] *= 2
    table = phase_table_of(["background", "ore", "gangue"], ["#000000", "#d55e00", "#56b4e9"])
    table = table.with_target("ore")
    io.write_volume(tmp_path / "ct.tif", phases * 80, (2.0, 2.0, 2.0))
    io.write_legend(table, tmp_path / "l.csv")
    cut = MineralMap(phases[6].astype(np.int16).repeat(2, 0).repeat(2, 1), 1.0, table, "cut")
    io.write_false_colour(cut, tmp_path / "cut.png")
    project = Project.create(
        tmp_path / "p", ct=tmp_path / "ct.tif", maps=[tmp_path / "cut.png"],
        legend=tmp_path / "l.csv", pixel_size_um=1.0, target="ore",
    )  # fmt: skip
    io.write_zarr_arrays(
        project.segmentation_path,
        {"phases": phases, "particles": labels},
        attributes={"phase_table": table_to_json(table), "id": "a1"},
    )
    return project


def joined_with_gangue(project):
    """Fill the gap with gangue and call all of it particle 1."""
    deltas = []
    for name, filled in (("particles", 1), ("phases", GANGUE)):
        before = project.edits().volumes[name][4:10, 4:10, 8:16]
        after = before.copy()
        after[..., :2] = filled
        if name == "particles":
            after[before == 2] = 1
        deltas.append(delta_between(name, (4, 4, 8), before, after))
    return Action("merge", {"labels": [1, 2]}, tuple(deltas), (1, 2), (1,))


def measured(project, **more):
    run_step(project, MEASURE, make_config(MEASURE, {"sections": 0}), **more)
    return pd.read_csv(project.tables / "particles.csv")


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_particles_are_measured_as_edited(project, backend):
    assert measured(project)["volume_um3"].tolist() == [216 * 8, 216 * 8]
    with project.writing():
        project.edits().do(joined_with_gangue(project))
    table = measured(project, resources=Resources(workers=2, backend=backend))
    assert table["label"].tolist() == [1]
    assert table["volume_um3"].tolist() == [(2 * 216 + 72) * 8]
    assert table["volume_liberation"].tolist() == pytest.approx([432 / 504])


def test_an_edit_makes_results_stale_and_taking_it_back_makes_them_hold(project):
    measured(project)
    run_step(project, REPORT, ReportConfig(resamples=0, html=False))
    record = project.record("measure")
    assert "edits" not in record.inputs  # as in records of older versions
    steps = (MEASURE, REPORT)
    assert [s.state(project) for s in steps] == ["done", "done"]
    with project.writing():
        project.edits().do(Action("lock", {"labels": [1]}, (), (1,), (1,)))
        assert [s.state(project) for s in steps] == ["done", "done"]
        project.edits().do(joined_with_gangue(project))
        assert [s.state(project) for s in steps] == ["stale", "stale"]
        project.edits().undo()
        assert [s.state(project) for s in steps] == ["done", "done"]
        project.edits().redo()
    assert [s.state(Project(project.folder)) for s in steps] == ["stale", "stale"]
    measured(project)
    run_step(project, REPORT, ReportConfig(resamples=0, html=False))
    assert [s.state(project) for s in steps] == ["done", "done"]
    assert project.record("measure").inputs["edits"] == project.edits_digest()


def test_pictures_of_particles_show_them_as_edited(project):
    with project.writing():
        project.edits().do(joined_with_gangue(project))
    row = measured(project).iloc[0].to_dict()
    inside, phases, size = particle_volumes(project).cut(row)
    assert inside.shape == (6, 6, 14)
    assert size == (2.0, 2.0, 2.0)
    assert (phases == GANGUE).sum() == 72


def test_a_table_says_which_edits_are_in_it(project):
    measured(project)
    path = project.tables / "particles.json"
    assert io.read_json(path)["provenance"]["edits"] == ""
    with project.writing():
        project.edits().do(joined_with_gangue(project))
    measured(project)
    assert io.read_json(path)["provenance"]["edits"] == project.edits_digest() != ""


def test_a_step_in_its_own_process_reads_the_edits_of_a_window_that_goes_on(project):
    """The window holds the lock and has edits that are not stored; it edits on meanwhile."""
    with project.writing():
        history = project.edits()
        history.do(joined_with_gangue(project))
        seen = project.edits_digest()
        process = StepProcess(project.folder, "measure", {"sections": 0}, os.getpid())
        process.start()
        said = []
        end = time.monotonic() + 120
        while not process.ended and time.monotonic() < end:
            message = process.next_message()
            if message is not None:
                said.append(message.kind)
        assert said[-1] == "done"
        # an edit that the step did not see
        gap = history.volumes["particles"][4:5, 4:5, 4:5]
        history.do(Action("paint", {}, (delta_between("particles", (4, 4, 4), gap, gap * 0),)))
        assert MEASURE.state(project) == "stale"
        history.undo()
        assert project.edits_digest() == seen
        assert MEASURE.state(project) == "done"
    table = pd.read_csv(project.tables / "particles.csv")
    assert table["volume_um3"].tolist() == [(2 * 216 + 72) * 8]


def test_segmenting_again_tells_of_the_edits_that_it_leaves_behind(project):
    assert _edits_left_behind(project) == ()
    with project.writing():
        project.edits().do(Action("lock", {"labels": [1]}, (), (1,), (1,)))
        assert _edits_left_behind(project) == ()
        project.edits().do(joined_with_gangue(project))
    (told,) = _edits_left_behind(project)
    assert told.startswith("The segmentation before had 1 edit by hand")
    assert "--from a1'" in told
    (project.segmentation_path / "zarr.json").write_text("{")
    assert _edits_left_behind(project) == ()
