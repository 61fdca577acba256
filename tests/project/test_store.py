import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import PlacedMap, SlagsegError
from napari_slagseg.project import Correction, Project, ProjectLockedError


def test_a_new_project_gives_back_what_it_was_made_of(project, sources):
    _, ct, phases = sources
    again = Project(project.folder)
    assert np.array_equal(again.volume().data, ct)
    assert again.voxel_size_um == (2.0, 2.0, 2.0)
    assert np.array_equal(again.mineral_map("a").phases, phases)
    assert again.phase_table().target == "ore"
    assert again.journal.entries()[0]["event"] == "created"


def test_a_project_moves_with_its_ct(project, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "ct.tif").rename(moved / "ct.tif")
    project.folder.rename(moved / "project")
    assert Project(moved / "project").volume().shape == (12, 20, 24)


def test_a_missing_ct_is_named(project, tmp_path):
    (tmp_path / "ct.tif").unlink()
    with pytest.raises(SlagsegError, match=r"The CT of project .* is gone.*ct.tif"):
        project.volume()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "quartz"}, "'quartz' is not in the phase table"),
        ({"ct": "nothing.tif"}, "does not exist"),
        ({"maps": []}, "at least one mineral map"),
        ({"pixel_size_um": 0}, "pixel size"),
        ({"voxel_size_um": 0.0}, "voxel size"),
    ],
)
def test_nothing_is_left_behind_by_a_bad_start(sources, changes, words):
    folder, _, _ = sources
    arguments = {
        "ct": folder / "ct.tif",
        "maps": [folder / "a.png"],
        "legend": folder / "legend.csv",
        "pixel_size_um": 1.0,
        "target": "ore",
        **changes,
    }
    with pytest.raises(SlagsegError, match=words):
        Project.create(folder / "bad", **arguments)
    assert not (folder / "bad").exists()


def test_an_existing_folder_is_not_overwritten(project, sources):
    folder, _, _ = sources
    with pytest.raises(SlagsegError, match="exists already"):
        Project.create(
            project.folder, ct=folder / "ct.tif", maps=[folder / "a.png"],
            legend=folder / "legend.csv", pixel_size_um=1.0, target="ore",
        )  # fmt: skip


def test_newer_damaged_and_missing_projects_are_told_apart(project, tmp_path):
    path = project.folder / "project.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "schema_version": 99}))
    with pytest.raises(SlagsegError, match="newer version"):
        Project(project.folder)
    path.write_text(json.dumps({**content, "ct": {"path": "x"}}))
    with pytest.raises(SlagsegError, match="damaged"):
        Project(project.folder)
    path.write_text("{")
    with pytest.raises(SlagsegError, match=r"not valid JSON.* Restore it from a backup"):
        Project(project.folder)
    with pytest.raises(SlagsegError, match="not a slagseg project"):
        Project(tmp_path)


def test_a_second_writer_is_told_who_has_the_project(project):
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
        with pytest.raises(ProjectLockedError, match=f"process {other.pid}"), project.writing():
            pass
        assert project.volume().shape == (12, 20, 24)  # reading goes on
        child = Project(project.folder, parent=other.pid)
        with child.writing():
            assert child.lock.held
    finally:
        other.kill()
        other.wait()
    with project.writing():  # the lock went with the process that held it
        assert project.lock.held
    assert not project.lock.held


def test_the_lock_is_held_by_all_threads_of_a_process(project):
    with project.writing(), ThreadPoolExecutor(1) as other:
        assert other.submit(lambda: project.lock.held).result()


def test_writing_without_the_lock_is_a_fault(project):
    placed = PlacedMap("a", (30, 40), 1.0, (12, 20, 24), (2.0,) * 3, False, 0.0, reason="no")
    with pytest.raises(RuntimeError, match="writing"):
        project.save_placed(placed)
    with project.writing():
        project.save_placed(placed)
    assert project.placed_map("a").reason == "no"


def test_corrections_are_kept_in_order(project):
    first = Correction(np.array([3, 9]), np.array([True, False]))
    second = Correction(np.array([4]), np.array([True]))
    with project.writing():
        project.add_correction(first)
        project.add_correction(second)
        with pytest.raises(SlagsegError, match="Nothing is painted"):
            project.add_correction(Correction(np.zeros(0, np.int64), np.zeros(0, bool)))
    found = Project(project.folder).corrections()
    assert [c.voxels.tolist() for c in found] == [[3, 9], [4]]
    assert found[0].predicted_foreground.tolist() == [True, False]


def test_a_journal_line_cut_short_is_passed_over(project):
    with project.journal.path.open("a") as file:
        file.write('{"event": "half')
    project.journal.append("whole", number=1)
    events = [entry["event"] for entry in project.journal.entries()]
    assert events == ["created", "whole"]


def test_fingerprints_follow_the_content(project):
    io.write_text(project.folder / "x.txt", "one")
    first = project.fingerprint("x.txt")
    assert project.fingerprint("x.txt") == first
    io.write_text(project.folder / "x.txt", "another")
    assert project.fingerprint("x.txt") != first
    with pytest.raises(SlagsegError, match="missing"):
        project.fingerprint("y.txt")
