"""Time of every kind of edit by hand, from the click to the end, on particles of 100^3 voxels.

    python -m benchmarks.edits_by_hand [--edges 128 512] [--rounds 12] [--disk FOLDER]

The project lies on disk as the program makes it: balls of 100 voxels across in sharded Zarr stores
of several sizes. Timed is what the user waits for: reading the box, the edit itself, its
record in the journal (with the wait for the disk), and the boxes of particles; beside it, in
the background in the program, the rows of the particles that were touched, each (with grains,
one eroded layer and accessible shares), and the sections through an edit: of 50 slices along z
those that a ball of 100 voxels lies in. All sizes are measured in turn, in one run,
after `warm_up`. `benchmarks.edit_latency` times the journal alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks.edit_latency import ACROSS, PERIOD, balls, quantiles

from napari_slagseg import io
from napari_slagseg.data import BlockGrid, MineralMap, ParticleTable, phase_table_of
from napari_slagseg.descriptors import Place, describe_box
from napari_slagseg.project import Project
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.measured_sections import SectionPlanes, measure_sections
from napari_slagseg.workflow.proofreading import (
    LiveSections,
    LiveTable,
    Outcome,
    Proofreader,
    warm_up,
)
from napari_slagseg.workflow.segment import table_to_json

TABLE = phase_table_of(
    ["background", "ore", "gangue"], ["#000000", "#d55e00", "#009e73"]
).with_target("ore")
SIZE = (2.0, 2.0, 2.0)
SETTINGS = MeasureConfig(erosion_voxels=1, grains=True, accessible_depth_um=5.0)


def project_of_balls(folder: Path, edge: int) -> Project:
    """A segmented project whose particles are balls of two phases, made block by block."""
    folder.mkdir()
    # nothing here looks at grey values: a file that takes next to no space on the disk
    grey = np.lib.format.open_memmap(folder / "ct.npy", "w+", np.uint8, (edge,) * 3)
    grey[0, 0, 0] = 1
    grey.flush()
    io.write_legend(TABLE, folder / "legend.csv")
    raster = np.random.default_rng(0).integers(0, 3, (20, 20)).astype(np.int16)
    io.write_false_colour(MineralMap(raster, 1.0, TABLE, "map"), folder / "map.png")
    project = Project.create(
        folder / "project", ct=folder / "ct.npy", maps=[folder / "map.png"],
        legend=folder / "legend.csv", pixel_size_um=1.0, target="ore", voxel_size_um=2.0,
    )  # fmt: skip
    made = io.create_result_arrays(
        project.segmentation_path,
        {"particles": "u4", "phases": "u1", "particle_probability": "u1"},
        (edge,) * 3,
        SIZE,
        {"id": f"balls{edge}", "largest_label": len(BlockGrid.of((edge,) * 3, PERIOD)),
         "phase_table": table_to_json(TABLE)},
    )  # fmt: skip
    cut = balls(min(edge, io.SHARD))
    grid = BlockGrid.of((edge,) * 3, io.SHARD)
    for number, block in enumerate(grid):
        labels = np.where(cut > 0, cut + np.uint32(number * int(cut.max())), np.uint32(0))
        phases = np.where(cut > 0, np.uint8(1), np.uint8(0))
        phases[np.arange(len(cut)) % PERIOD < PERIOD // 2] *= 2
        for name, values in (("particles", labels), ("phases", phases)):
            made[name][block.box] = values
        made["particle_probability"][block.box] = phases * np.uint8(100)
    return project


def first_table(reader: Proofreader) -> ParticleTable:
    """A table to keep up to date: of one ball, which stands for all."""
    box = reader.box_of(1)
    return describe_box(
        np.asarray(reader.particles[box]), np.asarray(reader.phases[box]),
        Place(tuple(s.start for s in box), reader.shape), SIZE, TABLE,
        erosion_voxels=1, grains=True, accessible_depth_um=5.0,
    )  # fmt: skip


def first_sections(reader: Proofreader) -> ParticleTable:
    """Sections to keep up to date: of one plane, said to be of all."""
    cut = SectionPlanes.of(reader.shape, SIZE, SETTINGS)
    table = measure_sections(
        reader.particles, reader.phases, TABLE, cut, SETTINGS.erosion_voxels, only=cut.numbers[:1]
    )
    return replace(table, notes=cut.notes)


def time_sections(reader: Proofreader, labels: list[int]) -> str:
    """Cut planes again after balls were deleted, and came back."""
    live = LiveSections(reader, first_sections(reader), SETTINGS)
    times, planes = [], 0
    for label in labels:
        for edit in (lambda n=label: reader.delete([n]), reader.undo):
            edit()
            planes += len(live.waiting)
            began = time.perf_counter()
            live.catch_up()
            times.append(time.perf_counter() - began)
    live.close()
    return (
        f"{quantiles(times)} an edit, {1e3 * sum(times) / planes:.0f} a plane "
        f"of {len(SectionPlanes.of(reader.shape, SIZE, SETTINGS).planes)}"
    )


class Course:
    """The same course of edits on one ball after the other, timed by kind."""

    def __init__(self, reader: Proofreader, table: LiveTable) -> None:
        self.reader, self.table = reader, table
        self.edits: dict[str, list[float]] = defaultdict(list)
        self.rows: dict[str, list[float]] = defaultdict(list)

    def step(self, name: str, outcome: Outcome | None) -> Outcome:
        """Note what an edit took, and bring the table up to date."""
        assert outcome is not None
        self.edits[name].append(outcome.seconds)
        began = time.perf_counter()
        self.table.follow(outcome)
        self.rows[name].append((time.perf_counter() - began) / max(1, len(outcome.labels_after)))
        return outcome

    def brush(self, middle: tuple[int, int, int], radius: int, label: int) -> Outcome:
        """Paint a ball of voxels with the viewer's brush."""
        box = tuple(slice(m - radius, m + radius + 1) for m in middle)
        before = np.asarray(self.reader.particles[box])
        away = np.indices(before.shape) - radius
        after = np.where((away**2).sum(axis=0) <= radius**2, np.uint32(label), before)
        start = tuple(s.start for s in box)
        return self.reader.paint("particles", start, before, after)

    def run(self, label: int) -> None:
        """All edits on one ball; it is whole again at the end."""
        reader = self.reader
        box = reader.box_of(label)
        z, y, x = (s.start + ACROSS // 2 for s in box)
        far = ACROSS // 4
        made = self.step("split", reader.split(label, [(z, y, x - far), (z, y, x + far)]))
        other = next(n for n in made.labels_after if n != label)
        self.step("merge", reader.merge([label, other]))
        self.step("relabel", reader.relabel_region((z - far, y, x), 1))
        self.step("paint", self.brush((z, y, x), 6, 0))
        self.step("fill", reader.fill_holes(label))
        self.step("paint", self.brush((z, y, x - ACROSS // 2), 6, label))
        self.step("smooth", reader.smooth(label, 1.0))
        self.step("delete", reader.delete([label]))
        for _ in range(8):
            self.step("undo", reader.undo())
        for _ in range(8):
            self.step("redo", reader.redo())
        for _ in range(8):
            self.step("undo", reader.undo())


def main(argv: list[str] | None = None) -> None:
    """Measure all volumes asked for, in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edges", type=int, nargs="*", default=[128, 512])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--disk", type=Path, help="where the projects are made (a real disk)")
    args = parser.parse_args(argv)
    began = time.perf_counter()
    warm_up()
    print(f"warm_up: {time.perf_counter() - began:.1f} s")
    with tempfile.TemporaryDirectory(dir=args.disk) as place:
        courses = {}
        for edge in args.edges:
            project = project_of_balls(Path(place) / str(edge), edge)
            project.lock.acquire()
            reader = Proofreader(project)
            began = time.perf_counter()
            reader.prepare()
            print(f"{edge}^3: index of boxes made in {time.perf_counter() - began:.2f} s")
            table = LiveTable(reader, first_table(reader), SETTINGS)
            courses[edge] = Course(reader, table)
        rng = np.random.default_rng(0)
        for _ in range(args.rounds):
            for course in courses.values():
                labels = course.reader.boxes.arrays()[0]
                course.run(int(rng.choice(labels)))
        kinds = list(next(iter(courses.values())).edits)
        print("milliseconds        " + "".join(f"{f'{e}^3':>16}{'its row':>16}" for e in courses))
        print(" " * 20 + "".join(f"{'median':>8}{'95 %':>8}" * 2 for _ in courses))
        for kind in [*kinds, "all"]:
            line = f"{kind:<20}"
            for course in courses.values():
                for times in (course.edits, course.rows):
                    chosen = kinds if kind == "all" else [kind]
                    mine = [t for k in chosen for t in times[k]]
                    line += quantiles(mine)
            print(line)
        print("sections, milliseconds (median, 95 %)")
        for edge, course in courses.items():
            labels = course.reader.boxes.arrays()[0]
            chosen = rng.choice(labels, min(len(labels), max(3, args.rounds // 2)), replace=False)
            print(f"{edge}^3: {time_sections(course.reader, chosen.tolist())}")
            course.reader.project.lock.release()


if __name__ == "__main__":
    main()
