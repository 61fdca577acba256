"""Descriptors: our voxel pass and hulls beside what one would take instead, on the same labels.

    python -m benchmarks.descriptors [--edge 256 512] [--threads 1 4]

Particles of two phases in a packing (`packing.py`). Times are the best of three after a
first call that compiles; every method runs in a process of its own, whose largest resident
memory above its inputs is shown in bytes a voxel. Slow methods measure the first particles
or a part of the volume, and their times are scaled up; the table says where.

What the others give: scikit-image's regionprops count, box and centroid; marching cubes
the surface (8 to 9 % long on the raw mask), its hulls the largest Feret diameter and the
convex volume; cc3d count, box and centroid; SimpleITK the same surface as ours, boxes and more;
quantimpy volume, surface and curvatures; PoreSpy a table of shapes as wide as ours. None has
contacts of phases, grains, intergrowth or surface liberation. trimesh's boxes are of minimum
volume, as ours are; our row holds the Feret diameters, the sieve's hole and the hull besides. Of
sections, scikit-image's regionprops give area, perimeter, axes, largest Feret diameter, solidity.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from benchmarks.packing import packing
from benchmarks.peak_memory import PeakMemory

PARTICLES = 400  # meshed at most
BOXES = 30  # fitted at most by trimesh
HULLS = 60  # at most by scikit-image
PLANES = 5  # of the 50 of ours, at most by scikit-image
PORESPY_EDGE = 128


@dataclass
class Sample:
    """Labels and phases, and what methods make of them before the clock starts."""

    labels: np.ndarray
    phases: np.ndarray
    n: int
    threads: int
    ready: Any = None


Call = Callable[[Sample], float]
"""A measurement; gives the share of the sample that it did."""


def table_of_phases() -> Any:
    """Phases of the packing."""
    from napari_slagseg.data import phase_table_of

    names = ["background", "target", "rest"]
    return phase_table_of(names, ["#000000", "#d55e00", "#56b4e9"]).with_target("target")


def ours(sample: Sample) -> float:
    """The whole table: all sums and contacts, grains, boxes, Feret diameters, hulls."""
    from napari_slagseg.descriptors import describe_particles

    describe_particles(sample.labels, sample.phases, 1.0, table_of_phases(), threads=sample.threads)
    return 1.0


def ours_voxels(sample: Sample) -> float:
    """All sums: counts, centroids, boxes, surface voxels by phase, contacts; and hull corners."""
    from napari_slagseg.data import ThreadRun
    from napari_slagseg.descriptors.block_sums import MeasureBlock, merged
    from napari_slagseg.descriptors.labels_present import PhaseSlots
    from napari_slagseg.descriptors.particles import blocks_in_memory
    from napari_slagseg.descriptors.surface_weights import pair_weights

    weights = tuple(pair_weights((1.0, 1.0, 1.0))[0].tolist())
    run = ThreadRun(blocks_in_memory(sample.labels.shape, sample.threads), sample.threads)
    task = MeasureBlock(sample.labels, sample.phases, PhaseSlots((1, 2), 0), weights, 0, run.store)
    results = run.stage("measure", task)
    sample.ready = run, results, merged(results.values(), 2)[0]
    return 1.0


def ours_boxes(sample: Sample) -> float:
    """Oriented boxes, Feret diameters, sieve holes, hulls, from what the voxel pass found."""
    from napari_slagseg.descriptors.box_stage import fitted_boxes

    if sample.ready is None:
        ours_voxels(sample)
    run, results, sums = sample.ready
    labels_of = {index: result["labels"] for index, result in results.items()}
    fitted_boxes(run, labels_of, sums.labels, sums.low, (1.0, 1.0, 1.0), (0.0, 1.0))
    return 1.0


def ours_sections(sample: Sample) -> float:
    """All columns and contacts of 50 planes."""
    from napari_slagseg.descriptors import describe_sections

    describe_sections(sample.labels, sample.phases, 1.0, table_of_phases())
    return 1.0


def skimage_sections(sample: Sample) -> float:
    """What scikit-image has of those columns."""
    from skimage.measure import regionprops_table

    from napari_slagseg.descriptors import evenly_spaced

    names = (
        "label", "area", "bbox", "centroid", "perimeter", "feret_diameter_max", "solidity",
        "axis_major_length", "axis_minor_length",
    )  # fmt: skip
    planes = evenly_spaced(len(sample.labels))
    chosen = planes[:: max(1, len(planes) // PLANES)]
    for index in chosen:
        regionprops_table(sample.labels[index].astype(np.int32), properties=names)
    return len(chosen) / len(planes)


def skimage_hulls(sample: Sample) -> float:
    """Largest Feret diameter and convex volume of each particle in its own box."""
    from skimage.measure import regionprops_table

    done = 0
    for label, cut in enumerate(cuts_of(sample), start=1):
        if cut is None or min(s.stop - s.start for s in cut) < 3:
            continue
        mask = np.pad(sample.labels[cut] == label, 1).astype(np.int32)
        regionprops_table(mask, properties=("feret_diameter_max", "area_convex"))
        done += 1
        if done == HULLS:
            break
    return done / sample.n


def quantimpy(sample: Sample) -> float:
    """Volume, surface and curvatures of each particle in its own box."""
    from quantimpy.minkowski import functionals

    done = 0
    for label, cut in enumerate(cuts_of(sample), start=1):
        if cut is None:
            continue
        functionals(np.pad(sample.labels[cut] == label, 1))
        done += 1
        if done == PARTICLES:
            break
    return done / sample.n


def cuts_of(sample: Sample) -> list[tuple[slice, ...] | None]:
    """Bounding boxes by scipy, before the clock starts."""
    if sample.ready is None:
        from scipy.ndimage import find_objects

        sample.ready = find_objects(sample.labels.astype(np.int32))
    return sample.ready


def regionprops(sample: Sample) -> float:
    """Count, box, centroid."""
    from skimage.measure import regionprops_table

    if sample.ready is None:
        sample.ready = sample.labels.astype(np.int32)
    regionprops_table(sample.ready, properties=("label", "area", "bbox", "centroid"))
    return 1.0


def marching_cubes(sample: Sample) -> float:
    """Surface of each particle in its own box."""
    from skimage.measure import marching_cubes as mesh
    from skimage.measure import mesh_surface_area

    done = 0
    for label, cut in enumerate(cuts_of(sample), start=1):
        if cut is None or min(s.stop - s.start for s in cut) < 2:
            continue
        mask = np.pad(sample.labels[cut] == label, 1).astype(np.float32)
        mesh_surface_area(*mesh(mask, 0.5)[:2])
        done += 1
        if done == PARTICLES:
            break
    return done / sample.n


def cc3d_statistics(sample: Sample) -> float:
    """Count, box, centroid."""
    import cc3d

    cc3d.statistics(sample.labels)
    return 1.0


def simpleitk(sample: Sample) -> float:
    """Label shape statistics with perimeters."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(sample.threads)
    if sample.ready is None:
        sample.ready = SimpleITK.GetImageFromArray(sample.labels)
    statistics = SimpleITK.LabelShapeStatisticsImageFilter()
    statistics.ComputePerimeterOn()
    statistics.ComputeFeretDiameterOff()
    statistics.ComputeOrientedBoundingBoxOff()
    statistics.Execute(sample.ready)
    return 1.0


def porespy(sample: Sample) -> float:
    """Table of all its properties that are numbers, of a part of the volume."""
    from porespy.metrics import props_to_DataFrame, regionprops_3D

    part = sample.labels[:PORESPY_EDGE, :PORESPY_EDGE, :PORESPY_EDGE]
    found, numbered = np.unique(part, return_inverse=True)
    numbered = numbered.reshape(part.shape) + int(found[0] != 0)
    props_to_DataFrame(regionprops_3D(numbered.astype(np.int32)))
    return part.size / sample.labels.size


def trimesh_boxes(sample: Sample) -> float:
    """Oriented boxes around voxel corners."""
    import trimesh

    offsets = np.indices((2, 2, 2)).reshape(3, -1).T - 0.5
    done = 0
    for label, cut in enumerate(cuts_of(sample), start=1):
        if cut is None:
            continue
        corners = np.argwhere(sample.labels[cut] == label)[:, None] + offsets
        trimesh.bounds.oriented_bounds(corners.reshape(-1, 3))
        done += 1
        if done == BOXES:
            break
    return done / sample.n


@dataclass
class Method:
    """What is timed, the package it needs, and whether it takes threads."""

    name: str
    call: Call
    needs: str = "napari_slagseg"
    threaded: bool = False


METHODS = (
    Method("ours: voxel pass", ours_voxels, threaded=True),
    Method("ours: boxes and hulls", ours_boxes, threaded=True),
    Method("ours: whole table", ours, threaded=True),
    Method("ours: 50 sections", ours_sections),
    Method("skimage regionprops", regionprops, "skimage"),
    Method("skimage marching cubes", marching_cubes, "skimage"),
    Method("skimage hulls", skimage_hulls, "skimage"),
    Method("skimage 50 sections", skimage_sections, "skimage"),
    Method("cc3d statistics", cc3d_statistics, "cc3d"),
    Method("SimpleITK shapes", simpleitk, "SimpleITK"),
    Method("PoreSpy regionprops_3D", porespy, "porespy"),
    Method("quantimpy functionals", quantimpy, "quantimpy"),
    Method("trimesh boxes", trimesh_boxes, "trimesh"),
)


def measure(name: str, edge: int, threads: int, repeats: int, pipe: Any) -> None:
    """Time one method; send seconds, bytes above the inputs, particles and the share done.

    Memory is watched in a call of its own, so that watching costs no time. A call
    before it would leave freed memory resident and hide what is taken: so it comes first,
    after a tiny one that compiles and imports.
    """
    method = next(m for m in METHODS if m.name == name)

    def sample(of_edge: int) -> Sample:
        labels, phases, _ = packing(of_edge)
        return Sample(labels, phases, len(np.unique(labels[labels > 0])), threads)

    try:
        method.call(sample(40))
        full = sample(edge)
        with PeakMemory() as memory:
            share = method.call(full)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            method.call(full)
            times.append(time.perf_counter() - start)
    except (ImportError, ValueError) as error:
        # also a package that was built for another numpy
        pipe.send(f"does not run here: {error}")
        return
    pipe.send((min(times) / share, memory.bytes, full.n, share))


def timed(method: Method, edge: int, threads: int, repeats: int) -> Any:
    """`measure` in a process of its own; a text where it failed."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    task = (method.name, edge, threads, repeats, send)
    process = context.Process(target=measure, args=task)
    process.start()
    send.close()  # so that a child that dies ends the wait
    try:
        return receive.recv()
    except EOFError:
        return "ended without a result"
    finally:
        process.join()


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args(argv)
    for edge in arguments.edge:
        print(f"\n{edge}^3 voxels")
        print(f"{'method':24} {'threads':>7} {'s':>8} {'Mvox/s':>8} {'ms/part.':>9} {'B/voxel':>8}")
        seconds: dict[tuple[str, int], float] = {}
        for method in METHODS:
            if importlib.util.find_spec(method.needs) is None:
                print(f"{method.name:24} {method.needs} is not installed")
                continue
            for threads in arguments.threads if method.threaded else arguments.threads[:1]:
                found = timed(method, edge, threads, arguments.repeats)
                if isinstance(found, str):
                    print(f"{method.name:24} {found}")
                    continue
                taken, memory, n, share = found
                seconds[method.name, threads] = taken
                scaled = "" if share == 1 else f"  scaled up from {share:.2%}"
                print(
                    f"{method.name:24} {threads:7} {taken:8.3f} {edge**3 / taken / 1e6:8.1f} "
                    f"{1e3 * taken / n:9.3f} {memory / edge**3:8.2f}{scaled}"
                )
        _ratios(seconds, arguments.threads)


RATIOS = (
    (("skimage regionprops", "skimage marching cubes"), "ours: voxel pass"),
    (("SimpleITK shapes",), "ours: voxel pass"),
    (("quantimpy functionals",), "ours: voxel pass"),
    (("trimesh boxes",), "ours: boxes and hulls"),
    (("skimage hulls",), "ours: boxes and hulls"),
    (("PoreSpy regionprops_3D",), "ours: whole table"),
    (("skimage 50 sections",), "ours: 50 sections"),
)
"""Peers whose times are added up, and what they are compared with."""


def _ratios(seconds: dict[tuple[str, int], float], threads: list[int]) -> None:
    one = threads[0]
    for peers, name in RATIOS:
        if any((peer, one) not in seconds for peer in peers):
            continue
        for count in threads:
            if (name, count) not in seconds:
                continue
            faster = sum(seconds[peer, one] for peer in peers) / seconds[name, count]
            print(f"{' + '.join(peers)} / {name}, {count} threads: {faster:.1f}")


if __name__ == "__main__":
    main()
