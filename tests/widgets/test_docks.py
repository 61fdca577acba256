"""Real viewers: opening, running, correcting, measuring."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt, QTimer

from napari_slagseg.project import Project
from napari_slagseg.widgets import layers, regions
from napari_slagseg.widgets.launch import add_measure_dock, add_workflow_dock, open_project
from napari_slagseg.workflow import (
    QUICK_TRAINING,
    STEPS,
    AnnotateConfig,
    TrainConfig,
    make_config,
    run_step,
    states,
)

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    yield viewer
    add_workflow_dock(viewer).session.close()


def run(dock, steps, qtbot, timeout=120_000):
    with qtbot.waitSignal(dock.runner.idle, timeout=timeout):
        dock.run(steps)


def test_every_layer_of_a_project_lies_in_micrometres(viewer, project):
    open_project(viewer, project.folder)
    names = [layer.name for layer in viewer.layers]
    assert names[0] == layers.CT_LAYER
    assert {layers.PHASES_LAYER, layers.PARTICLES_LAYER, "cut in the CT", "cut cutouts"} <= set(
        names
    )
    for layer in viewer.layers:
        assert tuple(layer.scale) == (2.0,) * layer.ndim
        assert {str(unit) for unit in layer.units} == {"micrometer"}
        assert tuple(layer.axis_labels) == ("z", "y", "x")[-layer.ndim :]


def test_the_map_lies_on_its_cut(viewer, project):
    open_project(viewer, project.folder)
    sheet = np.asarray(viewer.layers["cut in the CT"].data)
    assert not sheet[:9].any()
    assert not sheet[12:].any()
    particles = viewer.layers[layers.PARTICLES_LAYER].data[10]
    assert np.array_equal(sheet[10] > 1, particles > 0)


def test_measuring_leaves_the_window_alive(viewer, project, qtbot):
    dock, _ = open_project(viewer, project.folder)
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(50)
    run(dock, [("measure", {"sections": 4}), ("report", None)], qtbot)
    timer.stop()
    assert len(ticks) > 10
    assert states(project)["measure"] == "done"
    measure = add_measure_dock(viewer)
    qtbot.waitUntil(lambda: bool(measure.plot_tabs["liberation"].plots), timeout=20_000)
    assert measure.model.rowCount() == 2
    assert set(measure.plot_tabs["liberation"].plots) >= {"volume_liberation"}


def test_a_row_takes_the_viewer_to_its_particle(viewer, project, qtbot):
    dock, _ = open_project(viewer, project.folder)
    run(dock, [("measure", {"sections": 4})], qtbot)
    measure = add_measure_dock(viewer)
    qtbot.waitUntil(lambda: measure.model.rowCount() == 2, timeout=20_000)
    measure.go_to(2)
    assert viewer.dims.current_step[0] == 9
    assert viewer.scene.camera.center[1:] == pytest.approx((56, 68), abs=1.5)
    assert viewer.layers[layers.PARTICLES_LAYER].selected_label == 2
    assert measure.chosen_label() == 2
    # pointing at another particle marks its row and chooses nothing
    measure.mark_row(1)
    marked = measure.model.data(
        measure.model.index(measure.model.row_of(1), 0), Qt.ItemDataRole.BackgroundRole
    )
    assert marked is not None
    assert measure.chosen_label() == 2


def test_painted_errors_become_corrections(viewer, project):
    dock, _ = open_project(viewer, project.folder)
    dock.correct_page.paint()
    errors = viewer.layers[regions.ERRORS_LAYER]
    errors.data[10, 12, 12] = 1  # inside a particle: predicted foreground
    errors.data[2, 2, 2] = 1
    assert dock.correct_page.add()
    stored = Project(project.folder).corrections()
    assert len(stored) == 1
    shape = project.description.ct.shape
    expected = np.ravel_multi_index(([2, 10], [2, 12], [2, 12]), shape)
    assert stored[0].voxels.tolist() == expected.tolist()
    assert stored[0].predicted_foreground.tolist() == [False, True]
    assert regions.ERRORS_LAYER not in viewer.layers


def test_rejected_cutouts_are_stored_at_once(viewer, project):
    dock, _ = open_project(viewer, project.folder)
    dock.register_page.table.selectRow(1)
    dock.register_page.set_states("rejected")
    cutouts = Project(project.folder).placed_map("cut").cutouts
    assert [c.state for c in cutouts] == ["accepted", "rejected", "accepted"]


def test_bad_input_is_told_in_words(viewer, project, tmp_path):
    dock, _ = open_project(viewer, project.folder)
    shown = []
    dock.say_error = shown.append
    assert not dock.open_project(str(tmp_path))
    assert "not a slagseg project" in shown[-1]
    assert dock.session.project.folder == project.folder
    dock.train_page.form.controls["learning_rate"].setText("fast")
    dock.train_page.failed.connect(shown.append)
    dock.train_page.ask()
    assert "learning rate" in shown[-1]


def test_a_step_that_cannot_run_says_why(viewer, project, qtbot):
    dock, _ = open_project(viewer, project.folder)
    ended = []
    dock.runner.ended.connect(lambda *values: ended.append(values))
    run(dock, [("segment", None), ("measure", None)], qtbot)
    assert [e[:2] for e in ended] == [("segment", "failed")]
    assert "no trained phase network" in ended[0][2]


def test_quick_settings_are_filled_in_and_taken_by_run_all(viewer, project, monkeypatch):
    dock, _ = open_project(viewer, project.folder)
    page = dock.train_page
    assert page.form.values()["size"] == "paper"
    page.quick.click()
    quick = TrainConfig(**QUICK_TRAINING)
    assert make_config(STEPS["train-phase"], page.form.values()) == quick
    # a step that ran keeps its settings; those that never ran take their page's
    config = AnnotateConfig(hold_out="none", border_reach=4)
    run_step(dock.session.project, STEPS["annotate"], config)
    dock.refresh()
    asked = []
    monkeypatch.setattr(dock, "run", asked.extend)
    dock.run_all.click()
    ((name, configs),) = asked
    assert name == "run"
    assert set(configs) == {"register", "train-phase", "train-particle", "segment", "measure"}
    assert TrainConfig(**configs["train-particle"]) == quick
    page.thorough.click()
    assert make_config(STEPS["train-phase"], page.form.values()) == TrainConfig()


def test_cancel_stops_a_step(viewer, project, qtbot):
    dock, _ = open_project(viewer, project.folder)
    ended = []
    dock.runner.ended.connect(lambda *values: ended.append(values))
    dock.run([("register", None)])
    dock.runner.cancel()
    with qtbot.waitSignal(dock.runner.idle, timeout=60_000):
        pass
    assert ended[0][1] in ("cancelled", "failed")
    assert project.placed_map("cut").score == 0.9  # what was there is untouched


def test_a_project_locked_elsewhere_opens_for_reading(viewer, project):
    script = (
        "import sys\nfrom napari_slagseg.project import Project\n"
        "p = Project(sys.argv[1])\np.lock.acquire()\nprint('locked', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(project.folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert other.stdout.readline().strip() == "locked"
        dock, _ = open_project(viewer, project.folder)
        assert not dock.session.writable
        assert not dock.run_all.isEnabled()
        assert "Read only" in dock.project_page.about.text()
    finally:
        other.kill()
        other.wait()


def test_the_two_manifests_are_equal():
    top = Path(__file__).parents[2] / "napari.yaml"
    inside = Path(__file__).parents[2] / "src" / "napari_slagseg" / "napari.yaml"
    assert top.read_bytes() == inside.read_bytes()


@pytest.mark.parametrize("name", list(STEPS))
def test_a_form_gives_back_the_configuration_it_shows(qtbot, name):
    from napari_slagseg.widgets.forms import ConfigForm
    from napari_slagseg.workflow import make_config

    step = STEPS[name]
    form = ConfigForm(step.config)
    qtbot.addWidget(form)
    assert make_config(step, form.values()) == step.config()
