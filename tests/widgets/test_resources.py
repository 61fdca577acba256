"""Memory and workers on the pages, plans, and what is said beside the bar."""

from dataclasses import replace

import pytest
from qtpy.QtCore import QTimer

from napari_slagseg.data import ProgressEvent, SlagsegError
from napari_slagseg.widgets.block_progress import blocks_told
from napari_slagseg.widgets.block_step_page import _as_table
from napari_slagseg.widgets.chosen_resources import ChosenResources
from napari_slagseg.widgets.launch import add_workflow_dock, open_project
from napari_slagseg.workflow import states
from napari_slagseg.workflow.blockwise import Resources, StepPlan

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    yield viewer
    add_workflow_dock(viewer).session.close()


def test_fields_become_resources():
    chosen = ChosenResources()
    assert chosen.checked() == Resources()
    chosen.choose(memory=" 8 GB ", workers=3, scheduler="tcp://node7:8786")
    assert chosen.checked() == Resources(
        memory=8_000_000_000, workers=3, scheduler="tcp://node7:8786"
    )
    chosen.choose(memory="", workers=0, scheduler="")
    assert chosen.checked() == Resources()


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("memory", "8 apples", "'8 apples' is not understood"),
        ("memory", "-2GB", "'-2GB' is not understood"),
        ("scheduler", "node7", "tcp://host:8786"),
        ("scheduler", "tcp://node7", "tcp://host:8786"),
    ],
)
def test_what_cannot_be_understood_is_told(field, text, said):
    chosen = ChosenResources()
    chosen.choose(**{field: text})
    assert said in chosen.problems()[field]
    with pytest.raises(SlagsegError, match=r"understood|no address"):
        chosen.checked()


def test_a_wrong_limit_is_told_beside_the_field_before_anything_runs(viewer, project, qtbot):
    dock, _ = open_project(viewer, project.folder)
    dock.show_page("Measure")
    page = dock.measure_page
    said, asked = [], []
    dock.say_error = said.append
    page.failed.connect(said.append)
    page.run_asked.connect(asked.append)
    page.resources.memory.setText("8 apples")
    page.run_button.click()
    assert not asked
    assert not page.resources.wrong["memory"].isHidden()
    assert "8 apples" in page.resources.wrong["memory"].text()
    assert "8 apples" in said[-1]
    page.plan_button.click()
    assert page.plan.isHidden()
    # also by the button that runs all
    dock.run([("run", {})])
    assert not dock.runner.busy
    assert "8 apples" in said[-1]
    # both pages show the same, and what is mended is no longer told
    assert dock.segment_page.resources.memory.text() == "8 apples"
    dock.segment_page.resources.memory.setText("8 GB")
    assert page.resources.memory.text() == "8 GB"
    assert page.resources.wrong["memory"].isHidden()


def test_the_limit_reaches_the_step(viewer, project, qtbot):
    dock, _ = open_project(viewer, project.folder)
    ended = []
    dock.runner.ended.connect(lambda *values: ended.append(values))
    dock.measure_page.resources.memory.setText("100MB")
    with qtbot.waitSignal(dock.runner.idle, timeout=120_000):
        dock.run([("measure", {"sections": 0})])
    assert ended[0][:2] == ("measure", "failed")
    assert "0.1 GB of memory are not enough" in ended[0][2]
    dock.measure_page.resources.memory.setText("")
    with qtbot.waitSignal(dock.runner.idle, timeout=120_000):
        dock.run([("measure", {"sections": 0})])
    # it was run with other resources than these, and is not out of date
    dock.measure_page.resources.workers.setValue(2)
    assert states(project)["measure"] == "done"


def test_a_plan_is_made_beside_the_window(viewer, project, qtbot):
    dock, _ = open_project(viewer, project.folder)
    page = dock.measure_page
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(50)
    page.plan_button.click()
    assert "making the plan" in page.plan.text()
    qtbot.waitUntil(lambda: "making" not in page.plan.text(), timeout=120_000)
    timer.stop()
    assert len(ticks) > 10
    assert "1 of 20 x 40 x 48 voxels" in page.plan.text()
    assert "Mvoxel/s" in page.plan.text()
    # one of other resources says nothing of these
    page.resources.memory.setText("100MB")
    assert page.plan.isHidden()
    page.plan_button.click()
    qtbot.waitUntil(lambda: "making" not in page.plan.text(), timeout=120_000)
    assert "0.1 GB of memory are not enough" in page.plan.text()


def test_a_plan_that_is_not_waited_for_is_ended(viewer, project, qtbot):
    dock, _ = open_project(viewer, project.folder)
    page = dock.segment_page
    page.plan_button.click()
    process = page._process._process
    page.resources.workers.setValue(2)
    process.join(timeout=20)
    assert not process.is_alive()
    qtbot.waitUntil(lambda: not page.latest.busy, timeout=20_000)
    assert page.plan.isHidden()


PLAN = StepPlan(
    step="segment", shape=(512, 512, 512), block=(256, 256, 256), blocks=8, workers=2,
    backend="processes", bytes_per_worker=10**9, bytes_in_all=2 * 10**9, scratch_bytes=10**9,
    result_bytes=3 * 10**9, free_bytes=5 * 10**9, seconds=60.0, how="from a probe",
)  # fmt: skip


def test_a_plan_that_does_not_fit_says_by_how_much():
    assert "does not fit" not in _as_table(PLAN)
    text = _as_table(replace(PLAN, free_bytes=10**9))
    assert "This does not fit" in text
    assert "3.0 GB too little" in text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"blocks": 12, "of": 60, "seconds_left": 40}, "12 of 60 blocks, about 40 s left"),
        ({"blocks": 12, "of": 1060, "seconds_left": 600}, "12 of 1,060 blocks, about 10 min left"),
        ({"blocks": 1, "of": 60, "seconds_left": 9000}, "1 of 60 blocks, about 2.5 h left"),
        ({"blocks": 0, "of": 1}, "0 of 1 block"),
        ({"blocks": 60, "of": 60, "seconds_left": 0}, "60 of 60 blocks"),
        ({"loss": 0.5}, ""),
    ],
)
def test_blocks_are_told_beside_the_bar(values, said):
    assert blocks_told(ProgressEvent("working", 0.5, values)) == said


def test_the_dock_tells_blocks_while_there_are_some(viewer):
    dock = add_workflow_dock(viewer)
    dock._progressed(ProgressEvent("a", 0.2, {"blocks": 12, "of": 60, "seconds_left": 40}))
    assert dock.blocks.text() == "12 of 60 blocks, about 40 s left"
    assert not dock.blocks.isHidden()
    dock._progressed(ProgressEvent("b", 0.3))
    assert dock.blocks.isHidden()
