"""Kill commands and their workers at random moments; the results must be those of a quiet run.

    python -m benchmarks.kills FOLDER [--kills 50] [--edge 300]

For `slagseg predict`, `separate` and `describe` in turn: run once undisturbed; then start
the command again and again, each time killing (SIGKILL) at a random moment the command
itself, one of its workers, or all of them together, until the command has come to its end.
Then every array and the table are compared with those of the undisturbed run, bit for bit.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import zarr
from benchmarks.full_run import make_inputs, random_networks


def commands(folder: Path, out: Path, workers: int) -> dict[str, list[str]]:
    """Commands by name; each writes into `out`."""
    store = folder / "predicted.zarr"
    within = ["--workers", str(workers), "--backend", "processes", "--quiet"]
    return {
        "predict": [
            "predict", str(folder / "ct.tif"), "--phase-model", str(folder / "phase_tiny"),
            "--particle-model", str(folder / "particle_tiny"), "--voxel-size", "2",
            "--threshold", "0.5", "--out", str(out / "segmented.zarr"), *within,
        ],
        "separate": [
            "separate", f"{store}/phases", f"{store}/particle_probability",
            "--out", str(out / "particles.zarr"), *within,
        ],
        "describe": [
            "describe", f"{out / 'particles.zarr'}/particles", f"{store}/phases",
            "--target", "1", "--out", str(out / "particles.csv"), *within,
        ],
    }  # fmt: skip


def start(arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own."""
    slagseg = Path(sys.executable).with_name("slagseg")
    return subprocess.Popen([slagseg, *arguments], start_new_session=True)


def disturb(process: subprocess.Popen[bytes], within_s: float, chance: random.Random) -> str:
    """Kill something of a running command at a random moment; what it was, or ""."""
    try:
        process.wait(chance.uniform(0.3, within_s))
    except subprocess.TimeoutExpired:
        pass
    else:
        return ""
    what = chance.choice(["command", "worker", "all"])
    if what == "worker":
        with suppress(psutil.Error):
            children = psutil.Process(process.pid).children(recursive=True)
            if children:
                chance.choice(children).kill()
                return "worker"
        return ""
    if what == "command":
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return what


def differences(one: Path, other: Path) -> list[str]:
    """Arrays and tables of two folders that differ, or are in one of them only."""
    found = []
    for path in sorted(one.glob("*.csv")):
        if path.read_bytes() != (other / path.name).read_bytes():
            found.append(path.name)
    for store in sorted(one.glob("*.zarr")):
        for name, array in arrays_of(store).items():
            twin = arrays_of(other / store.name).get(name)
            if twin is None or not np.array_equal(array[...], twin[...]):
                found.append(f"{store.name}/{name}")
    return found


def arrays_of(store: Path) -> dict[str, zarr.Array]:
    """All arrays of a store, by path."""
    group = zarr.open_group(store, mode="r")
    return {
        name: node for name, node in group.members(max_depth=None) if isinstance(node, zarr.Array)
    }


def main(argv: list[str] | None = None) -> None:
    """Make inputs, run undisturbed, then kill."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--edge", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    folder: Path = args.folder
    chance = random.Random(args.seed)
    quiet, stormy = folder / "quiet", folder / "stormy"
    for place in (quiet, stormy):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    if not (folder / "predicted.zarr").is_dir():
        make_inputs(folder, (args.edge,) * 3, args.workers)
        random_networks(folder, "tiny")
    took = {}
    for name, arguments in commands(folder, quiet, args.workers).items():
        began = time.perf_counter()
        if start(arguments).wait():
            raise SystemExit(f"'{name}' fails undisturbed")
        took[name] = time.perf_counter() - began
        print(f"{name}: {took[name]:.0f} s undisturbed", flush=True)
    counts: dict[tuple[str, str], int] = {}
    rounds, starts = 0, 0
    while sum(counts.values()) < args.kills:
        rounds += 1
        shutil.rmtree(stormy)
        stormy.mkdir()
        for name, arguments in commands(folder, stormy, args.workers).items():
            # several kills before its end, but time for a block or two between them
            patience = max(8.0, 0.3 * took[name])
            while True:
                process = start(arguments)
                starts += 1
                what = disturb(process, patience, chance)
                if what:
                    counts[name, what] = counts.get((name, what), 0) + 1
                code = process.wait()
                if code == 0:
                    break
                if code != -signal.SIGKILL:
                    raise SystemExit(
                        f"'{name}' ended with {code} after a kill of {what or 'nothing'}"
                    )
        found = differences(quiet, stormy)
        print(
            f"round {rounds}: {sum(counts.values())} kills so far, differences: {found or 'none'}"
        )
        sys.stdout.flush()
        if found:
            raise SystemExit("the results of a disturbed run differ")
        if list(stormy.rglob(".work")):
            raise SystemExit(f"work was left behind in {list(stormy.rglob('.work'))}")
    for (name, what), n in sorted(counts.items()):
        print(f"{name:10}{what:10}{n:4}")
    print(f"{sum(counts.values())} kills in {starts} starts, {rounds} rounds: results equal")


if __name__ == "__main__":
    main()
