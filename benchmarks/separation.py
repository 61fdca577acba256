"""Particles: our separation beside what a user would pick instead, on the same packing.

    python -m benchmarks.separation [--edge 256 512] [--threads 1 2 4] [--repeats 3] [--complete]

Times are the best of some calls after a first one that compiles; all methods at one edge
run one after the other, each in a process of its own, whose largest resident memory above
the inputs is shown in bytes a voxel. Inputs of a watershed are the heights, the markers
and the foreground; SimpleITK knows no foreground and floods the background last.
`--threads` are those of ours; SimpleITK gets the most of them.

The column "ours" is how many times as fast ours is as that peer, with the most threads asked
for; "a core" compares seconds of processor time, and means something also where others use
the machine. "Scaling" is ours against ours on the fewest threads asked for. Peers of an edge
above 256 that would take over a minute are left out unless `--complete` is given.

The rows "all of it" start from phases and probability and end with numbered particles of
at least 100 voxels: components, watershed, pieces without a marker, small ones.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cc3d
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # also as a script

from benchmarks.packing import packing
from benchmarks.peak_memory import PeakMemory

THRESHOLD = 0.5
SMALLEST = 100
A_MINUTE = 60.0
SLOW = {"watershed": ("scikit-image",), "all of it": ("cc3d, scikit-image",)}
"""Peers that take longer than a minute for 512^3, and about in proportion to the voxels."""


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
    markers = joined_pieces(source, run_of(inputs), name="m", says="", part=(0, 1))

    def work() -> Any:
        run = run_of(inputs)
        labels = run.scratch("labels", np.uint32)
        state = FloodState(labels, run.scratch("costs", np.uint32))
        phases, probability = inputs.phases, inputs.probability
        flood_blocks(
            phases, probability, markers.blocks, markers.tables, state, run, says="", part=(0, 1)
        )
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
    """Slabs, joined."""
    from napari_slagseg.segmentation import label_pieces

    return lambda: label_pieces(inputs.foreground, threads=inputs.threads)[0]


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
    """Count and renumber."""
    from napari_slagseg.segmentation import remove_small

    return lambda: remove_small(inputs.labels, 20 * SMALLEST, threads=inputs.threads)


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


@dataclass(frozen=True)
class Row:
    """One method at one edge.

    Attributes
    ----------
    task, method : str
    edge, threads : int
    seconds, processor_seconds : float
        The least of some calls.
    bytes_a_voxel : float
        Largest resident memory above the inputs.
    voxels : int
        That the result is not 0 at.
    """

    task: str
    method: str
    edge: int
    threads: int
    seconds: float
    processor_seconds: float
    bytes_a_voxel: float
    voxels: int

    @property
    def rate(self) -> float:
        """Mvoxel/s."""
        return self.edge**3 / self.seconds / 1e6


def _measure(task: str, method: str, edge: int, threads: int, repeats: int, pipe: Any) -> None:
    """Send the numbers of a row."""
    TASKS[task][method](Inputs(48, 1))()  # compiles and imports
    work = TASKS[task][method](Inputs(edge, threads))
    with PeakMemory() as memory:
        start, used = time.perf_counter(), time.process_time()
        result = work()
        times = [time.perf_counter() - start]
        processor = [time.process_time() - used]
    voxels = int(np.count_nonzero(result))
    del result
    for _ in range(repeats - 1 if times[0] < A_MINUTE else 0):
        start, used = time.perf_counter(), time.process_time()
        work()
        times.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    pipe.send((min(times), min(processor), memory.bytes / edge**3, voxels))


def measured(task: str, method: str, edge: int, threads: int, repeats: int) -> Row:
    """Time one method in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(task, method, edge, threads, repeats, send))
    process.start()
    send.close()  # so that a child that dies ends the wait
    try:
        numbers = receive.recv()
    except EOFError:
        sys.exit(f"{task} with {method} at {edge} ended without a result.")
    finally:
        process.join()
    return Row(task, method, edge, threads, *numbers)


def rows_of(
    task: str, edge: int, threads: Sequence[int], repeats: int, *, complete: bool = True
) -> Iterator[Row]:
    """Ours with each number of threads, then the peers."""
    for method in TASKS[task]:
        if method == "ours":
            for n in threads:
                yield measured(task, method, edge, n, repeats)
        elif complete or edge <= 256 or method not in SLOW.get(task, ()):
            n = max(threads) if method == "SimpleITK" else 1
            yield measured(task, method, edge, n, repeats)


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.separation", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--edge", type=int, nargs="+", default=[256])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4], help="for ours")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--task", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument(
        "--complete", action="store_true", help="also peers that take over a minute"
    )
    arguments = parser.parse_args(argv)
    threads = sorted(set(arguments.threads))
    print(
        f"{'task':11} {'method':19} {'edge':>5} {'threads':>7} {'s':>8} {'cpu s':>7} "
        f"{'Mvoxel/s':>8} {'bytes/voxel':>11} {'scaling':>8} {'ours':>8} {'a core':>8}"
    )
    for edge in arguments.edge:
        for task in arguments.task:
            ours: list[Row] = []
            for row in rows_of(task, edge, threads, arguments.repeats, complete=arguments.complete):
                if row.method == "ours":
                    ours.append(row)
                    more = f"{ours[0].seconds / row.seconds:7.2f}x"
                else:
                    least = min(r.processor_seconds for r in ours)
                    more = f"{'':8} {row.seconds / ours[-1].seconds:7.1f}x "
                    more += f"{row.processor_seconds / least:7.1f}x"
                print(
                    f"{task:11} {row.method:19} {edge:5} {row.threads:7} {row.seconds:8.3f} "
                    f"{row.processor_seconds:7.3f} {row.rate:8.1f} {row.bytes_a_voxel:11.1f} "
                    f"{more}",
                    flush=True,
                )
            left = [m for m in SLOW.get(task, ()) if edge > 256 and not arguments.complete]
            if left:
                print(f"{task:11} left out, over a minute: {', '.join(left)} (--complete)")


if __name__ == "__main__":
    main()
