"""The desk: edits in order, none dropped; refusals; following the open project."""

import threading
import uuid

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.project import Project
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.proofreading.desk import Desk, desk_of
from napari_slagseg.widgets.session import session_of

pytestmark = pytest.mark.gui


@pytest.fixture
def desk(make_napari_viewer, project, qtbot):
    viewer = make_napari_viewer()
    session = session_of(viewer)
    session.open(project.folder)
    layers.show_project(viewer, session)
    desk = desk_of(viewer)
    desk.open()
    qtbot.waitUntil(lambda: desk.proofreader is not None, timeout=60_000)
    qtbot.waitUntil(lambda: not desk.is_busy)
    yield desk
    desk.close()
    session.close()


def caught(desk):
    """What the desk tells, as lists."""
    found = {"outcome": [], "failed": [], "told": []}
    for name, seen in found.items():
        getattr(desk, name).connect(seen.append)
    return found


def test_there_is_one_desk_of_a_viewer(desk):
    assert desk_of(desk.viewer) is desk
    assert isinstance(desk, Desk)


def test_edits_are_done_in_the_order_asked_and_none_is_dropped(desk, qtbot):
    seen, order = caught(desk), []
    first = threading.Event()

    def locking(on):
        def edit():
            if not order:
                first.wait(10)
            order.append(on)
            desk.proofreader.lock([1], on)

        return edit

    for n in range(20):
        assert desk.do("lock", locking(n % 2 == 0))
    assert desk.is_busy
    first.set()
    qtbot.waitUntil(lambda: not desk.is_busy)
    assert order == [n % 2 == 0 for n in range(20)]
    assert seen["failed"] == []
    assert len(seen["outcome"]) == 20
    assert len(desk.proofreader.history.done) == 20
    assert seen["failed"] == []


def test_the_outcome_comes_in_the_windows_thread(desk, qtbot):
    threads = []
    desk.outcome.connect(lambda _: threads.append(threading.current_thread()))
    done_in = []

    def edit():
        done_in.append(threading.current_thread())
        desk.proofreader.delete([2])

    desk.do("delete", edit)
    qtbot.waitUntil(lambda: bool(threads))
    assert threads == [threading.main_thread()]
    assert done_in[0] is not threading.main_thread()


def test_an_edit_that_is_refused_is_told_and_the_next_is_done(desk, qtbot):
    seen = caught(desk)
    desk.do("delete", lambda: desk.proofreader.delete([99]))
    desk.do("delete", lambda: desk.proofreader.delete([2]))
    qtbot.waitUntil(lambda: not desk.is_busy)
    assert len(seen["failed"]) == 1
    assert "99" in seen["failed"][0]
    assert [o.labels_before for o in seen["outcome"]] == [(2,)]


def test_a_fault_of_the_program_is_told(desk, qtbot):
    seen = caught(desk)
    desk.do("broken", lambda: 1 / 0)
    qtbot.waitUntil(lambda: not desk.is_busy)
    assert "division by zero" in seen["failed"][0]


def test_undo_and_redo_go_through_the_same_queue(desk, qtbot):
    seen = caught(desk)
    before = np.asarray(desk.proofreader.particles)
    desk.do("delete", lambda: desk.proofreader.delete([2]))
    desk.undo()
    desk.redo()
    desk.undo()
    desk.undo()
    qtbot.waitUntil(lambda: not desk.is_busy)
    assert [o.step for o in seen["outcome"]] == ["do", "undo", "redo", "undo"]
    assert seen["told"] == ["There is nothing to undo."]
    np.testing.assert_array_equal(np.asarray(desk.proofreader.particles), before)


def test_what_is_gone_is_no_longer_chosen(desk, qtbot):
    desk.choose([1, 2])
    desk.do("delete", lambda: desk.proofreader.delete([2]))
    qtbot.waitUntil(lambda: desk.chosen == (1,))


@pytest.mark.parametrize("step", ["segment", "measure", "report", "run", "suspects"])
def test_no_edit_while_a_step_runs_that_needs_the_particles(desk, step):
    seen, said = caught(desk), []
    desk.may_change.connect(lambda: said.append(desk.refusal))
    desk.session.set_running([step])
    assert not desk.do("delete", lambda: desk.proofreader.delete([2]))
    assert step in seen["failed"][0]
    desk.session.set_running([])
    assert said[-1] == ""
    assert not desk.is_busy


def test_edits_go_on_while_a_network_is_trained(desk, qtbot):
    desk.session.set_running(["train-particle"])
    assert desk.do("delete", lambda: desk.proofreader.delete([2]))
    qtbot.waitUntil(lambda: not desk.is_busy)
    assert not (np.asarray(desk.proofreader.particles) == 2).any()


def test_a_step_waits_for_the_edits_asked_before(desk):
    ended = []
    for _ in range(5):
        desk.do("lock", lambda: ended.append(desk.proofreader.lock([1])))
    desk.session.set_running(["measure"])
    assert len(ended) == 5


def test_a_project_that_another_process_has_is_not_edited(make_napari_viewer, project, qtbot):
    other = Project(project.folder)
    viewer = make_napari_viewer()
    with other.writing():
        session = session_of(viewer)
        session.open(project.folder)
        desk = desk_of(viewer)
        desk.open()
        qtbot.waitUntil(lambda: desk.proofreader is not None, timeout=60_000)
        seen = caught(desk)
        assert not desk.do("delete", lambda: desk.proofreader.delete([2]))
        assert seen["failed"] == [session.read_only_reason]
        assert seen["failed"][0]
        desk.close()
        session.close()
    assert not (project.folder / "edits").exists()


def test_segmenting_again_brings_another_proofreader(desk, project, qtbot):
    first, box = desk.proofreader, desk.proofreader.box_of(2)
    particles = np.asarray(first.particles)
    particles[particles == 2] = 5
    attributes = io.read_zarr_attributes(project.segmentation_path)
    io.write_zarr_arrays(
        project.segmentation_path,
        {
            "phases": np.asarray(first.phases),
            "particles": particles,
            "particle_probability": np.asarray(first.probability),
        },
        voxel_size_um=(2.0, 2.0, 2.0),
        attributes={**attributes, "id": uuid.uuid4().hex},
    )
    desk.session.results_changed.emit("segment")
    assert desk.proofreader is None
    assert "moment" in desk.refusal
    qtbot.waitUntil(lambda: desk.proofreader is not None, timeout=60_000)
    assert desk.proofreader is not first
    assert desk.proofreader.box_of(5) == box


def test_a_step_that_leaves_the_particles_keeps_the_proofreader(desk):
    first = desk.proofreader
    desk.session.results_changed.emit("measure")
    assert desk.proofreader is first


def test_closing_the_project_finishes_the_edits(desk, project):
    for _ in range(5):
        desk.do("lock", lambda: desk.proofreader.lock([1]))
    desk.session.close()
    assert len(Project(project.folder).edits().done) == 5


def test_the_viewer_goes_to_a_particle(desk):
    said = []
    desk.particle.connect(said.append)
    desk.go_to((10, 12, 12), label=1)
    assert desk.chosen == (1,)
    assert said == [1]
    point = desk.viewer.dims.point
    np.testing.assert_allclose(point[-3:], (20, 24, 24), atol=1)
    centre = desk.viewer.scene.camera.center
    np.testing.assert_allclose(centre[-2:], (24, 24), atol=1)
    # the ball is 15 voxels of 2 um across
    shorter = min(desk.viewer.canvas.size)
    assert desk.viewer.scene.camera.zoom == pytest.approx(0.4 * shorter / 30)
