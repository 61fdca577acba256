"""What is left of a project that was damaged, cut off or ran out of disk: words, and no dirt."""

import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import PlacedMap, SlagsegError
from napari_slagseg.project import Project


def arguments_of(folder):
    return {
        "ct": folder / "ct.tif",
        "maps": [folder / "a.png"],
        "legend": folder / "legend.csv",
        "pixel_size_um": 1.0,
        "target": "ore",
    }


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("failing", ["write_zarr_arrays", "write_json"])
def test_a_project_that_could_not_be_made_leaves_nothing(sources, monkeypatch, failing, was_there):
    folder, _, _ = sources

    def full(*arguments, **values):
        raise io.write_error(folder / "new", OSError(errno.ENOSPC, "No space left on device"))

    if was_there:
        (folder / "new").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(f"napari_slagseg.io.{failing}", full)
        with pytest.raises(SlagsegError, match="disk is full"):
            Project.create(folder / "new", **arguments_of(folder))
    assert (folder / "new").exists() == was_there
    # so that the same command works once there is room
    assert Project.create(folder / "new", **arguments_of(folder)).map_names() == ("a",)


def test_a_file_that_may_not_grow_is_told(sources):
    """The operating system itself refuses, as with a full disk."""
    folder, _, _ = sources
    script = (
        "import resource, sys\nfrom napari_slagseg.data import SlagsegError\n"
        "from napari_slagseg.project import Project\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        "f = sys.argv[1]\n"
        "try:\n    Project.create(f + '/new', ct=f + '/ct.tif', maps=[f + '/a.png'],\n"
        "        legend=f + '/legend.csv', pixel_size_um=1.0, target='ore')\n"
        "except SlagsegError as error:\n    print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-B", "-c", script, str(folder)], capture_output=True, text=True
    )
    assert "could not be written: it would be larger than a file may be there" in said.stdout
    assert said.stderr == ""
    assert not (folder / "new").exists()


def test_damaged_parts_name_the_way_out(project):
    map_path = project.folder / "maps" / "a.zarr"
    with pytest.raises(SlagsegError, match=r"has no segmentation yet\. Run 'segment' first"):
        project.segmentation("phases")
    io.write_zarr_arrays(project.segmentation_path, {"particles": np.zeros((2, 2, 2), np.uint32)})
    with pytest.raises(SlagsegError, match=r"has no array 'phases'.* Run 'segment' again"):
        project.segmentation("phases")
    project.ground_truth_path.mkdir()
    with pytest.raises(SlagsegError, match=r"ground_truth.zarr .* Run 'annotate' again"):
        project.ground_truth()
    with project.writing():
        project.save_placed(
            PlacedMap("a", (30, 40), 1.0, (12, 20, 24), (2.0,) * 3, False, 0.0, reason="no")
        )
    project.placed_path("a").write_text("{")
    with pytest.raises(SlagsegError, match=r"a.json .* Delete it and run 'register' again"):
        project.placed_maps()
    project.placed_path("a").unlink()
    assert project.placed_maps() == {}
    (project.folder / "steps").mkdir()
    for content in ("{", "[]", '{"step": 3}'):
        (project.folder / "steps" / "measure.json").write_text(content)
        with pytest.raises(SlagsegError, match=r"measure.json is damaged .* Delete it"):
            project.record("measure")
    map_path.rename(map_path.with_name("b.zarr"))
    with pytest.raises(SlagsegError, match=r"a.zarr does not exist.* make the project again .*png"):
        project.mineral_map("a")


def test_a_journal_that_cannot_be_written_is_told(project):
    project.journal.path.unlink()
    project.journal.path.mkdir()
    with pytest.raises(SlagsegError, match=r"journal.jsonl could not be written: Is a directory"):
        project.journal.append("opened")


def test_a_run_put_aside_by_hand_is_no_run(project):
    for name in ("run_2", "run_10", "run_1 old", "run_"):
        (project.folder / "models" / "phase" / name).mkdir(parents=True)
    assert [p.name for p in project.model_runs("phase")] == ["run_2", "run_10"]
    assert project.next_model_folder("phase").name == "run_11"


def test_what_a_killed_writer_left_is_removed_by_the_next_one(project):
    """Half a segmentation can be gigabytes; a user's own hidden files are not ours to remove."""
    script = (
        "import os, sys\nfrom napari_slagseg import io\n"
        "with io.atomic_folder(sys.argv[1] + '/segmentation.zarr') as t:\n"
        "    (t / 'x').write_text('half')\n"
        "    with io.atomic_file(sys.argv[1] + '/tables/particles.csv') as u:\n"
        "        u.write_text('half')\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    own = project.folder / ".notes-1234abcd.txt"
    own.write_text("mine")
    before = set(os.listdir(project.folder))
    subprocess.run([sys.executable, "-c", script, str(project.folder)], check=False)
    assert set(os.listdir(project.folder)) - before - {"tables"}
    assert len(os.listdir(project.folder / "tables")) == 1
    with Project(project.folder).writing():
        assert not os.listdir(project.folder / "tables")
        assert set(os.listdir(project.folder)) == {*before, "tables", ".lock", ".lock.json"}
    assert own.read_text() == "mine"


def test_a_lock_that_cannot_say_who_holds_it_is_not_kept(project, monkeypatch):
    monkeypatch.setattr(
        project.lock, "_holder_path", project.folder / "no" / "such" / "folder.json"
    )
    with pytest.raises(SlagsegError, match="could not be written"), project.writing():
        pass
    assert not project.lock.held
    with Project(project.folder).writing() as other:
        assert other.lock.held
