"""Bootstrap of a sample's results: ours beside scipy's, and how often the intervals hold the truth.

    python -m benchmarks.statistics [--particles 1000 10000 100000] [--coverage 200]

Speed: all results of a sample (modal mineralogy, curves, classes, sizes, locking,
association, recovery, convergence, border handling: some hundred to a thousand intervals)
with 1,000 resamples, beside `scipy.stats.bootstrap` of one liberation curve at eleven
thresholds, and of nothing but the mean liberation, on the same particles in the same run.

Coverage: samples are drawn from a large population whose values are known; the table says in
which share of the samples the interval of 95 % holds the value.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from napari_slagseg.data import CONTACT_COLUMNS, ParticleTable, Phase, PhaseTable
from napari_slagseg.liberation import (
    Sample,
    StatisticSettings,
    composition,
    contacts,
    degrees,
    distributions,
    recovery,
    sample_of,
    sample_results,
)
from napari_slagseg.liberation.resampling import Contributions

PHASES = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "A", "#0072b2", density_g_cm3=2.0),
        Phase(2, "B", "#e69f00", density_g_cm3=4.0),
        Phase(3, "C", "#009e73", density_g_cm3=3.0),
    ),
    "A",
)


def particles(n: int, seed: int, spread: float = 0.4) -> ParticleTable:
    """Particles of lognormal size and three phases; the smaller, the more often pure."""
    rng = np.random.default_rng(seed)
    diameter = np.exp(rng.normal(np.log(60), spread, n))
    pure = rng.random(n) < 1 / (1 + np.exp(np.log(diameter / 60) / spread * 1.2))
    fractions = rng.dirichlet([0.8, 0.8, 0.4], n)
    fractions[pure] = np.eye(3)[rng.integers(0, 3, pure.sum())]
    frame = pd.DataFrame(
        {
            "label": np.arange(1, n + 1),
            "touches_border": False,
            "border_weight": 1.0,
            "volume_um3": np.pi / 6 * diameter**3,
            "equivalent_diameter_um": diameter,
            "axis_major_um": 1.3 * diameter,
            "axis_intermediate_um": diameter,
            "axis_minor_um": 0.8 * diameter,
            "volume_liberation": fractions[:, 0],
            "surface_liberation": fractions[:, 0],
            **{f"fraction_{name}": fractions[:, i] for i, name in enumerate("ABC")},
        }
    )
    area = np.pi * diameter**2
    rows = [
        (i + 1, j, area * fractions[:, i] * (1 if j == 0 else fractions[:, j - 1]))
        for i in range(3)
        for j in range(4)
        if j != i + 1
    ]
    touching = pd.concat(
        [
            pd.DataFrame(dict(zip(CONTACT_COLUMNS, (frame["label"], phase, partner, shared))))
            for phase, partner, shared in rows
        ],
        ignore_index=True,
    )
    touching = touching[touching["area_um2"] > 0].reset_index(drop=True)
    return ParticleTable(frame, {}, (1.0, 1.0, 1.0), PHASES, contacts=touching)


def of_scipy(statistic: Callable[..., np.ndarray], data: tuple[np.ndarray, ...]) -> None:
    """Bootstrap that one would write down first."""
    stats.bootstrap(
        data,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=1000,
        batch=max(1, 2_000_000 // len(data[0])),
        method="percentile",
        rng=np.random.default_rng(0),
    )


def speed(numbers: list[int]) -> None:
    """Print seconds, and how many intervals each gives."""
    print(f"{'particles':>10} {'what':<42} {'intervals':>9} {'s':>7} {'ms each':>8}")
    sample_results(sample_of(particles(100, 0)))  # compiles
    for n in numbers:
        sample = sample_of(particles(n, 1))
        target, liberation = sample.target_amounts, sample.column("volume_liberation")
        began = time.perf_counter()
        found = sample_results(sample)
        seconds = time.perf_counter() - began
        intervals = sum(int(f["low"].notna().sum()) for f in found.frames().values() if "low" in f)
        rows = [("all results, 1,000 resamples", intervals, seconds)]
        began = time.perf_counter()
        of_scipy(
            lambda t, tl, axis: tl.sum(axis=axis) / t.sum(axis=axis), (target, target * liberation)
        )
        rows.append(("scipy: mean liberation", 1, time.perf_counter() - began))
        began = time.perf_counter()
        for tau in np.linspace(0, 1, 11):
            of_scipy(
                lambda t, freed, axis: freed.sum(axis=axis) / t.sum(axis=axis),
                (target, target * (liberation >= tau)),
            )
        rows.append(("scipy: a curve at 11 thresholds", 11, time.perf_counter() - began))
        for what, k, seconds in rows:
            print(f"{n:>10,} {what:<42} {k:>9,} {seconds:>7.2f} {1000 * seconds / k:>8.2f}")


def estimates(sample: Sample, settings: StatisticSettings) -> pd.DataFrame:
    """Some of each kind of result: name, value and interval."""
    sums, sizes = Contributions(sample), Contributions(sample)
    finishing = [
        composition.modal(sums),
        degrees.curves(sums),
        degrees.classes(sums, settings),
        contacts.locking(sums, settings),
        contacts.association(sums),
        recovery.grade_recovery(sums, settings),
    ]
    of_sizes = distributions.distributions(sizes, settings)
    found = sums.sums(settings)
    frames = of_sizes(sizes.sums(settings, strata=1))
    for finish in finishing:
        frames |= finish(found)
    curve = frames["liberation_curves"].query("by == 'volume_liberation'")
    groups = frames["liberation_groups"].query("by == 'volume_liberation'")
    classes = frames["liberation_classes"].query("by == 'volume_liberation'")
    points = frames["size_percentiles"].query("size == 'equivalent_diameter_um'")
    locking = frames["locking"]
    parts = {
        "modal, A by volume": frames["modal"].iloc[[0]],
        "modal, B by mass": frames["modal"].iloc[[4]],
        "curve at 0.3": curve[curve["threshold"] == 0.3],
        "curve at 0.8": curve[curve["threshold"] == 0.8],
        "locked": groups.iloc[[0]],
        "liberated": groups.iloc[[2]],
        "class (90-100) %": classes.iloc[[-2]],
        "ternary+": locking[locking["state"] == "ternary+"],
        "association of A with B": frames["association"].iloc[[0]],
        "grade at 80 % recovery": frames["grade_recovery"].query("0.79 < recovery < 0.81"),
        "D50 by number": points.query("basis == 'number' and percentile == 'D50'"),
        "D50 by volume": points.query("basis == 'volume' and percentile == 'D50'"),
        "P80 by volume": points.query("basis == 'volume' and percentile == 'P80'"),
    }
    return pd.concat(
        {name: part[["value", "low", "high"]].iloc[0] for name, part in parts.items()}, axis=1
    ).T


def coverage(samples: int) -> None:
    """Print how often intervals hold the value of the population, by sample size and strata."""
    everything = particles(60_000, 2)
    whole = sample_of(everything)
    truth = estimates(whole, StatisticSettings(resamples=0))["value"]
    kept = {}
    for n in (50, 200, 1000):
        for strata in (1, 10):
            rng = np.random.default_rng(n)
            held = []
            for k in range(samples):
                rows = rng.integers(0, len(everything), n)
                drawn = taken(everything, rows)
                settings = StatisticSettings(resamples=600, seed=k, size_strata=strata)
                found = estimates(sample_of(drawn), settings)
                held.append((found["low"] <= truth) & (truth <= found["high"]))
            kept[f"n={n}, {strata} strata"] = pd.DataFrame(held).mean()
            print(
                f"{n} particles, {strata} strata: {pd.DataFrame(held).mean().mean():.3f}",
                flush=True,
            )
    table = pd.DataFrame(kept)
    table.loc["mean"] = table.mean()
    print(f"\nshare of {samples} samples whose 95 % interval holds the truth")
    print(table.round(3).to_string())


def taken(table: ParticleTable, rows: np.ndarray) -> ParticleTable:
    """Table of some of the particles, numbered anew."""
    labels = np.arange(1, len(rows) + 1)
    new = pd.DataFrame({"old": table.frame["label"].to_numpy()[rows], "label": labels})
    by_label = table.contacts[table.contacts["label"].isin(new["old"])]
    joined = new.merge(by_label.rename(columns={"label": "old"}), on="old")
    frame = table.frame.iloc[rows].assign(label=labels).reset_index(drop=True)
    return ParticleTable(
        frame, {}, table.voxel_size_um, table.table, contacts=joined[list(CONTACT_COLUMNS)]
    )


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--coverage", type=int, default=0, help="samples to draw; 0 leaves it out")
    args = parser.parse_args(arguments)
    speed(args.particles)
    if args.coverage:
        coverage(args.coverage)


if __name__ == "__main__":
    main()
