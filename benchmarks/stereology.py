"""Stereology on phantoms: the 3D truth, what sections show, and what correction makes of it.

    python benchmarks/stereology.py [--seeds 10 11 12 13] [--preset sample] [--planes 200]

The kernel is measured on one phantom; sections of another phantom of the same material are
corrected with it, and the corrected liberation curve is set against the exact 3D curve of
the particles that were cut. The other phantom is taken as it is (feed), and thinned by grade to
a sample richer in target (concentrate) and to a poorer one (tailings), so that grades are
distributed otherwise than in the kernel's phantom. "few" has a tenth of the planes.

Errors are mean and largest absolute difference of the curves over thresholds 0, 0.01 ... 1;
"held" is the share of thresholds at which the corrected curve's 95 % interval holds the truth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

GRADES = {"feed": None, "concentrate": 1.0, "tailings": -1.0}


def measured(preset: str, seed: int, planes: int) -> tuple[Any, Any]:
    """Tables of the particles and of sections with random planes."""
    from napari_slagseg.descriptors import describe_particles, describe_planes, random_planes
    from napari_slagseg.phantom import PHASES, draw_sample
    from napari_slagseg.phantom.presets import VOXEL_UM

    drawn = draw_sample(preset, seed)  # type: ignore[arg-type]
    volumes = drawn.particles, drawn.phases
    cuts = random_planes(planes, drawn.particles.shape, VOXEL_UM, seed=seed)
    return (
        describe_particles(*volumes, VOXEL_UM, PHASES),
        describe_planes(*volumes, VOXEL_UM, PHASES, cuts),
    )


def samples_of(
    particles: Any, sections: Any, planes: int, seed: int
) -> Iterator[tuple[str, str, Any, Any]]:
    """Each material, with all planes and with a tenth of them."""
    from napari_slagseg.liberation import sample_of

    rng = np.random.default_rng(seed)
    frame = particles.frame
    draw = rng.random(len(frame))
    for material, sign in GRADES.items():
        grade = frame["volume_liberation"].to_numpy()
        chance = np.ones(len(frame)) if sign is None else grade if sign > 0 else 1 - grade
        kept = replace(particles, frame=frame[draw < chance])
        for number, count in (("many", planes), ("few", max(1, planes // 10))):
            some = replace(sections, frame=sections.frame[sections.frame["section"] < count])
            yield (
                material,
                number,
                sample_of(kept),
                sample_of(some, label="sections", one_particle_many_sections=True),
            )


def row(kernel: Any, particles: Any, sections: Any, resamples: int) -> dict[str, Any]:
    """One line of the table."""
    from napari_slagseg.liberation import StatisticSettings, liberation_curve
    from napari_slagseg.liberation.degrees import GRID
    from napari_slagseg.liberation.stereology import correct_sections, stereology_bias
    from napari_slagseg.liberation.stereology.pairs import sections_of

    settings = StatisticSettings(resamples=resamples)
    own, _ = sections_of(particles, sections)
    true = liberation_curve(particles.table.frame).at(GRID)
    apparent = liberation_curve(own.table.frame).at(GRID)
    correction = correct_sections(kernel, own, settings)
    frame = correction.liberation_curve()
    corrected = frame["value"].to_numpy()
    bias = stereology_bias(particles, own, settings=settings)
    bias = bias[bias["quantity"].str.contains("liberated")]
    bias = bias[bias["by"] == "volume_liberation"].set_index("measure")
    at = int(np.searchsorted(GRID, 0.9))
    held = (frame["low"] <= true + 1e-9) & (true <= frame["high"] + 1e-9)
    return {
        "sections": len(own),
        "3D": interval(bias.loc["3D"]),
        "2D": interval(bias.loc["2D"]),
        "corrected": interval(frame.iloc[at]),
        "ratio": interval(bias.loc["ratio"]),
        "mean before": np.abs(apparent - true).mean(),
        "mean after": np.abs(corrected - true).mean(),
        "max before": np.abs(apparent - true).max(),
        "max after": np.abs(corrected - true).max(),
        "held": held.mean(),
        "steps": correction.steps,
        "misfit": correction.misfit,
    }


def interval(values: Any) -> str:
    """Value with its interval."""
    return f"{values['value']:.3f} [{values['low']:.3f}, {values['high']:.3f}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13])
    parser.add_argument("--preset", default="sample")
    parser.add_argument("--planes", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--csv", type=Path)
    args = parser.parse_args(arguments)
    if len(args.seeds) < 2:
        parser.error("two seeds or more are needed: one phantom for the kernel, one to correct")
    from napari_slagseg.liberation import sample_of
    from napari_slagseg.liberation.stereology import section_kernel

    began = time.perf_counter()
    tables = {}
    for seed in args.seeds:
        tables[seed] = measured(args.preset, seed, args.planes)
        particles, sections = tables[seed]
        print(
            f"phantom {seed}: {len(particles.inside()):,} whole particles, "
            f"{len(sections.inside()):,} whole sections with {args.planes} planes, "
            f"{time.perf_counter() - began:.0f} s",
            flush=True,
        )
    rows = []
    for k, of_kernel in enumerate(args.seeds):
        seed = args.seeds[(k + 1) % len(args.seeds)]
        particles, sections = tables[of_kernel]
        kernel = section_kernel(sample_of(particles), sample_of(sections))
        for material, number, *samples in samples_of(*tables[seed], args.planes, seed):
            line = {"kernel": of_kernel, "phantom": seed, "material": material, "planes": number}
            rows.append(line | row(kernel, *samples, args.resamples))
    frame = pd.DataFrame(rows)
    print("\nShare of the target in particles of at least 90 % target, and errors of the curves:\n")
    print(frame.to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    numbers = ["mean before", "mean after", "max before", "max after", "held"]
    print("\nMeans over the phantoms:\n")
    means = frame.groupby(["material", "planes"], sort=False)[numbers].mean()
    print(means.to_string(float_format=lambda v: f"{v:.3f}"))
    if args.csv:
        frame.to_csv(args.csv, index=False)


if __name__ == "__main__":
    main()
