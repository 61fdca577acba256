"""Stages on disk: all done, done once, taken up, whatever happens meanwhile."""

import os
import threading

import numpy as np
import pytest
from tests.workflow.blockwise import toy_tasks as toys

from napari_slagseg.data import BlockGrid, CancelledError, SlagsegError, ThreadRun
from napari_slagseg.workflow.blockwise import DiskRun, processes
from napari_slagseg.workflow.blockwise.processes import ProcessBackend
from napari_slagseg.workflow.blockwise.threads import ThreadBackend

GRID = BlockGrid.of((20, 24, 28), (8, 16, 16))  # 3 x 2 x 2 blocks, the last ones cut off


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """One pool for all tests: starting a process takes longer than any of them."""
    made = ProcessBackend(2, tmp_path_factory.mktemp("logs"))
    yield made
    made.close()


@pytest.fixture(params=["threads", "processes"])
def make_run(request, tmp_path, pool):
    made = []

    def make(workers=2, folder=tmp_path / "work", **more):
        backend = ThreadBackend(workers) if request.param == "threads" else pool
        made.append(DiskRun(folder, GRID, backend, **more))
        return made[-1]

    make.kind = request.param
    yield make
    for run in made:
        if run.backend is not pool:
            run.close()


@pytest.fixture
def in_processes(tmp_path, pool):
    return DiskRun(tmp_path / "work", GRID, pool)


def test_every_block_is_done_once_and_later_stages_see_what_earlier_ones_left(
    make_run, tmp_path, marks
):
    run = make_run()
    sums, second = toys.expected(GRID)
    np.testing.assert_array_equal(toys.job(tmp_path, run, marks), sums)
    np.testing.assert_array_equal(run.scratch("second", np.uint32)[...], second)
    blocks = sorted(path.name.split(".")[0] for path in marks.iterdir())
    assert blocks == sorted("-".join(map(str, b.index)) for b in GRID)
    pids = {path.name.split(".")[1] for path in marks.iterdir()}
    assert (pids == {str(os.getpid())}) == (make_run.kind == "threads")


def test_threads_in_memory_give_the_same(tmp_path, marks):
    run = ThreadRun(GRID)
    sums, second = toys.expected(GRID)
    np.testing.assert_array_equal(toys.job(tmp_path, run, marks), sums)
    np.testing.assert_array_equal(run.scratch("second", np.uint32), second)


def test_a_second_run_does_only_what_is_missing(make_run, tmp_path, marks):
    run = make_run()
    toys.job(tmp_path, run, marks)
    again = marks.parent / "again"
    again.mkdir()
    records = sorted((tmp_path / "work" / "done" / "fill").iterdir())
    assert len(records) == len(GRID)
    records[3].unlink()
    records[5].write_bytes(records[5].read_bytes()[:-3])  # cut short
    damaged = bytearray(records[7].read_bytes())
    damaged[-1] ^= 1
    records[7].write_bytes(damaged)
    records[8].write_bytes(b"")
    sums, second = toys.expected(GRID)
    run = make_run()
    np.testing.assert_array_equal(toys.job(tmp_path, run, again), sums)
    np.testing.assert_array_equal(run.scratch("second", np.uint32)[...], second)
    done_again = {path.name.split(".")[0] for path in again.iterdir()}
    assert done_again == {records[i].name.removesuffix(".arr") for i in (3, 5, 7, 8)}


def test_given_arguments_and_chosen_blocks(make_run, marks):
    run = make_run()
    some = [GRID.block((0, 1, 1)), GRID.block((2, 0, 0))]
    first = run.scratch("first", np.uint32)
    found = run.stage("f", toys.Fill(first, run.store, marks), given={(2, 0, 0): 7}, blocks=some)
    assert list(found) == [(0, 1, 1), (2, 0, 0)]
    assert [int(r["given"]) for r in found.values()] == [0, 7]
    assert run.stage("none", toys.Fill(first, run.store, marks), blocks=[]) == {}
    with pytest.raises(ValueError, match="run already"):
        run.stage("f", toys.Fill(first, run.store, marks))


def test_a_block_that_fails_once_is_done_at_the_second_try(make_run, marks):
    found = make_run().stage("s", toys.Fail(marks, 1))
    assert len(found) == len(GRID)
    assert len(list(marks.iterdir())) == 1


def test_a_block_that_fails_twice_is_named_and_the_others_are_done(make_run, marks):
    run = make_run()
    with pytest.raises(SlagsegError) as error:
        run.stage("s", toys.Fail(marks, 2), says="counting")
    words = str(error.value)
    assert "counting: 1 of 12 blocks failed" in words
    assert "block (0, 0, 1) (voxels z 0-7, y 0-15, x 16-27): ValueError: seven is no even" in words
    assert "only what is missing" in words
    assert "toy_tasks.py" in str(error.value.__cause__)
    # a second run does the one that is missing
    assert len(make_run().stage("s", toys.Fail(marks, 2))) == 12


@pytest.mark.parametrize(
    ("how", "words"),
    [("denied", "/data/chunk"), ("memory", "the memory was not enough")],
)
def test_causes_are_told_in_words(make_run, marks, how, words):
    with pytest.raises(SlagsegError, match=words):
        make_run().stage("s", toys.Fail(marks, 2, how))


def test_a_full_disk_ends_the_stage_and_is_told_with_the_place(make_run, marks, tmp_path):
    with pytest.raises(SlagsegError, match=r"/data/chunk .*disk is full") as error:
        make_run().stage("s", toys.Fail(marks, 1, "full"))
    assert "free" in str(error.value)
    # those that ran beside it were finished, the others not begun
    assert len(list((tmp_path / "work/done/s").iterdir())) < 6
    assert len(list(marks.iterdir())) == 1


def test_a_worker_that_is_killed_is_replaced(in_processes, marks):
    found = in_processes.stage("s", toys.Kill(marks, 1))
    assert {k: tuple(r["start"]) for k, r in found.items()} == {b.index: b.start for b in GRID}
    assert len(list(marks.iterdir())) == 1


@pytest.mark.parametrize("times", [1, 99])
def test_a_worker_that_is_killed_while_it_starts(tmp_path, marks, monkeypatch, times):
    """Another takes its place; one that never gets up is told of."""
    mark = f"m = __import__('pathlib').Path({str(marks)!r}); n = len(list(m.iterdir())); "
    die = f"(m / str(n)).touch(); o = __import__('os'); n < {times} and o.kill(o.getpid(), 9); "
    monkeypatch.setattr(processes, "_START", mark + die + processes._START)
    backend = ProcessBackend(1, tmp_path / "logs")
    run = DiskRun(tmp_path / "work", GRID, backend)
    if times == 1:
        assert len(run.stage("s", toys.Fail(tmp_path, 0))) == 12
    else:
        with pytest.raises(SlagsegError, match=r"could not be started \(exit code -9\)"):
            run.stage("s", toys.Fail(tmp_path, 0))
    assert len(list(marks.iterdir())) == (2 if times == 1 else processes.STARTS)
    run.close()


def test_a_pool_that_is_stopped_while_its_workers_start_is_good_for_the_next_run(
    tmp_path, monkeypatch
):
    class Later:
        """Set at the third look: the workers sleep, none has started."""

        looks = 0

        def is_set(self):
            self.looks += 1
            return self.looks > 2

    backend = ProcessBackend(2, tmp_path / "logs")
    with monkeypatch.context() as patched:
        patched.setattr(processes, "_START", "__import__('time').sleep(600); " + processes._START)
        with pytest.raises(CancelledError):
            DiskRun(tmp_path / "work", GRID, backend, cancel=Later()).stage(
                "s", toys.Fail(tmp_path, 0)
            )
    run = DiskRun(tmp_path / "work", GRID, backend)
    assert len(run.stage("s", toys.Fail(tmp_path, 0))) == 12
    run.close()


def test_a_block_that_kills_its_worker_twice_is_named(in_processes, marks):
    with pytest.raises(SlagsegError, match=r"block \(0, 0, 0\).*worker process ended by itself"):
        in_processes.stage("s", toys.Kill(marks, 99))
    assert len(list(marks.iterdir())) == 2
    # the pool goes on
    assert len(in_processes.stage("t", toys.Fail(marks, 0))) == 12


def test_progress_counts_blocks_within_its_part(make_run, marks):
    events = []
    run = make_run(progress=events.append)
    run.stage("s", toys.Fail(marks, 0), says="counting", part=(0.5, 1.0))
    assert {e.stage for e in events} == {"counting"}
    assert [e.values["blocks"] for e in events] == list(range(13))
    assert [e.fraction for e in events] == pytest.approx([0.5 + n / 24 for n in range(13)])
    assert events[-1].values["seconds_left"] == 0


def test_cancelled_between_blocks_and_taken_up_again(make_run, marks, tmp_path):
    token = threading.Event()
    run = make_run(cancel=token, progress=lambda e: e.values["blocks"] >= 3 and token.set())
    with pytest.raises(CancelledError):
        run.stage("s", toys.Fail(marks, 0))
    done = len(list((tmp_path / "work/done/s").glob("*.arr")))
    assert 3 <= done < 12
    assert len(make_run().stage("s", toys.Fail(marks, 0))) == 12


def test_cancel_kills_workers_that_do_not_end(in_processes, marks, monkeypatch):
    monkeypatch.setattr("napari_slagseg.workflow.blockwise.run.FINISH_WITHIN_S", 0.2)
    token = threading.Event()
    in_processes._cancel = token
    begun = threading.Thread(target=_set_when_begun, args=(token, marks))
    begun.start()
    with pytest.raises(CancelledError):
        in_processes.stage("s", toys.Wait(marks, 3600))
    begun.join()
    assert in_processes.backend._workers == []


def _set_when_begun(token, marks):
    while not list(marks.iterdir()):
        threading.Event().wait(0.01)
    token.set()


def test_results_hold_no_objects(make_run, marks):
    with pytest.raises(SlagsegError, match="Object arrays cannot be saved"):
        make_run().stage("s", toys.GivesObjects())


def test_a_store_pickles_as_its_path_and_misses_with_a_key_error(make_run, tmp_path):
    import pickle

    run = make_run()
    block = GRID.block((0, 0, 0))
    arrays = {"a": np.arange(5, dtype=np.int16), "": np.zeros((0, 3)), "file": np.array(True)}
    pickle.loads(pickle.dumps(run.store)).put("name", block, arrays)
    found = run.store.get("name", block)
    assert list(found) == ["a", "", "file"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    with pytest.raises(KeyError):
        run.store.get("name", GRID.block((0, 0, 1)))
    # any name is one of a file within the store
    for name in ("../name", "..", ".", "flood labels", "a/b", "ä"):
        run.store.put(name, block, {"a": np.array(len(name))})
    for name in ("../name", "..", ".", "flood labels", "a/b", "ä"):
        assert run.store.get(name, block)["a"] == len(name)
    assert len(list((tmp_path / "work" / "store").iterdir())) == 7
