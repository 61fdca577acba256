"""Placement of mineral maps: error against the phantoms' truth, and maps that do not belong.

    python -m benchmarks.placement --cache DIR [--presets slab coarse sample]
        [--levels easy medium hard extreme] [--seeds 10] [--maps N] [--nulls 2]
        [--landmarks] [--cases [NAME ...]] [--case-levels medium hard] [--case-seeds 3]
        [--baselines] [--baseline-seeds 3] [--baseline-maps 1] [--jobs 1] [--csv FILE]

Every map of a phantom is placed in its own CT with nothing known beforehand. Errors
are in voxels over all pixels of the sample inside accepted cutouts (median and 95 % of
all maps' pixels together; corners beyond the cylinder, where there is nothing but air,
count in the CSV's `worst_anywhere` only). `LOST` is a map that was accepted more than two
voxels (median) off or mirrored wrongly. `centre<1` and `all<1` are shares of the accepted
cutouts whose centre, and whose worst pixel, lies within one voxel; `good` is the share of
cutouts graded good and `w.good` the worst pixel of any of those. Foreign maps are of
another phantom of the same level, and must be refused. Phantoms are kept in DIR. With
more than one job every placement runs on one thread.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

LEVELS = ("easy", "medium", "hard", "extreme")


def options() -> argparse.Namespace:
    """What the user asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True, help="folder to keep phantoms in")
    parser.add_argument("--presets", nargs="+", default=["slab", "coarse", "sample"])
    parser.add_argument("--levels", nargs="*", default=list(LEVELS), choices=LEVELS)
    parser.add_argument("--seeds", type=int, default=10, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--maps", type=int, help="of each phantom; all if not given")
    parser.add_argument("--nulls", type=int, default=1, help="foreign maps for each CT")
    parser.add_argument("--landmarks", action="store_true", help="three clicks 20 voxels off")
    parser.add_argument("--cases", nargs="*", help="defects; all if no names are given")
    parser.add_argument("--case-levels", nargs="+", default=["medium", "hard"], choices=LEVELS)
    parser.add_argument("--case-seeds", type=int, default=3)
    parser.add_argument("--case-presets", nargs="+", default=["slab"])
    parser.add_argument("--baselines", action="store_true", help="Otsu cutouts and SimpleITK")
    parser.add_argument("--baseline-seeds", type=int, default=3)
    parser.add_argument("--baseline-maps", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--csv", type=Path)
    return parser.parse_args()


def jobs_of(o: argparse.Namespace) -> list[dict[str, Any]]:
    """One job a phantom."""
    names = o.cases
    jobs: dict[tuple[str, str, int], dict[str, Any]] = {}

    def job(preset: str, level: str, seed: int) -> dict[str, Any]:
        entry = {"cache": o.cache, "preset": preset, "level": level, "seed": seed, "own": False,
                 "cases": [], "maps": o.maps, "nulls": o.nulls, "landmarks": o.landmarks,
                 "baseline_maps": 0}  # fmt: skip
        return jobs.setdefault((preset, level, seed), entry)

    for k in range(o.seeds):  # a run that is stopped has measured all kinds
        for preset in o.presets:
            for level in o.levels:
                entry = job(preset, level, o.first_seed + k)
                entry["own"] = True
                if o.baselines and k < o.baseline_seeds:
                    entry["baseline_maps"] = o.baseline_maps
    if names is not None:
        from benchmarks.placement.cases import CASES

        unknown = [n for n in names if n not in CASES]
        if unknown:
            raise SystemExit(f"No such case: {', '.join(unknown)}. There are: {', '.join(CASES)}.")
        for preset in o.case_presets:
            for level in o.case_levels:
                for k in range(o.case_seeds):
                    job(preset, level, o.first_seed + k)["cases"] = names or list(CASES)
    return list(jobs.values())


def write_csv(path: Path, rows: list[Any]) -> None:
    """One line a placement."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0].csv()))
        writer.writeheader()
        writer.writerows(r.csv() for r in rows)


def main() -> None:
    """Print the table."""
    o = options()
    if o.jobs > 1:
        # before numba is imported, here and in the processes
        os.environ |= {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    from benchmarks.placement.phantom_job import compile_kernels, make_phantoms, run
    from benchmarks.placement.table import table

    jobs = jobs_of(o)
    wanted: dict[tuple[str, int], list[str]] = {}
    for j in jobs:
        wanted.setdefault((j["preset"], j["seed"]), []).append(j["level"])
    context = multiprocessing.get_context("spawn")
    rows = []
    with context.Pool(o.jobs, initializer=compile_kernels) as pool:
        began = time.perf_counter()
        making = [(o.cache, preset, seed, levels) for (preset, seed), levels in wanted.items()]
        for _ in pool.imap_unordered(make_phantoms, making):
            pass
        print(f"phantoms are there after {time.perf_counter() - began:.0f} s", flush=True)
        began = time.perf_counter()
        for done in pool.imap_unordered(run, jobs):
            rows += done
            if o.csv:  # as it goes: a run that is stopped leaves what it measured
                write_csv(o.csv, rows)
            for r in done:
                print(
                    f"{r.method:20} {r.preset:7} {r.level:8} {r.seed:4} {r.case:16} {r.map:8} "
                    f"median {r.median:7.2f} worst {r.worst:7.2f} good {r.worst_good:6.2f} "
                    f"score {r.score:6.3f} ratio {r.ratio:5.2f} p {r.probability:5.3f} "
                    f"{r.seconds:6.1f} s  {r.verdict} {r.reason if r.method != 'ours' else ''}",
                    flush=True,
                )
        print(f"measured in {time.perf_counter() - began:.0f} s\n")
    order = {name: i for i, name in enumerate(LEVELS)}
    rows.sort(key=lambda r: (r.case, r.method, r.preset, order[r.level], r.seed, r.map))
    if o.csv:
        write_csv(o.csv, rows)
    print(table(rows))


if __name__ == "__main__":
    main()
