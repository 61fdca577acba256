"""No manual step is lost: undo, redo, reopening, kills and damage."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import (
    Cutout,
    FieldShift,
    Landmarks,
    PlacedMap,
    PlacementSurface,
    SlagsegError,
)
from napari_slagseg.project import Project
from napari_slagseg.project.placement_history import OUTSIDE


def placement(height, state="accepted"):
    rows, columns = np.linspace(0, 29, 4), np.linspace(0, 39, 5)
    zyx = np.zeros((4, 5, 3))
    zyx[..., 0] = height
    cutout = Cutout(
        0, 0, 10, 10, (height, 2.0, 3.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.5), 0.5, state
    )  # fmt: skip
    return PlacedMap(
        "a", (30, 40), 1.0, (12, 20, 24), (2.0,) * 3, True, 0.5,
        surface=PlacementSurface(rows, columns, zyx, np.full((4, 5), 0.25)), cutouts=(cutout,),
        details={"by_hand": "nudged"}, fields=(FieldShift(0, 0, 5, 5, 1.0, 2.0),),
    )  # fmt: skip


def pairs(n):
    return Landmarks(np.arange(2.0 * n).reshape(n, 2), np.arange(3.0 * n).reshape(n, 3))


def height(project):
    placed = project.placed_map("a")
    return None if placed is None else placed.cutouts[0].centre_zyx[0]


def count(project):
    found = project.landmarks("a")
    return 0 if found is None else len(found)


def test_a_step_back_and_forth(project):
    history = project.alignment("a")
    assert (history.can_undo, history.can_redo, history.steps) == (False, False, [])
    with project.writing():
        assert history.undo() is None
        history.record(None, pairs(1), "first landmark")
        history.record(placement(3.0), pairs(3), "placed by landmarks")
        history.record(placement(4.0, "locked"), pairs(3), "nudged cutout 0")
        assert history.steps == ["first landmark", "placed by landmarks", "nudged cutout 0"]
        assert project.placed_map("a").cutouts == placement(4.0, "locked").cutouts
        assert history.undo() == "nudged cutout 0"
        assert (height(project), count(project)) == (3.0, 3)
        assert project.placed_map("a").fields == placement(3.0).fields
        assert project.placed_map("a").surface.uncertainty_voxels[0, 0] == 0.25
        assert history.undo() == "placed by landmarks"
        assert (height(project), count(project)) == (None, 1)
        assert history.undo() == "first landmark"
        assert (height(project), count(project)) == (None, 0)
        assert not project.landmarks_path("a").exists()
        assert history.undo() is None
        assert not history.can_undo
        assert [history.redo() for _ in range(4)] == [
            "first landmark", "placed by landmarks", "nudged cutout 0", None,
        ]  # fmt: skip
        assert project.placed_map("a").cutouts == placement(4.0, "locked").cutouts
        assert np.array_equal(project.landmarks("a").voxels, pairs(3).voxels)
        assert not history.can_redo


def test_a_new_step_forgets_what_was_undone(project):
    history = project.alignment("a")
    with project.writing():
        for z in (1.0, 2.0, 3.0):
            history.record(placement(z), None, f"to {z:g}")
        history.undo()
        history.undo()
        history.record(placement(9.0), None, "to 9")
        assert history.steps == ["to 1", "to 9"]
        assert not history.can_redo
        assert history.redo() is None
        history.undo()
        assert height(project) == 1.0
    files = list((project.folder / "placed" / "history" / "a").glob("*.json.gz"))
    assert len(files) == 3  # before, 1 and 9: no dirt


def test_it_goes_on_after_reopening(project):
    with project.writing():
        for z in range(1, 30):
            project.alignment("a").record(placement(float(z)), pairs(z % 4), f"to {z}")
    for z in range(29, 0, -1):
        again = Project(project.folder)
        assert again.alignment("a").can_undo
        with again.writing():
            assert height(again) == z
            assert count(again) == z % 4
            assert again.alignment("a").undo() == f"to {z}"
    again = Project(project.folder)
    assert (height(again), again.alignment("a").can_undo) == (None, False)
    with again.writing():
        assert again.alignment("a").redo() == "to 1"
    assert height(Project(project.folder)) == 1.0


def test_a_run_is_one_step_and_keeps_the_landmarks(project):
    with project.writing():
        project.alignment("a").record(placement(3.0), pairs(3), "landmarks")
        project.alignment("a").record(placement(4.0, "locked"), pairs(3), "nudged")
        project.save_placed(placement(8.0), what="placed automatically")
        assert count(project) == 3
        assert project.alignment("a").steps == ["landmarks", "nudged", "placed automatically"]
        assert project.alignment("a").undo() == "placed automatically"
    assert project.placed_map("a").cutouts == placement(4.0, "locked").cutouts


def test_the_first_run_of_an_older_project_can_be_undone(project):
    io.write_placed_map(placement(5.0), project.placed_path("a"))  # before there was a history
    with project.writing():
        project.save_placed(placement(6.0))
        assert project.alignment("a").undo() == "placed"
    assert height(project) == 5.0


def test_what_was_done_is_in_the_journal(project):
    history = project.alignment("a")
    with project.writing():
        history.record(placement(1.0), None, "nudged the map")
        history.undo()
        history.redo()
        project.save_placed(placement(2.0))
    events = [(e["event"], e.get("what")) for e in project.journal.entries()]
    assert events[-4:] == [
        ("placement step", "nudged the map"),
        ("undo", "nudged the map"),
        ("redo", "nudged the map"),
        ("placed", None),
    ]


def test_a_step_that_changes_nothing_is_none(project):
    with project.writing():
        project.alignment("a").record(placement(1.0), pairs(0), "one")
        project.alignment("a").record(placement(1.0), None, "the same")
    assert project.alignment("a").steps == ["one"]


def test_writing_needs_the_lock_and_a_map(project):
    for call in (
        lambda h: h.record(placement(1.0), None, "x"),
        lambda h: h.undo(),
        lambda h: h.redo(),
    ):
        with pytest.raises(RuntimeError, match="writing"):
            call(project.alignment("a"))
    with pytest.raises(SlagsegError, match=r"no map 'b'\. It has: a"):
        project.alignment("b")
    assert not (project.folder / "placed").exists()


def test_a_change_from_outside_is_kept_as_a_step(project):
    with project.writing():
        project.alignment("a").record(placement(1.0), None, "one")
    io.write_placed_map(placement(7.0), project.placed_path("a"))
    assert project.alignment("a").steps == ["one", OUTSIDE]
    with project.writing():
        project.alignment("a").record(placement(2.0), None, "two")
        assert project.alignment("a").steps == ["one", OUTSIDE, "two"]
        project.alignment("a").undo()
        assert height(project) == 7.0
        project.alignment("a").undo()
        assert height(project) == 1.0


def test_deleting_the_placement_by_hand_can_be_taken_back(project):
    """The way out that a damaged placement names."""
    with project.writing():
        project.alignment("a").record(placement(1.0), None, "one")
        project.alignment("a").record(placement(2.0), None, "two")
    project.placed_path("a").unlink()
    with project.writing():
        assert project.placed_map("a") is None
        assert project.alignment("a").undo() == OUTSIDE
    assert height(project) == 2.0


# -- damage -------------------------------------------------------------------


def history_folder(project):
    return project.folder / "placed" / "history" / "a"


@pytest.mark.parametrize("left", [0, 10, 0.5])
def test_a_last_state_cut_short_is_cut_off_and_nothing_else_lost(project, left):
    with project.writing():
        for z in (1.0, 2.0, 3.0):
            project.alignment("a").record(placement(z), None, f"to {z:g}")
    last = sorted(history_folder(project).glob("*.json.gz"))[-1]
    whole = last.read_bytes()
    last.write_bytes(whole[: left if isinstance(left, int) else int(left * len(whole))])
    again = Project(project.folder)
    assert again.alignment("a").steps == ["to 1", "to 2", OUTSIDE]
    with again.writing():
        assert height(again) == 3.0  # the placement itself is whole
        again.alignment("a").record(placement(4.0), None, "to 4")
        assert [again.alignment("a").undo() for _ in range(5)] == [
            "to 4", OUTSIDE, "to 2", "to 1", None,
        ]  # fmt: skip


def test_a_damaged_state_in_the_middle_is_passed_over(project):
    with project.writing():
        for z in (1.0, 2.0, 3.0):
            project.alignment("a").record(placement(z), None, f"to {z:g}")
    sorted(history_folder(project).glob("*.json.gz"))[2].write_bytes(b"")
    again = Project(project.folder)
    with again.writing():
        assert again.alignment("a").undo() == "to 3"
        assert height(again) == 1.0
        assert again.alignment("a").redo() == "to 3"
        assert height(again) == 3.0


@pytest.mark.parametrize("content", [None, "{", "[]", '{"at": "x", "steps": []}'])
def test_a_lost_list_is_made_again_from_the_states(project, content):
    with project.writing():
        for z in (1.0, 2.0, 3.0):
            project.alignment("a").record(placement(z), None, f"to {z:g}")
        project.alignment("a").undo()
    head = history_folder(project) / "head.json"
    head.unlink() if content is None else head.write_text(content)
    again = Project(project.folder)
    assert again.alignment("a").steps == ["to 1", "to 2"]
    with again.writing():
        assert again.alignment("a").redo() == "to 3"
        assert again.alignment("a").undo() == "to 3"
        assert again.alignment("a").undo() == "to 2"
        assert height(again) == 1.0


# -- kills --------------------------------------------------------------------

_STEPS = """
import os, signal, sys
import importlib.util
from napari_slagseg.project import Project
spec = importlib.util.spec_from_file_location("steps", sys.argv[2])
steps = importlib.util.module_from_spec(spec)
spec.loader.exec_module(steps)
project = Project(sys.argv[1])
"""


def begin(script, project, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", _STEPS + script, str(project.folder), __file__, *arguments],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def check_whole(folder, returned):
    """Every step that returned is there, with its state; at most one more."""
    project = Project(folder)
    steps = project.alignment("a").steps
    assert steps[: len(returned)] == returned
    assert len(steps) - len(returned) in (0, 1)
    with project.writing():
        steps = project.alignment("a").steps
        for z in range(len(steps), 0, -1):
            assert height(project) == z
            assert count(project) == z % 5
            assert project.alignment("a").undo() == f"to {z}"
        assert (height(project), count(project)) == (None, 0)
        for z in range(1, len(steps) + 1):
            assert project.alignment("a").redo() == f"to {z}"
        left = [p.name for p in history_folder(project).iterdir()]
        assert len(left) == len(steps) + 2, left
        assert {p.name for p in (folder / "placed").iterdir()} <= {
            "a.json", "a.landmarks.json", "history",
        }  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("wait_s", [0.02, 0.11, 0.23])
def test_a_killed_window_loses_no_step(project, wait_s):
    process = begin(
        "with project.writing():\n"
        "    for z in range(1, 10_000):\n"
        "        project.alignment('a').record(\n"
        "            steps.placement(float(z)), steps.pairs(z % 5), f'to {z}')\n"
        "        print(f'to {z}', flush=True)\n",
        project,
    )
    assert process.stdout.readline() == "to 1\n"
    time.sleep(wait_s)
    process.send_signal(signal.SIGKILL)
    returned = ["to 1", *process.stdout.read().splitlines()]
    process.wait()
    check_whole(project.folder, returned)


_KILL_AT = """
import pathlib, shutil
folder = pathlib.Path(sys.argv[1])
what = sys.argv[3]
left = 0
def killing(function):
    # every change of the disk goes through one of these; the chosen one never returns
    def call(*arguments, **values):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **values)
    return call
with project.writing():
    history = project.alignment("a")
    for z in (1, 2, 3):
        history.record(steps.placement(float(z)), steps.pairs(z % 5), f"to {z}")
    for _ in range({"record": 0, "undo": 1, "redo": 2}[what]):
        history.undo()
for k in range(1, 60):
    copy = folder.with_name(f"killed_at_{k:02d}")
    shutil.copytree(folder, copy)
    child = os.fork()
    if child == 0:
        left = k
        project = Project(copy)
        with project.writing():
            for name in ("replace", "fsync", "unlink", "rename"):
                setattr(os, name, killing(getattr(os, name)))
            history = project.alignment("a")
            if what == "record":
                history.record(steps.placement(4.0), steps.pairs(4), "to 4")
            elif what == "undo":
                history.undo()
            else:
                history.redo()
            os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        print(k)
        break
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize(("what", "before", "after"), [
    ("record", 3, 4), ("undo", 2, 1), ("redo", 1, 2),
])  # fmt: skip
def test_a_kill_at_any_point_leaves_the_old_or_the_new(project, what, before, after):
    """The process is killed at its first, second, ... change of the disk, until it survives."""
    process = begin(_KILL_AT, project, what)
    survived = int(process.stdout.read())
    assert survived > 5
    states = []
    for k in range(1, survived + 1):
        found = Project(project.folder.with_name(f"killed_at_{k:02d}"))
        states.append(len(found.alignment("a").steps))
        with found.writing():
            history = found.alignment("a")
            assert history.steps == [f"to {z}" for z in range(1, states[-1] + 1)]
            assert (height(found), count(found)) == (states[-1], states[-1] % 5), k
            while history.undo():
                pass
            assert (height(found), count(found)) == (None, 0), k
            top = 0
            while history.redo():
                top += 1
            assert top in ((3, 4) if what == "record" else (3,)), k
            assert (height(found), count(found)) == (top, top % 5)
            assert len(list(history_folder(found).iterdir())) == top + 2
    # once it is the new one it stays so
    assert set(states) == {before, after}
    assert states == sorted(states, reverse=after < before)


def test_the_list_says_when_and_what(project):
    with project.writing():
        project.alignment("a").record(placement(1.0), None, "nudged cutout 3")
    head = json.loads((history_folder(project) / "head.json").read_text())
    assert head["at"] == 1
    assert head["steps"][1]["what"] == "nudged cutout 3"
    assert head["steps"][1]["time"].endswith("+00:00")
