"""Calibrates the probabilities of maps and cutouts on phantoms.

    python -m benchmarks.placement_calibration --cache DIR [--parts maps cutouts]
        [--phantoms slab:1 coarse:1 sample:2 tiny:4]
        [--levels easy medium hard extreme] [--jobs 2] [--csv FILE]

Maps of 90 to 390 voxels across, whole and cropped to two thirds, are placed in their own CT and in
that of another sample. A logistic regression on what the search knows of a place
(correlation, ratio to the second place, share of agreeing cutouts) then tells right
places from wrong ones, and another one tells cutouts on which the surface is right within
two voxels from others, cracked maps included. The coefficients that it prints are those of
`napari_slagseg.registration.confidence`. Seeds are other ones than those that
`benchmarks.placement` is run with.
"""

from __future__ import annotations

import argparse
import csv
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.placement.cases import CASES, Task, task
from benchmarks.placement.measuring import distances
from benchmarks.placement.samples import foreign_maps, load, make
from numpy.typing import NDArray
from scipy.optimize import minimize

from napari_slagseg.data import SlagsegError
from napari_slagseg.phantom import PhantomMap
from napari_slagseg.registration import PreparedCT, place_map, prepare_ct
from napari_slagseg.registration.confidence import cutout_features, doubt_inside, map_features

FIRST_SEED = 500
MAPS = 2
"""Own and foreign ones of each phantom."""

CROPS = (0.6, 0.75, 0.9)
CRACKS = ("crack plane 4", "crack plane 10", "crack height 10", "fields untold", "torn 40 %")
RIGHT_VOXELS = 5.0
"""Median error up to which a place is the right one; refining it is another matter."""

CUTOUT_VOXELS = 2.0
STRENGTH = 0.02
"""Of the ridge: right and wrong places of whole maps can be told apart without a doubt,
and no regression should then claim certainty."""


def crop(cut: PhantomMap, rng: np.random.Generator) -> PhantomMap:
    """A part of a map."""
    m = cut.mineral_map
    sides = [round(n * float(rng.choice(CROPS))) for n in m.shape]
    r, c = (int(rng.integers(0, n - side + 1)) for n, side in zip(m.shape, sides))
    part = (slice(r, r + sides[0]), slice(c, c + sides[1]))
    return replace(
        cut,
        mineral_map=replace(m, phases=np.ascontiguousarray(m.phases[part])),
        coordinates=cut.coordinates[part],
        particles=cut.particles[part],
        phases=cut.phases[part],
    )


def measure(ct: PreparedCT, t: Task, own: bool, about: dict[str, Any]) -> dict[str, Any] | None:
    """Features of one placement and of its cutouts, and whether they are right."""
    try:
        placed = place_map(ct, t.given, **t.hints)
    except SlagsegError:
        return None
    ratio = placed.details["ratio_to_second_place"]
    extent = min(placed.map_shape) * placed.pixel_size_um / ct.unit_um
    share = placed.details["accepted_share"]
    found: dict[str, Any] = {
        **about, "own": own, "extent": extent, "score": placed.score, "share": share,
        "ratio": float("inf") if ratio is None else ratio, "right": False, "cutouts": [],
        "hinted": bool(t.hints),
    }  # fmt: skip
    if not own or placed.surface is None:
        return found
    shown = replace(placed, placed=True).with_states(
        dict.fromkeys(range(len(placed.cutouts)), "accepted")
    )
    off = distances(shown, t.coordinates)
    inside = ct.holds((t.coordinates.reshape(-1, 3) + 0.5) * ct.voxel).reshape(off.shape)
    off[~inside] = np.nan
    found["median"] = float(np.nanmedian(off)) if np.isfinite(off).any() else np.inf
    found["right"] = placed.mirrored == t.mirrored and found["median"] <= RIGHT_VOXELS
    if not found["right"]:
        return found
    usual = float(np.median([c.score for c in placed.cutouts if c.accepted] or [np.nan]))
    for c in placed.cutouts:
        part = off[c.row : c.row + c.height, c.column : c.column + c.width]
        if np.isfinite(part).sum() < 0.2 * part.size or not np.isfinite(usual):
            continue
        worst = float(np.nanpercentile(part, 99))
        doubt = doubt_inside(placed.surface, c)
        found["cutouts"].append(
            (c.score / usual, c.residual_voxels, c.step_voxels or 0.0, doubt, worst)
        )
    return found


def hinted(t: Task) -> Task:
    """The same task with its pose nearly known: for cutouts the search need not be repeated."""
    rows, columns = t.coordinates.shape[:2]
    middle = t.coordinates[rows // 2, columns // 2]
    along = t.coordinates[rows // 2, -1] - t.coordinates[rows // 2, 0]
    known = {
        "height_window": (float(middle[0]) - 10, float(middle[0]) + 10),
        "angle_deg": float(np.degrees(np.arctan2(along[1], along[2]))),
        "mirror": "yes" if t.mirrored else "no",
    }
    return replace(t, hints={**t.hints, **known})


def run(job: tuple[Path, str, str, int, list[str]]) -> list[dict[str, Any]]:
    """All placements of one phantom."""
    cache, preset, level, seed, parts = job
    make(cache, preset, seed, [level])
    sample = load(cache, preset, level, seed)
    ct = prepare_ct(sample.ct)
    rng = np.random.default_rng([seed, len(level)])
    about = {"preset": preset, "level": level, "seed": seed, "case": ""}
    rows = []
    if "maps" in parts:
        foreign = foreign_maps(cache, preset, level, seed, MAPS)
        for own, maps in ((True, sample.maps[:MAPS]), (False, foreign)):
            for cut in maps:
                rows += [measure(ct, task(p), own, about) for p in (cut, crop(cut, rng))]
    if "cutouts" in parts:
        rows += [measure(ct, hinted(task(cut)), True, about) for cut in sample.maps]
        # small maps have no room for a crack
        for name in CRACKS if min(sample.maps[0].mineral_map.shape) > 400 else ():
            for t in CASES[name](sample, rng).tasks[:1]:
                rows.append(measure(ct, hinted(t), True, {**about, "case": name}))
    done = [r for r in rows if r is not None]
    print(f"{preset} {level} {seed}: {len(done)} placements", flush=True)
    return done


def fit(features: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Coefficients of a logistic regression, constant first, with a weak ridge."""
    design = np.column_stack([np.ones(len(features)), features])
    sign = np.where(right, 1.0, -1.0)
    # as many right as wrong ones, whatever was drawn
    weights = np.where(right, 0.5 / right.mean(), 0.5 / (~right).mean())

    def loss(c: NDArray[np.float64]) -> float:
        margin = sign * (design @ c)
        return float(
            np.mean(weights * np.logaddexp(0, -margin)) + STRENGTH / len(sign) * np.sum(c[1:] ** 2)
        )

    return np.asarray(minimize(loss, np.zeros(design.shape[1]), method="BFGS").x)


def reliability(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
    """Stated probability beside the share that is right."""
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 0.99), (0.99, 1.01)):
        some = (probability >= low) & (probability < high)
        if some.any():
            print(
                f"  stated {low:.2f} to {min(high, 1):.2f}: {some.sum():5} cases, mean "
                f"{probability[some].mean():.3f}, right {right[some].mean():.3f}"
            )


def main() -> None:
    """Place, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument(
        "--phantoms", nargs="+", default=["slab:1", "coarse:1", "sample:2", "tiny:4"]
    )
    parser.add_argument("--parts", nargs="+", default=["maps", "cutouts"])
    parser.add_argument("--levels", nargs="+", default=["easy", "medium", "hard", "extreme"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--csv", type=Path)
    o = parser.parse_args()
    jobs = [
        (o.cache, preset, level, FIRST_SEED + seed, o.parts)
        for preset, count in (text.split(":") for text in o.phantoms)
        for seed in range(int(count))
        for level in o.levels
    ]
    os.environ["NUMBA_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(o.jobs) as pool:
        rows = [row for found in pool.map(run, jobs) for row in found]
    if o.csv:
        with o.csv.open("w", newline="") as file:
            names = sorted({k for r in rows for k in r} - {"cutouts"})
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    if "maps" in o.parts:
        calibrate_maps([r for r in rows if not r["hinted"]])
    if "cutouts" in o.parts:
        calibrate_cutouts([r for r in rows if r["hinted"]], o.csv)


def calibrate_maps(rows: list[dict[str, Any]]) -> None:
    """Coefficients with a second place to compare with, and without."""
    right = np.array([r["right"] for r in rows])
    print(f"\nmaps: {len(rows)}, {right.sum()} right")
    for name, lone in (("MAP_COEFFICIENTS", False), ("LONE_COEFFICIENTS", True)):
        features = np.array(
            [
                map_features(r["score"], None if lone else r["ratio"], r["share"], r["extent"])
                for r in rows
            ]
        )
        coefficients = fit(features, right)
        print(name, "=", tuple(round(float(c), 3) for c in coefficients))
        stated = 1 / (1 + np.exp(-(coefficients[0] + features @ coefficients[1:])))
        reliability(stated, right)
        wrong = np.flatnonzero(~right)
        for k in wrong[np.argsort(-stated[wrong])][:5]:
            shown = {n: v for n, v in rows[k].items() if n != "cutouts"}
            print(f"  wrong, stated {stated[k]:.3f}: {shown}")


def calibrate_cutouts(rows: list[dict[str, Any]], path: Path | None) -> None:
    """Coefficients for cutouts, whose measurements go beside the maps' CSV."""
    cutouts = np.array([c for r in rows for c in r["cutouts"]])
    if path:
        lines = [(r["preset"], r["level"], r["case"], *c) for r in rows for c in r["cutouts"]]
        with path.with_name(f"{path.stem}_cutouts.csv").open("w", newline="") as file:
            csv.writer(file).writerows(lines)
    features = np.array([cutout_features(*c[:4]) for c in cutouts])
    good = cutouts[:, 4] <= CUTOUT_VOXELS
    coefficients = fit(features, good)
    print(f"\ncutouts: {len(cutouts)}, {good.mean():.1%} right within {CUTOUT_VOXELS:g} voxels")
    print("CUTOUT_COEFFICIENTS =", tuple(round(float(c), 3) for c in coefficients))
    reliability(1 / (1 + np.exp(-(coefficients[0] + features @ coefficients[1:]))), good)


if __name__ == "__main__":
    main()
