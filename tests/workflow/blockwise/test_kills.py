"""Runs that are killed at random moments end as undisturbed ones do."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.workflow.blockwise import toy_tasks as toys

from napari_slagseg.data import BlockGrid

ROOT = Path(__file__).parents[3]
SCRIPT = "from tests.workflow.blockwise import toy_tasks; toy_tasks.drive(*{arguments!r})"


def records(folder):
    return len(list(folder.glob("done/*/*.arr")))


def start(arguments):
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(arguments=arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
    )


def killed_while_working(process, folder, more, chance):
    """Kill a run's driver, or first one of its workers, when it has done `more` blocks.

    Returns False if it ended before that.
    """
    target = records(folder) + more
    while records(folder) < target:
        if process.poll() is not None:
            return False
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.03))
    workers = []
    try:
        workers = psutil.Process(process.pid).children()
        if workers and chance.random() < 0.5:
            os.kill(chance.choice(workers).pid, signal.SIGKILL)
            time.sleep(chance.uniform(0, 0.03))
    except (psutil.NoSuchProcess, ProcessLookupError):
        pass
    process.kill()
    process.communicate()
    gone = psutil.wait_procs(workers, timeout=30)[1]
    assert gone == [], "workers outlive the process that started them"
    return True


@pytest.mark.parametrize(
    ("kills", "shape", "edge", "more"),
    [
        (5, (20, 20, 20), 8, 5),
        pytest.param(50, (50, 40, 50), 10, 2, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def test_killed_at_random_moments(tmp_path, kills, shape, edge, more):
    calls = tmp_path / "calls"
    calls.mkdir()
    folder, out = tmp_path / "work", tmp_path / "out.npz"
    arguments = (str(folder), str(calls), str(out), shape, edge)
    chance = random.Random(5)
    for _ in range(kills):
        assert killed_while_working(start(arguments), folder, more, chance)
    last = start(arguments)
    _, said = last.communicate(timeout=300)
    assert (last.returncode, said) == (0, b"")
    grid = BlockGrid.of(shape, edge)
    sums, second = toys.expected(grid)
    with np.load(out) as found:
        np.testing.assert_array_equal(found["sums"], sums)
        np.testing.assert_array_equal(found["second"], second)
    # none was done again but those that were being done when a kill came, two at a time
    assert len(list(calls.iterdir())) <= len(grid) + 2 * kills + kills
