"""What the particle network gains from hand edits, on a phantom whose truth is known exactly.

A made-up user works through the queue of suspects of a segmented project, as far as a budget of
edits goes. Where a suspect is wrong, they do what one would do in the window: one point in each
true particle of a merger, a click on each piece of a split one, delete what is none, paint what
was missed. Truth tells them what is wrong, never where the border lies: that is the product's
own watershed. Then the network is taught. Scores are those of Gotkowski et al. 2024 (Eq. 2-6)
against the exact truth of the whole volume, so they hold for this phantom.

    python -m benchmarks.teaching PROJECT TRUTH.tif --edits 10 30 100 --work FOLDER [--half]

With --half only suspects in the first half along x are looked at; "away" are the scores of the
part behind the last edited voxel, where nothing was corrected: what the network learnt in general.

PROJECT is a segmented one, as 'slagseg demo' leaves it; it is copied, not changed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import edt
import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from napari_slagseg.data import SlagsegError, VolumeLike
from napari_slagseg.evaluation import score_particles
from napari_slagseg.project import Project
from napari_slagseg.workflow import STEPS, TeachConfig, run_step
from napari_slagseg.workflow.proofreading import Proofreader
from napari_slagseg.workflow.proofreading.proposing import proposal_edits

SHOWN = ("f1_match", "f1_instance", "merger_ratio", "splitter_ratio", "n_predicted")
BELONGS = 0.5
"""Share of a particle that must lie in another for it to belong there (P 4.1.1)."""


class MadeUpUser:
    """Corrects what is wrong by the truth, one suspect after the other."""

    def __init__(self, project: Project, truth: NDArray[np.uint32]) -> None:
        self.reader = Proofreader(project)
        self.truth = truth
        self.sizes = np.bincount(truth.reshape(-1))
        self.boxes = find_objects(truth.astype(np.int32))
        self.done: Counter[str] = Counter()
        self.looked_at = 0

    def work(self, queue: pd.DataFrame, budget: int) -> None:
        """Go through the queue until the budget is spent or the queue is done."""
        for row in queue.itertuples():
            if sum(self.done.values()) >= budget:
                return
            self.looked_at += 1
            try:
                kind = self._missed(row) if row.kind == "missed" else self._particle(int(row.label))
            except SlagsegError:
                self.done["refused"] += 1
                continue
            if kind:
                self.done[kind] += 1

    def _particle(self, label: int) -> str:
        if label not in self.reader.boxes:
            return ""  # dealt with by an earlier edit
        box = self.reader.box_of(label)
        inside = np.asarray(self.reader.particles[box]) == label
        here = np.where(inside, self.truth[box], 0)
        found, counts = np.unique(here[inside], return_counts=True)
        members = [int(t) for t, n in zip(found, counts) if t and n >= BELONGS * self.sizes[int(t)]]
        if len(members) > 1:
            corner = [s.start for s in box]
            points = []
            for member in members:
                depth = edt.edt(np.ascontiguousarray(here == member), black_border=True)
                deepest = np.unravel_index(int(depth.argmax()), depth.shape)
                points.append(tuple(int(a) + b for a, b in zip(deepest, corner)))
            self.reader.split(label, points)
            return "split"
        if found[counts.argmax()] == 0:
            self.reader.delete([label])
            return "delete"
        pieces = self._pieces(int(found[counts.argmax()]))
        if len(pieces) > 1:
            self.reader.merge(pieces)
            return "merge"
        return ""

    def _pieces(self, true: int) -> list[int]:
        """Particles of which most lies in a true one."""
        where = self.boxes[true - 1]
        inside = self.truth[where] == true
        here = np.asarray(self.reader.particles[where])[inside]
        labels, counts = np.unique(here, return_counts=True)
        found = []
        for label, n in zip(labels.tolist(), counts):
            if label:
                box = self.reader.box_of(label)
                size = np.count_nonzero(np.asarray(self.reader.particles[box]) == label)
                if n >= BELONGS * size:
                    found.append(label)
        return found

    def _missed(self, row: Any) -> str:
        size = self.reader.project.voxel_size_um
        at = tuple(int(n / s) for n, s in zip((row.z_um, row.y_um, row.x_um), size))
        true = int(self.truth[at])
        if not true:
            return ""
        box = self.boxes[true - 1]
        mask = (self.truth[box] == true) & (np.asarray(self.reader.particles[box]) == 0)
        phases = np.asarray(self.reader.phases[box])[mask]
        phase = int(np.bincount(phases[phases > 0], minlength=2).argmax()) or 1
        start = (box[0].start, box[1].start, box[2].start)
        self.reader.add_painted(start, mask, phase=phase)
        return "add"


def scores(labels: VolumeLike, truth: NDArray[np.uint32]) -> dict[str, float]:
    """Scores of the whole volume against the exact truth."""
    found = score_particles(np.asarray(labels).astype(np.int64), truth.astype(np.int64))
    return {name: round(float(found[name]), 4) for name in SHOWN}


def taught(
    source: Path,
    truth: NDArray[np.uint32],
    budget: int,
    config: TeachConfig,
    work: Path,
    half: bool = False,
) -> dict[str, Any]:
    """One budget, from a fresh copy of the project."""
    folder = work / f"edits_{budget}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    project = Project(folder)
    queue = pd.read_csv(folder / "tables" / "suspects.csv")
    if half:
        queue = queue[queue.x_um < truth.shape[2] * project.voxel_size_um[2] / 2]
    with project.writing():
        user = MadeUpUser(project, truth)
        user.work(queue, budget)
        clock = time.perf_counter()
        result = run_step(project, STEPS["teach"], config)
        seconds = time.perf_counter() - clock
        present = project.edits().volumes["particles"]
        proposed = proposal_edits(project).history().volumes["particles"]
    found = project.proposal.found()
    changed = (np.asarray(present) != np.asarray(present.base)).any(axis=(0, 1))
    edge = int(np.flatnonzero(changed).max(initial=-1)) + 1
    away = {}
    if half:
        away = {
            f"{name}, away": scores(np.asarray(labels)[:, :, edge:], truth[:, :, edge:])
            for name, labels in (("before", present.base), ("taught", proposed.base))
        }
    return {
        "budget": budget,
        "edits": dict(user.done),
        "suspects_looked_at": user.looked_at,
        "away_from_x": edge if half else None,
        "voxels_known": found["correction"]["known"],
        "voxels_taught": found["correction"]["voxels"],
        "to_background": found["correction"]["to_background"],
        "carried": found["carried"],
        "seconds": round(seconds, 1),
        "threshold": found["threshold"],
        "warnings": list(result.warnings),
        "exact": {
            "before": scores(present.base, truth),
            "by hand": scores(present, truth),
            "taught": scores(proposed.base, truth),
            "taught, edits kept": scores(proposed, truth),
            **away,
        },
        "known truth": {
            name: {
                part: {k: round(v, 4) for k, v in found["scores"][name][part]["particles"].items()}
                for part in found["scores"][name]
            }
            for name in found["scores"]
        },
    }


def table(found: list[dict[str, Any]]) -> str:
    """Rows of the exact scores."""
    lines = [f"{'edits':>6} {'':20}" + "".join(f"{name:>16}" for name in SHOWN)]
    for one in found:
        for name, values in one["exact"].items():
            lines.append(
                f"{one['budget']:>6} {name:20}" + "".join(f"{values[n]:>16g}" for n in SHOWN)
            )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Run the budgets that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--edits", type=int, nargs="+", default=[10, 30, 100])
    parser.add_argument("--work", type=Path, required=True, help="copies are made here")
    parser.add_argument("--settings", type=json.loads, default={}, help="of teach, as JSON")
    parser.add_argument("--half", action="store_true", help="correct only one half, see above")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    asked = parser.parse_args(argv)
    truth = tifffile.imread(asked.truth).astype(np.uint32)
    asked.work.mkdir(parents=True, exist_ok=True)
    base = asked.work / "base"
    if not base.exists():
        shutil.copytree(asked.project, base)
    sample = asked.work / "sample"  # where a copy of a demo's project looks for its CT
    if not sample.exists():
        sample.symlink_to(asked.truth.parent.parent.resolve())
    project = Project(base)
    if not (base / "tables" / "suspects.csv").exists():
        run_step(project, STEPS["suspects"])
    config = TeachConfig(**asked.settings)
    found = []
    for budget in asked.edits:
        found.append(taught(base, truth, budget, config, asked.work, asked.half))
        print(json.dumps(found[-1]), flush=True)
    print(table(found))
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
