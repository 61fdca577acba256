"""What a window does with edits by hand when it opens and closes a project."""

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import Action, MineralMap, delta_between, phase_table_of
from napari_slagseg.project import Project
from napari_slagseg.widgets.session import Session


@pytest.fixture
def project(tmp_path):
    """A segmentation of one particle, edited 21 times."""
    table = phase_table_of(["background", "ore"], ["#000000", "#d55e00"]).with_target("ore")
    labels = np.zeros((12, 20, 24), np.uint32)
    labels[2:8, 2:8, 2:8] = 1
    io.write_volume(tmp_path / "ct.tif", (labels + np.arange(24)).astype(np.uint8), (2.0,) * 3)
    io.write_legend(table, tmp_path / "l.csv")
    cut = MineralMap(labels[4].astype(np.int16), 2.0, table, "cut")
    io.write_false_colour(cut, tmp_path / "cut.png")
    made = Project.create(
        tmp_path / "p", ct=tmp_path / "ct.tif", maps=[tmp_path / "cut.png"],
        legend=tmp_path / "l.csv", pixel_size_um=2.0, target="ore",
    )  # fmt: skip
    io.write_zarr_arrays(
        made.segmentation_path,
        {"particles": labels, "phases": labels.astype(np.uint8)},
        attributes={"id": "a1"},
    )
    return made


def edit(project, times=1):
    for _ in range(times):
        volume = project.edits().volumes["particles"]
        before = volume[:1, :1, :1]
        delta = delta_between("particles", (0, 0, 0), before, before + np.uint32(1))
        project.edits().do(Action("paint", {}, (delta,)))


def test_a_damaged_end_is_cut_off_as_a_window_opens_the_project(project):
    with project.writing():
        edit(project)
    with (project.edits_folder() / "journal.slg").open("ab") as file:
        file.write(b"half")
    session = Session()
    opened = session.open(project.folder)
    assert session.writable
    assert opened.edits().cut.size == 4
    edit(opened)
    session.close()
    assert len(Project(project.folder).edits().done) == 2


def test_edited_chunks_are_stored_as_a_window_closes_the_project(project):
    session = Session()
    edit(session.open(project.folder), 21)
    session.close()
    again = Project(project.folder)
    assert again.edits().stored is not None
    assert again.segmentation("particles")[0, 0, 0] == 21


def test_a_project_that_is_damaged_is_opened_for_reading_and_not_locked(project):
    (project.folder / "proposal").mkdir()
    intent = project.proposal._intent
    intent.write_text("{")
    session = Session()
    session.open(project.folder)
    assert not session.writable
    assert intent.name in session.read_only_reason
    intent.unlink()
    with Project(project.folder).writing():
        pass
    session.close()
