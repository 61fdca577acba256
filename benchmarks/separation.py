"""Particles: our separation beside what a user would pick instead, on the same packing.

    python benchmarks/separation.py [--edge 256 512] [--threads 4] [--repeats 3]

Times are the best of some calls after a first one that compiles; all methods at one edge
run one after the other, each in a process of its own, whose largest resident memory above
the inputs is shown in bytes a voxel. Inputs of a watershed are the heights, the markers
and the foreground; SimpleITK knows no foreground and floods the background last.

"Ours faster" compares what a user waits, with the best number of threads; "on a core"
compares seconds of processor time, and means something also where others use the machine.

The rows "all of it" start from phases and probability and end with numbered particles of
at least 100 voxels: components, watershed, pieces without a marker, small ones.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import cc3d
import numpy as np
import psutil
from packing import packing

THRESHOLD = 0.5
SMALLEST = 100


class Inputs:
    """What the methods get; heights and markers are made before the clock starts."""

    def __init__(self, edge: int, threads: int) -> None:
        labels, self.phases, self.probability = packing(edge)
        self.threads = threads
        self.labels = np.ascontiguousarray(labels)
        self.foreground = self.phases > 0
        self.seeds = self.foreground & (self.probability > int(255 * THRESHOLD))
        self.markers = cc3d.connected_components(
            self.seeds, connectivity=6, out_dtype=np.uint32
        ).astype(np.int32)
        self.heights = 255 - self.probability


def run_of(inputs: Inputs) -> Any:
    """Blocks in threads."""
    from napari_slagseg.data import BlockGrid, ThreadRun
    from napari_slagseg.segmentation.separation import block_edge

    return ThreadRun(
        BlockGrid.of(inputs.phases.shape, block_edge(inputs.phases.size)), inputs.threads
    )


def ours_watershed(inputs: Inputs) -> Any:
    """Flood alone: the markers' numbers are there, as they are for the others."""
    from napari_slagseg.segmentation.pieces import PiecesOf, joined_pieces
    from napari_slagseg.segmentation.watershed import FloodState, flood_blocks

    source = PiecesOf(inputs.seeds, by_value=False)
    tables = joined_pieces(source, run_of(inputs), name="m", says="", part=(0, 1)).tables

    def work() -> Any:
        run = run_of(inputs)
        labels = run.scratch("labels", np.uint32)
        state = FloodState(labels, run.scratch("costs", np.uint32))
        phases, probability = inputs.phases, inputs.probability
        flood_blocks(phases, probability, source, tables, state, run, says="", part=(0, 1))
        return labels

    return work


def skimage_watershed(inputs: Inputs) -> Any:
    """Flood of scikit-image."""
    from skimage.segmentation import watershed

    return lambda: watershed(inputs.heights, inputs.markers, mask=inputs.foreground)


def simpleitk_watershed(inputs: Inputs) -> Any:
    """Flood of ITK; the background's height is the greatest."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(inputs.threads)
    heights = SimpleITK.GetImageFromArray(np.where(inputs.foreground, inputs.heights, 255))
    markers = SimpleITK.GetImageFromArray(inputs.markers.astype(np.uint32))

    def work() -> Any:
        flooded = SimpleITK.MorphologicalWatershedFromMarkers(
            heights, markers, markWatershedLine=False, fullyConnected=False
        )
        return SimpleITK.GetArrayFromImage(flooded) * inputs.foreground

    return work


def ours_all(inputs: Inputs) -> Any:
    """Everything."""
    from napari_slagseg.segmentation import separate_particles

    return lambda: (
        separate_particles(
            inputs.phases,
            inputs.probability,
            threshold=THRESHOLD,
            minimum_voxels=SMALLEST,
            threads=inputs.threads,
        ).particles
    )


def plain_all(inputs: Inputs) -> Any:
    """Everything with cc3d and scikit-image."""
    from skimage.segmentation import watershed

    def work() -> Any:
        foreground = inputs.phases > 0
        seeds = foreground & (inputs.probability > int(255 * THRESHOLD))
        markers, n = cc3d.connected_components(seeds, connectivity=6, return_N=True)
        flooded = watershed(255 - inputs.probability, markers.astype(np.int32), mask=foreground)
        rest = cc3d.connected_components(foreground & (flooded == 0), connectivity=6)
        flooded = np.where(rest > 0, rest + np.int32(n), flooded).astype(np.int32)
        kept = np.bincount(flooded.ravel()) >= SMALLEST
        kept[0] = False
        return np.where(kept, np.cumsum(kept), 0)[flooded].astype(np.uint32)

    return work


def ours_components(inputs: Inputs) -> Any:
    """Blocks of cc3d, joined."""
    from napari_slagseg.segmentation import connected_pieces

    def work() -> Any:
        out = np.empty(inputs.phases.shape, np.uint32)
        connected_pieces(inputs.foreground, out, run_of(inputs), by_value=False)
        return out

    return work


def cc3d_components(inputs: Inputs) -> Any:
    """The whole volume at once."""
    return lambda: cc3d.connected_components(inputs.foreground, connectivity=6)


def scipy_components(inputs: Inputs) -> Any:
    """scipy.ndimage.label."""
    from scipy.ndimage import label

    return lambda: label(inputs.foreground)[0]


def skimage_components(inputs: Inputs) -> Any:
    """skimage.measure.label."""
    from skimage.measure import label

    return lambda: label(inputs.foreground, connectivity=1)


def ours_small(inputs: Inputs) -> Any:
    """Count and renumber, in blocks."""
    from napari_slagseg.segmentation import remove_small_in_blocks

    def work() -> Any:
        out = np.empty(inputs.labels.shape, np.uint32)
        remove_small_in_blocks(inputs.labels, out, run_of(inputs), 20 * SMALLEST)
        return out

    return work


def cc3d_small(inputs: Inputs) -> Any:
    """cc3d.dust, told that the labels are components already."""
    return lambda: cc3d.dust(
        inputs.labels, threshold=20 * SMALLEST, connectivity=6, precomputed_ccl=True
    )


def skimage_small(inputs: Inputs) -> Any:
    """skimage.morphology.remove_small_objects."""
    from skimage.morphology import remove_small_objects

    signed = inputs.labels.astype(np.int32)
    return lambda: remove_small_objects(signed, max_size=20 * SMALLEST - 1)


TASKS: dict[str, dict[str, Callable[[Inputs], Any]]] = {
    "watershed": {
        "ours": ours_watershed,
        "scikit-image": skimage_watershed,
        "SimpleITK": simpleitk_watershed,
    },
    "all of it": {"ours": ours_all, "cc3d, scikit-image": plain_all},
    "components": {
        "ours": ours_components,
        "cc3d": cc3d_components,
        "scipy": scipy_components,
        "scikit-image": skimage_components,
    },
    "drop small": {"ours": ours_small, "cc3d.dust": cc3d_small, "scikit-image": skimage_small},
}


class PeakMemory:
    """Largest resident memory while it is open, above that at its start."""

    def __enter__(self) -> PeakMemory:
        self.process = psutil.Process()
        self.start = self.largest = self.process.memory_info().rss
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.stop.wait(0.002):
            self.largest = max(self.largest, self.process.memory_info().rss)

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self.thread.join()
        self.bytes = self.largest - self.start


def measure(task: str, method: str, edge: int, threads: int, repeats: int, pipe: Any) -> None:
    """Send seconds, seconds of processor time, bytes above the inputs, and the result's sum."""
    TASKS[task][method](Inputs(48, 1))()  # compiles and imports
    work = TASKS[task][method](Inputs(edge, threads))
    with PeakMemory() as memory:
        result = work()
    check = int(np.count_nonzero(result))
    del result
    times, processor = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        work()
        times.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    pipe.send((min(times), min(processor), memory.bytes, check))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, nargs="+", default=[256])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4], help="for ours")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--task", nargs="+", choices=list(TASKS), default=list(TASKS))
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(
        f"{'task':11} {'method':19} {'edge':>5} {'threads':>7} {'s':>8} {'cpu s':>7} "
        f"{'Mvoxel/s':>8} {'bytes/voxel':>11} {'ours faster':>11} {'on a core':>9}"
    )
    for edge in arguments.edge:
        for task in arguments.task:
            best, least = 0.0, float("inf")
            for method in TASKS[task]:
                for threads in arguments.threads if method == "ours" else [1]:
                    receive, send = context.Pipe(duplex=False)
                    given = (task, method, edge, threads, arguments.repeats, send)
                    process = context.Process(target=measure, args=given)
                    process.start()
                    send.close()  # so that a child that dies ends the wait
                    try:
                        taken, used, memory, _ = receive.recv()
                    except EOFError:
                        sys.exit(f"{task} with {method} at {edge} ended without a result.")
                    process.join()
                    rate = edge**3 / taken / 1e6
                    if method == "ours":
                        best, least = max(best, rate), min(least, used)
                        ratio = ""
                    else:
                        ratio = f"{best / rate:10.1f}x {used / least:8.1f}x"
                    print(
                        f"{task:11} {method:19} {edge:5} {threads:7} {taken:8.2f} {used:7.2f} "
                        f"{rate:8.1f} {memory / edge**3:11.1f} {ratio}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
