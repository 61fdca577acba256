"""The command cluster: a dask scheduler and its workers on this machine."""

from __future__ import annotations

import time
from typing import Any

import click

from napari_slagseg.cli.console import Console
from napari_slagseg.cli.options import resources
from napari_slagseg.cli.running import ctrl_c_cancels, framed
from napari_slagseg.data import SlagsegError


@click.command()
@click.option("--workers", type=click.IntRange(1), help="Worker processes; none given: one a core.")
@click.option(
    "--memory",
    metavar="AMOUNT",
    help="Memory of all workers together, such as 8GB; none given: 80 % of what is free.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at. Whoever reaches it can run programs as you: leave it as it is "
    "unless only trusted machines do.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8786,
    show_default=True,
    help="0: any free one.",
)
@framed
def cluster(console: Console, host: str, port: int, **values: Any) -> None:
    """Start a dask scheduler and workers on this machine.

    It runs until Ctrl-C. Steps use it by --scheduler with the address that is printed.
    """
    from napari_slagseg.workflow.blockwise.local_cluster import local_cluster

    within = resources(values)
    with (
        ctrl_c_cancels(console) as cancel,
        local_cluster(within.workers, within.memory, host, port) as started,
    ):
        console.result(
            {
                "scheduler": started.address,
                "workers": started.workers,
                "bytes_per_worker": started.bytes_per_worker,
            },
            f"A scheduler runs at {started.address}, with {started.workers} workers of "
            f"{started.bytes_per_worker / 1e9:.1f} GB each.\n"
            f"In another terminal: slagseg segment PROJECT --scheduler {started.address}\n"
            "Ctrl-C stops it.",
        )
        while not cancel.is_set():
            time.sleep(0.2)
            if not started.alive():
                raise SlagsegError("The scheduler ended by itself. Start it again.")


__all__ = ["cluster"]
