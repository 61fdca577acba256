"""A dask scheduler and workers on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from napari_slagseg.data import SlagsegError
from napari_slagseg.data.cores import cores
from napari_slagseg.workflow.blockwise.memory import SHARE_OF_FREE, free_memory


@dataclass(frozen=True)
class LocalWorkers:
    """A scheduler that runs.

    Attributes
    ----------
    address : str
        ``tcp://host:port``
    workers : int
    bytes_per_worker : int
    """

    address: str
    workers: int
    bytes_per_worker: int
    _cluster: Any

    def alive(self) -> bool:
        """Whether the scheduler still runs."""
        return str(self._cluster.status.name) == "running"


@contextmanager
def local_cluster(
    workers: int | None = None,
    memory: int | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[LocalWorkers]:
    """Scheduler and worker processes of one thread each, ended with the block.

    Parameters
    ----------
    workers : int or None
        None takes one a core.
    memory : int or None
        Bytes of all workers together; None takes most of what is free.
    host : str
    port : int
        0 takes any free one.

    Raises
    ------
    SlagsegError
        If dask is not installed, or the address cannot be listened at.
    """
    try:
        from distributed import LocalCluster
    except ImportError as error:
        raise SlagsegError(
            "A cluster needs dask: pip install 'napari-slagseg[cluster]'."
        ) from error
    count = workers or cores()
    each = (memory or int(SHARE_OF_FREE * free_memory())) // count
    try:
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            memory_limit=each,
            host=host,
            scheduler_port=port,
            dashboard_address=None,
            silence_logs=logging.ERROR,
        )
    except (OSError, RuntimeError) as error:
        raise SlagsegError(
            f"No scheduler can listen at {host}:{port} ({error}). Is one running there already? "
            "Give another --port, or 0 for any free one."
        ) from error
    with cluster:
        yield LocalWorkers(str(cluster.scheduler_address), count, each, cluster)


__all__ = ["LocalWorkers", "local_cluster"]
