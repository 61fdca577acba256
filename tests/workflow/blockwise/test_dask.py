"""Blocks by the workers of a dask scheduler."""

import socket

import numpy as np
import pytest
from tests.workflow.blockwise import toy_tasks as toys

from napari_slagseg.data import SlagsegError
from napari_slagseg.workflow.blockwise import BlockCosts, Resources, dask_backend, open_run

distributed = pytest.importorskip("distributed")

SHAPE = (12, 20, 300)
COSTS = BlockCosts(bytes_per_voxel=10, scratch_bytes_per_voxel=8)


@pytest.fixture(scope="module")
def cluster():
    made = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        memory_limit="2GB",
    )
    yield made
    made.close()


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def opened(tmp_path, address, **more):
    return open_run(tmp_path, "s", {}, SHAPE, COSTS, Resources(scheduler=address), **more)


def test_the_same_results_as_on_this_machine(cluster, tmp_path, marks):
    with opened(tmp_path, cluster.scheduler_address) as run:
        assert run.backend.slots == 2
        sums, second = toys.expected(run.grid)
        np.testing.assert_array_equal(toys.job(tmp_path, run, marks), sums)
        np.testing.assert_array_equal(run.scratch("second", np.uint32)[...], second)
    assert not (tmp_path / ".work").exists()
    assert len(list(marks.iterdir())) == len(run.grid)


def test_a_dead_worker_and_a_failing_block(cluster, tmp_path, marks):
    def work():
        with opened(tmp_path, cluster.scheduler_address) as run:
            folders.append(run.folder)
            assert len(run.stage("kill", toys.Kill(marks, 1))) == 2
            run.stage("fail", toys.Fail(marks, 3))

    folders = []
    with pytest.raises(SlagsegError, match=r"block \(0, 0, 1\).*ValueError: seven"):
        work()
    assert len(list(marks.iterdir())) == 3
    # what was done is taken up by a run on this machine
    local = Resources(backend="threads", memory="2GB")
    with open_run(tmp_path, "s", {}, SHAPE, COSTS, local) as again:
        assert again.folder == folders[0]
        assert len(again.stage("kill", toys.Kill(marks, 1))) == 2
        assert len(again.stage("fail", toys.Fail(marks, 3))) == 2


def test_nobody_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_backend, "ANSWER_WITHIN_S", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with (
            pytest.raises(SlagsegError, match=f"answers at '{address}'"),
            opened(tmp_path, address),
        ):
            pass
    for wrong in (address, "tcp://no-such-host.invalid:8786", "nonsense://x", ""):
        with pytest.raises(SlagsegError, match="answers at"), opened(tmp_path, wrong):
            pass


def test_a_scheduler_without_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_backend, "ANSWER_WITHIN_S", 2)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty,
        pytest.raises(SlagsegError, match="has no workers"),
        opened(tmp_path, empty.scheduler_address),
    ):
        pass


def test_workers_with_other_versions(cluster, tmp_path, monkeypatch):
    here = dask_backend._versions()
    monkeypatch.setattr(dask_backend, "_versions", _as_if_elsewhere)
    assert here["python"] != "2.7"
    with (
        pytest.raises(SlagsegError, match=rf"python 2\.7 instead of {here['python']}"),
        opened(tmp_path, cluster.scheduler_address),
    ):
        pass


def _as_if_elsewhere():
    """Here the true versions; on a worker, where the module is whole, others."""
    import multiprocessing

    found = {"python": "2.7"} if multiprocessing.parent_process() else {}
    return {**TRUE, **found}


TRUE = dask_backend._versions()


def test_workers_that_do_not_see_the_folder(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_backend, "_sees", _sees_nothing)
    with (
        pytest.raises(SlagsegError, match="must be on a disk that all workers share"),
        opened(tmp_path, cluster.scheduler_address),
    ):
        pass


def _sees_nothing(folder, nonce, number):
    return dask_backend_sees("/somewhere/else", nonce, number)


def dask_backend_sees(folder, nonce, number):
    from napari_slagseg.workflow.blockwise import dask_backend as true

    true.SEEN_WITHIN_S = 0.3
    return true._sees(folder, nonce, number)
