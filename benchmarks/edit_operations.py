"""How long each edit takes on a particle in its box.

    python -m benchmarks.edit_operations [--edge 100] [--repeats 9]

Milliseconds, medians after a first call that compiles, and of processor time in brackets,
which means something also where others use the machine. Particles: two balls merged at a neck
("balls") and a block without any neck ("block"), each of the given edge in a box with a
margin of two voxels, rough by one voxel and with a hole. They grow in noise of a sixth of their
contrast.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # also as a script

MARGIN = 2
LABEL = 5


def particles(edge: int) -> dict[str, np.ndarray]:
    """Boxes with the particle."""
    random = np.random.default_rng(0)
    shape = (edge + 2 * MARGIN,) * 3
    z, y, x = np.indices(shape, dtype=np.float32) - (edge - 1) / 2 - MARGIN
    rough = random.random(shape, dtype=np.float32)
    radius = 0.29 * edge
    # two balls of as large a radius as fits, side by side on the diagonal
    step = edge / 2 - radius
    near = np.minimum(
        (z - step) ** 2 + (y - step) ** 2 + (x - step) ** 2,
        (z + step) ** 2 + (y + step) ** 2 + (x + step) ** 2,
    )
    # a bridge between them
    along = (z + y + x) / np.sqrt(3)
    off = z * z + y * y + x * x - along * along
    bridge = (off < (0.4 * radius) ** 2) & (np.abs(along) < step * np.sqrt(3))
    balls = (np.sqrt(near) + rough < radius) | bridge
    block = np.maximum(np.maximum(np.abs(z), np.abs(y)), np.abs(x)) + rough < edge / 2
    made = {}
    for name, inside in (("balls", balls), ("block", block)):
        inside[edge // 2 + 10 : edge // 2 + 14, edge // 2 + 10 : edge // 2 + 14, edge // 2 + 12] = 0
        made[name] = np.where(inside, LABEL, 0).astype(np.uint32)
    return made


def tasks(labels: np.ndarray) -> dict[str, Callable[[], Any]]:
    """The edits of one particle; what they need is made before the clock starts."""
    from napari_slagseg.segmentation import edits

    edge = len(labels) - 2 * MARGIN
    random = np.random.default_rng(1)
    phases = np.where(labels > 0, 1, 0).astype(np.uint8)
    phases[: len(labels) // 2][labels[: len(labels) // 2] > 0] = 2
    low, high = MARGIN + int(0.29 * edge), MARGIN + int(0.71 * edge)
    points = [(low, low, low), (high, high, high)]
    four = [*points, (high, high, high + 4), (low, low - 4, low)]
    middle = len(labels) // 2
    # in the slice of the middle, across the diagonal
    stroke = [(middle, i, len(labels) - 1 - i) for i in range(len(labels))]
    halves = edits.split(labels, LABEL, points, [6]).labels
    painted = np.zeros(labels.shape, dtype=bool)
    painted[middle - 5 : middle + 5, :, :30] = True
    grey = (100 + 60 * (labels > 0) + random.normal(0, 10, labels.shape)).astype(np.uint8)
    nothing = np.zeros_like(labels)
    bare = np.zeros_like(phases)
    seed = points[0]
    return {
        "split, 2 points": lambda: edits.split(labels, LABEL, points, [6]),
        "split, 4 points": lambda: edits.split(labels, LABEL, four, [6, 7, 8]),
        "split by a stroke": lambda: edits.split_by_stroke(labels, LABEL, stroke, 0, 6),
        "merge": lambda: edits.merge(halves, [LABEL, 6]),
        "delete": lambda: edits.delete(labels, [LABEL], phases),
        "add by painting": lambda: edits.add_by_painting(labels, painted, LABEL, phases=phases),
        "grow from a seed": lambda: edits.grow_from_seed(
            grey, nothing, seed, 1, radius=2 * edge, phases=bare, phase=1
        ),
        "fill holes": lambda: edits.fill_holes(labels, LABEL, phases),
        "smooth by 1": lambda: edits.smooth(labels, LABEL, 1.0, phases),
        "smooth by 3": lambda: edits.smooth(labels, LABEL, 3.0, phases),
        "relabel a grain": lambda: edits.relabel_region(labels, phases, seed, 3),
        "relabel, painted": lambda: edits.relabel_painted(labels, phases, painted, 0),
    }


def main(argv: list[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, nargs="+", default=[100])
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args(argv)
    for edge in arguments.edge:
        made = particles(edge)
        times: dict[str, list[str]] = {}
        for labels in made.values():
            for name, work in tasks(labels).items():
                work()
                taken, used = [], []
                for _ in range(arguments.repeats):
                    start, begun = time.perf_counter(), time.process_time()
                    work()
                    taken.append(time.perf_counter() - start)
                    used.append(time.process_time() - begun)
                cell = f"{1000 * median(taken):.0f} ({1000 * median(used):.0f})"
                times.setdefault(name, []).append(cell)
        voxels = ", ".join(f"{k} {np.count_nonzero(v):,} voxels" for k, v in made.items())
        print(f"Edge {edge} ({voxels}); milliseconds")
        print(f"{'edit':20}" + "".join(f"{name:>12}" for name in made))
        for name, row in times.items():
            print(f"{name:20}" + "".join(f"{value:>12}" for value in row))


if __name__ == "__main__":
    main()
