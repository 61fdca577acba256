"""Seconds and memory of placing a full-size map.

    python -m benchmarks.placement_speed --cache DIR [--slices 400 2000] [--threads 4 1]
        [--level hard] [--window 200]

A map of about 2230 x 2230 px in 1000 x 1000 x 400 voxels, and in 2000 slices, with
nothing known and with a height window of +-200 voxels. 2000 slices are five phantoms of
different seeds on top of each other; the map is of the third. Each case runs in a process of
its own, confined to so many cores, which compiles on a small phantom first; its largest
resident memory is what the kernel counted (the CT in memory included). Stages are taken
from the progress that placing reports.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

PRESET = "full"
SLICES = 400
MIDDLE = 2
"""Of five phantoms on top of each other, the one that the map is of."""


def stack(cache: Path, level: str, slices: int) -> Any:
    """The CT (memory-mapped) and the map's task; made and kept where missing."""
    from benchmarks.placement.cases import task
    from benchmarks.placement.samples import code_version, load, make, packed_sample

    from napari_slagseg.data import Volume
    from napari_slagseg.phantom import cut_maps
    from napari_slagseg.phantom.presets import VOXEL_UM

    count = max(1, slices // SLICES)
    seeds = list(range(count))
    own = seeds[min(MIDDLE, count - 1)]
    file = cache / f"{PRESET}-{slices}-{level}-{code_version()}.npy"
    if not file.exists():
        unfinished = file.with_suffix(f".{os.getpid()}.tmp")
        out = None
        for seed in seeds:
            make(cache, PRESET, seed, [level])
            data = load(cache, PRESET, level, seed, 0).ct.data
            if out is None:
                whole = (count * len(data), *data.shape[1:])
                out = np.lib.format.open_memmap(unfinished, "w+", data.dtype, whole)
            out[seed * len(data) : (seed + 1) * len(data)] = data
        assert out is not None
        out.flush()
        unfinished.replace(file)
    cut = task(cut_maps(packed_sample(cache, PRESET, own), level)[0])  # type: ignore[arg-type]
    cut.coordinates[..., 0] += own * SLICES
    return Volume(np.load(file), (VOXEL_UM,) * 3, f"{slices} slices"), cut


class Stages:
    """Seconds of each stage that progress names."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._since = "", time.perf_counter()

    def __call__(self, event: Any) -> None:
        """Listen to progress."""
        self.enter(event.stage)

    def enter(self, stage: str) -> None:
        """End the stage that runs and begin another."""
        if stage != self._stage:
            now = time.perf_counter()
            if self._stage:
                taken = now - self._since
                self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + taken
            self._stage, self._since = stage, now


def peak_mb() -> float:
    """Largest resident memory of this process since it began, as the kernel counted it.

    Not `getrusage`: that starts from the size of the process that started this one.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


def measure(cache: Path, level: str, slices: int, window: float | None, send: Any) -> None:
    """One case, in a process of its own."""
    from benchmarks.placement.measuring import Row, judge
    from benchmarks.placement.phantom_job import compile_kernels

    from napari_slagseg.registration import place_map, prepare_ct

    compile_kernels()
    ct, task = stack(cache, level, slices)
    loaded = peak_mb()
    hints = {}
    if window is not None:
        middle = float(task.coordinates[..., 0].mean())
        hints["height_window"] = (middle - window, middle + window)
    stages, cpu, began = Stages(), time.process_time(), time.perf_counter()
    prepared = prepare_ct(ct, progress=stages)
    ready = time.perf_counter()
    placed = place_map(prepared, task.given, progress=stages, **hints)
    done = time.perf_counter()
    stages.enter("")
    row = Row("ours", PRESET, level, MIDDLE, "", task.given.name, True)
    judge(row, placed, task)
    send.send(
        {
            "prepare": ready - began,
            "place": done - ready,
            "cpu": time.process_time() - cpu,
            "inputs_mb": loaded,
            "peak_mb": peak_mb(),
            "median": row.median,
            "p95": row.p95,
            "worst": row.worst,
            "cutouts": row.cutouts,
            "within_1": row.centre_within_1,
            "verdict": row.verdict,
            "reason": row.reason,
            "stages": {k: round(v, 2) for k, v in stages.seconds.items()},
        }
    )


def main() -> None:
    """Print a block a case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--level", default="hard")
    parser.add_argument("--slices", type=int, nargs="+", default=[400, 2000])
    parser.add_argument("--threads", type=int, nargs="+", default=[4, 1])
    parser.add_argument("--window", type=float, default=200.0, help="+- so many slices; 0: none")
    parser.add_argument("--make-only", action="store_true", help="make the phantoms and end")
    o = parser.parse_args()
    o.cache.mkdir(parents=True, exist_ok=True)
    for slices in o.slices:
        began = time.perf_counter()
        shape = stack(o.cache, o.level, slices)[0].shape
        print(f"CT {shape} is there after {time.perf_counter() - began:.0f} s", flush=True)
    if o.make_only:
        return
    context = multiprocessing.get_context("spawn")
    cores = sorted(os.sched_getaffinity(0))
    for slices in o.slices:
        for window in [None, o.window] if slices > SLICES and o.window else [None]:
            for threads in o.threads:
                if threads > len(cores):
                    print(f"{threads} threads: skipped, only {len(cores)} cores may be used")
                    continue
                os.environ |= {"NUMBA_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
                os.sched_setaffinity(0, cores[:threads])
                receive, send = context.Pipe(duplex=False)
                arguments = (o.cache, o.level, slices, window, send)
                process = context.Process(target=measure, args=arguments)
                process.start()
                os.sched_setaffinity(0, cores)
                send.close()
                try:
                    found = receive.recv()
                except EOFError:
                    sys.exit(f"{slices} slices on {threads} threads ended without a result.")
                process.join()
                known = "nothing known" if window is None else f"height +-{window:g}"
                total = found["prepare"] + found["place"]
                print(
                    f"\n{slices} slices, {known}, {threads} threads: {total:.1f} s "
                    f"(prepare {found['prepare']:.1f}, place {found['place']:.1f}; "
                    f"processor {found['cpu']:.1f}), peak {found['peak_mb']:.0f} MB "
                    f"(with the CT loaded {found['inputs_mb']:.0f})\n"
                    f"  median {found['median']:.2f}, 95 % {found['p95']:.2f}, worst "
                    f"{found['worst']:.2f} voxels, {found['within_1']} of {found['cutouts']} "
                    f"cutouts within one; {found['verdict']} {found['reason']}\n"
                    f"  stages: {json.dumps(found['stages'])}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
