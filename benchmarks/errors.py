"""Errors of descriptors on particles that are known, by shape and size, as Markdown tables.

    python -m benchmarks.errors [--radii 5 10 20] [--turns 20]

Mean error over random turns and shifts, +/- their standard deviation, in per cent of what is true.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np
from benchmarks.known_shapes import SHAPES, KnownShape, sampled

Errors = dict[str, tuple[float, float]]


def errors_of(shape: KnownShape, radius: float, turns: int) -> Errors:
    """Mean and standard deviation of the relative error of each column, per cent."""
    from napari_slagseg.data import phase_table_of
    from napari_slagseg.descriptors import describe_particles

    names, colours = ["background", "target", "rest"], ["#000000", "#d55e00", "#56b4e9"]
    table = phase_table_of(names, colours).with_target("target")
    truth = shape.truth(radius)
    found = []
    for phases in sampled(shape, radius, turns):
        labels = (phases > 0).astype(np.uint32)
        row = describe_particles(labels, phases, 1.0, table).frame.iloc[0]
        found.append([100 * (row[name] / true - 1) for name, true in truth.items()])
    values = np.array(found)
    return dict(zip(truth, zip(values.mean(axis=0), values.std(axis=0))))


def plane_figures(radius: float) -> dict[str, float]:
    """What a table should say of an ellipse 1 : 0.6, cut along its short axis into two phases."""
    a, b = radius, 0.6 * radius
    area = math.pi * a * b
    t = (np.arange(20_000) + 0.5) / 20_000 * 2 * math.pi
    around = float(np.hypot(a * np.sin(t), b * np.cos(t)).mean() * 2 * math.pi)
    return {
        "area_um2": area,
        "perimeter_um": around,
        "circularity": 4 * math.pi * area / around**2,
        "axis_major_um": 2 * a,
        "axis_minor_um": 2 * b,
        "feret_max_um": 2 * a,
        "feret_min_um": 2 * b,
        "convex_area_um2": area,
        "convex_perimeter_um": around,
        "solidity": 1.0,
        "convexity": 1.0,
        "volume_liberation": 0.5,
        "surface_liberation": 0.5,
        "intergrowth_boundary_um": 2 * b,
        "contacts: outside": around,
        "contacts: target and rest": 2 * b,
    }


def plane_errors(radius: float, turns: int, seed: int = 0) -> Errors:
    """As `errors_of`, of the ellipse."""
    from napari_slagseg.data import phase_table_of
    from napari_slagseg.descriptors import describe_plane

    names, colours = ["background", "target", "rest"], ["#000000", "#d55e00", "#56b4e9"]
    table = phase_table_of(names, colours).with_target("target")
    truth = plane_figures(radius)
    rng = np.random.default_rng(seed)
    half = int(radius) + 3
    rows, columns = np.indices((2 * half + 1, 2 * half + 1)) - half
    found = []
    for _ in range(turns):
        angle, (down, right) = rng.uniform(0, math.pi), rng.uniform(-0.5, 0.5, 2)
        u = math.cos(angle) * (rows + down) + math.sin(angle) * (columns + right)
        v = -math.sin(angle) * (rows + down) + math.cos(angle) * (columns + right)
        mask = (u / radius) ** 2 + (v / (0.6 * radius)) ** 2 <= 1
        phases = np.where(mask, np.where(u >= 0, 1, 2), 0).astype(np.uint8)
        measured = describe_plane(mask.astype(np.uint32), phases, (1.0, 1.0), table)
        row = dict(measured.frame.iloc[0])
        contacts = measured.contacts
        outer = contacts["partner_id"] == 0
        row["contacts: outside"] = contacts["length_um"][outer].sum()
        row["contacts: target and rest"] = contacts["length_um"][~outer].sum() / 2
        found.append([100 * (row[name] / true - 1) for name, true in truth.items()])
    values = np.array(found)
    return dict(zip(truth, zip(values.mean(axis=0), values.std(axis=0))))


def tables(radii: list[float], turns: int) -> Iterator[str]:
    """Lines of Markdown."""
    kinds = [(shape.name, lambda r, s=shape: errors_of(s, r, turns)) for shape in SHAPES]
    plane = "in a plane: ellipse 1 : 0.6 of two phases, cut along its short axis"
    for name, measure in [*kinds, (plane, lambda r: plane_errors(r, turns))]:
        by_radius = [measure(radius) for radius in radii]
        yield f"\n### {name[0].upper()}{name[1:]}\n"
        yield f"| error, % | {' | '.join(f'radius {radius:g}' for radius in radii)} |"
        yield f"| --- |{' ---: |' * len(radii)}"
        for column in by_radius[0]:
            cells = (
                f"{mean:+.1f} ± {spread:.1f}" for mean, spread in (e[column] for e in by_radius)
            )
            yield f"| {column} | {' | '.join(cells)} |"


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--radii", type=float, nargs="+", default=[5, 10, 20])
    parser.add_argument("--turns", type=int, default=20)
    arguments = parser.parse_args(argv)
    for line in tables(arguments.radii, arguments.turns):
        print(line, flush=True)


if __name__ == "__main__":
    main()
