"""The panel that teaches: what it counts, asks for, shows and offers."""

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import ProgressEvent
from napari_slagseg.networks.preview_file import write_boxes, write_values
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.proofreading.desk import desk_of
from napari_slagseg.widgets.proofreading.preview_layers import BEFORE, NOW
from napari_slagseg.widgets.proofreading.teach_panel import TeachPanel
from napari_slagseg.widgets.session import session_of
from napari_slagseg.workflow import STEPS, TeachConfig, make_config, run_step
from napari_slagseg.workflow.proofreading.conflicts import Conflict, write_conflicts
from napari_slagseg.workflow.proofreading.proposal_words import VERSIONS, score_rows
from napari_slagseg.workflow.proofreading.proposing import proposal_edits

pytestmark = pytest.mark.gui


def scores(merger):
    return {"f1_match": 0.9, "f1_instance": 0.8, "merger_ratio": merger, "splitter_ratio": 0.05}


@pytest.fixture
def waiting(project):
    """A project with a proposal, as the step leaves it, and one conflict."""
    with project.writing():
        run_step(project, STEPS["annotate"])
        attributes = io.read_zarr_attributes(project.segmentation_path)
        io.write_zarr_arrays(
            project.proposal.segmentation,
            {n: project.segmentation(n) for n in ("particles", "phases", "particle_probability")},
            (2.0, 2.0, 2.0),
            {**attributes, "id": "new"},
        )
        folder = proposal_edits(project).folder_of()
        folder.mkdir(parents=True)
        conflict = Conflict("joined", 2, 7, 1, 300, (9, 28, 34), (19.0, 57.0, 69.0), "Two in one.")
        write_conflicts(folder, [conflict])
        project.proposal.finish(
            {
                "scores": {
                    name: {
                        "training": {"particles": scores(0.2)},
                        "held_out": {"particles": scores(0.1 if "present" in name else 0.3)},
                    }
                    for name in VERSIONS
                },
                "changes": {"before": 2, "after": 3, "unchanged": 1, "changed": 1, "new": 1,
                            "gone": 0},
            }
        )  # fmt: skip
    return project


@pytest.fixture
def panel(make_napari_viewer, project, qtbot):
    viewer = make_napari_viewer()
    session = session_of(viewer)
    session.open(project.folder)
    layers.show_project(viewer, session)
    desk = desk_of(viewer)
    made = TeachPanel(session, viewer, desk)
    qtbot.addWidget(made)
    desk.open()
    qtbot.waitUntil(lambda: desk.proofreader is not None, timeout=60_000)
    qtbot.waitUntil(lambda: not desk.is_busy, timeout=60_000)
    yield made
    made.close_down()
    desk.close()
    session.close()


def test_it_says_what_there_is_to_learn_from(panel, qtbot):
    desk = panel.desk
    assert panel.count.text().startswith("0 edits; 0 particles")
    desk.do("delete", lambda: desk.proofreader.delete([2]))
    desk.do("lock", lambda: desk.proofreader.lock([1]))
    qtbot.waitUntil(lambda: panel.count.text().startswith("1 edit; 1 particle "), timeout=20_000)
    # without ground truth the reason is told instead of a number
    panel.ask_count()
    qtbot.waitUntil(lambda: "Run 'annotate' first" in panel.count.text(), timeout=20_000)
    run_step(panel.session.project, STEPS["annotate"])
    panel.ask_count()
    qtbot.waitUntil(lambda: "voxels wrong" in panel.count.text(), timeout=20_000)
    inside = int((panel.session.project.edits().volumes["particles"].base[...] == 2).sum())
    told = int(panel.count.text().split(" voxels wrong")[0].split()[-1])
    assert 0 < told < inside  # what the map knows is left to the map


def test_it_asks_for_the_training_with_the_forms_values(panel, qtbot):
    asked = []
    panel.run_asked.connect(asked.append)
    panel.form.set_values(TeachConfig(epochs=3, rim=0.2).model_dump())
    panel.train_button.click()
    ((name, values),) = asked[0]
    assert name == "teach"
    assert make_config(STEPS["teach"], values) == TeachConfig(epochs=3, rim=0.2)
    panel.session.read_only_reason = "Somebody else has it."
    failed = []
    panel.failed.connect(failed.append)
    panel.train_button.click()
    assert failed == ["Somebody else has it."]
    assert len(asked) == 1


def test_curve_and_preview_follow_the_training(panel, tmp_path):
    panel.begin("teach")
    for step in (1, 2):
        values = {"epoch": 0, "epochs": 1, "step": step, "steps": 2, "loss": 1.0 / step}
        panel.follow(ProgressEvent("training", 0.1, values))
    (line,) = panel.plot.figure.axes[0].lines
    assert line.get_xydata().tolist() == [[0.5, 1.0], [1.0, 0.5]]
    write_boxes(tmp_path, ((4, 8, 8), (0, 0, 0)))
    before = np.zeros((2, 8, 16, 16), np.uint8)
    for value in (100, 200):
        write_values(tmp_path, before, np.full_like(before, value))
        panel.follow(ProgressEvent("training", 0.1, {"preview": str(tmp_path)}))
        layer = panel.viewer.layers[NOW]
        assert layer.data.min() == value
    assert layer.translate.tolist() == [8.0, 16.0, 16.0]
    assert layer.scale.tolist() == [2.0, 2.0, 2.0]
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert panel.viewer.layers[BEFORE].data.max() == 0
    assert f"{NOW} 2" in panel.viewer.layers
    panel.session.results_changed.emit("proposal")
    assert not any(one.metadata.get("slagseg_preview") for one in panel.viewer.layers)


def test_nothing_is_offered_where_nothing_waits(panel):
    assert panel.take_button.isHidden()
    assert panel.scores.isHidden()
    assert panel.verdict.text() == ""


def test_what_waits_is_shown_and_answered(waiting, panel, qtbot):
    assert not panel.take_button.isHidden()
    assert panel.scores.rowCount() == 8
    assert [panel.scores.item(0, k).text() for k in range(5)] == [
        "held out: present, as segmented", "0.900", "0.800", "0.100", "0.050",
    ]  # fmt: skip
    assert "Of 3 particles 1 are as they were" in panel.verdict.text()
    assert "merger ratio 0.100 before, 0.300 now" in panel.verdict.text()
    asked = []
    panel.run_asked.connect(asked.append)
    panel.take_button.click()
    panel.keep_button.click()
    assert asked == [[("proposal", {"answer": "take"})], [("proposal", {"answer": "keep"})]]
    assert make_config(STEPS["proposal"], asked[0][0][1]).answer == "take"


def test_a_conflict_takes_the_viewer_there(waiting, panel):
    assert panel.conflicts.rowCount() == 1
    went = []
    panel.desk.went.connect(went.append)
    panel.conflicts.cellClicked.emit(0, 1)
    assert went == [2]
    assert panel.desk.chosen == (2,)
    assert panel.viewer.dims.point[-3:] == pytest.approx((18.0, 56.0, 68.0), abs=2.1)


def test_rows_without_held_out_truth():
    found = {name: {"training": {"particles": scores(0.2)}} for name in VERSIONS}
    rows = score_rows(found)
    assert rows[0][0] == "trained on: present, as segmented"
    assert len(rows) == 4
