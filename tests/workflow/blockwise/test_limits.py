"""Work keeps to its bound of memory, and tells of a disk that takes no more."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from napari_slagseg.workflow.blockwise.memory import BASE_BYTES

ROOT = Path(__file__).parents[3]


def start(call, *arguments):
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    script = f"from tests.workflow.blockwise import toy_tasks; toy_tasks.{call}(*{arguments!r})"
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def peak_of(process):
    """Most memory of a process and its children together, in bytes."""
    peak, parent = 0, psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        try:
            for one in (parent, *parent.children(recursive=True)):
                total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        peak = max(peak, total)
        time.sleep(0.01)
    return peak


@pytest.mark.parametrize(
    ("backend", "memory", "number"),
    [("threads", 800_000_000, 8), ("processes", 1_500_000_000, 4)],
)
def test_memory_stays_below_the_bound(tmp_path, backend, memory, number):
    process = start("drive_within", str(tmp_path), (256, 512, 512), backend, memory)
    peak = peak_of(process)
    out, said = process.communicate()
    assert (process.returncode, said) == (0, "")
    # at most two blocks of 256^3 at 12 bytes a voxel at the same time, and what processes take
    alone = 3 if backend == "processes" else 1
    assert memory >= alone * BASE_BYTES + 2 * 12 * 256**3
    blocks, workers, held = map(int, out.split())
    assert (blocks, workers) == (number, 2)
    assert held == 9 * 256 * 512 * 512
    assert peak <= memory
    # it was measured at all: two tasks of 9 bytes a voxel were there at the same time
    assert peak > 2 * 9 * held // (9 * number)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are of POSIX")
@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_file_that_cannot_be_written_is_told_and_what_was_done_is_kept(tmp_path, backend):
    process = start("write_until_full", str(tmp_path / "work"), backend)
    out, said = process.communicate()
    assert (process.returncode, said) == (0, "")
    error, done = out.splitlines()
    assert "noise.zarr" in error
    assert "could not be written" in error
    assert "free on the disk" in error
    assert "only what is missing is done" in error
    assert done == "['0-0-0.arr', '0-0-1.arr']"
