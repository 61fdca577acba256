"""Folders of unfinished work: found again, replaced, removed; the plan and the disk."""

from contextlib import contextmanager, suppress

import numpy as np
import pytest
from tests.workflow.blockwise import toy_tasks as toys

from napari_slagseg.data import CancelledError, SlagsegError
from napari_slagseg.workflow.blockwise import BlockCosts, Resources, open_run

SHAPE = (12, 20, 300)  # two blocks: blocks are no longer than 256 where memory is short
COSTS = BlockCosts(bytes_per_voxel=10, scratch_bytes_per_voxel=8)
THREADS = Resources(workers=2, backend="threads", memory="2GB")


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def folders(tmp_path):
    return sorted(p.name for p in (tmp_path / ".work").glob("*-*"))


def opened(tmp_path, depends=None, step="segment", resources=THREADS, **more):
    return open_run(tmp_path, step, depends or {"a": 1}, SHAPE, COSTS, resources, **more)


def test_nothing_is_left_of_finished_work(tmp_path, marks):
    with opened(tmp_path) as run:
        assert run.folder.parent == tmp_path / ".work"
        sums = toys.job(tmp_path, run, marks)
        np.testing.assert_array_equal(sums, toys.expected(run.grid)[0])
    assert not (tmp_path / ".work").exists()


@contextmanager
def cut_off(tmp_path, **more):
    """A run that is cancelled at the end of the block."""
    with suppress(CancelledError), opened(tmp_path, **more) as run:
        yield run
        raise CancelledError


def interrupted(tmp_path, **more):
    with cut_off(tmp_path, **more) as run:
        run.stage("s", toys.Fail(tmp_path / "marks", 0))
    return run.folder


def test_unfinished_work_is_taken_up_by_the_same_and_removed_by_other_work(tmp_path, marks):
    first = interrupted(tmp_path)
    measured = interrupted(tmp_path, step="measure")
    said = []
    with opened(tmp_path, progress=said.append) as run:
        assert run.folder == first
        assert (run.folder / "done" / "s").is_dir()
    assert said[0].stage.startswith("taking up 3 blocks of 12 x 20 x 128 voxels, 2 at a time")
    first = interrupted(tmp_path)
    other = interrupted(tmp_path, depends={"a": 2})
    assert other != first
    assert folders(tmp_path) == sorted([measured.name, other.name])


def test_other_resources_take_up_the_work_with_its_blocks(tmp_path, marks):
    first = interrupted(tmp_path)
    more = Resources(workers=1, backend="threads", memory="20GB")
    with opened(tmp_path, resources=more) as run:
        assert run.folder == first
        assert run.grid.edges == (12, 20, 128)
        assert run.backend.slots == 1


def test_a_damaged_folder_is_begun_again(tmp_path, marks):
    first = interrupted(tmp_path)
    (first / "work.json").write_text('{"edges": [')
    with opened(tmp_path) as run:
        assert not (run.folder / "done" / "s").exists()


def test_too_little_disk_is_told_before_anything_is_written(tmp_path):
    costs = BlockCosts(10, scratch_bytes_per_voxel=1e15)
    run = open_run(tmp_path, "segment", {}, SHAPE, costs, THREADS)
    with pytest.raises(SlagsegError, match=r"need about .* GB in .*its disk has"), run:
        pass
    assert not (tmp_path / ".work").exists()


def test_two_processes_do_not_the_same_work(tmp_path):
    with (
        opened(tmp_path),
        pytest.raises(SlagsegError, match="Another process"),
        opened(tmp_path),
    ):
        pass


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / ".work").write_text("in the way")
    with pytest.raises(SlagsegError, match=r"\.work"), opened(tmp_path):
        pass


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"backend": "dask"}, "needs the address"),
        ({"backend": "threads", "scheduler": "tcp://127.0.0.1:1"}, "exclude each other"),
        ({"memory": "100MB"}, "at least --memory"),
    ],
)
def test_resources_that_cannot_be(tmp_path, resources, words):
    with (
        pytest.raises(SlagsegError, match=words),
        opened(tmp_path, resources=Resources(**resources)),
    ):
        pass


def test_after_a_new_start_of_the_machine_only_sealed_records_count(tmp_path, marks, monkeypatch):
    """What a power cut may have taken is done again."""
    start = "napari_slagseg.workflow.blockwise.seal.machine_start"
    with cut_off(tmp_path) as run:
        run.stage("sealed", toys.Fail(marks, 0))
        run._seal.write()
        run.stage("unsealed", toys.Fail(marks, 0))
    assert begun_again(tmp_path, marks) == []
    monkeypatch.setattr(start, lambda: "another")
    assert begun_again(tmp_path, marks) == ["unsealed"]


def begun_again(tmp_path, marks):
    """Stages that a run does at all, by a task that fails at once."""
    found = []
    with cut_off(tmp_path) as run:
        for name in ("sealed", "unsealed"):
            try:
                run.stage(name, toys.Fail(marks, 10**6, at=(0, 0, 0)))
            except SlagsegError:
                found.append(name)
    return found
