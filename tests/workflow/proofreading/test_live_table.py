"""The table after edits equals the table of the edited volume, to the last bit."""

import contextlib
import threading

import numpy as np
import pandas as pd
import pytest
from tests.workflow.proofreading.at_once import failures_beside
from tests.workflow.proofreading.specimens import arrays
from tests.workflow.proofreading.test_edits import stroke

from napari_slagseg import io
from napari_slagseg.data import CancelledError, SlagsegError
from napari_slagseg.descriptors import describe_particles, retargeted
from napari_slagseg.project import Project
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.measure import STEP as MEASURE
from napari_slagseg.workflow.proofreading import LiveTable, Proofreader
from napari_slagseg.workflow.step import run_step

SETTINGS = MeasureConfig(erosion_voxels=1, grains=True, accessible_depth_um=5.0, sections=0)


def fresh(reader, like):
    """What measuring the whole edited volume gives."""
    return describe_particles(
        *arrays(reader), like.voxel_size_um, like.table,
        erosion_voxels=1, grains=True, accessible_depth_um=5.0,
    )  # fmt: skip


def check_equal(found, wanted):
    for name in ("frame", "contacts", "grains"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(wanted, name), check_exact=True)
    assert found.definitions == wanted.definitions


@pytest.fixture
def measured(project):
    """The table on disk, as 'measure' leaves it."""
    run_step(project, MEASURE, SETTINGS)
    return lambda: io.read_particle_table(project.tables / "particles.csv")


@pytest.fixture
def live(reader, measured):
    return LiveTable(reader, measured())


EDITS = {
    "split": lambda r: r.split(1, [(7, 7, 8), (7, 7, 17)]),
    "split by a stroke": lambda r: r.split_by_stroke(1, [(7, y, 12) for y in range(32)], axis=0),
    "merge": lambda r: r.merge([3, 2]),
    "merge apart": lambda r: r.merge([3, 5], apart=True),
    "delete": lambda r: r.delete([5, 2]),
    "fill": lambda r: r.fill_holes(4),
    "smooth at the border": lambda r: r.smooth(4, 1.5),
    "grow": lambda r: r.grow((17, 26, 18), radius=8, phase=2),
    "grow to the border": lambda r: r.add_painted((20, 20, 4), np.ones((4, 4, 4)), label=5),
    "cut from the border": lambda r: r.paint(*stroke(r, "particles", (4, 31, 26), (8, 1, 10), 0)),
    "a phase": lambda r: r.relabel_region((15, 5, 5), 2),
    "brush over three": lambda r: r.paint(*stroke(r, "particles", (14, 4, 8), (1, 8, 4), 5)),
    "brush a new one": lambda r: r.paint(*stroke(r, "particles", (19, 4, 10), (2, 3, 3), 90)),
    "brush phases": lambda r: r.paint(*stroke(r, "phases", (15, 5, 5), (3, 3, 3), 2)),
}


@pytest.mark.parametrize("name", EDITS)
def test_rows_after_an_edit(reader, live, name):
    before = live.table
    assert not live.stale
    outcome = EDITS[name](reader)
    assert live.stale
    check_equal(live.follow(outcome), fresh(reader, before))
    assert not live.stale
    check_equal(live.follow(reader.undo()), before)
    check_equal(live.follow(reader.redo()), fresh(reader, before))


def test_measuring_the_project_again_gives_the_same(project, reader, live, measured):
    for edit in (EDITS["split"], EDITS["merge"], EDITS["grow"], EDITS["cut from the border"]):
        live.follow(edit(reader))
    run_step(project, MEASURE, SETTINGS)
    check_equal(live.table, measured())


def test_words_change_no_row(reader, live):
    before = live.table
    outcome = reader.lock([2])
    assert not live.stale
    assert live.follow(outcome) is before


def test_rows_that_waited_come_with_the_next(reader, live):
    before = live.table
    reader.delete([5])
    live.follow(reader.merge([2, 3]))
    check_equal(live.table, fresh(reader, before))


def test_no_particle_is_left_and_all_come_back(reader, live):
    before = live.table
    outcome = reader.delete([1, 2, 3, 4, 5])
    assert len(live.follow(outcome)) == 0
    assert len(live.table.contacts) == len(live.table.grains) == 0
    check_equal(live.follow(reader.undo()), before)


def test_saved_and_opened_again(project, reader, live, measured):
    live.follow(reader.split(1, [(7, 7, 8), (7, 7, 17)]))
    live.save()
    check_equal(measured(), live.table)
    reader.delete([5])
    with pytest.raises(SlagsegError, match="1 particles whose rows are not described"):
        live.save()
    again = Proofreader(Project(project.folder))
    table = LiveTable(again, measured())
    assert table.stale
    check_equal(table.catch_up(), fresh(again, live.table))
    with pytest.raises(SlagsegError, match="open for reading only"):
        table.save()


@pytest.mark.parametrize("course", ["", "u", "uu", "uud", "du", "uurr", "uudu"])
def test_catching_up_with_any_course_of_edits(project, reader, measured, course):
    """Measured after two edits; then some are undone (u), redone (r), or others done (d)."""
    reader.delete([5])
    reader.merge([2, 3])
    run_step(project, MEASURE, SETTINGS)
    for step in course:
        if step == "d":
            reader.split(1, [(7, 7, 8), (7, 7, 17)])
        else:
            (reader.undo if step == "u" else reader.redo)()
    again = Proofreader(Project(project.folder))
    table = LiveTable(again, measured())
    assert table.stale == (course not in ("", "du", "uurr"))
    check_equal(table.catch_up(), fresh(again, table.table))


def test_stopping_keeps_what_was_done(reader, live):
    before = live.table
    reader.delete([5])
    reader.relabel_region((15, 5, 5), 2)
    token = threading.Event()
    with pytest.raises(CancelledError):
        live.catch_up(lambda event: token.set(), token)
    assert live.stale
    assert len(live.table) == 5  # 2 came first; 5 waits
    check_equal(live.catch_up(), fresh(reader, before))


def test_tables_that_cannot_be_followed(project, reader, measured):
    with pytest.raises(SlagsegError, match="not one of several targets"):
        LiveTable(reader, retargeted(measured(), ["ore", "gangue"]))
    live = LiveTable(reader, measured(), MeasureConfig(grains=True))
    with pytest.raises(SlagsegError, match="Run 'measure' again"):
        live.follow(reader.delete([5]) and reader.merge([2, 3]))
    assert live.stale
    (project.folder / "steps" / "measure.json").unlink()
    with pytest.raises(SlagsegError, match="not measured yet"):
        LiveTable(reader, measured())


def test_rows_are_described_while_edits_go_on(reader, live):
    """The window asks for particles, the table is brought up to date, and edits go on."""
    reader.prepare()

    def look():
        for label in reader.boxes.arrays()[0].tolist():
            with contextlib.suppress(SlagsegError):  # gone in the meantime
                reader.box_of(label)
        reader.label_at((15, 5, 5))

    assert not failures_beside(reader, [*EDITS.values(), *EDITS.values()], live.catch_up, look)
    check_equal(live.catch_up(), fresh(reader, live.table))


def meanwhile(monkeypatch, reader, label, edit):
    """Make an edit right after a particle's box was looked up for the first time."""
    ask, asked = reader.boxes.get, []

    def get(n):
        found = ask(n)
        if n == label and not asked:
            asked.append(n)
            edit()
        return found

    monkeypatch.setattr(reader.boxes, "get", get)
    return asked


def test_a_particle_that_goes_while_it_is_described(reader, live, monkeypatch):
    reader.relabel_region((19, 22, 6), 1)
    asked = meanwhile(monkeypatch, reader, 5, lambda: reader.delete([5]))
    live.catch_up()
    assert asked == [5]
    assert 5 not in live.catch_up().frame["label"].to_numpy()
    assert not live.stale
    check_equal(live.table, fresh(reader, live.table))


@pytest.mark.parametrize("change", ["deleted", "cut"])
def test_a_particle_that_is_edited_while_the_version_is_checked(
    project, reader, measured, monkeypatch, change
):
    live = LiveTable(reader, measured())
    reader.delete([5])
    edits = {
        "deleted": lambda: reader.delete([2]),
        "cut": lambda: reader.paint(*stroke(reader, "particles", (14, 4, 4), (1, 8, 6), 0)),
    }
    asked = meanwhile(monkeypatch, reader, 2, edits[change])
    live.catch_up()
    assert asked == [2]
    check_equal(live.catch_up(), fresh(reader, live.table))


def test_a_table_of_a_version_that_counts_differently(reader, measured):
    table = measured()
    table.frame["solidity"] *= 0.99
    live = LiveTable(reader, table)
    assert live.follow(None) is table  # nothing to do, nothing to refuse
    reader.delete([5])
    with pytest.raises(SlagsegError, match=r"solidity of particle 2 is .* Run 'measure' again"):
        live.catch_up()
    assert live.stale
    assert live.table is table
