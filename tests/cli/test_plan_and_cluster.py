"""What the long steps will take, and a cluster on this machine."""

import json
import os
import signal
import subprocess
import sys

import pytest

from napari_slagseg.workflow.blockwise.memory import BASE_BYTES

SHAPE = [56, 96, 96]


def test_a_plan_before_anything_was_trained(slagseg, tiny_project):
    answer = slagseg("plan", tiny_project, "--memory", "2GB", "--workers", 3, "--json")
    assert answer.code == 0, answer
    steps = answer.values["steps"]
    assert list(steps) == ["segment", "suspects", "measure"]
    segment = steps["segment"]
    assert segment["shape"] == segment["block"] == SHAPE
    assert (segment["blocks"], segment["workers"], segment["backend"]) == (1, 1, "threads")
    assert segment["bytes_in_all"] == BASE_BYTES + 24 * 56 * 96 * 96
    assert segment["result_bytes"] == 4.5 * 56 * 96 * 96
    assert segment["fits"] is True
    assert segment["seconds"] is None
    assert "not trained yet" in segment["how"]
    assert "no segmentation yet" in steps["measure"]["how"]


def test_a_plan_in_words(slagseg, tiny_project):
    answer = slagseg("plan", tiny_project)
    assert "blocks   1 of 56 x 96 x 96 voxels" in answer.out
    assert "time     not known yet (the networks are not trained yet" in answer.out
    assert not (tiny_project / ".work").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--memory", "much"), "such as 8GB"),
        (("--memory", "100MB"), "at least --memory"),
        (("--workers", 0), "--workers 0"),
        (("--scheduler", "8786"), "No dask scheduler answers at '8786'"),
        (("--backend", "dask"), "needs the address"),
    ],
)
def test_resources_that_cannot_be(slagseg, refused, tiny_project, options, words):
    refused(slagseg("plan", tiny_project, *options), words)


@pytest.mark.parametrize("command", ["segment", "measure", "run"])
def test_steps_refuse_them_before_any_work(slagseg, refused, tiny_project, command):
    refused(slagseg(command, tiny_project, "--memory", "much"), "such as 8GB")


def test_a_cluster_runs_until_ctrl_c(slagseg, tiny_project):
    program = "from napari_slagseg.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "cluster", "--workers", "1", "--memory", "2GB",
         "--port", "0", "--json"],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}, text=True,
    )  # fmt: skip
    try:
        lines = []
        while not lines or lines[-1].rstrip() != "}":
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended before it said where it is"
        said = json.loads("".join(lines))
        assert (said["workers"], said["bytes_per_worker"]) == (1, 2_000_000_000)
        answer = slagseg("plan", tiny_project, "--scheduler", said["scheduler"], "--json")
        assert answer.values["steps"]["segment"]["backend"] == "dask"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) in (0, 130)
    finally:
        process.kill()
        process.wait()
