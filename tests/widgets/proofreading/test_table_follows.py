"""The measure dock follows edits, and particles chosen in it are those of the tools."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_slagseg import io
from napari_slagseg.widgets.launch import MEASURE_TITLE
from napari_slagseg.widgets.measure_dock import OUTDATED
from napari_slagseg.widgets.measuring.edited_rows import EDITED, EDITED_WITHOUT_SECTIONS
from napari_slagseg.workflow import STEPS, run_step
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.measured_sections import SectionPlanes, measure_sections

from .conftest import hands_on

pytestmark = pytest.mark.gui

K = Qt.Key
LEFT, RIGHT = (12, 14, 12), (12, 14, 29)


@pytest.fixture
def both(make_napari_viewer, slag, qtbot):
    """The dock of a measured project, with the measure dock beside it."""
    run_step(slag, STEPS["measure"], MeasureConfig(sections=3))
    hands = hands_on(make_napari_viewer(show=True), slag.folder, qtbot)
    hands.measure = hands.viewer.window.dock_widgets[MEASURE_TITLE]
    wait(hands)
    hands.measure.filters.border.setCurrentIndex(hands.measure.filters.border.findData("include"))
    wait(hands)
    yield hands
    hands.measure.shut()
    hands.dock.shut()
    hands.desk.close()
    hands.desk.session.close()


def wait(hands):
    """Until edits are done, and the measure dock has computed all that follows."""
    hands.settle()
    hands.qtbot.waitUntil(lambda: not hands.measure.busy_now, timeout=60_000)
    QApplication.processEvents()
    hands.qtbot.waitUntil(lambda: not hands.measure.busy_now, timeout=60_000)


def tabs(hands):
    bar = hands.measure.tabs
    return [bar.tabText(i) for i in range(bar.count())]


def test_rows_of_touched_particles_follow(both, slag):
    frame = both.measure.table.frame.set_index("label")
    assert sorted(frame.index) == [1, 2, 3, 4]
    marked = []
    both.desk.outcome.connect(lambda _: marked.append(tabs(both)))
    both.click(LEFT)
    both.key(K.Key_Delete)
    wait(both)
    assert all(name.endswith(OUTDATED) for name in marked[0])
    assert not any(name.endswith(OUTDATED) for name in tabs(both))
    assert sorted(both.measure.table.frame["label"]) == [2, 3, 4]
    assert EDITED in both.measure.notices.text()
    both.undo()
    wait(both)
    after = both.measure.table.frame.set_index("label")
    assert sorted(after.index) == [1, 2, 3, 4]
    numbers = frame.select_dtypes("number").columns
    np.testing.assert_allclose(
        after.loc[1, numbers].astype(float), frame.loc[1, numbers].astype(float)
    )


def test_a_split_gives_the_rows_that_measuring_gives(both, slag):
    both.click(LEFT)
    both.key(K.Key_D)
    both.click(LEFT)
    both.click(RIGHT)
    both.key(K.Key_Return)
    wait(both)
    frame = both.measure.table.frame.set_index("label")
    particles = both.particles
    assert sorted(frame.index) == [1, 2, 3, 4, 5]
    for label in frame.index:
        assert frame.loc[label, "n_voxels"] == (particles == label).sum()


def test_the_table_is_stored_when_the_project_is_closed(both, slag):
    both.click(LEFT)
    both.key(K.Key_Delete)
    wait(both)
    both.desk.session.close()
    stored = io.read_particle_table(slag.tables / "particles.csv")
    assert sorted(stored.frame["label"]) == [2, 3, 4]


def sections_now(slag, hands):
    """What 'measure' gives of the sections as the particles are now."""
    reader = hands.desk.proofreader
    stored = io.read_particle_table(slag.tables / "sections.csv")
    config = MeasureConfig(sections=3)
    cut = SectionPlanes.of(reader.shape, slag.voxel_size_um, config)
    erosion = config.erosion_voxels
    return measure_sections(reader.particles, reader.phases, stored.table, cut, erosion).frame


def test_sections_follow_when_nothing_was_edited_for_a_moment(both, slag):
    sections = both.measure.tables.by_name["sections"].frame
    assert 1 in set(sections["label"])
    shown = []
    both.measure.following.sections_changed.connect(lambda _: shown.append(tabs(both)))
    both.click(LEFT)
    both.key(K.Key_Delete)
    wait(both)
    after = both.measure.tables.by_name["sections"].frame
    assert 1 not in set(after["label"])
    pd.testing.assert_frame_equal(after, sections_now(slag, both), check_exact=True)
    # until then the curves were said to be older; table and gallery were not any more
    (marked,) = shown
    older = [name.removesuffix(OUTDATED) for name in marked if name.endswith(OUTDATED)]
    assert set(older) == set(both.measure.plot_tabs)
    assert not any(name.endswith(OUTDATED) for name in tabs(both))
    both.undo()
    wait(both)
    again = both.measure.tables.by_name["sections"].frame
    pd.testing.assert_frame_equal(again, sections, check_exact=False, rtol=1e-9)
    both.desk.session.close()
    stored = io.read_particle_table(slag.tables / "sections.csv").frame
    assert sorted(stored["label"]) == sorted(sections["label"])


def test_an_edit_stops_sections_from_being_cut(both, monkeypatch):
    following = both.measure.following
    both.click(LEFT)
    both.key(K.Key_Delete)
    both.settle()
    both.qtbot.waitUntil(lambda: following.cutting.busy, timeout=20_000)
    both.undo()
    assert following._cancel.is_set() or not following.sections_stale
    wait(both)
    assert 1 in set(both.measure.tables.by_name["sections"].frame["label"])


def test_sections_that_cannot_follow_are_said_to_be_older(make_napari_viewer, slag, qtbot):
    run_step(slag, STEPS["measure"], MeasureConfig(sections=3))
    table = io.read_particle_table(slag.tables / "sections.csv")
    other = replace(table, notes={**table.notes, "sections": "1, 2"})
    io.write_particle_table(other, slag.tables / "sections.csv")
    hands = hands_on(make_napari_viewer(show=True), slag.folder, qtbot)
    hands.measure = hands.viewer.window.dock_widgets[MEASURE_TITLE]
    wait(hands)
    hands.click(LEFT)
    hands.key(K.Key_Delete)
    wait(hands)
    assert 1 not in set(hands.measure.tables.particles.frame["label"])
    assert EDITED_WITHOUT_SECTIONS in hands.measure.notices.text()
    assert not any(name.endswith(OUTDATED) for name in tabs(hands))
    hands.measure.shut()
    hands.dock.shut()
    hands.desk.close()
    hands.desk.session.close()


def test_a_click_marks_the_row_and_a_row_is_what_tools_take(both):
    both.click(LEFT)
    assert both.measure.choice.labels.tolist() == [1]
    assert both.measure.chosen.text() == "1 chosen"
    view, model = both.measure.view, both.measure.model
    view.selectRow(model.row_of(3))
    assert both.desk.chosen == (3,)
    both.key(K.Key_Delete)
    wait(both)
    assert not (both.particles == 3).any()
    assert model.row_of(3) is None


def test_a_lasso_in_the_scatter_chooses_particles_for_the_tools(both):
    # as matplotlib's lasso tells of a line that was drawn around all points
    both.measure.scatter._lassoed([(-9, -9), (9, -9), (9, 9), (-9, 9)])
    assert both.desk.chosen == (1, 2, 3, 4)
    both.key(K.Key_K)
    wait(both)
    assert both.desk.proofreader.locked() == {1, 2, 3, 4}


def test_a_click_for_a_tool_chooses_no_row(both):
    both.click(LEFT)
    both.key(K.Key_R)
    both.slice(9)
    both.click((9, 44, 15))
    wait(both)
    assert both.desk.chosen == (1,)
    assert set(np.unique(both.phases[both.particles == 2])) <= {1, 2}
