"""Descriptors: our voxel pass and boxes beside scikit-image on the same labels.

    python benchmarks/descriptors.py [--sizes 128 192 256] [--particle 24]

Rough ellipsoids of two phases on a jittered lattice. Times are the best of three
after a first call that compiles; every method runs in a process of its own, whose
largest resident memory above the inputs is shown. scikit-image has no intergrowth, surface
liberation or oriented boxes: its rows do less. Marching cubes on the raw mask reads
surfaces 8 to 9 % long. trimesh joins where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil

BOXES_TRIMESH = 40  # particles timed with trimesh, then scaled up


def make_sample(edge: int, particle: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and phases of rough ellipsoids, one in each cell of a lattice."""
    rng = np.random.default_rng(0)
    labels = np.zeros((edge,) * 3, np.uint32)
    cell = particle + 2
    label = 0
    for z in range(0, edge - cell + 1, cell):
        for y in range(0, edge - cell + 1, cell):
            for x in range(0, edge - cell + 1, cell):
                label += 1
                axes = rng.uniform(0.3, 0.5, 3) * particle
                turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
                centre = cell / 2 + rng.uniform(-1, 1, 3)
                places = np.moveaxis(np.indices((cell,) * 3), 0, -1) - centre
                inside = (((places @ turn) / axes) ** 2).sum(-1)
                inside += rng.normal(0, 0.08, inside.shape)
                block = labels[z : z + cell, y : y + cell, x : x + cell]
                block[inside <= 1] = label
    blotches = np.sin(np.indices(labels.shape, dtype=np.float32).sum(0) / 3) > 0
    phases = np.where(labels > 0, 1 + blotches, 0).astype(np.uint8)
    return labels, phases


def ours(labels: np.ndarray, phases: np.ndarray) -> None:
    """The whole table."""
    from napari_slagseg.data import phase_table_of
    from napari_slagseg.descriptors import describe_particles

    names = ["background", "target", "rest"]
    table = phase_table_of(names, ["#000000", "#d55e00", "#56b4e9"]).with_target("target")
    describe_particles(labels, phases, 1.0, table)


def ours_voxels(labels: np.ndarray, phases: np.ndarray) -> None:
    """All sums and surfaces, no boxes."""
    from napari_slagseg.descriptors.labels_present import label_rows
    from napari_slagseg.descriptors.surface_weights import pair_weights
    from napari_slagseg.descriptors.voxel_pass import voxel_sums

    rows = label_rows(labels)
    slots = np.array([2, 0, 1], np.int32)[np.minimum(np.arange(256), 2)]
    weights, _ = pair_weights((1.0, 1.0, 1.0))
    voxel_sums(rows.array, phases, rows.row_of, slots, 0, len(rows.labels), weights)


def ours_boxes(labels: np.ndarray, phases: np.ndarray) -> None:
    """Oriented boxes alone (bounding boxes from scipy)."""
    from scipy.ndimage import find_objects

    from napari_slagseg.descriptors.boxes import particle_boxes

    cuts = find_objects(labels.astype(np.int32))
    low = np.array([[s.start for s in cut] for cut in cuts], np.int32)
    high = np.array([[s.stop - 1 for s in cut] for cut in cuts], np.int32)
    particle_boxes(labels, np.arange(1, len(cuts) + 1), low, high, (1.0, 1.0, 1.0))


def regionprops(labels: np.ndarray, phases: np.ndarray) -> None:
    """Count, box, centroid and target share."""
    from skimage.measure import regionprops_table

    properties = ("label", "area", "bbox", "centroid", "mean_intensity")
    regionprops_table(labels.astype(np.int32), phases == 1, properties=properties)


def marching_cubes(labels: np.ndarray, phases: np.ndarray) -> None:
    """Surface of each particle in its own box."""
    from scipy.ndimage import find_objects
    from skimage.measure import marching_cubes as mesh
    from skimage.measure import mesh_surface_area

    for label, cut in enumerate(find_objects(labels.astype(np.int32)), start=1):
        vertices, faces, _, _ = mesh(np.pad(labels[cut] == label, 1).astype(np.float32), 0.5)
        mesh_surface_area(vertices, faces)


def trimesh_boxes(labels: np.ndarray, phases: np.ndarray) -> None:
    """Oriented boxes of the first `BOXES_TRIMESH` particles."""
    import trimesh
    from scipy.ndimage import find_objects

    offsets = np.indices((2, 2, 2)).reshape(3, -1).T - 0.5
    for label, cut in enumerate(find_objects(labels.astype(np.int32))[:BOXES_TRIMESH], start=1):
        corners = np.argwhere(labels[cut] == label)[:, None] + offsets
        trimesh.bounds.oriented_bounds(corners.reshape(-1, 3))


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], None]] = {
    "ours: all descriptors": ours,
    "ours: voxel pass": ours_voxels,
    "ours: oriented boxes": ours_boxes,
    "skimage regionprops": regionprops,
    "skimage marching cubes": marching_cubes,
    "trimesh boxes": trimesh_boxes,
}


class PeakMemory:
    """Largest resident memory while it is open, above that at its start; looked at every ms."""

    def __enter__(self) -> PeakMemory:
        self.process = psutil.Process()
        self.start = self.largest = self.process.memory_info().rss
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.stop.wait(0.001):
            self.largest = max(self.largest, self.process.memory_info().rss)

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self.thread.join()
        self.megabytes = (self.largest - self.start) / 2**20


def measure(name: str, edge: int, particle: int, repeats: int, pipe: Any) -> None:
    """Time one method; send seconds, MB above the inputs, particles.

    Memory is watched in a call of its own, so that watching costs no time. A call
    before it would leave freed memory resident and hide what is taken: so it comes first.
    """
    tiny = make_sample(2 * particle + 8, particle)
    METHODS[name](*tiny)  # compiles and imports
    labels, phases = make_sample(edge, particle)
    with PeakMemory() as memory:
        METHODS[name](labels, phases)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        METHODS[name](labels, phases)
        times.append(time.perf_counter() - start)
    pipe.send((min(times), memory.megabytes, int(labels.max())))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 192, 256])
    parser.add_argument("--particle", type=int, default=24, help="diameter in voxels")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(f"{'method':24} {'edge':>5} {'n':>6} {'s':>8} {'Mvox/s':>8} {'ms/part.':>9} {'+MB':>7}")
    for edge in arguments.sizes:
        seconds: dict[str, float] = {}
        for name in METHODS:
            if name.startswith("trimesh") and importlib.util.find_spec("trimesh") is None:
                print(f"{name:24} {edge:5}  trimesh is not installed")
                continue
            receive, send = context.Pipe(duplex=False)
            task = (name, edge, arguments.particle, arguments.repeats, send)
            process = context.Process(target=measure, args=task)
            process.start()
            send.close()  # so that a child that dies ends the wait
            try:
                taken, memory, n = receive.recv()
            except EOFError:
                sys.exit(f"{name} at {edge} ended without a result.")
            process.join()
            if name.startswith("trimesh"):
                taken *= n / min(n, BOXES_TRIMESH)
            seconds[name] = taken
            rate, each = edge**3 / taken / 1e6, 1e3 * taken / n
            print(f"{name:24} {edge:5} {n:6} {taken:8.3f} {rate:8.1f} {each:9.3f} {memory:7.0f}")
        peers = seconds["skimage regionprops"] + seconds["skimage marching cubes"]
        passes, whole = seconds["ours: voxel pass"], seconds["ours: all descriptors"]
        print(
            f"  regionprops + marching cubes / voxel pass: {peers / passes:.1f}; "
            f"/ all descriptors, boxes included: {peers / whole:.1f}\n"
        )


if __name__ == "__main__":
    main()
